//! What an expert answered: its judgement, or that it cannot judge yet, which it says as one
//! JSON object so that nothing has to be guessed from prose.

use serde_json::Value;

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// A judgement, in its words.
    Judged,
    /// It has to see these files first.
    NeedsFiles { files: Vec<String>, why: String },
    /// A person has to say something first.
    NeedsUser(String),
}

/// Reads it.
pub(super) fn read(text: &str) -> Answered {
    let Some(object) = object(text) else {
        return Answered::Judged;
    };
    let word = |field: &str| object.get(field).and_then(Value::as_str);
    let said = |fields: &[&str]| {
        let said = fields.iter().find_map(|field| word(field));
        said.unwrap_or_default().to_owned()
    };
    match word("status") {
        Some("files_required_to_continue" | "needs_files") => {
            let files = object.get("files_needed").and_then(Value::as_array);
            let files = files.into_iter().flatten().filter_map(Value::as_str);
            let files: Vec<String> = files.map(str::to_owned).collect();
            let why = said(&["mandatory_instructions", "why", "reason"]);
            match files.is_empty() {
                true => Answered::NeedsUser(why),
                false => Answered::NeedsFiles { files, why },
            }
        }
        Some(
            "clarification_required" | "needs_user" | "investigation_paused" | "refactoring_paused",
        ) => Answered::NeedsUser(said(&[
            "question",
            "why",
            "mandatory_instructions",
            "reason",
        ])),
        _ => Answered::Judged,
    }
}

/// A text that is one JSON object, between fences or not.
fn object(text: &str) -> Option<Value> {
    let text = text.trim();
    let inner = text
        .strip_prefix("```json")
        .or_else(|| text.strip_prefix("```"))
        .and_then(|text| text.strip_suffix("```"));
    let value: Value = serde_json::from_str(inner.unwrap_or(text).trim()).ok()?;
    value.is_object().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::{Answered, read};

    #[test]
    fn an_expert_judges_or_says_what_it_lacks() {
        for judged in [
            "It leaks.",
            "{\"a\":1}",
            "{\"status\":\"ok\"}",
            "```\ncode\n```",
            "",
        ] {
            assert_eq!(read(judged), Answered::Judged, "{judged}");
        }
        let needs = Answered::NeedsFiles {
            files: vec!["a.rs".to_owned()],
            why: "to see it".to_owned(),
        };
        let asked = r#"{"status":"files_required_to_continue","mandatory_instructions":"to see it","files_needed":["a.rs"]}"#;
        assert_eq!(read(asked), needs);
        assert_eq!(read(&format!("```json\n{asked}\n```")), needs);
        assert_eq!(
            read(r#"{"status":"needs_user","question":"Which of the two?"}"#),
            Answered::NeedsUser("Which of the two?".to_owned())
        );
    }
}
