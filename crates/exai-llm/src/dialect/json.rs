//! Tolerant looks into JSON: what is absent, null or of another type is simply not there.

use serde_json::Value;

pub(super) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str)
}

/// A text that says something.
pub(super) fn words<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    text(value, field).filter(|text| !text.is_empty())
}

/// No provider counts so many of anything: what is larger is no count, and could not be added
/// up.
const MOST: u64 = 1 << 40;

/// A count; some servers send `12.0` or `"12"`.
pub(super) fn count(value: &Value, field: &str) -> Option<u64> {
    let value = value.get(field)?;
    value
        .as_u64()
        .or_else(|| value.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
        .or_else(|| value.as_str()?.parse().ok())
        .filter(|count| *count <= MOST)
}

pub(super) fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A provider's arguments as JSON text: most send text, some an object.
pub(super) fn arguments(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Arguments as an object, for dialects that take nothing else; text that is no object is
/// kept, under a name of its own.
pub(super) fn object(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    match serde_json::from_str::<Value>(arguments) {
        Ok(value @ Value::Object(_)) => value,
        _ => serde_json::json!({ "input": arguments }),
    }
}

#[cfg(test)]
mod tests {
    use super::count;
    use serde_json::json;

    #[test]
    fn a_count_is_a_number_that_can_be_added_up() {
        let value = json!({"a": 12, "b": 12.0, "c": "12", "d": -1, "e": 1e300,
            "f": u64::MAX, "g": "18446744073709551615", "h": null});
        for (field, expected) in [
            ("a", Some(12)),
            ("b", Some(12)),
            ("c", Some(12)),
            ("d", None),
            ("e", None),
            ("f", None),
            ("g", None),
            ("h", None),
            ("i", None),
        ] {
            assert_eq!(count(&value, field), expected, "{field}");
        }
    }
}
