//! How good a reviewer was: what it found of what is there, and what it found that is not.

use super::cases::Case;
use serde::Serialize;

/// A finding so many lines off still means the defect.
const NEAR: usize = 2;

/// What a reviewer said of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Verdict {
    pub(super) case: String,
    /// The defect was found.
    pub(super) hit: bool,
    /// Findings where nothing is wrong.
    pub(super) false_alarms: usize,
    /// Why there is no verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<String>,
}

impl Verdict {
    /// Of a reviewer's words.
    pub(super) fn of(case: &Case, words: &str) -> Self {
        let found = findings(&case.file, words);
        let is_it = |line: &usize| case.line.is_some_and(|bug| line.abs_diff(bug) <= NEAR);
        Self {
            case: case.name.clone(),
            hit: found.iter().any(is_it),
            false_alarms: found.iter().filter(|line| !is_it(line)).count(),
            failed: None,
        }
    }

    /// Of one who could not be asked.
    pub(super) fn failed(case: &Case, why: String) -> Self {
        Self {
            case: case.name.clone(),
            hit: false,
            false_alarms: 0,
            failed: Some(why),
        }
    }
}

/// Lines that are reported, each once: `FINDING file:line: what`.
fn findings(file: &str, words: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for line in words.lines() {
        let line = line.trim_start_matches(|c: char| !c.is_alphanumeric());
        let Some(rest) = line.strip_prefix("FINDING") else {
            continue;
        };
        let Some((_, after)) = rest.split_once(&format!("{file}:")) else {
            continue;
        };
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        if let Ok(number) = digits.parse()
            && !lines.contains(&number)
        {
            lines.push(number);
        }
    }
    lines
}

/// All of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Score {
    pub(super) bugs: usize,
    pub(super) hits: usize,
    pub(super) clean: usize,
    /// Clean files that were called faulty.
    pub(super) clean_flagged: usize,
    pub(super) false_alarms: usize,
    /// Files without a verdict; they count as nothing else.
    pub(super) failed: usize,
    /// Of the bugs with a verdict.
    pub(super) hit_rate: Option<f64>,
    pub(super) usd: Option<f64>,
    pub(super) usd_per_hit: Option<f64>,
}

impl Score {
    /// Counts; `usd` is unknown where any price is.
    pub(super) fn of(cases: &[Case], verdicts: &[Verdict], usd: Option<f64>) -> Self {
        let mut score = Self {
            usd,
            ..Self::default()
        };
        for (case, verdict) in cases.iter().zip(verdicts) {
            if verdict.failed.is_some() {
                score.failed += 1;
                continue;
            }
            score.false_alarms += verdict.false_alarms;
            if case.line.is_some() {
                score.bugs += 1;
                score.hits += usize::from(verdict.hit);
            } else {
                score.clean += 1;
                score.clean_flagged += usize::from(verdict.false_alarms > 0);
            }
        }
        let share = |of: f64, all: usize| (all > 0).then(|| of / all as f64);
        score.hit_rate = share(score.hits as f64, score.bugs);
        score.usd_per_hit = usd.and_then(|usd| share(usd, score.hits));
        score
    }
}

#[cfg(test)]
mod tests {
    use super::{super::cases::all, *};

    #[test]
    fn a_finding_is_a_line_that_says_so() {
        let words = "# Review\n- FINDING a.rs:7: wrong\n**FINDING** `a.rs:7`: again\nFINDING \
                     b.rs:3: another file\nsee a.rs:9 too\n1. NO FINDINGS";
        assert_eq!(findings("a.rs", words), [7]);
    }

    #[test]
    fn misses_and_false_alarms_are_told_apart() {
        let cases = all();
        let bug = cases.iter().find(|case| case.line == Some(6)).unwrap();
        let clean = cases.iter().find(|case| case.line.is_none()).unwrap();
        let said = |case: &Case, line: usize| {
            Verdict::of(case, &format!("FINDING {}:{line}: x", case.file))
        };
        let near = said(bug, 8);
        assert!(near.hit && near.false_alarms == 0);
        let far = said(bug, 9);
        assert!(!far.hit && far.false_alarms == 1);
        let flagged = said(clean, 1);
        assert!(!flagged.hit && flagged.false_alarms == 1);
        let quiet = Verdict::of(clean, "NO FINDINGS");
        let lost = Verdict::failed(bug, "no key".to_owned());
        let cases = [bug, bug, clean, clean, bug].map(Clone::clone);
        let score = Score::of(&cases, &[near, far, flagged, quiet, lost], Some(0.5));
        assert_eq!((score.bugs, score.hits, score.failed), (2, 1, 1));
        assert_eq!(
            (score.clean, score.clean_flagged, score.false_alarms),
            (2, 1, 2)
        );
        assert_eq!((score.hit_rate, score.usd_per_hit), (Some(0.5), Some(0.5)));
    }
}
