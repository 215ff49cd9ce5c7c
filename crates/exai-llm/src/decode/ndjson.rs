//! One JSON text a line. The last line counts without its line feed, and empty lines are
//! keep-alives.

use super::{MAX_EVENT_BYTES, TooLong, lines::Lines};

/// Bytes in, lines out.
#[derive(Debug, Clone)]
pub struct NdjsonDecoder {
    lines: Lines,
    first_line: bool,
    cap: usize,
    broken: Option<TooLong>,
}

impl Default for NdjsonDecoder {
    fn default() -> Self {
        Self::new(MAX_EVENT_BYTES)
    }
}

impl NdjsonDecoder {
    /// A decoder whose lines are at most `cap` bytes.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self {
            lines: Lines::new(false),
            first_line: true,
            cap,
            broken: None,
        }
    }

    /// Takes bytes and gives the lines they complete.
    ///
    /// # Errors
    /// [`TooLong`], and from then on always.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<String>) -> Result<(), TooLong> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let (after, whole) = self
                .lines
                .take(rest, self.cap, 0)
                .inspect_err(|error| self.broken = Some(*error))?;
            rest = after;
            if whole {
                self.end_line(out);
            }
        }
        Ok(())
    }

    /// The stream ended: a last line without its line feed is given too.
    pub fn finish(&mut self, out: &mut Vec<String>) {
        if self.broken.is_none() {
            self.end_line(out);
        }
    }

    fn end_line(&mut self, out: &mut Vec<String>) {
        let mut line = self.lines.line();
        if std::mem::take(&mut self.first_line) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        let line = line.trim_ascii();
        if !line.is_empty() {
            out.push(String::from_utf8_lossy(line).into_owned());
        }
        self.lines.clear();
    }
}
