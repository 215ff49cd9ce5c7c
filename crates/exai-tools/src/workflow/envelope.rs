//! The one form of every answer: where the investigation stands, in a word that is true, what
//! to do now, the call to do it with, and whether a model judged. One JSON text; ids, tokens and
//! money once more in its `_meta`, for programs.

use super::{aliases, evidence::Evidence, expert::Judgement, ladder::Why, run::Run, step::How};
use crate::{
    chat::report,
    files::{Entry, Packing},
};
use exai_engine::tool::{ToolError, ToolOutput};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Where the facts are.
const FACTS: &str = "exai/workflow";

/// What is to be told beside what the run knows.
pub(super) struct Told {
    /// `working`, `needs_files`, `needs_user`, `done` or `failed`. While the model is asked the
    /// call's progress says `expert_running`.
    pub(super) status: &'static str,
    pub(super) actions: Vec<String>,
    pub(super) next_steps: String,
    pub(super) next_call: Value,
    /// Files a model wants to see.
    pub(super) needed: Vec<String>,
    /// Why no model was asked.
    pub(super) why: Option<Why>,
    /// The predecessor's status, where it is an unusual one.
    pub(super) alias: Option<&'static str>,
    pub(super) judgement: Option<Judgement>,
    /// Of what the model cites.
    pub(super) expert_evidence: Evidence,
}

impl Told {
    pub(super) fn new(status: &'static str) -> Self {
        Self {
            status,
            actions: Vec::new(),
            next_steps: String::new(),
            next_call: Value::Null,
            needed: Vec::new(),
            why: None,
            alias: None,
            judgement: None,
            expert_evidence: Evidence::default(),
        }
    }
}

/// The answer.
pub(super) fn output(
    run: &Run<'_>,
    told: &Told,
    turn: Option<u32>,
) -> Result<ToolOutput, ToolError> {
    let envelope = envelope(run, told, turn);
    let judgement = told.judgement.as_ref();
    let entries = judgement.map_or(&[][..], |judgement| &judgement.prepared.entries);
    let facts = json!({
        "status": told.status,
        "tool": run.kind.name,
        "step": run.step.number,
        "continuation_id": turn.map(|_| &*run.place.open.id),
        "turn": turn,
        "expert": envelope["expert"],
        "files": entries.iter().map(Entry::facts).collect::<Vec<Value>>(),
        "packing": Packing::of(entries).facts(),
    });
    let text = serde_json::to_string_pretty(&envelope).unwrap_or_default();
    let blocks = json!([{ "type": "text", "text": text, "_meta": { FACTS: facts } }]);
    let usage = judgement.map(|judgement| report::raw(&judgement.answer.spent));
    Ok(ToolOutput {
        outputs: report::raw(&blocks)?,
        structured: None,
        usage: usage.transpose()?,
    })
}

/// The error of a model that could not be asked, with where the investigation stands.
pub(super) fn failure(run: &Run<'_>, told: &Told, turn: u32, mut error: ToolError) -> ToolError {
    let metadata = error.metadata.as_ref().map(|metadata| metadata.get());
    let metadata = metadata.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    let mut metadata = metadata.unwrap_or_default();
    metadata.insert(
        "workflow".to_owned(),
        json!({
            "status": told.status,
            "tool": run.kind.name,
            "step": run.step.number,
            "continuation_id": &*run.place.open.id,
            "turn": turn,
            "next_call": told.next_call,
        }),
    );
    error.metadata = report::raw(&metadata).ok();
    // After a list the sentence would read as part of its last line.
    let apart = if error.message.contains('\n') {
        '\n'
    } else {
        ' '
    };
    error.message = format!(
        "{}{apart}The step itself is kept (continuation_id {}, step {}): send it again to have it \
         judged, or with \"use_assistant_model\": false to end without a model.",
        error.message.trim_end(),
        run.place.open.id,
        run.step.number
    );
    error
}

fn envelope(run: &Run<'_>, told: &Told, turn: Option<u32>) -> Map<String, Value> {
    let (step, place) = (&run.step, &run.place);
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| {
        out.insert(name.to_owned(), value);
    };
    put("status", json!(told.status));
    put("tool", json!(run.kind.name));
    put("step", json!(step.number));
    put("step_number", json!(step.number));
    put("total_steps", json!(step.total));
    put("next_step_required", json!(!told.next_call.is_null()));
    put("continuation_id", json!(turn.map(|_| &*place.open.id)));
    put("turn", json!(turn));
    if let Some(words) = how_in_words(step.how) {
        put("order", json!(words));
    }
    if let Some(branch) = &step.branch {
        put("branch_id", json!(branch));
    }
    if !place.branches.is_empty() {
        put("branches", json!(place.branches));
    }
    put("expert", expert(run, told));
    if let Some(judgement) = &told.judgement {
        let text = &judgement.answer.turn.text;
        let analysis = json!({ "status": "analysis_complete", "raw_analysis": text });
        put("expert_analysis", analysis);
        let files: Vec<String> = judgement
            .prepared
            .entries
            .iter()
            .map(ToString::to_string)
            .collect();
        let packing = Packing::of(&judgement.prepared.entries);
        let mut context = json!({
            "type": "fully_embedded",
            "files_embedded": packing.included + packing.cut,
            "files": files,
        });
        if packing.asked > 0 {
            context["packing"] = json!(packing.to_string());
        }
        put("file_context", context);
    }
    if !told.needed.is_empty() {
        put("files_needed", json!(told.needed));
    }
    if !told.actions.is_empty() {
        put("required_actions", json!(told.actions));
    }
    put("next_steps", json!(told.next_steps));
    put("next_call", told.next_call.clone());
    if let Some(change) = &run.change {
        put("changes", change.told.clone());
    }
    if let Some(evidence) = run.evidence.told() {
        put("evidence", evidence);
    }
    if let Some(evidence) = told.expert_evidence.told() {
        put("expert_evidence", evidence);
    }
    let notes = notes(run, told);
    if !notes.is_empty() {
        put("notes", json!(notes));
    }
    if let Some(alias) = told.alias {
        put("v1_status", json!(alias));
    }
    match told.status {
        "done" => aliases::done(run.kind, place, told.why, &mut out),
        _ => aliases::working(run.kind, place, step, &mut out),
    }
    out
}

