//! Thoughts and tool calls that come inside the text, as `<think>…</think>` and
//! `<tool_call>…</tool_call>`: local servers and GLM do that. A filter for text in pieces,
//! so a tag may be cut anywhere; text that only looks like a tag is text.

use crate::chat::{CallKind, StreamItem, ToolCall};
use serde_json::{Map, Value};

const THINK: (&str, &str) = ("<think>", "</think>");
const CALL: (&str, &str) = ("<tool_call>", "</tool_call>");
/// A call longer than this is no call.
const MOST_CALL_BYTES: usize = 256 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Text,
    Thinking,
    Call,
}

/// Sorts text into text, thoughts and calls.
#[derive(Debug, Clone)]
pub(super) struct Inline {
    think: bool,
    calls: bool,
    /// Tools a textual call may name; anything else between the tags is text.
    known: Vec<String>,
    mode: Mode,
    held: String,
    /// How much of `held` is known not to contain the tag looked for.
    seen: usize,
    made: usize,
}

impl Inline {
    pub(super) fn new(think: bool, calls: bool, known: Vec<String>) -> Self {
        Self {
            think,
            calls,
            known,
            mode: Mode::Text,
            held: String::new(),
            seen: 0,
            made: 0,
        }
    }

    pub(super) fn push(&mut self, text: &str, out: &mut Vec<StreamItem>) {
        if !self.think && !self.calls {
            return emit(Mode::Text, text.to_owned(), out);
        }
        self.held.push_str(text);
        while self.step(out) {}
    }

    /// Whether a call was found so far.
    pub(super) fn any_calls(&self) -> bool {
        self.made > 0
    }

    pub(super) fn finish(&mut self, out: &mut Vec<StreamItem>) {
        let rest = std::mem::take(&mut self.held);
        match self.mode {
            // The end tag is missing: if it reads as a call it is one, else nothing is lost.
            Mode::Call => self.call(&rest, false, out),
            mode => emit(mode, rest, out),
        }
        self.mode = Mode::Text;
    }

    /// Whether another step may find more.
    fn step(&mut self, out: &mut Vec<StreamItem>) -> bool {
        match self.mode {
            Mode::Text => self.look_for_start(out),
            Mode::Thinking => self.look_for_end(THINK.1, out),
            Mode::Call => self.look_for_end(CALL.1, out),
        }
    }

    fn look_for_start(&mut self, out: &mut Vec<StreamItem>) -> bool {
        let tags = [
            (self.think, THINK.0, Mode::Thinking),
            (self.calls, CALL.0, Mode::Call),
        ];
        let found = tags
            .into_iter()
            .filter(|(wanted, ..)| *wanted)
            .filter_map(|(_, tag, mode)| Some((self.held.find(tag)?, tag.len(), mode)))
            .min_by_key(|(at, ..)| *at);
        if let Some((at, len, mode)) = found {
            let before = self.held[..at].to_owned();
            self.held.drain(..at + len);
            emit(Mode::Text, before, out);
            self.mode = mode;
            self.seen = 0;
            return true;
        }
        let keep = tags
            .iter()
            .filter(|(wanted, ..)| *wanted)
            .map(|(_, tag, _)| cut_tag(&self.held, tag))
            .max()
            .unwrap_or(0);
        let safe = self.held.len() - keep;
        emit(Mode::Text, self.held.drain(..safe).collect(), out);
        false
    }

    fn look_for_end(&mut self, tag: &str, out: &mut Vec<StreamItem>) -> bool {
        if let Some(at) = self.held[self.seen..].find(tag) {
            let at = at + self.seen;
            let inside = self.held[..at].to_owned();
            self.held.drain(..at + tag.len());
            let mode = std::mem::replace(&mut self.mode, Mode::Text);
            self.seen = 0;
            if mode == Mode::Call {
                self.call(&inside, true, out);
            } else {
                emit(Mode::Thinking, inside, out);
            }
            return true;
        }
        let safe = self.held.len() - cut_tag(&self.held, tag);
        match self.mode {
            Mode::Thinking => emit(Mode::Thinking, self.held.drain(..safe).collect(), out),
            _ if self.held.len() > MOST_CALL_BYTES => {
                let text = format!("{}{}", CALL.0, std::mem::take(&mut self.held));
                self.mode = Mode::Text;
                self.seen = 0;
                emit(Mode::Text, text, out);
            }
            _ => self.seen = safe,
        }
        false
    }

    fn call(&mut self, inside: &str, closed: bool, out: &mut Vec<StreamItem>) {
        match parse(inside).filter(|(name, _)| self.known.contains(name)) {
            Some((name, arguments)) => {
                self.made += 1;
                out.push(StreamItem::ToolCall(ToolCall {
                    id: format!("textual_{}", self.made),
                    name,
                    arguments,
                    kind: CallKind::Textual,
                }));
            }
            None => {
                let end = if closed { CALL.1 } else { "" };
                emit(Mode::Text, format!("{}{inside}{end}", CALL.0), out);
            }
        }
    }
}

