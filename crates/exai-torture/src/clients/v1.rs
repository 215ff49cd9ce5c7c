//! A predecessor's client: it announces nothing, names no client id, and what its connection
//! takes with it is gone. As long as the connection stands it is owed every answer.

use super::think;
use crate::{
    arena::Arena,
    oracle::{Answer, End, Kind},
    work::{self, Appetite},
};
use exai_testkit::{Frame, Handshake, Ws};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

pub(super) async fn live(arena: Arc<Arena>, mut rng: fastrand::Rng) {
    while !arena.winding_down.is_cancelled() {
        if let Some(mut ws) = connect(&arena).await {
            while think(&arena, &mut rng).await && one(&arena, &mut ws, &mut rng).await {}
        } else {
            sleep(Duration::from_millis(rng.u64(50..500))).await;
        }
    }
}

async fn connect(arena: &Arena) -> Option<Ws> {
    let token = arena.sandbox.token()?;
    let greeting = async {
        let mut ws = Ws::try_connect(arena.sandbox.port()).await?;
        let ack = ws.try_hello(&Handshake::v1(&token)).await?;
        (ack["ok"] == true).then_some(ws)
    };
    timeout(Duration::from_secs(10), greeting)
        .await
        .ok()
        .flatten()
}

/// One call after the other; `false` when the connection is gone.
async fn one(arena: &Arena, ws: &mut Ws, rng: &mut fastrand::Rng) -> bool {
    let job = work::any(
        rng,
        arena.oracle.token(),
        arena.oracle.traces(),
        Appetite::Small,
    );
    arena.oracle.asked(Kind::V1, &job);
    let id = format!("v{}", job.token);
    let frame = json!({ "op": "call_tool", "request_id": id, "name": job.tool, "arguments": job.arguments });
    if ws.try_send_json(&frame).await.is_err() {
        arena.oracle.ended(job.token, End::Released);
        return false;
    }
    let end = Instant::now() + arena.patience();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        match ws.next(left).await {
            Frame::Json(frame) if frame["op"] == "call_tool_res" && frame["request_id"] == id => {
                let answer = Answer::of_frame(&frame, &job.expect);
                arena.oracle.ended(job.token, End::Answered(answer));
                return true;
            }
            Frame::Json(_) => {}
            Frame::Closed(_) => {
                arena.oracle.ended(job.token, End::Released);
                return false;
            }
            Frame::Silence => {
                arena.oracle.ended(job.token, End::Lost);
                return false;
            }
        }
    }
}
