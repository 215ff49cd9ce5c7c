//! The scan that bounds nesting, held against a parser: on JSON it must find exactly the
//! depth that is there.

use exai_protocol::{
    object::duplicate_key,
    scan::{ScanError, check},
};
use serde_json::Value;

/// Any bytes.
pub fn scan(data: &[u8]) {
    let limits = [0, 1, 8, 127, 128, usize::MAX];
    let results: Vec<_> = limits.iter().map(|limit| check(data, *limit)).collect();
    for pair in results.windows(2) {
        // A higher limit never refuses as too deep what a lower one took.
        assert!(!(pair[0].is_ok() && matches!(pair[1], Err(ScanError::TooDeep { .. }))));
    }
    // With a key twice, the parser forgets one of the two values, and with it its depth.
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(value) = serde_json::from_str::<Value>(text)
        && duplicate_key(text).is_none()
    {
        let depth = depth(&value);
        assert_eq!(check(data, depth), Ok(()));
        if depth > 0 {
            assert_eq!(
                check(data, depth - 1),
                Err(ScanError::TooDeep { limit: depth - 1 })
            );
        }
    }
}

/// serde_json itself stops at 128 levels, so this recursion is bounded.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