fn how_in_words(how: How) -> Option<String> {
    match how {
        How::Begins | How::Follows => None,
        How::Revises(at) => Some(format!("takes the place of step {at}")),
        How::Backtracks(at) => Some(format!("goes back to before step {at}")),
        How::Branches(at) => Some(format!("branches off after step {at}")),
    }
}

fn expert(run: &Run<'_>, told: &Told) -> Value {
    let Some(judgement) = &told.judgement else {
        let status = match (&run.kind.expert, told.why) {
            (None, _) => "none",
            (Some(_), Some(_)) => "not_asked",
            (Some(_), None) => "not_yet",
        };
        let mut expert = json!({ "ran": false, "model": null, "status": status, "usage": null });
        if let Some(why) = told.why {
            expert["why"] = json!(why.words());
        }
        return expert;
    };
    let answer = &judgement.answer;
    let tokens = answer.spent.tokens.unwrap_or_default();
    json!({
        "ran": true,
        "model": answer.model,
        "endpoint": answer.endpoint,
        "chosen": answer.chosen,
        "status": match (told.status, report::cut(answer)) {
            ("done", None) => "answered",
            ("done", Some(_)) => "cut",
            (other, _) => other,
        },
        "usage": {
            "input": tokens.input,
            "output": tokens.output,
            "usd": answer.spent.price.usd,
        },
    })
}

/// What the caller should know and would not look for.
fn notes(run: &Run<'_>, told: &Told) -> Vec<String> {
    let mut notes = run.place.notes.clone();
    let others = run.place.before.len();
    let Some(judgement) = &told.judgement else {
        if others > 0 && run.step.how == How::Begins {
            notes.push(format!(
                "this conversation has {others} earlier turns of other work; `threads` (action \
                 show) reads them"
            ));
        }
        return notes;
    };
    let answer = &judgement.answer;
    notes.extend(report::cut(answer));
    let before = judgement.prepared.notes.iter();
    notes.extend(before.map(|note| format!("earlier turns: {note}")));
    notes.extend(answer.applied.changes.iter().map(|change| {
        let (field, why) = (&change.field, &change.why);
        let (asked, got) = (&change.requested, &change.applied);
        format!("not as asked: {field} {asked} became {got} ({why})")
    }));
    notes.extend(answer.warnings.iter().map(|note| format!("budget: {note}")));
    notes
}

/// What is to be done where places are cited that are not there.
pub(super) const MEND: &str = "Look up again what 'evidence' lists as wrong, and send the right \
     places; what is not there supports nothing.";
/// The same of a verdict.
pub(super) const UNFOUNDED: &str = " Places it cites that are not there are listed in \
     'expert_evidence': what rests on them alone is unfounded.";

/// After a step that another is to follow, which may be the last.
pub(super) fn pause_words(run: &Run<'_>, last: bool) -> String {
    let (number, total) = (run.step.number, run.step.total);
    // The words of a tool that was written are its owner's, at every step.
    let did = match run.kind.written {
        None => "what you did in 'step' and ",
        Some(_) => "",
    };
    let mut words = format!(
        "Step {number} of {total} is kept. Do what 'required_actions' says first, yourself and \
         with your own tools; then send 'next_call' with {did}what you found in 'findings'. \
         Nothing goes on without you."
    );
    if let Some(top) = run.kind.ladder.last().filter(|_| number == 1) {
        let ladder = run.kind.ladder.join(", ");
        let _ = write!(words, " Say in 'confidence' how sure you are: {ladder}.");
        if run
            .kind
            .expert
            .as_ref()
            .is_some_and(|expert| expert.may_be_skipped)
        {
            let _ = write!(words, " With '{top}' no other model is asked.");
        }
    }
    if run.kind.expert.is_some() && (last || number + 1 >= total) {
        words.push_str(
            " At the last step another model judges the whole, unless you send \
             \"use_assistant_model\": false.",
        );
    }
    words
}

pub(super) fn done_words(why: Why, evidence: &Evidence) -> String {
    let mut words = ended_words(why);
    if !evidence.wrong.is_empty() {
        words.push_str(" Correct first what 'evidence' lists as wrong.");
    }
    words
}

fn ended_words(why: Why) -> String {
    match why {
        Why::NoExpert => "All steps are kept. Give the person the result.".to_owned(),
        _ => format!(
            "All steps are kept, and no model judged them: {}. Give the person the result and \
             say that it is your own.",
            why.words()
        ),
    }
}

pub(super) fn judged_words() -> String {
    "Hold the expert's verdict against what you saw yourself: take over what the evidence \
     bears out, say where you disagree and why. It may be wrong."
        .to_owned()
}
