//! Reading back the lines of [`crate::lines`]. Anything else in the log is diagnostics.

use crate::{lines::TARGET, utc::STAMP_LEN};
use std::collections::HashMap;

/// A line that counts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Boot {
        boot: String,
    },
    Shutdown {
        boot: String,
    },
    Received {
        /// Older versions do not say.
        boot: Option<String>,
        call: u64,
        at: String,
        session: String,
        id: String,
        tool: String,
    },
    Finished {
        /// See above.
        boot: Option<String>,
        call: u64,
        session: String,
        id: String,
    },
}

/// The event of a line, if it is one and is complete.
pub(super) fn event(line: &str) -> Option<Event> {
    let (at, rest) = line.split_at_checked(STAMP_LEN)?;
    let (_level, rest) = rest.strip_prefix(' ')?.split_once(' ')?;
    let rest = rest.strip_prefix(TARGET)?.strip_prefix(": ")?;
    let (event, rest) = rest.split_once(' ')?;
    if rest.ends_with("~torn") {
        return None;
    }
    let mut fields = fields(rest)?;
    let mut take = |name: &str| fields.remove(name);
    match event {
        "boot" => Some(Event::Boot {
            boot: take("boot")?,
        }),
        "shutdown" => Some(Event::Shutdown {
            boot: take("boot")?,
        }),
        "received" => Some(Event::Received {
            boot: take("boot"),
            call: take("call")?.parse().ok()?,
            at: at.to_owned(),
            session: take("session")?,
            id: take("id")?,
            tool: take("tool")?,
        }),
        "finished" => Some(Event::Finished {
            boot: take("boot"),
            call: take("call")?.parse().ok()?,
            session: take("session")?,
            id: take("id")?,
        }),
        _ => None,
    }
}

/// `a=1 b="two words"` as pairs; `None` when it is anything else.
fn fields(mut text: &str) -> Option<HashMap<&str, String>> {
    let mut found = HashMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once('=')?;
        let end = if rest.starts_with('"') {
            end_of_string(rest)?
        } else {
            rest.find(' ').unwrap_or(rest.len())
        };
        let (value, rest) = rest.split_at(end);
        let value = match value.starts_with('"') {
            true => serde_json::from_str(value).ok()?,
            false => value.to_owned(),
        };
        found.insert(name, value);
        text = rest.strip_prefix(' ').unwrap_or(rest);
        if text.len() == rest.len() && !rest.is_empty() {
            return None;
        }
    }
    Some(found)
}

/// Just past the quote that closes the string at the text's beginning.
fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_back() {
        let read = fields(r#"id=a=b client="vs \"code\" = x" n=1"#).unwrap();
        assert_eq!(read["id"], "a=b");
        assert_eq!(read["client"], "vs \"code\" = x");
        assert_eq!(read["n"], "1");
        for broken in ["id", "id=\"open", "id=\"a\"b", "id=\"\\x\""] {
            assert_eq!(fields(broken), None, "{broken}");
        }
    }

    #[test]
    fn only_our_lines_are_events() {
        let ours = "2025-11-21 02:48:00 INFO calls: shutdown boot=b-1";
        assert_eq!(
            event(ours),
            Some(Event::Shutdown {
                boot: "b-1".to_owned()
            })
        );
        for other in [
            "",
            "short",
            "2025-11-21 02:48:00 INFO exai_daemon: listening",
            "2025-11-21 02:48:00 INFO exai_daemon: calls: shutdown boot=b-1",
            "2025-11-21 02:48:00 INFO calls: received call=1 id=r-1 session=s tool=t ~torn",
            "2025-11-21 02:48:00 INFO calls: received call=1 id=r-1",
            "ünïcödé where the time should be, long enough",
        ] {
            assert_eq!(event(other), None, "{other}");
        }
    }
}
