//! The end of a log, without reading the rest of it.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

const BLOCK: u64 = 64 * 1024;
/// Most of a file that is ever looked at.
const MAX_BYTES: u64 = 8 << 20;

/// The last whole lines of a file, oldest first; empty when there is no file.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn tail(path: &Path, lines: usize) -> io::Result<Vec<String>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let end = file.seek(SeekFrom::End(0))?;
    let mut start = end;
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let mut newlines = 0;
    // One more than asked for: the newline before the first wanted line, besides the last one.
    while start > 0 && newlines <= lines && end - start < MAX_BYTES {
        let length = BLOCK.min(start);
        start -= length;
        file.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        (&mut file).take(length).read_to_end(&mut block)?;
        newlines += block.iter().filter(|byte| **byte == b'\n').count();
        blocks.push(block);
    }
    let bytes: Vec<u8> = blocks.into_iter().rev().flatten().collect();
    Ok(last_lines(&bytes, lines, start > 0))
}

fn last_lines(bytes: &[u8], lines: usize, cut_at_start: bool) -> Vec<String> {
    // What follows the last newline is still being written.
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        return Vec::new();
    };
    let mut all: Vec<&[u8]> = bytes[..end].split(|byte| *byte == b'\n').collect();
    if cut_at_start && !all.is_empty() {
        all.remove(0);
    }
    let skip = all.len().saturating_sub(lines);
    all[skip..]
        .iter()
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn tail_of(content: &[u8], lines: usize) -> Vec<String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        tail(file.path(), lines).unwrap()
    }

    #[test]
    fn short_files() {
        assert_eq!(tail_of(b"", 3), Vec::<String>::new());
        assert_eq!(tail_of(b"one\ntwo\n", 3), ["one", "two"]);
        assert_eq!(tail_of(b"one\ntwo\nthree\n", 2), ["two", "three"]);
        assert_eq!(tail_of(b"one\ntwo\nhal", 1), ["two"]);
        assert_eq!(tail_of(b"half", 1), Vec::<String>::new());
        assert_eq!(tail_of(b"one\n", 0), Vec::<String>::new());
        assert_eq!(
            tail(Path::new("/surely/not/there"), 3).unwrap(),
            Vec::<String>::new()
        );
    }

    #[test]
    fn lines_that_cross_blocks_are_whole() {
        let line = |number: usize| format!("{number:06} {}", "ü".repeat(300));
        let all: String = (0..2000).map(|number| line(number) + "\n").collect();
        let last = tail_of(all.as_bytes(), 500);
        assert_eq!(last.len(), 500);
        assert_eq!(last[0], line(1500));
        assert_eq!(last[499], line(1999));
    }

    #[test]
    fn an_endless_line_is_not_read_whole() {
        let mut content = vec![b'x'; 20 << 20];
        content.extend_from_slice(b"\nlast\n");
        assert_eq!(tail_of(&content, 5), ["last"]);
    }
}
