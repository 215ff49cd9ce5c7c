//! Text in a line stays in its line: whatever a client, a tool or a provider says, it can
//! neither end the line, nor forge the next one, nor drive a terminal. And it is bounded.

/// Longest text of others in one line; the rest is cut and the cut shown.
pub const MAX_TEXT: usize = 4096;
const ELLIPSIS: &str = "…";

/// Writes text as a JSON string, cut at `max` bytes.
pub fn push_json(out: &mut Vec<u8>, text: &str, max: usize) {
    out.push(b'"');
    push_escaped(out, text, max);
    out.push(b'"');
}

/// Writes text as the value of `name=value`: bare where it is one plain word, else as JSON.
pub fn push_value(out: &mut Vec<u8>, text: &str, max: usize) {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if !text.is_empty() && text.len() <= max && text.bytes().all(plain) {
        out.extend_from_slice(text.as_bytes());
    } else {
        push_json(out, text, max);
    }
}

/// Writes text for people, cut at `max` bytes: escaped as in JSON, but quotes stay.
pub fn push_message(out: &mut Vec<u8>, text: &str, max: usize) {
    let (text, cut) = bounded(text, max);
    for part in text.chars() {
        if part == '"' || part == '\\' {
            push_char(out, part)
        } else {
            push_escaped_char(out, part)
        }
    }
    if cut {
        out.extend_from_slice(ELLIPSIS.as_bytes());
    }
}

/// Writes JSON that came from outside onto one line; between its tokens, line ends are blanks.
pub fn push_raw_json(out: &mut Vec<u8>, json: &str) {
    out.extend(
        json.bytes()
            .map(|byte| if byte < b' ' { b' ' } else { byte }),
    );
}

fn push_escaped(out: &mut Vec<u8>, text: &str, max: usize) {
    let (text, cut) = bounded(text, max);
    let plain = |byte: u8| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.extend_from_slice(text.as_bytes());
    } else {
        text.chars().for_each(|part| push_escaped_char(out, part));
    }
    if cut {
        out.extend_from_slice(ELLIPSIS.as_bytes());
    }
}

fn push_escaped_char(out: &mut Vec<u8>, part: char) {
    match part {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        // Controls, and what readers take for a line end or what turns text around.
        _ if part.is_control()
            || matches!(part, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}')
            || matches!(part, '\u{2066}'..='\u{2069}') =>
        {
            out.extend_from_slice(format!("\\u{:04x}", u32::from(part)).as_bytes());
        }
        _ => push_char(out, part),
    }
}

fn push_char(out: &mut Vec<u8>, part: char) {
    out.extend_from_slice(part.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The text up to `max` bytes, at a character's edge, and whether anything was left out.
#[must_use]
pub fn bounded(text: &str, max: usize) -> (&str, bool) {
    if text.len() <= max {
        return (text, false);
    }
    (&text[..text.floor_char_boundary(max)], true)
}

/// Writes a whole number.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut left = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a number as 16 hex digits.
pub fn push_hex(out: &mut Vec<u8>, number: u64) {
    for shift in (0..16).rev() {
        let nibble = (number >> (shift * 4)) as usize & 15;
        out.push(b"0123456789abcdef"[nibble]);
    }
}

/// Writes `number / 10^places` with all its places: exact, without floats.
pub fn push_decimal(out: &mut Vec<u8>, number: u64, places: u32) {
    let unit = 10u64.pow(places.min(9));
    push_number(out, number / unit);
    out.push(b'.');
    let rest = number % unit;
    let mut scale = unit / 10;
    while scale > 0 {
        out.push(b'0' + (rest / scale % 10) as u8);
        scale /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escaped_text_is_json_that_reads_back() {
        for text in [
            "",
            "plain",
            "a\"b\\c",
            "l1\nl2\r\tx",
            "\u{0}\u{1b}[31m",
            "ünï ✓ 🦀",
            "\u{85}\u{2028}\u{202e}",
        ] {
            let json = written(|out| push_json(out, text, MAX_TEXT));
            assert_eq!(
                serde_json::from_str::<String>(&json).unwrap(),
                text,
                "{json}"
            );
            assert!(
                !json.chars().any(|c| c.is_control() || c == '\u{2028}'),
                "{json}"
            );
        }
    }

    #[test]
    fn values_are_bare_only_when_they_are_one_plain_word() {
        for (text, expected) in [
            ("r-1", "r-1"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a=b", "a=b"),
            ("x\ny", "\"x\\ny\""),
            ("\"q", "\"\\\"q\""),
        ] {
            assert_eq!(written(|out| push_value(out, text, 64)), expected);
        }
    }

    #[test]
    fn messages_keep_their_quotes_and_stay_one_line() {
        assert_eq!(
            written(|out| push_message(out, "say \"hi\"\nnow\u{7}", 64)),
            "say \"hi\"\\nnow\\u0007"
        );
    }

    #[test]
    fn long_text_is_cut_at_a_characters_edge() {
        assert_eq!(written(|out| push_json(out, "äöü", 3)), "\"ä…\"");
        assert_eq!(written(|out| push_message(out, "äöü", 4)), "äö…");
        assert_eq!(written(|out| push_value(out, "abcdef", 3)), "\"abc…\"");
    }

    #[test]
    fn raw_json_becomes_one_line_and_stays_json() {
        let json = "{\n  \"a\": [1,\r\n\t2]\n}";
        let line = written(|out| push_raw_json(out, json));
        assert!(!line.contains(['\n', '\r', '\t']));
        let reread: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(reread, serde_json::json!({"a": [1, 2]}));
    }

    #[test]
    fn numbers() {
        assert_eq!(written(|out| push_number(out, 0)), "0");
        assert_eq!(
            written(|out| push_number(out, u64::MAX)),
            u64::MAX.to_string()
        );
        assert_eq!(
            written(|out| push_decimal(out, 1_700_000_000_042, 3)),
            "1700000000.042"
        );
        assert_eq!(
            written(|out| push_hex(out, 0x0123_4567_89ab_cdef)),
            "0123456789abcdef"
        );
        assert_eq!(written(|out| push_decimal(out, 7, 6)), "0.000007");
        assert_eq!(written(|out| push_decimal(out, 12_345, 3)), "12.345");
    }
}
