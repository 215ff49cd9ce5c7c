//! `consensus`: several models answer the same question at the same time, none of them knowing
//! of the others, each from the side it was given. Then, if asked for: a second round in which
//! each reads the others unnamed, a ranking in which nobody knows whose answer is whose, and a
//! judge. One call; it takes about as long as its slowest model, and each answer is told once.

mod asked;
mod ballot;
mod report;
mod rounds;
mod together;
mod words;

#[cfg(test)]
mod tests;

use crate::{
    args::Args,
    attempt::Attempt,
    kind,
    spec::{self, Effect, Words},
};
use asked::Asked;
use exai_engine::{
    ports::{
        models::Models,
        threads::{Open, Said, Threads},
    },
    tool::{Tool, ToolCall, ToolError, ToolOutput, ToolSpec},
};
use rounds::Council;
use std::sync::Arc;

/// As conversations and records know it.
const NAME: &str = "consensus";
/// Fields of the predecessor's steps, one model each.
const STEPS: [&str; 8] = [
    "step",
    "step_number",
    "total_steps",
    "next_step_required",
    "findings",
    "use_assistant_model",
    "current_model_index",
    "model_responses",
];

pub(crate) fn spec() -> ToolSpec {
    let words = Words {
        name: NAME,
        title: "Consensus",
        description: "Asks several models at once, blind to each other; returns every answer. \
             Optional: stances, a second round, a ranking, a judging model.",
        schema: r#"{"type":"object","required":["prompt"],"properties":{"prompt":{"type":"string"},"models":{"type":"array","items":{"type":"object","properties":{"model":{"type":"string"},"stance":{"type":"string","enum":["for","against","neutral"]},"stance_prompt":{"type":"string"}}},"description":"2 to 10."},"second_round":{"type":"string","enum":["none","revise","critique"]},"rank":{"type":"boolean"},"judge":{"type":"string"},"quorum":{"type":"integer","minimum":1},"files":{"type":"array","items":{"type":"string"}},"continuation_id":{"type":"string"},"effort":{"type":"string","enum":["off","minimal","low","medium","high","max"]},"use_websearch":{"type":"boolean"},"confirm_cost":{"type":"boolean"}}}"#,
    };
    let mut spec = spec::spec(&words, Effect::Asks);
    spec.waits = true;
    spec
}

pub(crate) fn tool(models: &Arc<dyn Models>, threads: &Arc<dyn Threads>) -> Arc<dyn Tool> {
    let given = (Arc::clone(models), Arc::clone(threads));
    kind::with(spec(), given, async move |(models, threads), call| {
        answer(&*models, &*threads, &call).await
    })
}

async fn answer(
    models: &dyn Models,
    threads: &dyn Threads,
    call: &ToolCall,
) -> Result<ToolOutput, ToolError> {
    let args = Args::of(call)?;
    let asked = Asked::of(&args, &models.listing())?;
    let open = threads.open(call, asked.thread.as_deref()).await?;
    let mut council = Council::gather(&asked, &args, call, (models, &open)).await?;
    // The predecessor's steps are one call here.
    args.know(&STEPS);
    council.unused = args.unused();
    let attempt = Attempt::new(NAME, threads, &open);
    council.first(call, models, &asked).await;
    if let Err(error) = council.quorum(&asked) {
        attempt.failed(&error);
        return Err(error);
    }
    council.second(call, models, &asked).await;
    council.rank(call, models, &asked).await;
    council.judge(call, models, &asked).await;
    attempt.answered();
    let text = report::text(&council, &asked);
    let said = Said {
        question: asked.prompt.clone(),
        answer: Some(text.clone()),
        state: Some(report::verdicts(&council)),
        spent: Some(council.spent()),
        ..council.said.clone()
    };
    let kept = keep(threads, &open, said).await;
    report::output(&council, text, &kept)
}

/// What became of the turn: its conversation and its number there, or why there is none.
type Kept = Result<(Arc<str>, u32), String>;

/// Answers that were paid for are given, whether they can be kept or not.
async fn keep(threads: &dyn Threads, open: &Open, said: Said) -> Kept {
    match threads.append(open, said).await {
        Ok(turn) => Ok((Arc::clone(&open.id), turn)),
        Err(error) => Err(error.to_string()),
    }
}
