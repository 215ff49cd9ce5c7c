//! One entry put into, or taken out of, the text of a JSON file, every other byte left as it
//! is. The file is the client's and its owner's: their order, indentation and numbers stand.

use exai_protocol::object::RawObject;
use serde_json::Value;
use std::ops::Range;

/// Why a text cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfit(pub(super) String);

/// The text with the entry in it; an empty text becomes a file of its own.
pub(super) fn insert(
    text: &str,
    keys: &[&str],
    name: &str,
    entry: &Value,
) -> Result<String, Unfit> {
    let text = if text.trim_start_matches(BOM).trim().is_empty() {
        "{}\n"
    } else {
        text
    };
    let style = Style::of(text);
    let mut at = root(text)?;
    for (depth, key) in keys.iter().enumerate() {
        match member(text, &at, key)? {
            Some(inner) => at = object(text, inner, key)?,
            None => {
                let rest = keys.get(depth + 1..).unwrap_or_default();
                let value = rest
                    .iter()
                    .rev()
                    .fold(wrapped(name, entry), |value, key| wrapped(key, &value));
                return add(text, &at, key, &value, depth + 1, &style);
            }
        }
    }
    let depth = keys.len() + 1;
    match member(text, &at, name)? {
        Some(old) => Ok(spliced(text, old, &style.written(entry, depth))),
        None => add(text, &at, name, entry, depth, &style),
    }
}

/// The entry as it stands there, if it does.
pub(super) fn find(text: &str, keys: &[&str], name: &str) -> Result<Option<Value>, Unfit> {
    Ok(locate(text, keys, name)?.and_then(|(_, value)| serde_json::from_str(&text[value]).ok()))
}

/// The text without the entry; `None` when there is none. The objects around it stay.
pub(super) fn remove(text: &str, keys: &[&str], name: &str) -> Result<Option<String>, Unfit> {
    let Some((holder, value)) = locate(text, keys, name)? else {
        return Ok(None);
    };
    let key_start = key_before(text, &holder, &value);
    let bytes = text.as_bytes();
    let blank = |at: &usize| bytes[*at].is_ascii_whitespace();
    // With it goes the comma that follows, or else the one that came before.
    let after = (value.end..holder.end)
        .find(|at| !blank(at))
        .unwrap_or(holder.end);
    let before = (holder.start..key_start)
        .rev()
        .find(|at| !blank(at))
        .unwrap_or(holder.start);
    let cut = if bytes.get(after) == Some(&b',') {
        let next = (after + 1..holder.end)
            .find(|at| !blank(at))
            .unwrap_or(after + 1);
        key_start..next
    } else if bytes.get(before) == Some(&b',') {
        before..value.end
    } else {
        before + 1..after
    };
    Ok(Some(spliced(text, cut, "")))
}

const BOM: char = '\u{feff}';

fn wrapped(key: &str, value: &Value) -> Value {
    let mut object = serde_json::Map::new();
    object.insert(key.to_owned(), value.clone());
    Value::Object(object)
}

/// The object that holds an entry, and the entry's value.
type Spot = (Range<usize>, Range<usize>);

fn locate(text: &str, keys: &[&str], name: &str) -> Result<Option<Spot>, Unfit> {
    if text.trim_start_matches(BOM).trim().is_empty() {
        return Ok(None);
    }
    let mut at = root(text)?;
    for key in keys {
        match member(text, &at, key)? {
            Some(inner) => at = object(text, inner, key)?,
            None => return Ok(None),
        }
    }
    Ok(member(text, &at, name)?.map(|value| (at, value)))
}

/// Where the file's object stands.
fn root(text: &str) -> Result<Range<usize>, Unfit> {
    let start = text
        .find(|c: char| c != BOM && !c.is_whitespace())
        .unwrap_or(text.len());
    let end = text.trim_end().len();
    parsed(&text[start..end])?;
    Ok(start..end)
}

