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
        let Some(handle) = handle(&answer) else {
            let answer = Answer::of_mcp(&answer, &job.expect);
            return arena.oracle.ended(job.token, End::Answered(answer));
        };
        arena.score.note("answers that the work goes on");
        question = if rng.u8(..4) == 0 {
            arena.score.note("work started again, to be joined");
            arena.oracle.again(job.token);
            asking(&job)
        } else {
            json!({ "name": "exai_continue", "arguments": { "handle": handle } })
        };
    }
    arena.oracle.ended(job.token, End::Lost);
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
        .filter(|_| goes_on["state"] == "running" && result["isError"] != true)
}

async fn changed_its_mind(pipe: &Pipe, id: u64) {
    pipe.let_go(id);
    let params = json!({ "requestId": id, "reason": "changed my mind" });
    pipe.tell("notifications/cancelled", params).await;
}
