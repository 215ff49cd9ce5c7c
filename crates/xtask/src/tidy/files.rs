//! One idea a file: each begins by saying why it exists, and none grows past reading.

use crate::{fault::Fault, source::Source};

/// Tests included; longer ones move to a sibling `tests.rs`.
const MOST_LINES: usize = 600;

/// Returns a summary of how long files are.
pub(super) fn check(sources: &[Source], faults: &mut Vec<Fault>) -> String {
    for source in sources {
        let lines = source.text.lines().count();
        if lines > MOST_LINES {
            faults.push(Fault::new(
                &source.path,
                MOST_LINES + 1,
                format!("is {lines} lines long; the limit is {MOST_LINES}"),
                "split it by idea; move tests to a sibling tests.rs",
            ));
        }
        if !source.text.starts_with("//!") {
            faults.push(Fault::new(
                &source.path,
                1,
                "does not begin with a //! line",
                "begin with a sentence that says why the file exists",
            ));
        }
    }
    let mut lengths: Vec<usize> = sources
        .iter()
        .map(|source| source.text.lines().count())
        .collect();
    lengths.sort_unstable();
    let at = |percent: usize| {
        lengths
            .get(lengths.len().saturating_sub(1) * percent / 100)
            .copied()
            .unwrap_or(0)
    };
    format!(
        "files: {}, lines: median {}, p95 {}, most {}",
        lengths.len(),
        at(50),
        at(95),
        at(100)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_silent_files_are_faults() {
        let mut faults = Vec::new();
        let sources = [
            Source::new("a.rs", "//! Good.\n"),
            Source::new("b.rs", "//! Long.\n".repeat(601)),
            Source::new("c.rs", "fn silent() {}\n"),
        ];
        let summary = check(&sources, &mut faults);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert_eq!(summary, "files: 3, lines: median 1, p95 1, most 601");
    }
}
