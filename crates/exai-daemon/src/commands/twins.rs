//! `review`, `ask` and `analyze`: the tools `codereview`, `consensus` and `analyze` in words for
//! a terminal. They only build the arguments; the asking is that of `chat`.

use super::chat::{self, Manner, Whole};
use crate::{
    cli::{Analyze, Ask, Asking, Review},
    context::Context,
    exit::{self, Code},
};
use anyhow::Result;
use serde_json::{Map, Value, json};

pub(super) async fn review(context: &Context, options: &Review) -> Result<Code> {
    let mut whole = begin("codereview", &options.asking)?;
    let files = whole.files(&options.file)?;
    match files.is_empty() {
        // The tool reads the change itself, and judges it in the same call.
        true => whole.put("step", Some(json!("Review this change."))),
        false => at_once(&mut whole, "Review these files."),
    }
    whole.put("relevant_files", listed(files));
    whole.put("range", options.range.as_ref().map(|range| json!(range)));
    whole.put("focus_on", options.focus.as_ref().map(|text| json!(text)));
    whole.put("model", options.model.as_ref().map(|name| json!(name)));
    chat::once(context, whole).await
}

pub(super) async fn ask(context: &Context, options: &Ask) -> Result<Code> {
    if options.models.len() == 1 {
        let why = "--models wants two or more, separated by commas; `chat -m` asks one";
        return Err(exit::USAGE.because(why));
    }
    let prompt = chat::question(&options.prompt.join(" ")).await?;
    let mut whole = begin("consensus", &options.asking)?;
    let files = whole.files(&options.file)?;
    let models = options
        .models
        .iter()
        .map(|name| json!({ "model": name.trim() }));
    whole.put("prompt", Some(json!(prompt)));
    whole.put("models", listed(models.collect()));
    whole.put("files", listed(files));
    whole.put("judge", options.judge.as_ref().map(|name| json!(name)));
    chat::once(context, whole).await
}

pub(super) async fn analyze(context: &Context, options: &Analyze) -> Result<Code> {
    const QUESTION: &str = "Say what this is, how it holds together, and where it will not.";
    let mut whole = begin("analyze", &options.asking)?;
    let files = whole.files(&options.files)?;
    let question = options.question.as_deref().unwrap_or(QUESTION);
    at_once(&mut whole, question);
    whole.put("relevant_files", listed(files));
    whole.put(
        "analysis_type",
        options.kind.as_ref().map(|kind| json!(kind)),
    );
    whole.put("model", options.model.as_ref().map(|name| json!(name)));
    chat::once(context, whole).await
}

/// One step, and the last one: the model judges at once.
fn at_once(whole: &mut Whole, step: &str) {
    whole.put("step", Some(json!(step)));
    whole.put("step_number", Some(json!(1)));
    whole.put("total_steps", Some(json!(1)));
    whole.put("next_step_required", Some(json!(false)));
}

fn begin(tool: &'static str, asking: &Asking) -> Result<Whole> {
    let manner = Manner {
        json: asking.json,
        quiet: asking.quiet,
        timeout: asking.timeout,
    };
    let mut whole = Whole {
        tool,
        manner,
        arguments: Map::new(),
        roots: chat::here()?,
    };
    // The model judges: that is what the person is here for.
    if tool != "consensus" {
        whole.put("use_assistant_model", Some(json!(true)));
    }
    whole.put("effort", asking.effort.as_ref().map(|word| json!(word)));
    whole.put(
        "continuation_id",
        asking.thread.as_ref().map(|id| json!(id)),
    );
    whole.put("confirm_cost", asking.yes.then(|| json!(true)));
    Ok(whole)
}

fn listed(list: Vec<Value>) -> Option<Value> {
    (!list.is_empty()).then_some(Value::Array(list))
}