fn parsed(text: &str) -> Result<RawObject<'_>, Unfit> {
    RawObject::parse(text).map_err(|error| {
        let comments = text.contains("//") || text.contains("/*");
        let perhaps = if comments {
            " (it seems to have comments, which cannot be kept)"
        } else {
            ""
        };
        Unfit(format!("it is no plain JSON object{perhaps}: {error}"))
    })
}

fn object(text: &str, at: Range<usize>, key: &str) -> Result<Range<usize>, Unfit> {
    if text[at.clone()].starts_with('{') {
        Ok(at)
    } else {
        Err(Unfit(format!("its \"{key}\" is no object")))
    }
}

/// Where a member's value stands in the text.
fn member(text: &str, at: &Range<usize>, key: &str) -> Result<Option<Range<usize>>, Unfit> {
    let inner = &text[at.clone()];
    let object = parsed(inner)?;
    Ok(object.any(key).map(|raw| {
        // The raw value is a part of the text it was read from.
        let start = raw.get().as_ptr().addr() - text.as_ptr().addr();
        start..start + raw.get().len()
    }))
}

/// Where the key of a value begins: the quoted string before its colon.
fn key_before(text: &str, holder: &Range<usize>, value: &Range<usize>) -> usize {
    let before = &text[holder.start..value.start];
    let close = before.rfind('"').unwrap_or(0);
    // Our own name holds no quotes, so the one before the closing one opens it.
    holder.start + before[..close].rfind('"').unwrap_or(0)
}

fn spliced(text: &str, at: Range<usize>, with: &str) -> String {
    format!("{}{with}{}", &text[..at.start], &text[at.end..])
}

/// A new last member.
fn add(
    text: &str,
    holder: &Range<usize>,
    key: &str,
    value: &Value,
    depth: usize,
    style: &Style,
) -> Result<String, Unfit> {
    let inside = &text[holder.start + 1..holder.end - 1];
    let empty = inside.trim().is_empty();
    let last = holder.start + 1 + inside.trim_end().len();
    let key = Value::from(key).to_string();
    let comma = if empty { "" } else { "," };
    let Style { line, .. } = style;
    let new = format!(
        "{comma}{line}{}{key}: {}",
        style.indent(depth),
        style.written(value, depth)
    );
    if empty {
        let whole = format!("{new}{line}{}", style.indent(depth - 1));
        return Ok(spliced(text, holder.start + 1..holder.end - 1, &whole));
    }
    // Where the closing brace stands on the last member's line, it moves to one of its own.
    let crowded = !inside[inside.trim_end().len()..].contains('\n');
    let close = if crowded {
        format!("{line}{}", style.indent(depth - 1))
    } else {
        String::new()
    };
    Ok(spliced(text, last..last, &format!("{new}{close}")))
}

/// How a file is laid out.
struct Style {
    unit: String,
    line: &'static str,
}

impl Style {
    fn of(text: &str) -> Self {
        let line = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let indented = text.lines().skip(1).find_map(|line| {
            let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
            Some(line[..blank].to_owned()).filter(|blank| !blank.is_empty())
        });
        Self {
            unit: indented.unwrap_or_else(|| "  ".to_owned()),
            line,
        }
    }

    fn indent(&self, depth: usize) -> String {
        self.unit.repeat(depth)
    }

