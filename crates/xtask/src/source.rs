//! The Rust files of the workspace, each with a copy in which comments and the insides of
//! literals are blank: a rule about code must not trip over words about code.

use anyhow::Context as _;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// One file.
pub(crate) struct Source {
    /// Relative to the workspace, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The same length and lines as `text`; only code is left.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            path: path.into(),
            code: code_of(&text),
            text,
        }
    }

    /// Lines of code, numbered from 1.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line))
    }

    /// Full paths of everything the file imports, braces unfolded, each with its line.
    pub(crate) fn imports(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut line = 1;
        let mut rest = self.code.as_str();
        while let Some(at) = find_word(rest, "use") {
            line += rest[..at].matches('\n').count();
            let statement = &rest[at + 3..];
            let end = statement.find(';').unwrap_or(statement.len());
            let tree: String = statement[..end]
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            unfold("", &tree, &mut |path| found.push((line, path)));
            line += statement[..end].matches('\n').count();
            rest = &statement[end..];
        }
        found
    }
}

/// Reads every `.rs` file below these folders, except build output.
pub(crate) fn read(root: &Path, folders: &[&str]) -> anyhow::Result<Vec<Source>> {
    let mut files = Vec::new();
    for folder in folders {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let path = file
                .strip_prefix(root)
                .unwrap_or(&file)
                .to_string_lossy()
                .replace('\\', "/");
            Ok(Source::new(path, text))
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            if path
                .file_name()
                .is_none_or(|name| name != "target" && name != "node_modules")
            {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// `a::{b, c::d}` → `a::b`, `a::c::d`.
fn unfold(prefix: &str, tree: &str, each: &mut impl FnMut(String)) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree).trim();
        if !path.is_empty() {
            each(format!("{prefix}{path}"));
        }
        return;
    };
    let prefix = format!("{prefix}{}", tree[..open].trim());
    let inside = tree[open + 1..]
        .strip_suffix('}')
        .unwrap_or(&tree[open + 1..]);
    let mut depth = 0;
    let mut start = 0;
    for (at, letter) in inside.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                unfold(&prefix, &inside[start..at], each);
                start = at + 1;
            }
            _ => {}
        }
    }
    unfold(&prefix, &inside[start..], each);
}

/// The first place where `word` stands by itself.
pub(crate) fn find_word(text: &str, word: &str) -> Option<usize> {
    let part_of_word =
        |letter: Option<char>| letter.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word).map(|(at, _)| at).find(|at| {
        !part_of_word(text[..*at].chars().next_back())
            && !part_of_word(text[at + word.len()..].chars().next())
    })
}

/// Blanks comments and the insides of string and character literals, keeping every newline.
fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' | b'b' | b'c' if starts_word(bytes, at) => raw_end(bytes, at),
            b'\'' => char_end(bytes, at),
            _ => at,
        };
        if end == at {
            code.push(bytes[at]);
            at += 1;
        } else {
            code.extend(
                bytes[at..end]
                    .iter()
                    .map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }),
            );
            at = end;
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn starts_word(bytes: &[u8], at: usize) -> bool {
    at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |length| at + length)
}

fn comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => (depth, at) = (depth + 1, at + 2),
            (b'*', Some(b'/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

fn string_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`, `b"…"`; `at` itself when it is only a name.
fn raw_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while matches!(bytes.get(at), Some(b'r' | b'b' | b'c')) && at - start < 2 {
        at += 1;
    }
    let raw = bytes[start..at].contains(&b'r');
    let hashes = bytes[at..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(at + hashes) != Some(&b'"') || (!raw && hashes > 0) {
        return start;
    }
    if !raw {
        return string_end(bytes, at);
    }
    let closing = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let inside = at + hashes + 1;
    bytes[inside..]
        .windows(closing.len())
        .position(|window| window == closing)
        .map_or(bytes.len(), |length| inside + length + closing.len())
}

/// A character literal's end; `at` itself for a lifetime.
fn char_end(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        let close = bytes[at + 3..].iter().position(|byte| *byte == b'\'');
        return close.map_or(at, |length| at + 3 + length + 1);
    }
    let width = bytes.get(at + 1).map_or(0, |first| match first {
        0..=0x7f => 1,
        0x80..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    });
    if width > 0 && bytes.get(at + 1 + width) == Some(&b'\'') {
        at + width + 2
    } else {
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_about_code_are_not_code() {
        let source = Source::new(
            "a.rs",
            "// std::fs\n/* std::net /* nested */ std::net */ let a = \"std::fs \\\" std\"; b(r#\"tokio::fs\"\"#);\nlet c = '\"'; x::<'a>(b'\\'', br\"std::fs\"); real();",
        );
        assert!(
            !source.code.contains("std::") && !source.code.contains("tokio"),
            "{}",
            source.code
        );
        assert!(source.code.contains("real();") && source.code.contains("x::<'a>("));
        assert_eq!(source.code.lines().count(), source.text.lines().count());
    }

    #[test]
    fn imports_are_unfolded() {
        let source = Source::new(
            "a.rs",
            "\nuse std::{\n  fs as f, io::{self, Write},\n};\nuse x::y;\nlet user = 1;",
        );
        let imports: Vec<String> = source.imports().into_iter().map(|(_, path)| path).collect();
        assert_eq!(
            imports,
            ["std::fs", "std::io::self", "std::io::Write", "x::y"]
        );
        assert_eq!(source.imports()[3].0, 5);
    }

    #[test]
    fn a_word_inside_a_word_is_not_it() {
        assert_eq!(find_word("my_rmcp rmcps rmcp::x", "rmcp"), Some(14));
        assert_eq!(find_word("rmcps", "rmcp"), None);
    }
}
