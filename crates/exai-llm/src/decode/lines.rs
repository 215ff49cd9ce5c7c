//! Lines out of bytes in one pass: each byte is looked at once and copied at most once.

use super::TooLong;

/// The line under construction.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    line: Vec<u8>,
    /// Whether a lone CR ends a line, as in event streams.
    cr_ends: bool,
    /// A CR just ended a line: an LF that follows belongs to it, even in the next chunk.
    after_cr: bool,
}

impl Lines {
    pub(super) fn new(cr_ends: bool) -> Self {
        Self {
            line: Vec::new(),
            cr_ends,
            after_cr: false,
        }
    }

    /// Takes bytes up to the next line end; what is left, and whether the line is whole.
    pub(super) fn take<'a>(
        &mut self,
        bytes: &'a [u8],
        cap: usize,
        held: usize,
    ) -> Result<(&'a [u8], bool), TooLong> {
        let mut bytes = bytes;
        if std::mem::take(&mut self.after_cr) && bytes.first() == Some(&b'\n') {
            bytes = &bytes[1..];
        }
        let ends = |byte: &u8| *byte == b'\n' || (self.cr_ends && *byte == b'\r');
        let end = bytes.iter().position(ends);
        let upto = end.unwrap_or(bytes.len());
        if held + self.line.len() + upto > cap {
            return Err(TooLong { cap });
        }
        self.line.extend_from_slice(&bytes[..upto]);
        match end {
            None => Ok((&[], false)),
            Some(at) => {
                self.after_cr = bytes[at] == b'\r';
                Ok((&bytes[at + 1..], true))
            }
        }
    }

    /// The line, if it has any bytes; the next one starts empty.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    pub(super) fn clear(&mut self) {
        // A single huge event must not keep its room for the rest of the stream.
        if self.line.capacity() > 256 * 1024 {
            self.line = Vec::new();
        }
        self.line.clear();
    }
}
