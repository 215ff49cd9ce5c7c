//! Finds the `id` of a message that cannot be parsed, or is too long to be kept, by looking at
//! its bytes once, in constant memory. Clients put it first or last, so all of it is seen.

use crate::ids;
use rmcp::model::RequestId;

/// Longest id worth echoing.
const MAX_ID: usize = 256;

/// The scanner; feed it a message in pieces.
#[derive(Debug, Default)]
pub(crate) struct IdScan {
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// What the bytes at the top level are.
    part: Part,
    is_id: bool,
    text: Vec<u8>,
    found: Option<Vec<u8>>,
    hopeless: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    #[default]
    Key,
    Value,
}

impl IdScan {
    /// The id of a whole message.
    pub(crate) fn of(message: &[u8]) -> Option<RequestId> {
        let mut scan = Self::default();
        scan.feed(message);
        scan.id()
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.hopeless || self.found.is_some() {
                return;
            }
            if self.in_string {
                self.string(byte);
            } else {
                self.structure(byte);
            }
        }
    }

    pub(crate) fn id(&self) -> Option<RequestId> {
        ids::read(std::str::from_utf8(self.found.as_deref()?).ok()?)
    }

    fn string(&mut self, byte: u8) {
        if self.depth == 1 {
            self.keep(byte);
        }
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
        } else if byte == b'"' {
            self.in_string = false;
        }
    }

    fn structure(&mut self, byte: u8) {
        match (byte, self.depth) {
            (b'"', 1) => {
                self.in_string = true;
                self.keep(byte);
            }
            (b'"', _) => self.in_string = true,
            (b':', 1) => {
                self.is_id = self.text == b"\"id\"";
                self.part = Part::Value;
                self.text.clear();
            }
            (b',' | b'}', 1) => {
                if self.is_id && self.part == Part::Value {
                    self.found = Some(std::mem::take(&mut self.text));
                }
                self.hopeless = byte == b'}';
                self.part = Part::Key;
                self.text.clear();
            }
            (b'[', 0) => self.hopeless = true,
            (b'{' | b'[', depth) => {
                self.depth = depth.saturating_add(1);
                // An id that is no scalar is none.
                self.is_id = false;
            }
            (b'}' | b']', depth) => self.depth = depth.saturating_sub(1),
            (byte, 1) if !byte.is_ascii_whitespace() => self.keep(byte),
            _ => {}
        }
    }

    /// Keys longer than any we know, and values that are not the id's, are not worth keeping.
    fn keep(&mut self, byte: u8) {
        let wanted = self.part == Part::Key || self.is_id;
        if wanted && self.text.len() <= MAX_ID {
            self.text.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(id: i64) -> Option<RequestId> {
        Some(RequestId::Number(id))
    }

    #[test]
    fn ids_are_found_wherever_they_stand() {
        for (message, id) in [
            (r#"{"id":1,"method":"x"}"#, number(1)),
            (
                r#"{"method":"x","params":{"id":9,"a":[{"id":8}]},"id": 2 }"#,
                number(2),
            ),
            (
                r#"{"a":"\"id\":5","id":"s\"5"}"#,
                Some(RequestId::String("s\"5".into())),
            ),
            (r#"{"id":3,"broken":[[[}"#, number(3)),
            (r#"{"id":4,"id":5}"#, number(4)),
            (r#"{"method":"x"}"#, None),
            (r#"{"id":null}"#, None),
            (r#"{"id":{"id":1}}"#, None),
            (r#"{"id":1.5}"#, ids::read("1.5")),
            (r#"{"id":1.5.}"#, None),
            (r#"[{"id":1}]"#, None),
            (r#""id":1"#, None),
            ("", None),
        ] {
            assert_eq!(IdScan::of(message.as_bytes()), id, "{message}");
        }
    }

    #[test]
    fn it_does_not_matter_how_the_message_is_cut() {
        let message = br#"{"params":{"t":"\\\"}"},"id":"ab\u0063"}"#;
        for cut in 0..message.len() {
            let mut scan = IdScan::default();
            scan.feed(&message[..cut]);
            scan.feed(&message[cut..]);
            assert_eq!(scan.id(), Some(RequestId::String("abc".into())), "{cut}");
        }
    }

    #[test]
    fn an_endless_id_is_no_id_and_costs_little() {
        let message = format!("{{\"id\":\"{}\"}}", "x".repeat(1_000_000));
        let mut scan = IdScan::default();
        scan.feed(message.as_bytes());
        assert_eq!(scan.id(), None);
        assert!(scan.text.capacity() < 1024);
    }
}
