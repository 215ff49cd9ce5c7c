//! A consensus as a result: every answer whole and once, who ranked whom where, what the judge
//! decided; then what it took.

use super::{
    Kept,
    asked::{Asked, Second},
    ballot::letter,
    rounds::{Council, Voice},
};
use crate::chat::report::one_block;
use exai_engine::{
    ports::models::{Answer, DoneReason, Spent},
    tool::{ToolError, ToolOutput},
};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What a person or a model reads.
pub(super) fn text(council: &Council, asked: &Asked) -> String {
    let answered = council.answered();
    let all = council.voices.len();
    let mut words = format!("# Consensus: {} of {all} models answered\n", answered.len());
    for (number, at) in answered.iter().enumerate() {
        let voice = &council.voices[*at];
        let Some(answer) = voice.answer(asked) else {
            continue;
        };
        let revised = asked.second == Second::Revise;
        let note = match &voice.second {
            Some(Ok(_)) if revised => ", revised after reading the others",
            Some(Err(_)) if revised => ", its first answer: the revision failed",
            _ => "",
        };
        let name = name(voice, answer);
        let letter = letter(number);
        let text = answer.turn.text.trim();
        let _ = write!(words, "\n## {letter}: {name}{note}\n\n{text}\n");
        if let Some(cut) = cut(answer) {
            let _ = writeln!(words, "\n[{cut}]");
        }
        match &voice.second {
            Some(Ok(said)) if !revised => {
                let said = said.turn.text.trim();
                let _ = write!(words, "\n### {letter} on the others\n\n{said}\n");
            }
            Some(Err(error)) => {
                let _ = writeln!(words, "\n[Its second round failed: {error}]");
            }
            _ => {}
        }
    }
    for voice in &council.voices {
        if let Some(Err(error)) = &voice.first {
            let (model, stance) = (&voice.seat.model, voice.seat.stance.as_str());
            let _ = write!(words, "\n## No answer: {model} ({stance})\n\n{error}\n");
        }
    }
    let ranking = council.ranking();
    if !ranking.is_empty() {
        let ballots = council.ballots.len();
        let _ = write!(words, "\n## Ranking ({ballots} ballots)\n\n{ranking}");
    } else if asked.rank {
        words.push_str("\n## Ranking\n\nNone: there was no usable ballot.\n");
    }
    match &council.judge {
        Some(Ok(answer)) => {
            let (model, text) = (&answer.model, answer.turn.text.trim());
            let _ = write!(words, "\n## Judge: {model}\n\n{text}\n");
        }
        Some(Err(error)) => {
            let _ = write!(words, "\n## Judge\n\nNo verdict: {error}\n");
        }
        None => {}
    }
    words
}

fn name(voice: &Voice, answer: &Answer) -> String {
    let stance = voice.seat.stance.as_str();
    format!("{} at {} ({stance})", answer.model, answer.endpoint)
}

fn cut(answer: &Answer) -> Option<&'static str> {
    match answer.reason {
        DoneReason::Length => Some("THIS ANSWER IS CUT: it reached its ceiling of tokens"),
        DoneReason::ContextFull => Some("THIS ANSWER IS CUT: the model's context is full"),
        DoneReason::ContentFilter => Some("THIS ANSWER IS CUT: the provider withheld the rest"),
        _ => None,
    }
}

/// Who was asked and what became of it, without the words.
pub(super) fn verdicts(council: &Council) -> Value {
    let mut number = 0;
    let rows = council.voices.iter().map(|voice| {
        let (model, stance) = (&voice.seat.model, voice.seat.stance.as_str());
        match &voice.first {
            Some(Ok(answer)) => {
                let label = letter(number);
                number += 1;
                json!({
                    "label": label.to_string(),
                    "asked": model,
                    "stance": stance,
                    "model": answer.model,
                    "endpoint": answer.endpoint,
                    "status": "answered",
                    "usage": answer.spent,
                })
            }
            Some(Err(error)) => json!({
                "asked": model,
                "stance": stance,
                "status": "failed",
                "code": error.code.as_str(),
                "error": error.message,
            }),
            None => json!({ "asked": model, "stance": stance, "status": "not_asked" }),
        }
    });
    json!({ "models": rows.collect::<Vec<Value>>(), "ballots": council.ballots })
}

pub(super) fn output(
    council: &Council,
    text: String,
    kept: &Kept,
) -> Result<ToolOutput, ToolError> {
    let spent = council.spent();
    let mut words = format!("---\n[{} models; {}]", council.voices.len(), took(&spent));
    if let Some(unused) = &council.unused {
        let _ = write!(words, "\n{unused}");
    }
    for entry in &council.entries {
        let _ = write!(words, "\nFile {entry}");
    }
    for (model, entries) in &council.otherwise {
        for entry in entries
            .iter()
            .filter(|entry| !council.entries.contains(entry))
        {
            let _ = write!(words, "\nFor {model}: file {entry}");
        }
    }
    for note in &council.notes {
        let _ = write!(words, "\nEarlier turns: {note}");
    }
    for warning in warnings(council) {
        let _ = write!(words, "\nBudget: {warning}");
    }
    let mut facts = verdicts(council);
    facts["complete"] = json!(council.answered().len() == council.voices.len());
    match kept {
        Ok((id, turn)) => {
            let _ = write!(words, "\ncontinuation_id: {id} (turn {turn})");
            facts["continuation_id"] = json!(&**id);
            facts["turn"] = json!(turn);
        }
        Err(why) => {
            let _ = write!(
                words,
                "\nTHIS TURN IS NOT KEPT, and cannot be continued: {why}"
            );
            facts["not_kept"] = json!(why);
        }
    }
    facts["files"] = council
        .entries
        .iter()
        .map(crate::files::Entry::facts)
        .collect();
    let otherwise = council.otherwise.iter().map(|(model, entries)| {
        let facts = entries.iter().map(crate::files::Entry::facts);
        (model.clone(), facts.collect::<Value>())
    });
    facts["files_otherwise"] = Value::Object(otherwise.collect());
    one_block(&text, &words, facts, &spent)
}

/// Each once, whoever said it.
fn warnings(council: &Council) -> Vec<&String> {
    let answers = council
        .voices
        .iter()
        .filter_map(|voice| voice.first.as_ref());
    let answers = answers.filter_map(|said| said.as_ref().ok());
    let mut all: Vec<&String> = answers.flat_map(|answer| &answer.warnings).collect();
    all.sort();
    all.dedup();
    all
}

fn took(spent: &Spent) -> String {
    let tokens = spent.tokens.unwrap_or_default();
    let price = match (spent.price.usd, &spent.price.unknown) {
        (Some(usd), _) => format!("${usd:.6}"),
        (None, Some(why)) => format!("price unknown ({why})"),
        (None, None) => "price unknown".to_owned(),
    };
    format!(
        "{} tokens in, {} out; {price}; the slowest took {:.1} s",
        tokens.input.unwrap_or(0),
        tokens.output.unwrap_or(0),
        spent.total_ms as f64 / 1000.0
    )
}
