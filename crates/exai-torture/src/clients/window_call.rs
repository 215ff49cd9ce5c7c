//! One call of a window, and what became of it. Where the answer is that the work goes on, its
//! model asks for the result by the handle, or starts the same work again, which must join it.

use super::window_pipe::Pipe;
use crate::{
    arena::Arena,
    oracle::{Answer, End, Kind},
    work::Job,
};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// So many answers that the work goes on are plenty for one call.
const MOST_ANSWERS: u32 = 400;

/// Before a model asks again that was told to ask again in a moment.
const MOMENT: Duration = Duration::from_millis(200);

/// See the module. With `patience` it changes its mind after that.
pub(super) async fn call(
    arena: Arc<Arena>,
    pipe: Arc<Pipe>,
    job: Job,
    patience: Option<Duration>,
    mut rng: fastrand::Rng,
) {
    arena.oracle.asked(Kind::Window, &job);
    let end = Instant::now() + arena.patience();
    let mut question = asking(&job);
    let mut known_by: Option<String> = None;
    let mut of_a_handle = false;
    for _ in 0..MOST_ANSWERS {
        let (id, answer) = pipe.ask("tools/call", question).await;
        let left = end.saturating_duration_since(Instant::now());
        let answer = match timeout(patience.unwrap_or(left), answer).await {
            Ok(Ok(answer)) => answer,
            // The pipe is closed: the shim is dead.
            Ok(Err(_)) => return arena.oracle.ended(job.token, End::Released),
            Err(_) if patience.is_some() => {
                changed_its_mind(&pipe, id).await;
                return arena.oracle.ended(job.token, End::Released);
            }
            Err(_) => return arena.oracle.ended(job.token, End::Lost),
        };
        if let Some(handle) = handle(&answer) {
            arena.score.note("answers that the work goes on");
            known_by = Some(handle.to_owned());
            of_a_handle = rng.u8(..4) > 0;
            question = if !of_a_handle {
                arena.score.note("work started again, to be joined");
                arena.oracle.again(job.token);
                asking(&job)
            } else {
                continuing(handle)
            };
            continue;
        }
        let told = Answer::of_mcp(&answer, &job.expect);
        let goes_on = known_by.as_deref();
        let Some(step) = goes_on.and_then(|_| next(&told, &job, of_a_handle)) else {
            return arena.oracle.ended(job.token, End::Answered(told));
        };
        of_a_handle = step == Step::Continue;
        question = match (step, goes_on) {
            (Step::Continue, Some(handle)) => continuing(handle),
            _ => asking(&job),
        };
        tokio::time::sleep(MOMENT).await;
    }
    arena.oracle.ended(job.token, End::Lost);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Continue,
    Anew,
}

/// What a model does next that holds a handle and does what it is told: an error about the
/// question, or about starting it again, is not the end of the work, which is still owed.
fn next(told: &Answer, job: &Job, of_a_handle: bool) -> Option<Step> {
    let Answer::Failed { code, ran, .. } = told else {
        return None;
    };
    match (code.as_str(), ran.as_str()) {
        // The call's own end, after all: refused, and to be made anew. It runs twice if that is a lie.
        ("UNAVAILABLE" | "OVER_CAPACITY", "no") if of_a_handle => Some(Step::Anew),
        ("UNAVAILABLE" | "SHUTTING_DOWN" | "OVER_CAPACITY", _) => Some(Step::Continue),
        // Never accepted, it says, and to be made anew; no journal knows an instant call.
        ("EXPIRED", "") if job.instant() => Some(Step::Anew),
        _ => None,
    }
}

fn continuing(handle: &str) -> Value {
    json!({ "name": "exai_continue", "arguments": { "handle": handle } })
}

fn asking(job: &Job) -> Value {
    json!({ "name": job.tool, "arguments": job.arguments, "_meta": { "progressToken": job.token } })
}

fn handle(answer: &Value) -> Option<&str> {
    let result = &answer["result"];
    let goes_on = &result["_meta"]["exai/continue"];
    // A long answer in parts has a handle too; it is an answer.
    goes_on["handle"]
        .as_str()
        .filter(|_| goes_on["state"] == "running" || goes_on["state"] == "not_known")
        .filter(|_| result["isError"] != true)
}

async fn changed_its_mind(pipe: &Pipe, id: u64) {
    pipe.let_go(id);
    let params = json!({ "requestId": id, "reason": "changed my mind" });
    pipe.tell("notifications/cancelled", params).await;
}
