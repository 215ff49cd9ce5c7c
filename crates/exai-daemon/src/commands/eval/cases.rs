//! The files that are reviewed to find out how good a reviewer is: small programs of ours with
//! one defect each, and some without. They travel in the binary, so that whoever has the daemon
//! has them too.

use serde::Serialize;

const SOURCES: [(&str, &str); 6] = [
    ("c", include_str!("../../../eval/c.txt")),
    ("go", include_str!("../../../eval/go.txt")),
    ("java", include_str!("../../../eval/java.txt")),
    ("python", include_str!("../../../eval/python.txt")),
    ("rust", include_str!("../../../eval/rust.txt")),
    ("typescript", include_str!("../../../eval/typescript.txt")),
];
/// Stands at the end of the line with the defect, and is taken away before anybody sees it.
const MARK: char = '§';

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) language: &'static str,
    /// What the file is called.
    pub(super) file: String,
    /// The line with the defect; none in a clean file.
    pub(super) line: Option<usize>,
    /// What is wrong there.
    pub(super) what: String,
    #[serde(skip)]
    pub(super) code: String,
}

/// All of them, in a fixed order.
pub(super) fn all() -> Vec<Case> {
    SOURCES
        .iter()
        .flat_map(|(language, text)| read(language, text))
        .collect()
}

/// `== name | file | what is wrong`, and then the code.
fn read(language: &'static str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("== ") {
            let mut parts = head.splitn(3, " | ").map(str::to_owned);
            let mut part = || parts.next().unwrap_or_default();
            cases.push(Case {
                name: part(),
                language,
                file: part(),
                line: None,
                what: part(),
                code: String::new(),
            });
        } else if let Some(case) = cases.last_mut() {
            let code = line.trim_end().trim_end_matches(MARK).trim_end();
            case.code.push_str(code);
            case.code.push('\n');
            if line.ends_with(MARK) {
                case.line = Some(case.code.lines().count());
            }
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn there_are_enough_and_each_is_whole() {
        let cases = all();
        let (bugs, clean): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.line.is_some());
        let languages: BTreeSet<_> = bugs.iter().map(|case| case.language).collect();
        assert!(bugs.len() >= 40 && clean.len() >= 10 && languages.len() >= 5);
        let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
        assert_eq!(names.len(), cases.len(), "each has a name of its own");
        for case in &cases {
            assert!(
                case.file.contains('.') && case.code.lines().count() > 2,
                "{case:?}"
            );
            assert!(!case.code.contains(MARK), "nothing gives it away: {case:?}");
            assert_eq!(case.what == "clean", case.line.is_none(), "{case:?}");
            assert!(!case.code.contains(&case.what), "{case:?}");
        }
        for (language, source) in SOURCES {
            let marks = source.matches(MARK).count();
            let bugs = bugs.iter().filter(|case| case.language == language);
            assert_eq!(bugs.count(), marks, "one defect a file: {language}");
        }
    }
}
