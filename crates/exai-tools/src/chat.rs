//! `chat`: one question to a model, with files and pictures, and its whole answer. The answer
//! is one text block; what it took to get it follows in a second, short one.

pub(crate) mod report;
mod saved;

#[cfg(test)]
mod tests;

use crate::{
    args::Args,
    attempt::Attempt,
    kind,
    request::{self, Asked},
    spec::{self, Effect, Words},
    wish,
};
use exai_engine::{
    ports::{
        models::{Answer, Message, Models},
        threads::{Open, Said, Threads},
    },
    tool::{Tool, ToolCall, ToolError, ToolOutput, ToolSpec},
};
use report::{Beside, Kept};
use saved::Save;
use std::sync::Arc;

pub(crate) fn spec() -> ToolSpec {
    let words = Words {
        name: "chat",
        title: "Chat",
        description: "Ask another model: a second opinion, a review, an explanation. Costs \
             money at most providers; the answer names model and price.",
        schema: r#"{"type":"object","required":["prompt"],"properties":{"prompt":{"type":"string"},"continuation_id":{"type":"string","description":"From an earlier answer: goes on with that conversation."},"files":{"type":"array","items":{"type":"string"},"description":"Paths to send along: files, lines (a.rs:10-40), folders, globs."},"images":{"type":"array","items":{"type":"string"},"description":"Paths, data: or https: addresses."},"model":{"type":"string","description":"As in listmodels; default: chosen for you."},"system":{"type":"string"},"effort":{"type":"string","enum":["off","minimal","low","medium","high","max"]},"temperature":{"type":"number","minimum":0,"maximum":2},"max_output":{"type":"integer","minimum":1,"description":"Most tokens to write."},"use_websearch":{"type":"boolean","default":false},"save_to":{"type":"string","description":"A new file to write the answer to."},"confirm_cost":{"type":"boolean","description":"true only after the user agreed to the price."}}}"#,
    };
    spec::spec(&words, Effect::Asks)
}

pub(crate) fn tool(models: &Arc<dyn Models>, threads: &Arc<dyn Threads>) -> Arc<dyn Tool> {
    let given = (Arc::clone(models), Arc::clone(threads));
    let mut spec = spec();
    spec.waits = true;
    kind::with(spec, given, async move |(models, threads), call| {
        answer(&*models, &*threads, &call).await
    })
}

/// One question that belongs to no conversation, for whoever tries a model.
pub(crate) fn once(models: &Arc<dyn Models>) -> Arc<dyn Tool> {
    let words = Words {
        name: "models_test",
        title: "Try a model",
        description: "Asks a model one thing, and keeps nothing.",
        schema: r#"{"type":"object","required":["prompt"],"properties":{"prompt":{"type":"string"},"model":{"type":"string"},"max_output":{"type":"integer","minimum":1}}}"#,
    };
    let mut spec = spec::spec(&words, Effect::Asks);
    (spec.operator, spec.waits) = (true, true);
    kind::with(spec, Arc::clone(models), async move |models, call| {
        let args = Args::of(&call)?;
        let mut wish = wish::of(&args, "chat")?;
        let prompt = Message::user(args.required_text("prompt")?);
        wish.chat.messages.push(prompt);
        let answer = report::with_text(models.ask(&call, wish).await?)?;
        report::output(&answer, &Beside::default())
    })
}

async fn answer(
    models: &dyn Models,
    threads: &dyn Threads,
    call: &ToolCall,
) -> Result<ToolOutput, ToolError> {
    answer_of(models, threads, call, None).await
}

/// The same for tools that put a call into these words, and may have chosen its model.
pub(crate) async fn answer_of(
    models: &dyn Models,
    threads: &dyn Threads,
    call: &ToolCall,
    chosen: Option<String>,
) -> Result<ToolOutput, ToolError> {
    let args = Args::of(call)?;
    let mut wish = wish::of(&args, "chat")?;
    wish.chosen = chosen;
    let prompt = args.required_text("prompt")?;
    let given = args.text("system")?.filter(|text| !text.trim().is_empty());
    let (files, images) = (args.texts("files")?, args.texts("images")?);
    let save = Save::of(&args, call).await?;
    args.know(&["stream"]);
    let id = args.text("continuation_id")?.map(str::trim);
    let open = threads.open(call, id.filter(|id| !id.is_empty())).await?;
    // Those of this call, else those of the conversation.
    let instructions = given.map(str::to_owned);
    let instructions = instructions.or_else(|| request::instructions(&open));
    let asked = Asked {
        tool: "chat",
        system: instructions.as_deref(),
        prompt,
        files,
        images,
        turns: Arc::clone(&open.turns),
        stands_alone: false,
    };
    let prepared = request::prepare(asked, call, (models, &open), &mut wish).await?;
    let attempt = Attempt::new("chat", threads, &open);
    let answered = models.ask(call, wish).await;
    let answered = answered.and_then(report::with_text);
    let answer = match answered {
        Ok(answer) => answer,
        Err(error) => {
            attempt.failed(&error);
            return Err(error);
        }
    };
    attempt.answered();
    let said = Said {
        question: prompt.to_owned(),
        instructions,
        ..prepared.said
    };
    let kept = keep(threads, &open, said, &answer).await;
    let saved = save.write(call, &answer.turn.text).await;
    let beside = Beside {
        files: &prepared.entries,
        notes: &prepared.notes,
        kept: &kept,
        saved: saved.as_deref(),
        unused: args.unused(),
        ..Beside::default()
    };
    report::output(&answer, &beside)
}

/// An answer that was paid for is given, whether it can be kept or not.
pub(crate) async fn keep(threads: &dyn Threads, open: &Open, said: Said, answer: &Answer) -> Kept {
    let said = Said {
        answer: Some(answer.turn.text.clone()),
        pin: Some(answer.pin()),
        spent: Some(answer.spent.clone()),
        carry: answer.turn.carry.clone(),
        ..said
    };
    match threads.append(open, said).await {
        Ok(turn) => Kept::As {
            id: Arc::clone(&open.id),
            turn,
        },
        Err(error) => Kept::Not(error.to_string()),
    }
}
