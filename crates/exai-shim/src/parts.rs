//! An answer longer than the client shows is given in parts, so that nothing of it is cut
//! without a word: the first with the way to the next, and what stands in the others.

mod outline;
mod piece;
#[cfg(test)]
mod tests;

use exai_protocol::{Code, RawValue, WireError, call::CallToolRes, error::Ran};
use serde::Deserialize;
use std::borrow::Cow;

/// Kept free in each part for the words that name the next.
const WORDS: usize = 400;
/// Of the first part a so-manieth, and no more than this, is kept free for what stands in the
/// others.
const OUTLINE: (usize, usize) = (4, 2_000);
/// A part ends at the last line end in its last so-many-th, where there is one.
const LAST: usize = 4;

/// One block, as far as its length matters.
#[derive(Default, Deserialize)]
struct Block<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

/// Where in a block the model's answer ends, and what is told beside it begins.
fn answer_ends(block: &Block<'_>) -> Option<usize> {
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "exai/answer")]
        facts: Facts,
    }
    #[derive(Deserialize)]
    struct Facts {
        answer_bytes: usize,
    }
    let meta: Meta = serde_json::from_str(block.meta?.get()).ok()?;
    Some(meta.facts.answer_bytes)
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
    let parts = most.and_then(|most| Some((most, parts_of(outputs.get(), most)?)));
    let Some((most, parts)) = parts else {
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
    let about = match place.part {
        1 => about(&parts, for_outline(most)),
        _ => String::new(),
    };
    let Some(wanted) = parts.into_iter().nth(place.part - 1) else {
        return (no_such(result, part, place.of), None);
    };
    result.outputs = joined(wanted.blocks, &words(place, &about, rest));
    // Some clients show a model only this, and it is too long.
    result.structured = None;
    (result, Some(place))
}

fn for_outline(most: usize) -> usize {
    let (part, limit) = OUTLINE;
    (most / part).min(limit)
}

/// How much there is, what stands on which page, and how it ends: whoever answered and what the
/// conversation is called stands at the end of all, and is wanted first.
fn about(parts: &[Part], most: usize) -> String {
    let bytes: usize = parts.iter().map(|part| part.text.len()).sum();
    let mut about = format!(" The whole has {bytes} bytes.");
    let end = parts.last().and_then(|part| part.end.as_deref());
    let end = end.map(|end| last_lines(end.trim(), most * 3 / 4));
    let pages: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    let outline = outline::of(&pages, most.saturating_sub(end.map_or(0, str::len)));
    if !outline.is_empty() {
        about.push_str(" In the other parts:");
        about.push_str(&outline);
        about.push('\n');
    }
    if let Some(end) = end.filter(|end| !end.is_empty()) {
        about.push_str(" At its end stands:\n");
        about.push_str(end);
        about.push('\n');
    }
    about
}

/// As many of its last lines as fit.
fn last_lines(text: &str, most: usize) -> &str {
    let over = text.len().saturating_sub(most);
    let from = text.ceil_char_boundary(over);
    match text[from..].find('\n') {
        _ if over == 0 => text,
        Some(at) => text[from + at..].trim_start(),
        None => "",
    }
}

fn words(Place { part, of }: Place, about: &str, rest: Option<Rest<'_>>) -> String {
    let whole = format!("The whole is longer than this client shows.{about}");
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
    let message = format!("page {part} does not exist; this answer's pages are 1 to {of}");
    result.outputs = None;
    result.structured = None;
    result.error = Some(WireError::new(Code::InvalidArgument, message).ran(Ran::Yes));
    result
}

/// Every part; `None` where all fit into one.
fn parts_of(outputs: &str, most: usize) -> Option<Vec<Part>> {
    // Never longer as text than as JSON, so that most answers are not read at all.
    if outputs.len() <= most {
        return None;
    }
    let blocks: Vec<&RawValue> = serde_json::from_str(outputs).ok()?;
    let room = most.saturating_sub(WORDS).max(most / 2);
    let texts: Vec<Block<'_>> = blocks
        .iter()
        .map(|block| serde_json::from_str(block.get()).unwrap_or_default())
        .collect();
    let lengths = texts.iter().flat_map(|block| &block.text);
    let length: usize = lengths.map(|text| text.len()).sum();
    if length <= most {
        return None;
    }
    let mut parts = Parts {
        done: Vec::new(),
        open: Part::default(),
        used: 0,
        room: room - for_outline(most),
        later: room,
    };
    for (block, read) in blocks.into_iter().zip(texts) {
        match &read.text {
            Some(text) => {
                parts.text(text, block, read.meta);
                let beside = answer_ends(&read).and_then(|end| text.get(end..));
                parts.open.end = beside.map(str::to_owned);
            }
            // A picture is no text, and is not shortened by cutting it.
            None => parts.open.blocks.push(block.get().to_owned()),
        }
    }
    parts.close();
    Some(parts.done)
}

/// One part: its blocks, and their text.
#[derive(Default)]
struct Part {
    blocks: Vec<String>,
    text: String,
    /// What is told beside the answer, where there is such.
    end: Option<String>,
}

struct Parts {
    done: Vec<Part>,
    open: Part,
    used: usize,
    room: usize,
    /// The room of every part but the first.
    later: usize,
}

impl Parts {
    fn text(&mut self, whole: &str, block: &RawValue, meta: Option<&RawValue>) {
        let mut text = whole;
        while !text.is_empty() {
            let left = self.room - self.used;
            let (now, later) = text.split_at(place_to_cut(text, left));
            if !now.is_empty() {
                let from = whole.len() - text.len();
                self.open.blocks.push(match now.len() == whole.len() {
                    true => block.get().to_owned(),
                    false => piece::block(now, (from, whole.len()), meta),
                });
                self.open.text.push_str(now);
                self.used += now.len();
            }
            if !later.is_empty() {
                self.close();
            }
            text = later;
        }
    }

    fn close(&mut self) {
        if !self.open.blocks.is_empty() {
            self.done.push(std::mem::take(&mut self.open));
            self.room = self.later;
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