    /// A value whose first line stands at a depth.
    fn written(&self, value: &Value, depth: usize) -> String {
        let inner = format!("{}{}", self.line, self.indent(depth + 1));
        let outer = format!("{}{}", self.line, self.indent(depth));
        match value {
            Value::Object(members) if !members.is_empty() => {
                let one = |(key, value): (&String, &Value)| {
                    format!(
                        "{}: {}",
                        Value::from(key.as_str()),
                        self.written(value, depth + 1)
                    )
                };
                let all: Vec<String> = members.iter().map(one).collect();
                format!("{{{inner}{}{outer}}}", all.join(&format!(",{inner}")))
            }
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEYS: &[&str] = &["mcpServers"];

    fn put(text: &str) -> String {
        insert(
            text,
            KEYS,
            "exai",
            &json!({"command": "x", "env": {"A": "b"}}),
        )
        .unwrap()
    }

    #[test]
    fn an_empty_file_becomes_a_whole_one() {
        let whole = "{\n  \"mcpServers\": {\n    \"exai\": {\n      \"command\": \"x\",\n      \"env\": {\n        \"A\": \"b\"\n      }\n    }\n  }\n}\n";
        for empty in ["", "  \n", "{}\n", "\u{feff}"] {
            assert_eq!(put(empty), whole, "{empty:?}");
        }
    }

    #[test]
    fn every_other_byte_stands() {
        let before = "{\n\t\"big\": 123456789012345678901234567890, \"e\": 1E5,\n\t\"mcpServers\": { \"a\": {\"x\":[1,2]} },\n\t\"z\": \"ü\"\n}";
        let after = put(before);
        let ours = "\"a\": {\"x\":[1,2]},\n\t\t\"exai\": {";
        assert!(after.contains(ours), "{after}");
        assert!(
            after.contains("123456789012345678901234567890, \"e\": 1E5,"),
            "{after}"
        );
        let value: Value = serde_json::from_str(&after).unwrap();
        assert_eq!(value["mcpServers"]["a"], json!({"x": [1, 2]}));
        assert_eq!(
            find(&after, KEYS, "exai").unwrap(),
            Some(json!({"command": "x", "env": {"A": "b"}}))
        );
    }

    #[test]
    fn what_was_put_in_can_be_taken_out() {
        for before in [
            "{\n  \"mcpServers\": {\n    \"a\": {},\n    \"b\": {}\n  }\n}\n",
            "{\"mcpServers\":{\"a\":1},\"x\":2}",
            "{\r\n  \"mcpServers\": {\r\n    \"a\": {}\r\n  }\r\n}\r\n",
            "{\n  \"mcpServers\": {},\n  \"other\": [\n    1\n  ]\n}",
        ] {
            let after = put(before);
            let back = remove(&after, KEYS, "exai").unwrap().unwrap();
            let (one, two): (Value, Value) = (
                serde_json::from_str(before).unwrap(),
                serde_json::from_str(&back).unwrap(),
            );
            assert_eq!(one, two, "{after}");
            assert_eq!(find(&back, KEYS, "exai").unwrap(), None);
            assert!(
                !after.replace("\r\n", "").contains('\n') || !before.contains("\r\n"),
                "{after:?}"
            );
        }
    }

    #[test]
    fn an_entry_in_the_middle_is_replaced_and_removed_alone() {
        let before = "{\n  \"mcpServers\": {\n    \"a\": 1,\n    \"exai\": {\"old\": \"\\\"exai\\\"\"},\n    \"b\": 2\n  }\n}\n";
        let after = put(before);
        assert!(
            after.contains("\"a\": 1,\n    \"exai\": {\n") && after.contains("},\n    \"b\": 2\n"),
            "{after}"
        );
        assert_eq!(
            remove(before, KEYS, "exai").unwrap().unwrap(),
            "{\n  \"mcpServers\": {\n    \"a\": 1,\n    \"b\": 2\n  }\n}\n"
        );
        assert_eq!(remove("{}", KEYS, "exai").unwrap(), None);
    }

    #[test]
    fn what_is_not_plain_json_is_left_alone() {
        for (text, why) in [
            ("{\n  // mine\n  \"a\": 1\n}", "comments"),
            ("{\"a\": 1,}", "JSON"),
            ("[]", "JSON"),
            ("{\"mcpServers\": []}", "\"mcpServers\" is no object"),
            ("{\"a\": 1, \"a\": 2}", "duplicate key"),
        ] {
            let Unfit(said) = insert(text, KEYS, "exai", &json!({})).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
