//! Peers that ask for much and hardly read, peers that never do, and peers that never finish
//! saying hello. They are owed nothing but patience, and must not cost anybody else theirs.

use super::think;
use crate::arena::Arena;
use exai_testkit::{Frame, Handshake, Ws};
use serde_json::json;
use std::{net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{sleep, timeout},
};

/// Answers asked for, and not fetched.
const GREED: usize = 3;

pub(super) async fn live(arena: Arc<Arena>, mut rng: fastrand::Rng) {
    while think(&arena, &mut rng).await {
        let rest = Duration::from_millis(rng.u64(500..6000));
        match rng.u8(..3) {
            0 => half_a_hello(&arena, rest).await,
            kind => reads_late(&arena, &mut rng, rest, kind == 1).await,
        }
    }
}

async fn half_a_hello(arena: &Arena, rest: Duration) {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, arena.sandbox.port())).await
    else {
        return;
    };
    arena.score.fault("half a hello");
    // It may be refused at once; that is as good an end as any.
    let _ = stream
        .write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgr")
        .await;
    wait(arena, rest).await;
}

async fn reads_late(arena: &Arena, rng: &mut fastrand::Rng, rest: Duration, ever: bool) {
    let id = format!("sluggish-{}", arena.number());
    let greeting = async {
        let token = arena.sandbox.token()?;
        let mut ws = Ws::try_connect(arena.sandbox.port()).await?;
        let ack = ws
            .try_hello(&Handshake::modern(&token, &id, &["progress"]))
            .await?;
        (ack["ok"] == true).then_some(ws)
    };
    let welcome = timeout(Duration::from_secs(10), greeting).await;
    let Some(mut ws) = welcome.ok().flatten() else {
        return;
    };
    arena
        .score
        .fault(if ever { "reads late" } else { "never reads" });
    for n in 0..GREED {
        let (tool, arguments) = if rng.bool() {
            ("test_bulk", json!({ "bytes": rng.usize(..4_000_000) }))
        } else {
            ("test_flood", json!({ "count": 20_000 }))
        };
        let frame = json!({ "op": "call_tool", "request_id": format!("{id}-{n}"), "name": tool, "arguments": arguments });
        if ws.try_send_json(&frame).await.is_err() {
            return;
        }
    }
    wait(arena, rest).await;
    let mut answers = 0;
    while ever && answers < GREED {
        match ws.next(Duration::from_secs(30)).await {
            Frame::Json(frame) => answers += usize::from(frame["op"] == "call_tool_res"),
            // The daemon died, or has closed a connection that did not read its pings.
            Frame::Closed(_) => return,
            Frame::Silence => {
                arena.score.note("silence after reading late");
                return;
            }
        }
    }
}

async fn wait(arena: &Arena, rest: Duration) {
    tokio::select! {
        () = sleep(rest) => {}
        () = arena.winding_down.cancelled() => {}
    }
}
