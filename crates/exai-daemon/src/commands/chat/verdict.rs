//! An investigation's answer in a person's words: what the model judged, or what it wants first,
//! or why none was asked; and beside that what a person should know of it.

use serde_json::Value;
use std::fmt::Write as _;

/// Parts of a change that are named one by one as not read.
const UNREAD: usize = 20;

/// See the module.
pub(super) struct Verdict {
    /// What is to be read first.
    pub(super) text: String,
    /// What stands beside it.
    pub(super) words: String,
    /// Whether a model judged.
    pub(super) judged: bool,
}

impl Verdict {
    /// Of an envelope; `None` where the text is none.
    pub(super) fn of(text: &str) -> Option<Self> {
        let whole: Value = serde_json::from_str(text).ok()?;
        let ran = whole["expert"]["ran"] == true;
        let judged = ran && whole["status"] == "done";
        let text = match judged {
            true => whole["expert_analysis"]["raw_analysis"]
                .as_str()?
                .to_owned(),
            false => unjudged(&whole)?,
        };
        Some(Self {
            words: beside(&whole, ran),
            text,
            judged,
        })
    }
}

/// What a model asks for before it judges, or why none was asked.
fn unjudged(whole: &Value) -> Option<String> {
    if let Some(why) = whole["expert"]["why"].as_str() {
        // Of a change there is more to be said than that there was nothing to judge.
        let change = whole["changes"].is_object() && whole["expert"]["status"] == "not_asked";
        let note = whole["notes"][0].as_str().filter(|_| change);
        let why = note.unwrap_or(why);
        return Some(format!("No model judged this: {why}."));
    }
    let actions = whole["required_actions"].as_array()?.iter();
    let actions: Vec<&str> = actions.filter_map(Value::as_str).collect();
    Some(format!("Not judged yet. {}", actions.join("\n")))
}

fn beside(whole: &Value, ran: bool) -> String {
    let mut words = String::new();
    if ran {
        let word = |field: &str| whole["expert"][field].as_str().unwrap_or_default();
        let _ = write!(
            words,
            "[{} at {}; {}]",
            word("model"),
            word("endpoint"),
            took(whole)
        );
    }
    let mut tell = |what: &str, place: &str| {
        let list = whole.pointer(place).and_then(Value::as_array);
        for line in list.into_iter().flatten() {
            let _ = write!(words, "\n{what}{}", line_of(line));
        }
    };
    tell("File ", "/file_context/files");
    tell(
        "IN CONFLICT, a merge waits for somebody: ",
        "/changes/conflicts",
    );
    tell("Not borne out: ", "/expert_evidence/wrong");
    tell("", "/notes");
    if ran {
        unread(whole, &mut words);
    }
    if let Some(id) = whole["continuation_id"].as_str() {
        let _ = write!(words, "\ncontinuation_id: {id}");
    }
    words.trim_start().to_owned()
}

/// Of a change that was judged: what of it the model did not see.
fn unread(whole: &Value, words: &mut String) {
    let Some(rows) = whole["changes"]["left_out"].as_array() else {
        return;
    };
    for row in rows.iter().take(UNREAD) {
        let word = |field: &str| row[field].as_str().unwrap_or_default();
        let _ = write!(words, "\nNOT READ: {}: {}", word("path"), word("why"));
    }
    if let Some(more) = rows.len().checked_sub(UNREAD).filter(|more| *more > 0) {
        let _ = write!(words, "\nNOT READ: {more} more; --json names all");
    }
}

fn line_of(line: &Value) -> String {
    match (line["cited"].as_str(), line["why"].as_str()) {
        (Some(cited), Some(why)) => format!("{cited}, {why}"),
        _ => line
            .as_str()
            .map_or_else(|| line.to_string(), str::to_owned),
    }
}

/// Tokens and money, as far as they are known.
fn took(whole: &Value) -> String {
    let usage = &whole["expert"]["usage"];
    let tokens = match (usage["input"].as_u64(), usage["output"].as_u64()) {
        (Some(input), Some(output)) => format!("{input} tokens in, {output} out"),
        _ => "tokens not reported".to_owned(),
    };
    match usage["usd"].as_f64() {
        Some(usd) => format!("{tokens}; ${usd:.6}"),
        None => format!("{tokens}; price unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;
    use serde_json::json;

    #[test]
    fn a_person_never_reads_json() {
        let usage = json!({ "input": 10, "output": 5, "usd": 0.25 });
        let expert = json!({ "ran": true, "model": "m", "endpoint": "e", "usage": usage });
        let judged = json!({
            "status": "done", "expert": expert, "continuation_id": "t-1",
            "expert_analysis": { "raw_analysis": "Fine." },
            "expert_evidence": { "wrong": [{ "cited": "a.rs:9", "why": "it has 2 lines" }] },
            "notes": ["git knows of no change here"],
        });
        let got = Verdict::of(&judged.to_string()).unwrap();
        assert!(got.judged);
        assert_eq!(got.text, "Fine.");
        assert_eq!(
            got.words,
            "[m at e; 10 tokens in, 5 out; $0.250000]\nNot borne out: a.rs:9, it has 2 lines\n\
             git knows of no change here\ncontinuation_id: t-1"
        );
        let asks = json!({
            "status": "needs_files", "expert": expert,
            "required_actions": ["The expert has to see b.rs: it is called"],
            "expert_analysis": { "raw_analysis": "{}" },
        });
        let got = Verdict::of(&asks.to_string()).unwrap();
        assert!(!got.judged);
        assert_eq!(
            got.text,
            "Not judged yet. The expert has to see b.rs: it is called"
        );
        let none = json!({ "status": "done", "expert": { "ran": false, "why": "nothing there" } });
        let got = Verdict::of(&none.to_string()).unwrap();
        assert_eq!(got.text, "No model judged this: nothing there.");
        assert!(Verdict::of("no envelope").is_none());
    }
}
