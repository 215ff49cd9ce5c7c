//! Ids of requests as the client wrote them. The MCP library knows strings and numbers of 64
//! bits; a client may count with any number, and finds its answers by what it wrote. Such an id
//! is a string with a mark while it is inside, and a number again in every line that leaves.

use exai_protocol::RawValue;
use rmcp::model::RequestId;
use std::borrow::Cow;

/// Stands before what only looks like a string; followed by what it is.
const MARK: &str = "\u{1}exai/id:";
/// The same as JSON writes it, with the quotation mark that opens a string.
const WRITTEN: &[u8] = br#""\u0001exai/id:"#;
const NUMBER: char = 'n';
/// A client's own string that begins like ours.
const STRING: char = 's';

/// The id that this JSON is; `None` when it is neither a string nor a number.
pub(crate) fn read(json: &str) -> Option<RequestId> {
    let json = json.trim_ascii();
    match json.bytes().next()? {
        b'"' => {
            let text: String = serde_json::from_str(json).ok()?;
            Some(RequestId::String(if text.starts_with(MARK) {
                format!("{MARK}{STRING}{text}").into()
            } else {
                text.into()
            }))
        }
        b'-' | b'0'..=b'9' => {
            let number: &RawValue = serde_json::from_str(json).ok()?;
            let short = number.get().parse::<i64>().ok();
            let plain = short.filter(|short| short.to_string() == number.get());
            Some(plain.map_or_else(
                || RequestId::String(format!("{MARK}{NUMBER}{}", number.get()).into()),
                RequestId::Number,
            ))
        }
        _ => None,
    }
}

/// The message with this id of it as the library can read it.
pub(crate) fn readable<'a>(text: &'a str, raw: &RawValue, id: &RequestId) -> Cow<'a, str> {
    let RequestId::String(inside) = id else {
        return Cow::Borrowed(text);
    };
    let start = raw.get().as_ptr().addr().wrapping_sub(text.as_ptr().addr());
    let end = start.saturating_add(raw.get().len());
    match (text.get(..start), text.get(end..)) {
        (Some(before), Some(after)) if inside.starts_with(MARK) => {
            let inside = serde_json::Value::from(inside.as_ref());
            Cow::Owned(format!("{before}{inside}{after}"))
        }
        _ => Cow::Borrowed(text),
    }
}

/// A line that is about to leave, with the ids as the client wrote them.
pub(crate) fn restore(line: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut copied, mut seen) = (0, 0);
    while let Some(start) = find(&line, seen) {
        seen = start + WRITTEN.len();
        if let Some((id, length)) = restored(&line[seen..]) {
            out.extend_from_slice(&line[copied..start]);
            out.extend_from_slice(id);
            copied = seen + length;
            seen = copied;
        }
    }
    if copied == 0 {
        return line;
    }
    out.extend_from_slice(&line[copied..]);
    out
}

/// Where a string begins with the mark, from here on. A quotation mark within a string, which
/// opens nothing, has a backslash before it.
fn find(line: &[u8], from: usize) -> Option<usize> {
    let found = line[from..]
        .windows(WRITTEN.len())
        .position(|part| part == WRITTEN)?;
    let start = from + found;
    if start > 0 && line[start - 1] == b'\\' {
        return find(line, start + 1);
    }
    Some(start)
}

/// What stands for a mark and what follows it, and how much of that is used up.
fn restored(rest: &[u8]) -> Option<(&[u8], usize)> {
    match char::from(*rest.first()?) {
        STRING => Some((b"\"", 1)),
        NUMBER => {
            let length = rest.iter().position(|&byte| byte == b'"')?;
            let number = &rest[1..length];
            let is_number = !matches!(number.first(), Some(b'"' | b'{' | b'['));
            serde_json::from_slice::<serde::de::IgnoredAny>(number)
                .is_ok_and(|_| is_number)
                .then_some((number, length + 1))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(json: &str) -> String {
        let id = read(json).unwrap();
        let line = serde_json::to_vec(&serde_json::json!({ "id": id, "x": [id] })).unwrap();
        String::from_utf8(restore(line)).unwrap()
    }

    #[test]
    fn every_id_leaves_as_it_came() {
        for id in [
            "1",
            "-1",
            "9223372036854775807",
            "9223372036854775808",
            "-0",
            "1.0",
            "1.50",
            "1e3",
            "1E+999",
            r#""""#,
            r#""a""#,
            r#""1""#,
            r#""\u0001exai/id:""#,
            r#""\u0001exai/id:n7""#,
            r#""\u0001exai/id:s\u0001exai/id:n7""#,
            r#""\"\u0001exai/id:n7""#,
        ] {
            assert_eq!(there_and_back(id), format!(r#"{{"id":{id},"x":[{id}]}}"#));
        }
    }

    #[test]
    fn different_ids_stay_different() {
        let ids = [
            "1",
            "1.0",
            "1.00",
            r#""1""#,
            "10e-1",
            r#""\u0001exai/id:n1.0""#,
        ];
        let mut read: Vec<_> = ids.iter().map(|id| read(id).unwrap().to_string()).collect();
        // A number and the string of its digits are told apart by their kind.
        read[3].push_str(" as a string");
        read.sort();
        read.dedup();
        assert_eq!(read.len(), ids.len());
    }

    #[test]
    fn what_is_no_id_is_none() {
        for json in [
            "", "null", "true", "[1]", "{}", "1x", "01", "1.", "-", r#""a"#,
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_stays() {
        for line in [
            r#"{"a":"\u0001exai/id:nx"}"#,
            r#"{"a":"\u0001exai/id:n"}"#,
            r#"{"a":"\u0001exai/id:q1"}"#,
            r#"{"a":"say \"\u0001exai/id:n1\""}"#,
        ] {
            assert_eq!(restore(line.as_bytes().to_vec()), line.as_bytes());
        }
    }

    #[test]
    fn the_library_reads_a_string_in_its_place() {
        let text = r#"{ "id" : 1.5 , "a" : 1.5 }"#;
        let object = exai_protocol::object::RawObject::parse(text).unwrap();
        let raw = object.any("id").unwrap();
        let id = read(raw.get()).unwrap();
        let inside = readable(text, raw, &id);
        assert_eq!(inside, "{ \"id\" : \"\\u0001exai/id:n1.5\" , \"a\" : 1.5 }");
    }
}
