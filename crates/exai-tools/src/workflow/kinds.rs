//! The tools themselves, a file each.

mod analyze;
mod codereview;
mod debug;
mod docgen;
mod planner;
mod precommit;
mod refactor;
mod secaudit;
mod testgen;
mod thinkdeep;
mod tracer;

use super::kind::Kind;

/// By name.
pub(super) static ALL: &[&Kind] = &[
    &analyze::KIND,
    &codereview::KIND,
    &debug::KIND,
    &docgen::KIND,
    &planner::KIND,
    &precommit::KIND,
    &refactor::KIND,
    &secaudit::KIND,
    &testgen::KIND,
    &thinkdeep::KIND,
    &tracer::KIND,
];

/// How sure a caller may say to be.
const CONFIDENCE: &[&str] = &[
    "exploring",
    "low",
    "medium",
    "high",
    "very_high",
    "almost_certain",
    "certain",
];

/// Which findings matter.
const SEVERITIES: &[&str] = &["critical", "high", "medium", "low", "all"];
