//! Cutting, joining, and what the first part tells of the others.

use super::*;
use serde_json::{Value, json};

const REST: Rest<'_> = Rest {
    handle: "h-1",
    call: Some("c-1"),
};

fn result(outputs: &Value) -> CallToolRes {
    let mut result = CallToolRes::failed("r".into(), WireError::new(Code::Internal, ""));
    result.error = None;
    result.outputs = RawValue::from_string(outputs.to_string()).ok();
    result.structured = RawValue::from_string("{}".to_owned()).ok();
    result
}

fn blocks(result: &CallToolRes) -> Vec<Value> {
    serde_json::from_str(result.outputs.as_ref().unwrap().get()).unwrap()
}

#[test]
fn parts_join_to_the_whole_and_each_fits() {
    let text = "grün und weiter\n".repeat(700);
    let image = json!({ "type": "image", "data": "A".repeat(9_000), "mimeType": "image/png" });
    let outputs =
        json!([{ "type": "text", "text": text }, image, { "type": "text", "text": "end" }]);
    let (mut joined, mut part, mut images) = (String::new(), 1, 0);
    loop {
        let (got, place) = cut(result(&outputs), Some(2_000), Some(part), Some(REST));
        let place = place.unwrap();
        assert!(got.structured.is_none());
        let mut blocks = blocks(&got);
        let words = blocks.pop().unwrap()["text"].as_str().unwrap().to_owned();
        let mut length = words.len();
        for block in blocks {
            images += usize::from(block["type"] == "image");
            let text = block["text"].as_str().unwrap_or_default();
            length += text.len();
            joined.push_str(text);
        }
        assert!(length <= 2_000, "{length}");
        if part == place.of {
            assert!(words.contains("last part"), "{words}");
            break;
        }
        let next = format!("{{\"handle\": \"h-1\", \"page\": {}}}", part + 1);
        assert!(words.contains(&next), "{words}");
        assert!(words.contains("exai://answers/c-1"), "{words}");
        part += 1;
    }
    assert_eq!((joined, images), (format!("{text}end"), 1));
    let (none, place) = cut(result(&outputs), Some(2_000), Some(99), Some(REST));
    assert!(place.is_none());
    let message = none.error.unwrap().message;
    assert!(message.contains("page 99 does not exist"), "{message}");
}

#[test]
fn what_fits_is_left_as_it_came() {
    let outputs = json!([{ "type": "text", "text": "\u{1}".repeat(900) }]);
    for most in [None, Some(1_000)] {
        let (got, place) = cut(result(&outputs), most, None, None);
        assert_eq!((blocks(&got).len(), place), (1, None));
        assert!(got.structured.is_some());
    }
    let (got, _) = cut(result(&json!([])), Some(1_000), Some(2), None);
    assert!(got.error.is_some());
}

#[test]
fn the_first_part_tells_what_the_others_hold_and_how_all_ends() {
    let section = |name: &str| format!("## {name}\n{}\n", "because of this. ".repeat(100));
    let text = ["One", "Two", "Three"].map(section).concat();
    let end = "---\n[parrot at custom]\ncontinuation_id: t-1 (turn 1)";
    let facts = json!({ "exai/answer": { "answer_bytes": text.len() } });
    let whole = format!("{text}{end}");
    let outputs = json!([{ "type": "text", "text": whole, "_meta": facts }]);
    let (got, place) = cut(result(&outputs), Some(2_000), None, Some(REST));
    assert!(place.is_some_and(|place| place.of >= 3));
    let words = blocks(&got).pop().unwrap();
    let words = words["text"].as_str().unwrap();
    for told in [
        &format!("The whole has {} bytes", text.len() + end.len()),
        "Two",
        "Three",
        "continuation_id: t-1",
        "\"page\": 2",
    ] {
        assert!(words.contains(told), "{told}: {words}");
    }
    let whole: usize = blocks(&got)
        .iter()
        .filter_map(|block| block["text"].as_str())
        .map(str::len)
        .sum();
    assert!(whole <= 2_000, "{whole}");
    let (second, _) = cut(result(&outputs), Some(2_000), Some(2), Some(REST));
    let words = blocks(&second).pop().unwrap();
    assert!(
        !words["text"]
            .as_str()
            .unwrap()
            .contains("In the other parts")
    );
}
