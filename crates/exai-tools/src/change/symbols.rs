//! Names that a change takes away or replaces. A definition that went where another of the same
//! kind came, with all but the same words around it, was renamed; where the old name is still
//! used, whoever reads the change should know.

use super::{diff::Piece, git::Git};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write as _};

/// Names that are looked for in the rest of the repository.
const MOST: usize = 12;

/// Words before a name that is defined, in the languages people write most.
const KINDS: &[&str] = &[
    "fn",
    "def",
    "class",
    "struct",
    "enum",
    "trait",
    "interface",
    "type",
    "func",
    "function",
    "const",
    "static",
    "let",
    "var",
    "module",
    "mod",
    "macro_rules!",
    "record",
    "object",
    "val",
];

/// A definition: its kind and its name, and the rest of its line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Defined {
    kind: &'static str,
    name: String,
    rest: String,
}

/// Those of a change.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// Old name, new name, where.
    renamed: Vec<(String, String, String)>,
    /// Name, where.
    removed: Vec<(String, String)>,
}

/// Where old names are still used.
pub(super) type Uses = BTreeMap<String, Vec<String>>;

impl Symbols {
    /// Takes those of one file.
    pub(super) fn add(&mut self, piece: &Piece) {
        if piece.is_in_conflict() {
            return;
        }
        let all = |sign| piece.lines(sign).filter_map(defined).collect::<Vec<_>>();
        let (mut gone, mut come) = (all('-'), all('+'));
        let there = come.clone();
        come.retain(|new| !gone.iter().any(|old| old.name == new.name));
        gone.retain(|old| !there.iter().any(|new| old.name == new.name));
        for old in gone {
            let like = |new: &Defined| new.kind == old.kind && new.rest == old.rest;
            match come.iter().position(like) {
                Some(at) => {
                    let new = come.remove(at);
                    self.renamed.push((old.name, new.name, piece.path.clone()));
                }
                // Variables come and go.
                None if ["let", "var", "val"].contains(&old.kind) => {}
                None => self.removed.push((old.name, piece.path.clone())),
            }
        }
    }

    fn old_names(&self) -> impl Iterator<Item = &String> {
        let renamed = self.renamed.iter().map(|(old, ..)| old);
        renamed.chain(self.removed.iter().map(|(name, _)| name))
    }

    pub(super) fn renamed_told(&self, uses: &Uses) -> Vec<Value> {
        let told = self.renamed.iter().map(|(old, new, path)| {
            json!({ "from": old, "to": new, "path": path, "still_used_at": uses.get(old) })
        });
        told.collect()
    }

    pub(super) fn removed_told(&self, uses: &Uses) -> Vec<Value> {
        let told = self.removed.iter().filter_map(|(name, path)| {
            let at = uses.get(name).filter(|at| !at.is_empty())?;
            Some(json!({ "name": name, "path": path, "used_at": at }))
        });
        told.collect()
    }

    /// For whoever reads the change.
    pub(super) fn in_words(&self, uses: &Uses) -> String {
        let mut text = String::new();
        for (old, new, path) in &self.renamed {
            let _ = write!(text, "- `{old}` became `{new}` in {path}");
            still(&mut text, uses.get(old));
        }
        for (name, path) in &self.removed {
            if uses.get(name).is_some_and(|at| !at.is_empty()) {
                let _ = write!(text, "- `{name}` is gone from {path}");
                still(&mut text, uses.get(name));
            }
        }
        if text.is_empty() {
            return text;
        }
        format!("Symbols, as far as can be told from the lines:\n{text}\n")
    }
}

fn still(text: &mut String, at: Option<&Vec<String>>) {
    let _ = match at {
        Some(at) if !at.is_empty() => {
            writeln!(text, "; the old name still stands at {}", at.join(", "))
        }
        _ => writeln!(text),
    };
}

/// Looks for the old names in what git knows.
pub(super) async fn uses(git: &Git, symbols: &Symbols) -> Uses {
    let mut uses = Uses::new();
    for name in symbols.old_names().take(MOST) {
        if name.len() > 2 && !uses.contains_key(name) {
            uses.insert(name.clone(), git.places(name).await);
        }
    }
    uses
}

/// The definition a line makes.
fn defined(line: &str) -> Option<Defined> {
    let line = line.trim();
    let mut words = line.split_whitespace();
    // `pub(crate) async fn`, `export default class`: a few words before, never many.
    let kind = words
        .by_ref()
        .take(5)
        .find_map(|word| KINDS.iter().find(|kind| **kind == word))?;
    let named = words.next()?;
    let end = named
        .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
        .unwrap_or(named.len());
    let name = &named[..end];
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let at = line.find(name)?;
    let rest = format!("{}{}", &line[..at], &line[at + name.len()..]);
    Some(Defined {
        kind,
        name: name.to_owned(),
        rest,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::diff::pieces, Symbols, Uses};

    fn of(lines: &str) -> Symbols {
        let diff = format!("diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n{lines}");
        let mut symbols = Symbols::default();
        for piece in pieces(&diff) {
            symbols.add(&piece);
        }
        symbols
    }

    #[test]
    fn a_name_that_is_replaced_in_place_was_renamed() {
        let symbols = of(
            "-pub(crate) fn old(a: u8) {\n+pub(crate) fn new(a: u8) {\n-class Gone:\n-    x = 1\n+let y = 2;\n",
        );
        assert_eq!(
            symbols.renamed,
            [("old".to_owned(), "new".to_owned(), "a".to_owned())]
        );
        assert_eq!(symbols.removed, [("Gone".to_owned(), "a".to_owned())]);
        let mut uses = Uses::new();
        uses.insert("old".to_owned(), vec!["b:3".to_owned()]);
        let words = symbols.in_words(&uses);
        assert!(
            words.contains("`old` became `new` in a; the old name still stands at b:3"),
            "{words}"
        );
        assert!(!words.contains("Gone"), "{words}");
    }

    #[test]
    fn a_definition_that_only_changed_is_no_news() {
        let symbols = of("-fn same(a: u8) {\n+fn same(a: u16) {\n");
        assert!(symbols.renamed.is_empty() && symbols.removed.is_empty());
    }
}
