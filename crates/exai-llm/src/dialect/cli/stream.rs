//! What a command line prints, to stream items, by the rules of its [`AnswerFormat`]. Lines
//! that are no JSON are passed over: agents greet, warn and advertise on the same output.

use super::answer::{AnswerFormat, AnswerKind, AnswerRule, UsagePaths};
use crate::{
    chat::{Done, DoneReason, StreamItem, Usage},
    decode::{NdjsonDecoder, TooLong},
    dialect::reader::truncated,
    fault::{Fault, FaultClass},
};
use serde_json::Value;

/// What of a trouble is kept.
const MOST_COMPLAINT: usize = 400;

/// Reads one answer.
pub(crate) struct Reader {
    format: AnswerFormat,
    lines: NdjsonDecoder,
    /// Bytes of a character that is not whole yet, or of a JSON text.
    held: Vec<u8>,
    cap: usize,
    any: bool,
    usage: Option<Usage>,
    reason: DoneReason,
    complaint: Option<String>,
    session: Option<String>,
    done: bool,
}

impl Reader {
    pub(crate) fn new(format: &AnswerFormat, cap: usize) -> Self {
        Self {
            format: format.clone(),
            lines: NdjsonDecoder::new(cap),
            held: Vec::new(),
            cap,
            any: false,
            usage: None,
            reason: DoneReason::Stop,
            complaint: None,
            session: None,
            done: false,
        }
    }

    /// Takes bytes, gives items, and says how many events the bytes completed.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<StreamItem>) -> Result<usize, Fault> {
        match self.format.format {
            AnswerKind::Text => Ok(self.text(bytes, out)),
            AnswerKind::Json => {
                if self.held.len() + bytes.len() > self.cap {
                    return Err(Fault::malformed(TooLong { cap: self.cap }.to_string()));
                }
                self.held.extend_from_slice(bytes);
                Ok(0)
            }
            AnswerKind::JsonLines => {
                let mut lines = Vec::new();
                let pushed = self.lines.push(bytes, &mut lines);
                let count = self.take_lines(&lines, out)?;
                pushed.map_err(|error| Fault::malformed(error.to_string()))?;
                Ok(count)
            }
        }
    }

    /// The output ended, and the command did not say that it failed.
    pub(crate) fn finish(&mut self, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        match self.format.format {
            AnswerKind::Text => {
                let rest = std::mem::take(&mut self.held);
                if !rest.is_empty() {
                    self.say(&String::from_utf8_lossy(&rest), out);
                }
            }
            AnswerKind::Json => {
                let text = std::mem::take(&mut self.held);
                let value = document(&text)?;
                self.event(&value, out)?;
            }
            AnswerKind::JsonLines => {
                let mut lines = Vec::new();
                self.lines.finish(&mut lines);
                self.take_lines(&lines, out)?;
            }
        }
        if self.done {
            return Ok(());
        }
        let says_its_end = self.format.format == AnswerKind::JsonLines
            && self.format.events.iter().any(|rule| rule.done);
        if says_its_end || !self.any {
            return Err(self.cut_off());
        }
        self.end(out);
        Ok(())
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// The last trouble it told of, if any.
    pub(crate) fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// The session it named last, if any.
    pub(crate) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    fn cut_off(&self) -> Fault {
        match &self.complaint {
            Some(complaint) => Fault::new(FaultClass::Server, complaint),
            None => truncated(self.any),
        }
    }

    /// Whole characters as they come; half of one waits for its rest.
    fn text(&mut self, bytes: &[u8], out: &mut Vec<StreamItem>) -> usize {
        self.held.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.held) {
            Ok(_) => self.held.len(),
            // What no further byte could make valid is not waited for.
            Err(error) if error.error_len().is_some() => {
                let after = error.valid_up_to() + error.error_len().unwrap_or(1);
                self.held[after..]
                    .utf8_chunks()
                    .last()
                    .filter(|last| is_begun(last.invalid()))
                    .map_or(self.held.len(), |last| {
                        self.held.len() - last.invalid().len()
                    })
            }
            Err(error) => error.valid_up_to(),
        };
        let rest = self.held.split_off(whole);
        let text = std::mem::replace(&mut self.held, rest);
        if !text.is_empty() {
            self.say(&String::from_utf8_lossy(&text), out);
        }
        usize::from(!bytes.is_empty())
    }

    fn take_lines(&mut self, lines: &[String], out: &mut Vec<StreamItem>) -> Result<usize, Fault> {
        let mut count = 0;
        for line in lines {
            if self.done {
                break;
            }
            if let Ok(event @ Value::Object(_)) = serde_json::from_str(line) {
                count += 1;
                self.event(&event, out)?;
            }
        }
        Ok(count)
    }

    fn event(&mut self, event: &Value, out: &mut Vec<StreamItem>) -> Result<(), Fault> {
        let format = std::mem::take(&mut self.format);
        let mut rules = format.events.iter().filter(|rule| fits(rule, event));
        let applied = rules.try_for_each(|rule| self.apply(rule, event, out));
        self.format = format;
        applied
    }

    fn apply(
        &mut self,
        rule: &AnswerRule,
        event: &Value,
        out: &mut Vec<StreamItem>,
    ) -> Result<(), Fault> {
        let words = |path: &Option<String>| path.as_deref().and_then(|path| words(event, path));
        if self.done {
            return Ok(());
        }
        if let Some(session) = words(&rule.session) {
            self.session = Some(session);
        }
        if let Some(what) = words(&rule.error) {
            return Err(fault(&what));
        }
        if let Some(what) = words(&rule.complaint) {
            self.complaint = Some(what.chars().take(MOST_COMPLAINT).collect());
        }
        if let Some(thoughts) = words(&rule.reasoning) {
            out.push(StreamItem::Reasoning(thoughts));
        }
        if let Some(text) = words(&rule.text) {
            self.say(&text, out);
        }
        if let Some(message) = words(&rule.message) {
            let apart = if self.any { "\n\n" } else { "" };
            self.say(&format!("{apart}{message}"), out);
        }
        if let Some(whole) = words(&rule.whole).filter(|_| !self.any) {
            self.say(&whole, out);
        }
        if let Some(word) = words(&rule.reason) {
            self.reason = reason(&word);
        }
        if let Some(paths) = &rule.usage {
            self.count(paths, event);
        }
        if rule.done {
            self.end(out);
        }
        Ok(())
    }

    fn say(&mut self, text: &str, out: &mut Vec<StreamItem>) {
        if !text.is_empty() {
            self.any = true;
            out.push(StreamItem::Text(text.to_owned()));
        }
    }

    fn count(&mut self, paths: &UsagePaths, event: &Value) {
        let sum = |paths: &[String]| {
            let counts = paths.iter().filter_map(|path| at(event, path)?.as_u64());
            counts.reduce(u64::saturating_add)
        };
        let usage = Usage {
            input: sum(&paths.input),
            cached: sum(&paths.cached),
            cache_written: sum(&paths.cache_written),
            output: sum(&paths.output),
            reasoning: sum(&paths.reasoning),
            ..Usage::default()
        };
        match &mut self.usage {
            Some(all) if paths.add => all.add(&usage),
            all => *all = Some(usage),
        }
    }

    fn end(&mut self, out: &mut Vec<StreamItem>) {
        self.done = true;
        let counted = |usage: &Usage| *usage != Usage::default();
        out.extend(self.usage.filter(counted).map(StreamItem::Usage));
        let reason = std::mem::replace(&mut self.reason, DoneReason::Stop);
        let carry = None;
        out.push(StreamItem::Done(Done { reason, carry }));
    }
}

