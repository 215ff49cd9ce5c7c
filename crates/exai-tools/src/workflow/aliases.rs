//! The predecessor's names for what the envelope says, for callers that were told to look for
//! them. They repeat no text: what is long stands once.

use super::{
    kind::{Kind, Names},
    ladder::Why,
    place::Place,
    step::Step,
};
use serde_json::{Map, Value, json};

/// While another step is to follow.
pub(super) fn working(kind: &Kind, place: &Place, step: &Step, out: &mut Map<String, Value>) {
    let Some(names) = &kind.names else {
        return;
    };
    put(out, "v1_status", json!(names.pause));
    put(out, names.required, json!(true));
    put(out, "continuation_required", json!(true));
    put(out, "continuation_available", json!(true));
    put(out, "next_step_number", json!(step.number + 1));
    put(out, names.status, counts(names, place));
    let note = match kind.expert {
        Some(_) => "files are read at the last step, for the model that judges",
        None => "files are not read: this tool asks no model",
    };
    put(
        out,
        "file_context",
        json!({ "type": "reference_only", "note": note }),
    );
}

/// It is over.
pub(super) fn done(kind: &Kind, place: &Place, why: Option<Why>, out: &mut Map<String, Value>) {
    let Some(names) = &kind.names else {
        return;
    };
    let all = &place.all;
    let status = match why {
        // Its name for this said that the expert was still being called.
        None => names.flag,
        Some(Why::NoExpert | Why::Sure) => names.sure,
        Some(Why::Declined | Why::NothingToJudge) => "local_work_complete",
    };
    put(out, "v1_status", json!(status));
    put(out, names.flag, json!(true));
    put(out, names.status, counts(names, place));
    if let Some(why) = why {
        put(out, "skip_expert_analysis", json!(true));
        let status = match why {
            Why::Sure | Why::NoExpert => names.skipped,
            Why::Declined | Why::NothingToJudge => "skipped",
        };
        let analysis = json!({ "status": status, "reason": why.words() });
        put(out, "expert_analysis", analysis);
    }
    let complete = json!({
        "initial_request": all.request(),
        "steps_taken": all.steps.len(),
        "files_examined": all.files_checked(),
        "relevant_files": all.relevant_files(),
        "relevant_context": all.relevant_context(),
        "issues_found": all.issues(),
        "confidence_level": all.confidence(),
    });
    put(out, names.complete, complete);
}

fn counts(names: &Names, place: &Place) -> Value {
    let all = &place.all;
    let mut counts = json!({
        "files_checked": all.files_checked().len(),
        "relevant_files": all.relevant_files().len(),
        "relevant_context": all.relevant_context().len(),
        "issues_found": all.issues().len(),
        "images_collected": all.images().len(),
        "revisions": all.revisions,
    });
    if let Some(confidence) = all.confidence() {
        counts[names.confidence] = json!(confidence);
    }
    counts
}

fn put(out: &mut Map<String, Value>, name: &str, value: Value) {
    out.entry(name.to_owned()).or_insert(value);
}
