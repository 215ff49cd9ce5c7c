//! From a model's answer to a result: its text, whole, and then what the caller should know of
//! it, in one block, because there are clients that show no second one. A person or a model reads
//! the words; a program reads the same facts in the block's `_meta`, and there where the answer
//! ends, because clients drop the text of results that carry structured values.

use crate::files::{Entry, Packing};
use exai_engine::{
    ports::models::{Answer, DoneReason, Price, SearchReport, Spent, Usage},
    tool::{ToolError, ToolOutput},
};
use exai_protocol::{Code, RawValue};
use serde_json::{Value, json};
use std::{fmt::Write as _, sync::Arc};

/// Where the facts are.
const FACTS: &str = "exai/answer";
/// Sources named in words; the facts name all.
const SOURCES: usize = 20;

/// Files named one by one in words; the facts name all.
const FILES: usize = 20;

/// What became of the turn after its answer.
pub(crate) enum Kept {
    /// It is part of its conversation.
    As {
        /// The conversation.
        id: Arc<str>,
        /// Its number there.
        turn: u32,
    },
    /// It is not, for this reason.
    Not(String),
    /// It belongs to none.
    Nowhere,
}

/// What goes along with an answer.
pub(crate) struct Beside<'a> {
    /// What became of each file.
    pub(crate) files: &'a [Entry],
    /// What to know of the earlier turns.
    pub(crate) notes: &'a [String],
    /// What became of the turn.
    pub(crate) kept: &'a Kept,
    /// What became of the answer as a file.
    pub(crate) saved: Option<&'a str>,
    /// How an agent worked, in words and for a program.
    pub(crate) errand: Option<(&'a str, &'a Value)>,
    /// What was sent and is no field.
    pub(crate) unused: Option<String>,
}

impl Default for Beside<'_> {
    fn default() -> Self {
        Self {
            files: &[],
            notes: &[],
            kept: &Kept::Nowhere,
            saved: None,
            errand: None,
            unused: None,
        }
    }
}

/// An answer with words in it.
pub(crate) fn with_text(answer: Answer) -> Result<Answer, ToolError> {
    if answer.turn.text.trim().is_empty() {
        let usage = raw(&answer.spent)?;
        return Err(no_text(&answer, usage));
    }
    Ok(answer)
}

pub(crate) fn output(answer: &Answer, beside: &Beside<'_>) -> Result<ToolOutput, ToolError> {
    let (words, facts) = (words(answer, beside), facts(answer, beside));
    one_block(&answer.turn.text, &words, facts, &answer.spent)
}

/// An answer and what is told beside it.
pub(crate) fn one_block(
    answer: &str,
    words: &str,
    mut facts: Value,
    spent: &Spent,
) -> Result<ToolOutput, ToolError> {
    facts["answer_bytes"] = json!(answer.len());
    let gap = if answer.ends_with('\n') { "\n" } else { "\n\n" };
    let text = [answer, gap, words].concat();
    let blocks = json!([{ "type": "text", "text": text, "_meta": { FACTS: facts } }]);
    Ok(ToolOutput {
        outputs: raw(&blocks)?,
        structured: None,
        usage: Some(raw(spent)?),
    })
}

/// Money was spent and nothing was said: no success, and no reason to hide what it took.
fn no_text(answer: &Answer, usage: Arc<RawValue>) -> ToolError {
    let why = match &answer.reason {
        DoneReason::Length | DoneReason::ContextFull => format!(
            "it used up its {} tokens of output before the first word of an answer; allow more \
             with 'max_output', or ask for less 'effort'",
            answer.applied.max_output
        ),
        DoneReason::ContentFilter => {
            "its provider withheld it (content filter); put the question differently".to_owned()
        }
        DoneReason::ToolCalls => {
            "it asked for tools, and chat offers none; ask again, or ask another model".to_owned()
        }
        DoneReason::Stop | DoneReason::Pause => {
            "it said that it was done; ask again, or ask another model".to_owned()
        }
        DoneReason::Other(reason) => {
            format!("it stopped for the reason '{reason}'; ask again, or ask another model")
        }
    };
    let mut error = ToolError::failed(format!(
        "{} at {} answered without any text: {why}. It took {}.",
        answer.model,
        answer.endpoint,
        took(&answer.spent)
    ));
    error.metadata = Some(usage);
    error
}

/// For whoever reads the answer: one line, and one more for each thing out of the ordinary.
fn words(answer: &Answer, beside: &Beside<'_>) -> String {
    let mut words = String::from("---\n");
    if let Some(cut) = cut(answer) {
        let _ = writeln!(words, "{cut}");
    }
    let _ = write!(words, "[{} at {}", answer.model, answer.endpoint);
    if !answer.chosen.is_empty() {
        let _ = write!(words, ": {}", answer.chosen);
    }
    let _ = write!(words, "; {}]", took(&answer.spent));
    let failed = answer.spent.attempts.iter().filter_map(|attempt| {
        let cause = attempt.cause.as_deref()?;
        Some(format!(
            "\nFailed before: {} at {} ({cause})",
            attempt.model, attempt.endpoint
        ))
    });
    words.extend(failed);
    for change in &answer.applied.changes {
        let _ = write!(
            words,
            "\nNot as asked: {} {} became {} ({})",
            change.field, change.requested, change.applied, change.why
        );
    }
    if let Some(unused) = &beside.unused {
        let _ = write!(words, "\n{unused}");
    }
    search(&answer.search, &mut words);
    files(beside.files, &mut words);
    for note in beside.notes {
        let _ = write!(words, "\nEarlier turns: {note}");
    }
    if let Some((worked, _)) = beside.errand {
        let _ = write!(words, "\n{worked}");
    }
    if let Some(saved) = beside.saved {
        let _ = write!(words, "\n{saved}");
    }
    for warning in &answer.warnings {
        let _ = write!(words, "\nBudget: {warning}");
    }
    let _ = match beside.kept {
        Kept::As { id, turn } => write!(words, "\ncontinuation_id: {id} (turn {turn})"),
        Kept::Not(why) => write!(
            words,
            "\nTHIS TURN IS NOT KEPT, and cannot be continued: {why}"
        ),
        Kept::Nowhere => Ok(()),
    };
    words
}

