//! Asking one model to judge an investigation: the whole of it as text, the files it is about,
//! what was said before in the conversation, and what the daemon itself has seen.

use super::{evidence::Evidence, kind::Expert, kind::Kind, next, place::Place, verdict::Answered};
use crate::{
    attempt::Attempt,
    change::Change,
    chat::report,
    request::{self, Asked, Prepared},
};
use exai_engine::{
    ports::{
        models::{Answer, Category, Models, Wish},
        threads::Threads,
    },
    tool::{ToolCall, ToolError},
};
use serde_json::Value;
use std::{fmt::Write as _, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// What every expert is told beside what its tool says.
const RULES: &str = concat!(
    include_str!("../../prompts/expert.md"),
    include_str!("../../prompts/lacking.md"),
    include_str!("../../prompts/expert_form.md"),
);

/// A sign of life while it thinks.
const SIGN: Duration = Duration::from_secs(2);

/// What came of asking.
pub(super) struct Judgement {
    pub(super) answer: Answer,
    pub(super) prepared: Prepared,
    pub(super) read: Answered,
}

/// What it is asked about, beside the investigation.
pub(super) struct Matter<'a> {
    pub(super) kind: &'a Kind,
    pub(super) expert: &'a Expert,
    pub(super) place: &'a Place,
    pub(super) evidence: &'a Evidence,
    pub(super) change: Option<&'a Change>,
}

/// Asks it.
pub(super) async fn ask(
    matter: &Matter<'_>,
    (models, threads): (&dyn Models, &dyn Threads),
    call: &ToolCall,
    mut wish: Wish,
) -> Result<Judgement, ToolError> {
    let place = matter.place;
    let (system, prompt) = match &matter.kind.written {
        Some(written) => (written.system(), written.question(matter)),
        None => {
            let words = format!("{}\n\n{}", matter.expert.prompt.trim(), RULES.trim());
            (words, told(matter))
        }
    };
    if wish.category == Category::Balanced {
        wish.category = matter.expert.category;
    }
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    let mut files: Vec<String> = owned(place.all.relevant_files());
    if let Some(change) = matter.change {
        files.extend(change.untracked.iter().cloned());
    }
    let asked = Asked {
        tool: matter.kind.name,
        system: Some(&system),
        prompt: &prompt,
        files,
        images: owned(place.all.images()),
        turns: Arc::clone(&place.before),
        stands_alone: place.all.findings() > 0 || text_of(matter).is_some(),
    };
    let prepared = request::prepare(asked, call, (models, &place.open), &mut wish).await?;
    let attempt = Attempt::new(matter.kind.name, threads, &place.open);
    let answered = watched(models, call, wish)
        .await
        .and_then(report::with_text);
    match answered {
        Err(error) => {
            attempt.failed(&error);
            Err(error)
        }
        Ok(answer) => {
            attempt.answered();
            let read = super::verdict::read(&answer.turn.text);
            Ok(Judgement {
                answer,
                prepared,
                read,
            })
        }
    }
}

/// Says, as long as it lasts, that an expert is at work.
async fn watched(models: &dyn Models, call: &ToolCall, wish: Wish) -> Result<Answer, ToolError> {
    let begun = Instant::now();
    let mut asking = models.ask(call, wish);
    loop {
        match timeout(SIGN, asking.as_mut()).await {
            Ok(answered) => return answered,
            Err(_) => {
                let secs = begun.elapsed().as_secs();
                let words = format!("an expert has been at work for {secs} s");
                call.progress.say("expert_running", words);
            }
        }
    }
}

/// The investigation in words.
fn told(matter: &Matter<'_>) -> String {
    let all = &matter.place.all;
    let mut text = format!("# What it is about\n\n{}\n", all.request());
    for (field, value) in all.own() {
        let words = match value {
            Value::String(words) => words,
            other => other.to_string(),
        };
        let _ = writeln!(text, "- {field}: {words}");
    }
    text.push_str("\n# What was done and found out\n");
    for (number, step) in &all.steps {
        let _ = write!(text, "\n## Step {number}");
        if let Some(confidence) = &step.confidence {
            let _ = write!(text, " (confidence: {confidence})");
        }
        text.push_str("\n\n");
        let words = next::without_heading(&step.text);
        // The first one's words stand above.
        if !words.is_empty() && step.text != all.request() {
            let _ = writeln!(text, "{words}");
        }
        if !step.findings.is_empty() {
            let _ = writeln!(text, "Findings:\n{}", step.findings);
        }
    }
    section(
        &mut text,
        "Hypotheses",
        &all.hypotheses()
            .iter()
            .map(|(number, words)| format!("step {number}: {words}"))
            .collect::<Vec<_>>(),
    );
    section(
        &mut text,
        "Issues found",
        &all.issues()
            .iter()
            .map(|issue| issue_in_words(issue))
            .collect::<Vec<_>>(),
    );
    let lists = [
        ("Code it is about", all.relevant_context()),
        ("Files looked at", all.files_checked()),
    ];
    for (title, entries) in lists {
        section(
            &mut text,
            title,
            &entries.iter().map(ToString::to_string).collect::<Vec<_>>(),
        );
    }
    let wrong = matter.evidence.wrong.iter();
    let wrong: Vec<String> = wrong
        .map(|(cited, why)| format!("{cited}: {why}"))
        .collect();
    section(
        &mut text,
        "Citations that were looked up and are wrong",
        &wrong,
    );
    if let Some(verdict) = &all.verdict {
        let _ = write!(text, "\n# What an expert said before\n\n{verdict}\n");
    }
    if let Some(change) = text_of(matter) {
        let _ = write!(text, "\n# The change\n\n{change}\n");
    }
    text.push_str("\nJudge it now, by the rules you were given.");
    text
}

/// The lines of a change.
fn text_of<'a>(matter: &Matter<'a>) -> Option<&'a str> {
    let change = matter.change.filter(|change| !change.text.is_empty())?;
    Some(&change.text)
}

pub(super) fn section(text: &mut String, title: &str, entries: &[String]) {
    if entries.is_empty() {
        return;
    }
    let _ = write!(text, "\n# {title}\n\n");
    for entry in entries {
        let _ = writeln!(text, "- {entry}");
    }
}

/// `[severity] description (file:line)`, and whatever else it says.
fn issue_in_words(issue: &Value) -> String {
    let word = |field: &str| issue.get(field).and_then(Value::as_str);
    match (word("severity"), word("description")) {
        (severity, Some(description)) if issue.as_object().is_some_and(|o| o.len() <= 2) => {
            match severity {
                Some(severity) => format!("[{severity}] {description}"),
                None => description.to_owned(),
            }
        }
        _ => issue.to_string(),
    }
}
