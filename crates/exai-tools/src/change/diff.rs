//! A diff taken apart, a file a piece. Nothing of it is changed.

use serde_json::{Value, json};

/// One file's change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its path now, or where it was if it is gone.
    pub(super) path: String,
    /// Its path before, where that is another.
    pub(super) from: Option<String>,
    pub(super) how: &'static str,
    pub(super) text: String,
}

impl Piece {
    /// Lines with this sign.
    pub(super) fn lines(&self, sign: char) -> impl Iterator<Item = &str> {
        let head = if sign == '+' { "+++ " } else { "--- " };
        self.text
            .lines()
            .skip_while(|line| !line.starts_with("@@"))
            .filter(move |line| !line.starts_with(head) || line.len() < 5)
            .filter_map(move |line| line.strip_prefix(sign))
    }

    /// For the answer.
    pub(super) fn told(&self, part: &str) -> Value {
        let mut told = json!({
            "path": self.path,
            "how": self.how,
            "part": part,
            "added": self.lines('+').count(),
            "removed": self.lines('-').count(),
        });
        if let Some(from) = &self.from {
            told["from"] = json!(from);
        }
        told
    }
}

/// Takes it apart.
pub(super) fn pieces(diff: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = diff;
    while let Some(at) = begin(rest) {
        let after = &rest[at..];
        let end = after.find('\n').map_or(after.len(), |line| line + 1);
        let next = begin(&after[end..]).map_or(after.len(), |next| end + next);
        pieces.push(piece(&after[..next]));
        rest = &after[next..];
    }
    pieces
}

/// Where the next file begins; lines of a file never begin like this in a diff.
fn begin(text: &str) -> Option<usize> {
    const HEAD: &str = "diff --git ";
    match text.starts_with(HEAD) {
        true => Some(0),
        false => text.find("\ndiff --git ").map(|at| at + 1),
    }
}

fn piece(text: &str) -> Piece {
    let head = text.lines().take_while(|line| !line.starts_with("@@"));
    let (mut old, mut new, mut how) = (None, None, "changed");
    for line in head {
        if let Some(path) = line.strip_prefix("--- ") {
            old = old.or_else(|| named(path, "a/"));
        } else if let Some(path) = line.strip_prefix("+++ ") {
            new = new.or_else(|| named(path, "b/"));
        } else if let Some(path) = line.strip_prefix("rename from ") {
            (old, how) = (Some(path.to_owned()), "renamed");
        } else if let Some(path) = line.strip_prefix("rename to ") {
            new = Some(path.to_owned());
        } else if line.starts_with("new file") {
            how = "added";
        } else if line.starts_with("deleted file") {
            how = "deleted";
        }
    }
    let path = new.clone().or_else(|| old.clone()).or_else(|| headed(text));
    Piece {
        from: old.filter(|old| Some(old) != path.as_ref()),
        path: path.unwrap_or_else(|| "(a file whose name cannot be read)".to_owned()),
        how,
        text: if text.ends_with('\n') {
            text.to_owned()
        } else {
            format!("{text}\n")
        },
    }
}

fn named(path: &str, prefix: &str) -> Option<String> {
    let path = path.trim_end_matches('\t').trim_matches('"');
    path.strip_prefix(prefix).map(str::to_owned)
}

/// `diff --git a/x b/x`, for files without lines: both names are the same.
fn headed(text: &str) -> Option<String> {
    let line = text.lines().next()?.strip_prefix("diff --git a/")?;
    let half = line.len().checked_sub(3)? / 2;
    line.get(..half).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{Piece, pieces};

    const DIFF: &str = "diff --git a/a.rs b/a.rs\nindex 1..2 100644\n--- a/a.rs\n+++ b/a.rs\n@@ -1,2 +1,2 @@\n-fn old() {}\n+fn new() {}\n same\ndiff --git a/x y.txt b/z y.txt\nsimilarity index 90%\nrename from x y.txt\nrename to z y.txt\n--- a/x y.txt\t\n+++ b/z y.txt\t\n@@ -1 +1 @@\n--- a sign\n+++ another\ndiff --git a/empty b/empty\nnew file mode 100644\nindex 0..0\ndiff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-diff --git a/no b/no\n";

    #[test]
    fn a_diff_comes_apart_at_its_files() {
        let all = pieces(DIFF);
        let told: Vec<(&str, Option<&str>, &str)> = all
            .iter()
            .map(|piece| (piece.path.as_str(), piece.from.as_deref(), piece.how))
            .collect();
        assert_eq!(
            told,
            [
                ("a.rs", None, "changed"),
                ("z y.txt", Some("x y.txt"), "renamed"),
                ("empty", None, "added"),
                ("gone", None, "deleted"),
            ]
        );
        let text: String = all.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(text, DIFF);
        assert_eq!(all[0].lines('+').collect::<Vec<_>>(), ["fn new() {}"]);
        assert_eq!(
            all[3].lines('-').collect::<Vec<_>>(),
            ["diff --git a/no b/no"]
        );
    }

    #[test]
    fn rubbish_has_no_pieces() {
        assert_eq!(pieces(""), Vec::<Piece>::new());
        assert_eq!(pieces("no diff\n"), Vec::<Piece>::new());
        assert_eq!(pieces("diff --git ").len(), 1);
    }
}
