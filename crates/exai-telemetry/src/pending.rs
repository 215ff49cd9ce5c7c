//! What a file would not take. A full disk must not cost records if it is emptied in time, nor
//! memory if it is not, and what was half written must not spoil the line after it.

use std::io::{self, Write};

/// Most bytes kept for a file that cannot be written.
const MAX_BYTES: usize = 1 << 20;
/// Ends a line of which only a part could be written; readers pass such lines over.
pub(crate) const TORN: &[u8] = b" ~torn\n";

/// Lines on their way into a file.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    bytes: Vec<u8>,
    torn: bool,
}

/// What became of an attempt to write.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Bytes that reached the file.
    pub(crate) written: u64,
    /// Lines given up because too much is waiting.
    pub(crate) lost: u64,
    /// Why not all were written.
    pub(crate) error: Option<io::Error>,
}

impl Pending {
    /// Writes what waits and then `lines`; keeps what could not be written.
    pub(crate) fn send(&mut self, out: &mut impl Write, lines: &[u8]) -> Sent {
        if self.bytes.is_empty() && !self.torn {
            let (written, error) = write_most(out, lines);
            let lost = if error.is_some() {
                self.keep(lines, written)
            } else {
                0
            };
            return Sent {
                written: written as u64,
                lost,
                error,
            };
        }
        let mark = if self.torn { TORN } else { b"" };
        let mut all = Vec::with_capacity(mark.len() + self.bytes.len() + lines.len());
        all.extend_from_slice(mark);
        all.extend_from_slice(&self.bytes);
        all.extend_from_slice(lines);
        let (written, error) = write_most(out, &all);
        let mut lost = 0;
        if error.is_none() {
            *self = Self::default();
        } else if written >= mark.len() {
            self.torn = false;
            lost = self.keep(&all[mark.len()..], written - mark.len());
        } else if written == 0 {
            lost = self.keep_all(&all[mark.len()..]);
        } else {
            // Part of the mark itself: what is there still needs one.
            lost = self.keep_all(&all[mark.len()..]);
            self.torn = true;
        }
        Sent {
            written: written as u64,
            lost,
            error,
        }
    }

    /// Keeps lines for a file that could not even be opened.
    pub(crate) fn hold(&mut self, lines: &[u8]) -> u64 {
        let mut all = std::mem::take(&mut self.bytes);
        all.extend_from_slice(lines);
        self.keep_all(&all)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Keeps the lines of which not every byte was written.
    fn keep(&mut self, lines: &[u8], written: usize) -> u64 {
        let whole = lines[..written]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        self.torn = written > whole;
        self.keep_all(&lines[whole..])
    }

    fn keep_all(&mut self, lines: &[u8]) -> u64 {
        let excess = lines.len().saturating_sub(MAX_BYTES);
        let mut cut = 0;
        if excess > 0 {
            let end = lines[excess..].iter().position(|byte| *byte == b'\n');
            cut = end.map_or(lines.len(), |at| excess + at + 1);
        }
        let lost = lines[..cut].iter().filter(|byte| **byte == b'\n').count();
        self.bytes = lines[cut..].to_vec();
        lost as u64
    }
}

fn write_most(out: &mut impl Write, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with so much room left.
    struct Disk {
        room: usize,
        content: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room);
            if taken == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.content.extend_from_slice(&bytes[..taken]);
            self.room -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that a reader accepts.
    fn whole(content: &[u8]) -> Vec<String> {
        let text = String::from_utf8(content.to_vec()).unwrap();
        text.lines()
            .filter(|line| !line.ends_with("~torn"))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn r42_whatever_room_is_left_every_line_arrives_whole_once_there_is_more() {
        let lines = b"first line\nsecond\nthird one\n";
        for room in 0..=lines.len() + 20 {
            let mut disk = Disk {
                room,
                content: Vec::new(),
            };
            let mut pending = Pending::default();
            let first = pending.send(&mut disk, lines);
            assert_eq!(first.error.is_some(), room < lines.len(), "{room}");
            // Still full, or nearly: some bytes of room at a time.
            for more in [0, 1, 3] {
                disk.room += more;
                pending.send(&mut disk, b"");
            }
            disk.room = 1000;
            let last = pending.send(&mut disk, b"fourth\n");
            assert!(last.error.is_none() && pending.is_empty(), "{room}");
            let expected = ["first line", "second", "third one", "fourth"];
            assert_eq!(whole(&disk.content), expected, "{room}: {:?}", disk.content);
        }
    }

    #[test]
    fn r42_a_disk_that_stays_full_costs_the_oldest_lines_and_they_are_counted() {
        let mut disk = Disk {
            room: 0,
            content: Vec::new(),
        };
        let mut pending = Pending::default();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        let lost: u64 = (0..2000).map(|_| pending.send(&mut disk, &line).lost).sum();
        assert_eq!(lost, 2000 - 1024);
        assert!(pending.bytes.len() <= MAX_BYTES);
        disk.room = usize::MAX;
        assert_eq!(pending.send(&mut disk, b"").written, 1024 * 1024);
        assert_eq!(pending.hold(b"later\n"), 0);
        assert!(!pending.is_empty());
    }
}
