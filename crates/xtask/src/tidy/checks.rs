//! Every promised check has its test: the rows of `tests/checks.txt`, a test whose name
//! begins with each, and a mention in the table of `tests/README.md`.

use crate::{
    fault::Fault,
    source::{Source, find_word},
};
use anyhow::Context as _;
use std::{collections::BTreeSet, fs, path::Path};

const LIST: &str = "tests/checks.txt";
const TABLE: &str = "tests/README.md";

pub(super) fn check(
    root: &Path,
    sources: &[Source],
    faults: &mut Vec<Fault>,
) -> anyhow::Result<()> {
    let list =
        fs::read_to_string(root.join(LIST)).with_context(|| format!("cannot read {LIST}"))?;
    let table = fs::read_to_string(root.join(TABLE)).unwrap_or_default();
    compare(&list, &table, sources, faults);
    Ok(())
}

fn compare(list: &str, table: &str, sources: &[Source], faults: &mut Vec<Fault>) {
    let tested = tested_rows(sources);
    for (at, line) in list.lines().enumerate() {
        let row = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .next();
        let Some(row) = row else { continue };
        if !is_row(row) {
            faults.push(Fault::new(
                LIST,
                at + 1,
                format!("'{row}' is no row"),
                "write r05, s10, i03, p16 or t09",
            ));
            continue;
        }
        if !tested.contains(row) {
            faults.push(Fault::new(
                LIST,
                at + 1,
                format!("check '{row}' has no test"),
                format!("write a test whose name begins with {row}_"),
            ));
        }
        if !mentions(table, row) {
            faults.push(Fault::new(
                TABLE,
                1,
                format!("check '{row}' is not in the table of checks"),
                format!("add a row that names {row} and its tests"),
            ));
        }
    }
}

/// `r05` of every `fn r05_…` that is a test.
fn tested_rows(sources: &[Source]) -> BTreeSet<&str> {
    let mut rows = BTreeSet::new();
    for source in sources {
        let mut rest = source.code.as_str();
        while let Some(at) = find_word(rest, "fn") {
            let attributes = &rest[..at];
            let name = rest[at + 2..].trim_start();
            if let Some((row, _)) = name.split_once('_')
                && is_row(row)
                && is_test(attributes)
            {
                rows.insert(row);
            }
            rest = name;
        }
    }
    rows
}

/// The nearest attribute above, with nothing but attributes in between, says `test`;
/// `proptest!` bodies carry it too.
fn is_test(before: &str) -> bool {
    let since_last_item = before
        .rfind(['}', ';', '{'])
        .map_or(before, |at| &before[at + 1..]);
    // `flavor = "…"` is blanked, so what is left is the attribute's path.
    since_last_item.contains("test")
}

fn is_row(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|kind| "rsipt".contains(kind))
        && word.len() == 3
        && letters.all(|letter| letter.is_ascii_digit())
}

/// `r05` is found as itself, as the beginning of a test's name, or as `R5`.
fn mentions(table: &str, row: &str) -> bool {
    let (kind, number) = row.split_at(1);
    let short = format!("{}{}", kind.to_uppercase(), number.trim_start_matches('0'));
    find_word(table, row).is_some()
        || table.contains(&format!("{row}_"))
        || find_word(table, &short).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(list: &str, table: &str, code: &str) -> Vec<String> {
        let mut faults = Vec::new();
        compare(
            list,
            table,
            &[Source::new("tests/it/a.rs", code)],
            &mut faults,
        );
        faults.into_iter().map(|fault| fault.what).collect()
    }

    #[test]
    fn a_row_needs_a_test_and_a_mention() {
        let test = "#[tokio::test(flavor = \"multi_thread\")]\nasync fn r05_it_dies() {}";
        assert!(
            faults(
                "# rows\nr05  the shim dies with its parent\n",
                "| R5 | … |",
                test
            )
            .is_empty()
        );
        assert!(faults("r05", "r05_it_dies", "#[test] fn r05_it_dies() {}").is_empty());
        assert_eq!(
            faults("r05", "", test),
            ["check 'r05' is not in the table of checks"]
        );
        assert_eq!(
            faults("r05", "R5", "fn r05_helper() {}"),
            ["check 'r05' has no test"]
        );
        assert_eq!(
            faults("r05", "R50 r05x R5", "// #[test] fn r05_gone() {}"),
            ["check 'r05' has no test"]
        );
        assert_eq!(faults("five", "", ""), ["'five' is no row"]);
    }
}