/// Said plainly when the text is not the whole text.
pub(crate) fn cut(answer: &Answer) -> Option<String> {
    match &answer.reason {
        DoneReason::Stop | DoneReason::ToolCalls => None,
        DoneReason::Length => Some(format!(
            "THE ANSWER IS CUT: it reached its ceiling of {} tokens. Ask again with a higher \
             'max_output', or for less.",
            answer.applied.max_output
        )),
        DoneReason::ContextFull => Some(
            "THE ANSWER IS CUT: the model's context is full. Send less, or ask for less."
                .to_owned(),
        ),
        DoneReason::ContentFilter => {
            Some("THE ANSWER IS CUT: the provider withheld the rest (content filter).".to_owned())
        }
        DoneReason::Pause => Some("THE ANSWER IS CUT: the provider paused it.".to_owned()),
        DoneReason::Other(reason) => Some(format!(
            "The provider ended the answer for a reason exai does not know: '{reason}'."
        )),
    }
}

/// Those that were not sent as asked are always named; of many others the sum.
fn files(entries: &[Entry], words: &mut String) {
    let told = |entry: &&Entry| entries.len() <= FILES || !entry.is_whole();
    let told: Vec<&Entry> = entries.iter().filter(told).collect();
    for entry in told.iter().take(FILES * 2) {
        let _ = write!(words, "\nFile {entry}");
    }
    if entries.len() > 1 {
        let _ = write!(words, "\nFiles: {}", Packing::of(entries));
    }
}

fn search(search: &SearchReport, words: &mut String) {
    if search.ran {
        words.push_str("\nA web search ran");
        if !search.queries.is_empty() {
            let _ = write!(words, " for: {}", search.queries.join("; "));
        }
        for source in search.sources.iter().take(SOURCES) {
            let _ = write!(words, "\n- {} {}", source.title, source.url);
        }
        if let Some(more) = search.sources.len().checked_sub(SOURCES).filter(|n| *n > 0) {
            let _ = write!(words, "\n- and {more} more");
        }
    } else if search.only_written {
        words.push_str("\nNO web search ran: the model only wrote that it would search.");
    } else if search.requested && !search.offered {
        words.push_str("\nNO web search ran: this model cannot be asked to search.");
    } else if search.requested {
        words.push_str("\nNO web search ran: the model was free to search and did not.");
    }
}

/// Tokens, money and time, as far as they are known.
pub(crate) fn took(spent: &Spent) -> String {
    format!(
        "{}; {}; {:.1} s",
        tokens(spent.tokens),
        price(&spent.price),
        spent.total_ms as f64 / 1000.0
    )
}

fn tokens(tokens: Option<Usage>) -> String {
    let tokens = tokens.unwrap_or_default();
    match (tokens.input, tokens.output) {
        (Some(input), Some(output)) => format!("{input} tokens in, {output} out"),
        (Some(input), None) => format!("{input} tokens in"),
        (None, Some(output)) => format!("{output} tokens out"),
        (None, None) => "tokens not reported".to_owned(),
    }
}

fn price(price: &Price) -> String {
    match (price.usd, &price.unknown) {
        (Some(usd), _) => {
            let about = if price.estimated { "about " } else { "" };
            let digits = if usd >= 1.0 || usd == 0.0 { 2 } else { 6 };
            format!("{about}${usd:.digits$}")
        }
        (None, Some(why)) => format!("price unknown ({why})"),
        (None, None) => "price unknown".to_owned(),
    }
}

fn facts(answer: &Answer, beside: &Beside<'_>) -> Value {
    let files: Vec<Value> = beside.files.iter().map(Entry::facts).collect();
    let (id, turn, not_kept) = match beside.kept {
        Kept::As { id, turn } => (Some(&**id), Some(*turn), None),
        Kept::Not(why) => (None, None, Some(why)),
        Kept::Nowhere => (None, None, None),
    };
    let mut facts = json!({
        "continuation_id": id,
        "turn": turn,
        "not_kept": not_kept,
        "earlier_turns": beside.notes,
        "endpoint": answer.endpoint,
        "model": answer.model,
        "chosen": answer.chosen,
        "reason": answer.reason,
        "complete": matches!(answer.reason, DoneReason::Stop),
        "applied": answer.applied,
        "search": answer.search,
        "files": files,
        "packing": Packing::of(beside.files).facts(),
        "warnings": answer.warnings,
    });
    if let Some((_, errand)) = beside.errand {
        facts["errand"] = errand.clone();
    }
    facts
}

pub(crate) fn raw(value: &impl serde::Serialize) -> Result<Arc<RawValue>, ToolError> {
    serde_json::value::to_raw_value(value)
        .map(Arc::from)
        .map_err(|error| {
            ToolError::new(Code::Internal, format!("cannot write the answer: {error}"))
        })
}
