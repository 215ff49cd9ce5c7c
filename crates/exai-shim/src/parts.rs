//! An answer longer than the client shows is given in parts, so that nothing of it is cut
//! without a word: the first with the way to the next.

use exai_protocol::{Code, RawValue, WireError, call::CallToolRes, error::Ran};
use serde::Deserialize;
use std::borrow::Cow;

/// Kept free in each part for the words that name the next.
const WORDS: usize = 400;
/// A part ends at the last line end in its last so-many-th, where there is one.
const LAST: usize = 4;

/// One block, as far as its length matters.
#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

/// Where a part is among the others, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) part: usize,
    pub(crate) of: usize,
}

/// Where the other parts are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest<'a> {
    pub(crate) handle: &'a str,
    /// The call's id, where it is this window's own: its answer is a resource then.
    pub(crate) call: Option<&'a str>,
}

/// A part of a result, or all of it where it fits.
pub(crate) fn cut(
    mut result: CallToolRes,
    most: Option<usize>,
    part: Option<usize>,
    rest: Option<Rest<'_>>,
) -> (CallToolRes, Option<Place>) {
    let Some(outputs) = result.outputs.take() else {
        return (result, None);
    };
    let parts = most.and_then(|most| parts_of(outputs.get(), most));
    let Some(parts) = parts else {
        result.outputs = Some(outputs);
        if part.is_some_and(|part| part > 1) {
            return (no_such(result, part, 1), None);
        }
        // What is said twice, and too long once, is said as text.
        let structured = result.structured.as_ref();
        if most.is_some_and(|most| structured.is_some_and(|json| json.get().len() > most)) {
            result.structured = None;
        }
        return (result, None);
    };
    let place = Place {
        part: part.unwrap_or(1),
        of: parts.len(),
    };
    let Some(blocks) = parts.into_iter().nth(place.part - 1) else {
        return (no_such(result, part, place.of), None);
    };
    result.outputs = joined(blocks, &words(place, rest));
    // Some clients show a model only this, and it is too long.
    result.structured = None;
    (result, Some(place))
}

fn words(Place { part, of }: Place, rest: Option<Rest<'_>>) -> String {
    let whole = "The whole is longer than this client shows.";
    match rest {
        _ if part == of => format!("[exai: this is the last part, {part} of {of}.]"),
        Some(Rest { handle, call }) => format!(
            "[exai: this is part {part} of {of}. {whole} For the next part call exai_continue \
             with {{\"handle\": {}, \"page\": {}}}.{}]",
            quoted(handle),
            part + 1,
            call.map(resource).unwrap_or_default()
        ),
        None => format!(
            "[exai: this is part {part} of {of}. {whole} The rest is not kept: ask for less, a \
             smaller range or a narrower filter.]"
        ),
    }
}

fn resource(call: &str) -> String {
    format!(" The whole is also the resource exai://answers/{call}.")
}

fn no_such(mut result: CallToolRes, part: Option<usize>, of: usize) -> CallToolRes {
    let part = part.unwrap_or(1);
    let message = format!("page {part} does not exist: the answer has {of} (page: 1 to {of})");
    result.outputs = None;
    result.structured = None;
    result.error = Some(WireError::new(Code::InvalidArgument, message).ran(Ran::Yes));
    result
}

/// The blocks of every part; `None` where all fit into one.
fn parts_of(outputs: &str, most: usize) -> Option<Vec<Vec<String>>> {
    // Never longer as text than as JSON, so that most answers are not read at all.
    if outputs.len() <= most {
        return None;
    }
    let blocks: Vec<&RawValue> = serde_json::from_str(outputs).ok()?;
    let room = most.saturating_sub(WORDS).max(most / 2);
    let texts: Vec<Option<Cow<'_, str>>> = blocks
        .iter()
        .map(|block| serde_json::from_str::<Block<'_>>(block.get()).ok()?.text)
        .collect();
    let length: usize = texts.iter().flatten().map(|text| text.len()).sum();
    if length <= most {
        return None;
    }
    let mut parts = Parts {
        done: Vec::new(),
        open: Vec::new(),
        used: 0,
        room,
    };
    for (block, text) in blocks.into_iter().zip(texts) {
        match text {
            Some(text) => parts.text(&text),
            // A picture is no text, and is not shortened by cutting it.
            None => parts.open.push(block.get().to_owned()),
        }
    }
    parts.close();
    Some(parts.done)
}

struct Parts {
    done: Vec<Vec<String>>,
    open: Vec<String>,
    used: usize,
    room: usize,
}

impl Parts {
    fn text(&mut self, mut text: &str) {
        while !text.is_empty() {
            let left = self.room - self.used;
            let (now, later) = text.split_at(place_to_cut(text, left));
            if !now.is_empty() {
                self.open.push(text_block(now));
                self.used += now.len();
            }
            if !later.is_empty() {
                self.close();
            }
            text = later;
        }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.done.push(std::mem::take(&mut self.open));
        }
        self.used = 0;
    }
}

/// Where a text of at most so many bytes ends: after a line, if one ends near there.
fn place_to_cut(text: &str, room: usize) -> usize {
    if text.len() <= room {
        return text.len();
    }
    let end = text.floor_char_boundary(room);
    let near = end - end / LAST;
    let line = text[..end].rfind('\n').map(|at| at + 1);
    line.filter(|at| *at >= near).unwrap_or(end)
}

fn text_block(text: &str) -> String {
    format!(r#"{{"type":"text","text":{}}}"#, quoted(text))
}

/// A list of one block of text.
pub(crate) fn only(text: &str) -> Option<Box<RawValue>> {
    joined(Vec::new(), text)
}

fn joined(mut blocks: Vec<String>, words: &str) -> Option<Box<RawValue>> {
    blocks.push(text_block(words));
    RawValue::from_string(format!("[{}]", blocks.join(","))).ok()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
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
}
