//! Server-sent events. Two policies differ from the standard on purpose: an unterminated last
//! event counts (providers put the usage there), and `id` and `retry` are ignored, because a
//! model's stream is never resumed.

use super::{MAX_EVENT_BYTES, TooLong, lines::Lines};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event` field, empty when there was none.
    pub name: String,
    /// The `data` lines, joined by line feeds.
    pub data: String,
}

/// Bytes in, events out.
#[derive(Debug, Clone)]
pub struct SseDecoder {
    lines: Lines,
    first_line: bool,
    name: String,
    data: Vec<u8>,
    any_data: bool,
    cap: usize,
    broken: Option<TooLong>,
}

impl Default for SseDecoder {
    fn default() -> Self {
        Self::new(MAX_EVENT_BYTES)
    }
}

impl SseDecoder {
    /// A decoder whose events are at most `cap` bytes.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        Self {
            lines: Lines::new(true),
            first_line: true,
            name: String::new(),
            data: Vec::new(),
            any_data: false,
            cap,
            broken: None,
        }
    }

    /// Takes bytes and gives the events they complete.
    ///
    /// # Errors
    /// [`TooLong`], and from then on always: where the next event begins is lost.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<SseEvent>) -> Result<(), TooLong> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let (after, whole) = self
                .lines
                .take(rest, self.cap, self.data.len())
                .inspect_err(|error| self.broken = Some(*error))?;
            rest = after;
            if whole {
                self.end_line(out);
            }
        }
        Ok(())
    }

    /// The stream ended: an event that lacks its empty line is given too.
    pub fn finish(&mut self, out: &mut Vec<SseEvent>) {
        if self.broken.is_none() {
            if !self.lines.line().is_empty() {
                self.end_line(out);
            }
            self.dispatch(out);
        }
    }

    fn end_line(&mut self, out: &mut Vec<SseEvent>) {
        let mut line = self.lines.line();
        if std::mem::take(&mut self.first_line) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        if line.is_empty() {
            self.lines.clear();
            self.dispatch(out);
            return;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = match colon {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if std::mem::replace(&mut self.any_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            // Comments have an empty field; `id`, `retry` and unknown ones mean nothing here.
            _ => {}
        }
        self.lines.clear();
    }

    fn dispatch(&mut self, out: &mut Vec<SseEvent>) {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        if std::mem::take(&mut self.any_data) {
            let data = match String::from_utf8(data) {
                Ok(data) => data,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            };
            out.push(SseEvent { name, data });
        }
    }
}