/// Whether these bytes may be the beginning of a character.
fn is_begun(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// The JSON text in what was printed, greetings before and after it left out.
fn document(text: &[u8]) -> Result<Value, Fault> {
    let text = String::from_utf8_lossy(text);
    let whole = text.trim();
    if whole.is_empty() {
        return Err(truncated(false));
    }
    let inner = match (whole.find('{'), whole.rfind('}')) {
        (Some(start), Some(end)) if start < end => &whole[start..=end],
        _ => whole,
    };
    serde_json::from_str(inner).map_err(|error| match error.is_eof() {
        true => truncated(true),
        false => Fault::malformed(format!("what it printed is no JSON: {error}")),
    })
}

fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(event, |value, field| match value {
        Value::Array(list) => list.get(field.parse::<usize>().ok()?),
        value => value.get(field),
    })
}

/// What stands there in words; nothing where nothing is said.
fn words(event: &Value, path: &str) -> Option<String> {
    let text = match at(event, path)? {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(text).filter(|text| !text.is_empty())
}

fn fits(rule: &AnswerRule, event: &Value) -> bool {
    rule.when
        .iter()
        .all(|(path, word)| words(event, path).is_some_and(|found| found == *word))
}

fn reason(word: &str) -> DoneReason {
    match word {
        "stop" | "end_turn" | "stop_sequence" | "success" | "completed" => DoneReason::Stop,
        "length" | "max_tokens" | "max_output_tokens" => DoneReason::Length,
        "refusal" | "content_filter" | "safety" => DoneReason::ContentFilter,
        "model_context_window_exceeded" => DoneReason::ContextFull,
        other => DoneReason::Other(other.to_owned()),
    }
}

/// What an agent says of its own failure, sorted by its words; it gives no better sign.
pub(crate) fn fault(words: &str) -> Fault {
    Fault::new(class(words), words)
}

/// The class of a failure told in words.
pub(crate) fn class(words: &str) -> FaultClass {
    let words = words.to_lowercase();
    let says = |list: &[&str]| list.iter().any(|word| words.contains(word));
    if says(&[
        "not logged in",
        "please log in",
        "please run /login",
        "/login",
        "login required",
        "auth login",
        "codex login",
        "unauthorized",
        "authentication",
        "invalid api key",
        "invalid x-api-key",
        "token has expired",
        "token expired",
        "please set an auth method",
        "no credentials",
    ]) {
        FaultClass::Auth
    } else if says(&["usage limit", "quota", "credit balance", "out of credits"]) {
        FaultClass::QuotaExhausted
    } else if says(&["rate limit", "rate_limit", "too many requests", "429"]) {
        FaultClass::RateLimited
    } else if says(&["overloaded", "529", "503"]) {
        FaultClass::Overloaded
    } else if says(&["prompt is too long", "context window", "context length"]) {
        FaultClass::ContextLength
    } else if says(&[
        "model not found",
        "unknown model",
        "issue with the selected model",
    ]) {
        FaultClass::NotFound
    } else if says(&[
        "unknown option",
        "unexpected argument",
        "unknown argument",
        "unrecognized",
        "invalid value",
    ]) {
        FaultClass::BadRequest
    } else if says(&["enotfound", "econnrefused", "getaddrinfo", "network error"]) {
        FaultClass::Unreachable
    } else {
        FaultClass::Server
    }
}
