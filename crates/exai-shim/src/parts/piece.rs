//! A piece of a block of text: what is told of the block for programs (`_meta`) is told with every
//! piece, and what of it is about places in the text is made true of the piece.

use exai_protocol::RawValue;
use serde_json::{Map, Value, json};

/// Facts of an answer, and in them where it ends within its block.
const FACTS: &str = "exai/answer";
const ENDS: &str = "answer_bytes";
/// Which bytes of the block this is.
const PIECE: &str = "exai/piece";

/// The block of a piece that begins at this byte of a block of so many.
pub(super) fn block(text: &str, (from, of): (usize, usize), meta: Option<&RawValue>) -> String {
    let mut block = json!({ "type": "text", "text": text });
    let meta = meta.and_then(|meta| serde_json::from_str::<Map<String, Value>>(meta.get()).ok());
    if let Some(mut meta) = meta {
        if let Some(facts) = meta.get_mut(FACTS).and_then(Value::as_object_mut)
            && let Some(ends) = facts.get(ENDS).and_then(Value::as_u64)
        {
            let ends = usize::try_from(ends).unwrap_or(usize::MAX);
            let here = ends.saturating_sub(from).min(text.len());
            facts.insert(ENDS.to_owned(), json!(here));
        }
        let piece = json!({ "from": from, "to": from + text.len(), "of": of });
        meta.insert(PIECE.to_owned(), piece);
        block["_meta"] = Value::Object(meta);
    }
    block.to_string()
}
