//! A diff taken apart, a file a piece. Nothing of it is changed.

use serde_json::{Value, json};

/// What git calls a file that a merge could not put together.
pub(super) const IN_CONFLICT: &str = "in conflict";

/// How a file's part of a diff begins. Lines of files stand behind a sign, so none begins so. Of
/// a file in conflict git shows both sides at once, or its name alone.
const HEADS: [&str; 4] = [
    "diff --git ",
    "diff --cc ",
    "diff --combined ",
    "* Unmerged path ",
];

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

    /// Neither side's nor both sides' lines are a change that somebody made.
    pub(super) fn is_in_conflict(&self) -> bool {
        self.how == IN_CONFLICT
    }

    /// What its lines hold, without git's signs before them: one of each side that is compared.
    pub(super) fn bare(&self) -> String {
        let signs = if self.is_in_conflict() { 2 } else { 1 };
        let bare = |line: &str| line.get(signs..).unwrap_or_default().to_owned() + "\n";
        self.text.lines().map(bare).collect()
    }

    /// For the answer.
    pub(super) fn told(&self, part: &str) -> Value {
        let mut told = json!({ "path": self.path, "how": self.how, "part": part });
        if !self.is_in_conflict() {
            told["added"] = json!(self.lines('+').count());
            told["removed"] = json!(self.lines('-').count());
        }
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

/// Where the next file begins.
fn begin(text: &str) -> Option<usize> {
    let is_head = |rest: &str| HEADS.iter().any(|head| rest.starts_with(head));
    if is_head(text) {
        return Some(0);
    }
    let mut ends = text.match_indices('\n').map(|(at, _)| at + 1);
    ends.find(|at| is_head(&text[*at..]))
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
            (old, how) = (Some(unquoted(path)), "renamed");
        } else if let Some(path) = line.strip_prefix("rename to ") {
            new = Some(unquoted(path));
        } else if line.starts_with("new file") {
            how = "added";
        } else if line.starts_with("deleted file") {
            how = "deleted";
        }
    }
    if !text.starts_with(HEADS[0]) {
        how = IN_CONFLICT;
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
    let path = unquoted(path.trim_end_matches('\t'));
    path.strip_prefix(prefix).map(str::to_owned)
}

/// The name in a head, for files without lines. Of a pair, both names are the same.
fn headed(text: &str) -> Option<String> {
    let line = text.lines().next()?;
    if let Some(alone) = HEADS[1..].iter().find_map(|head| line.strip_prefix(head)) {
        return Some(unquoted(alone));
    }
    let pair = line.strip_prefix(HEADS[0])?;
    let half = pair.get(..pair.len().checked_sub(1)? / 2)?;
    named(half, "a/")
}

/// Names with quotes, backslashes or control characters in them stand in quotes, as C writes them.
fn unquoted(name: &str) -> String {
    let inner = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'));
    let Some(inner) = inner else {
        return name.to_owned();
    };
    let mut bytes = Vec::new();
    let mut rest = inner.bytes().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let Some(sign) = rest.next() else { break };
        bytes.push(match sign {
            b'0'..=b'7' => {
                let mut value = u32::from(sign - b'0');
                for _ in 0..2 {
                    let digit = rest.next_if(|byte| (b'0'..=b'7').contains(byte));
                    value = digit.map_or(value, |digit| value * 8 + u32::from(digit - b'0'));
                }
                u8::try_from(value & 0xff).unwrap_or_default()
            }
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'v' => 11,
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
    fn files_in_conflict_are_pieces_of_their_own() {
        const CC: &str = "diff --cc .env\nindex 1,2..0\n--- a/.env\n+++ b/.env\n@@@ -1,1 -1,1 +1,5 @@@\n++<<<<<<< HEAD\n +K=mine\n++=======\n+ K=theirs\n++>>>>>>> o\n";
        let all = pieces(&format!("{CC}{DIFF}* Unmerged path d e.txt\n"));
        assert_eq!(all.len(), 6);
        assert_eq!((all[0].path.as_str(), all[0].how), (".env", "in conflict"));
        assert!(all[0].bare().contains("\nK=mine\n") && all[0].bare().contains("\nK=theirs\n"));
        assert_eq!(
            (all[5].path.as_str(), all[5].how),
            ("d e.txt", "in conflict")
        );
        assert_eq!(all[4].path, "gone");
    }

    #[test]
    fn names_in_quotes_are_read_as_they_are() {
        let text = "diff --git \"a/x\\t\\\"\\303\\244\" \"b/x\\t\\\"\\303\\244\"\nold mode 1\nnew mode 2\n";
        assert_eq!(pieces(text)[0].path, "x\t\"\u{e4}");
        let text = "diff --git a/a b/a\nrename from \"a\\\\b\"\nrename to c\n";
        assert_eq!(pieces(text)[0].from.as_deref(), Some("a\\b"));
    }

    #[test]
    fn rubbish_has_no_pieces() {
        assert_eq!(pieces(""), Vec::<Piece>::new());
        assert_eq!(pieces("no diff\n"), Vec::<Piece>::new());
        assert_eq!(pieces("diff --git ").len(), 1);
    }
}