fn emit(mode: Mode, text: String, out: &mut Vec<StreamItem>) {
    if !text.is_empty() {
        out.push(match mode {
            Mode::Thinking => StreamItem::Reasoning(text),
            _ => StreamItem::Text(text),
        });
    }
}

/// Bytes at the end of `text` that may be the beginning of `tag`.
fn cut_tag(text: &str, tag: &str) -> usize {
    (1..tag.len())
        .rev()
        .find(|len| text.ends_with(&tag[..*len]))
        .unwrap_or(0)
}

/// `{"name":…,"arguments":{…}}`, or a name and `<arg_key>`/`<arg_value>` pairs, or a name and
/// a JSON object.
fn parse(inside: &str) -> Option<(String, String)> {
    let inside = inside.trim();
    if let Ok(Value::Object(call)) = serde_json::from_str::<Value>(inside) {
        let name = call.get("name")?.as_str()?.to_owned();
        return Some((name, super::json::arguments(call.get("arguments"))));
    }
    let end = inside
        .find(|c: char| c.is_whitespace() || c == '<' || c == '{' || c == '(')
        .unwrap_or(inside.len());
    let (name, rest) = inside.split_at(end);
    let rest = rest.trim();
    if name.is_empty() {
        return None;
    }
    if rest.is_empty() {
        return Some((name.to_owned(), "{}".to_owned()));
    }
    if rest.starts_with('{') {
        serde_json::from_str::<Map<String, Value>>(rest).ok()?;
        return Some((name.to_owned(), rest.to_owned()));
    }
    pairs(rest).map(|arguments| (name.to_owned(), Value::Object(arguments).to_string()))
}

fn pairs(mut rest: &str) -> Option<Map<String, Value>> {
    let mut arguments = Map::new();
    while !rest.trim().is_empty() {
        let (key, after) = between(rest, "<arg_key>", "</arg_key>")?;
        let (value, after) = between(after, "<arg_value>", "</arg_value>")?;
        let value = match serde_json::from_str::<Value>(value) {
            Ok(value) if !value.is_string() => value,
            _ => Value::String(value.to_owned()),
        };
        arguments.insert(key.trim().to_owned(), value);
        rest = after;
    }
    Some(arguments)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<(&'a str, &'a str)> {
    let (_, after) = text.split_once(start)?;
    after.split_once(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(pieces: &[&str]) -> (String, String, Vec<(String, String)>) {
        let known = vec!["web_search".to_owned(), "read".to_owned()];
        let mut filter = Inline::new(true, true, known);
        let mut items = Vec::new();
        for piece in pieces {
            filter.push(piece, &mut items);
        }
        filter.finish(&mut items);
        let (mut text, mut thoughts, mut calls) = (String::new(), String::new(), Vec::new());
        for item in items {
            match item {
                StreamItem::Text(more) => text += &more,
                StreamItem::Reasoning(more) => thoughts += &more,
                StreamItem::ToolCall(call) => calls.push((call.name, call.arguments)),
                other => panic!("{other:?}"),
            }
        }
        (text, thoughts, calls)
    }

    #[test]
    fn thoughts_and_calls_are_taken_out_of_the_text() {
        let (text, thoughts, calls) = run(&[
            "<think>hm</think>Look: <tool_call>web_search\n<arg_key>query</arg_key>\n\
             <arg_value>rust 1.95</arg_value>\n<arg_key>count</arg_key><arg_value>5</arg_value>\n\
             </tool_call> <tool_call>{\"name\":\"read\",\"arguments\":{\"a\":1}}</tool_call>",
        ]);
        assert_eq!((text.as_str(), thoughts.as_str()), ("Look:  ", "hm"));
        assert_eq!(calls[0].0, "web_search");
        assert_eq!(calls[0].1, r#"{"query":"rust 1.95","count":5}"#);
        assert_eq!(calls[1], ("read".to_owned(), r#"{"a":1}"#.to_owned()));
    }

    #[test]
    fn what_only_looks_like_a_call_stays_text() {
        for text in [
            "use <tool_call> tags",
            "<tool_call>rm {}</tool_call> is not offered",
            "a <b> c < think> </think>",
            "ends with <tool_ca",
            "<tool_call>web_search {broken</tool_call>",
        ] {
            let (told, thoughts, calls) = run(&[text]);
            assert_eq!(told, text);
            assert!(thoughts.is_empty() && calls.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_call_without_its_end_is_still_a_call() {
        let (text, _, calls) = run(&["<tool_call>web_search {\"q\":1}"]);
        assert_eq!(text, "");
        assert_eq!(calls.len(), 1);
    }

    proptest! {
        #[test]
        fn any_chopping_sorts_the_same(
            words in proptest::collection::vec(prop_oneof![
                Just("<think>"), Just("</think>"), Just("<tool_call>"), Just("</tool_call>"),
                Just("read {}"), Just("<"), Just("é"), Just("<tool"), Just("plain "),
            ], 0..12),
        ) {
            let text = words.concat();
            let letters: Vec<String> = text.chars().map(String::from).collect();
            let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
            prop_assert_eq!(run(&[&text]), run(&letters));
        }
    }
}
