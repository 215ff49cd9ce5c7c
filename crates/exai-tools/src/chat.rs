//! `chat`: one question to a model, with files and pictures, and its whole answer. The answer
//! is one text block; what it took to get it follows in a second, short one.

mod report;
mod turns;
mod wish;

#[cfg(test)]
mod tests;

use crate::{
    args::Args,
    files, kind,
    spec::{self, Effect, Words},
};
use exai_engine::{
    ports::models::Models,
    tool::{Tool, ToolCall, ToolError, ToolFuture, ToolOutput, ToolSpec},
};
use std::sync::Arc;

/// What is sent in place of a conversation that is not kept yet.
const NO_THREADS: &str = "'continuation_id' cannot be used: this build of exai keeps no \
     conversations yet. Leave it out, and put what matters of the earlier turns into 'prompt'. \
     Nothing was sent.";

pub(crate) fn spec() -> ToolSpec {
    let words = Words {
        name: "chat",
        title: "Chat",
        description: "Ask another model: a second opinion, a review, an explanation. Costs \
             money at most providers; the answer names model and price.",
        schema: r#"{"type":"object","required":["prompt"],"properties":{"prompt":{"type":"string"},"files":{"type":"array","items":{"type":"string"},"description":"Paths of text files to send along."},"images":{"type":"array","items":{"type":"string"},"description":"Paths, data: or https: addresses."},"model":{"type":"string","description":"As in listmodels; default: chosen for you."},"system":{"type":"string"},"effort":{"type":"string","enum":["off","minimal","low","medium","high","max"]},"temperature":{"type":"number","minimum":0,"maximum":2},"max_output":{"type":"integer","minimum":1,"description":"Most tokens to write."},"use_websearch":{"type":"boolean","default":false},"confirm_cost":{"type":"boolean","description":"true only after the user agreed to the price."}}}"#,
    };
    spec::spec(&words, Effect::Asks)
}

pub(crate) fn tool(models: &Arc<dyn Models>) -> Arc<dyn Tool> {
    asking(spec(), models, false)
}

/// The same for the command line, which keeps a conversation by itself: `turns` are those
/// before the prompt, `pin` is the model that gave them.
pub(crate) fn operator_tool(models: &Arc<dyn Models>) -> Arc<dyn Tool> {
    let mut spec = spec();
    spec.entry.name = "chat_session".to_owned();
    spec.operator = true;
    asking(spec, models, true)
}

fn asking(mut spec: ToolSpec, models: &Arc<dyn Models>, turns: bool) -> Arc<dyn Tool> {
    let models = Arc::clone(models);
    spec.waits = true;
    kind::from_future(spec, move |call| -> ToolFuture {
        let models = Arc::clone(&models);
        Box::pin(async move { answer(&*models, &call, turns).await })
    })
}

async fn answer(
    models: &dyn Models,
    call: &ToolCall,
    turns: bool,
) -> Result<ToolOutput, ToolError> {
    let args = Args::of(call)?;
    if args
        .text("continuation_id")?
        .is_some_and(|id| !id.is_empty())
    {
        return Err(ToolError::invalid(NO_THREADS));
    }
    let mut wish = wish::of(&args)?;
    if turns {
        turns::before(&args, &mut wish)?;
    }
    let wanted = wish::files(&args, call, models)?;
    let prompt = args.required_text("prompt")?;
    let entries = if wanted.files.is_empty() && wanted.images.is_empty() {
        wish::say(&mut wish, prompt, None);
        Vec::new()
    } else {
        let count = wanted.files.len() + wanted.images.len();
        call.progress.say("files", format!("reading {count}"));
        let gathered = kind::on_a_thread(move || Ok(files::gather(&wanted))).await?;
        refuse_nothing(&gathered.entries)?;
        wish.documents = gathered.documents;
        wish::say(&mut wish, prompt, Some((gathered.text, gathered.images)));
        gathered.entries
    };
    let answer = models.ask(call, wish).await?;
    report::output(&answer, &entries)
}

/// A model asked about files of which it got none can only invent.
fn refuse_nothing(entries: &[files::Entry]) -> Result<(), ToolError> {
    if entries.iter().any(files::Entry::sent) {
        return Ok(());
    }
    let told: Vec<String> = entries.iter().map(|entry| format!("- {entry}")).collect();
    Err(ToolError::invalid(format!(
        "none of the files could be read, so nothing was sent and nothing was paid:\n{}",
        told.join("\n")
    )))
}
