//! `testgen`: which tests there should be, and then the tests.

use super::{
    super::{
        guidance::Phases,
        kind::{Expert, Kind, Names, Needs, never},
    },
    CONFIDENCE,
};
use exai_engine::ports::models::Category;

pub(super) static KIND: Kind = Kind {
    name: "testgen",
    title: "Test generation",
    description: "Design tests step by step with the cases that break things; another model writes them at the end.",
    fields: &[],
    steps: 2,
    at_once: false,
    change: None,
    ladder: CONFIDENCE,
    expert: Some(Expert {
        prompt: include_str!("../../../prompts/testgen.md"),
        category: Category::Balanced,
        may_be_skipped: true,
        needs: Needs::Evidence(1),
        declined_by: None,
    }),
    actions: |view| PHASES.actions(view),
    holds: never,
    names: Some(Names {
        pause: "pause_for_test_analysis",
        required: "testgen_required",
        status: "test_generation_status",
        confidence: "analysis_confidence",
        complete: "complete_test_generation",
        flag: "test_generation_complete",
        sure: "test_generation_complete_ready_for_implementation",
        skipped: "skipped_due_to_certain_test_confidence",
    }),
    written: None,
};

const PHASES: Phases = Phases {
    first: &[
        "Read the code to be tested, what it promises, and the tests there are.",
        "Name the framework, the conventions and an existing test to take after.",
        "Put the code and that test into 'relevant_files'.",
    ],
    searching: &[
        "List the paths through the code, then what breaks each: empty, limits, wrong types, \
         order, twice, at once, interrupted, no rights, no room.",
        "Say which of them really happened before, or would cost the most.",
    ],
    testing: &[
        "For each case: what is set up, what is done, what must be seen, and which mistake in the \
         code would make it fail.",
        "Drop tests that could not fail.",
    ],
    closing: &["Send 'next_call', which is the last step, and have the tests written."],
};
