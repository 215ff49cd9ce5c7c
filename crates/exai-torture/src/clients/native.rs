//! A native client of today with a stable id, written from the wire's description alone: it
//! comes back after every broken link, asks what became of its calls, and sends again only what
//! was never acknowledged.

use crate::{
    arena::{Arena, lock},
    oracle::{Answer, End, Kind},
    work::{self, Appetite, Job},
};
use exai_testkit::{Frame, Handshake, Ws};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

const OPEN: usize = 4;
/// How often it looks whether it wants something else.
const TICK: Duration = Duration::from_millis(200);
const FEATURES: &[&str] = &["progress", "rich_results"];

struct Open {
    job: Job,
    asked: Instant,
    acknowledged: bool,
}

pub(super) struct Native {
    arena: Arc<Arena>,
    rng: fastrand::Rng,
    id: String,
    relay: Option<usize>,
    open: BTreeMap<String, Open>,
    next_call: Instant,
}

pub(super) async fn live(arena: Arc<Arena>, mut rng: fastrand::Rng) {
    let id = format!("native-{}", arena.number());
    let relay = (rng.u8(..3) == 0).then(|| rng.usize(..8));
    let mut client = Native {
        arena,
        rng,
        id,
        relay,
        open: BTreeMap::new(),
        next_call: Instant::now(),
    };
    while !client.is_done() {
        client.give_up_on_the_late();
        if let Some(ws) = client.connect().await {
            client.converse(ws).await;
        } else {
            sleep(Duration::from_millis(client.rng.u64(50..400))).await;
        }
    }
}

impl Native {
    fn is_done(&self) -> bool {
        self.arena.winding_down.is_cancelled() && self.open.is_empty()
    }

    /// The bound that makes silence a loss.
    fn give_up_on_the_late(&mut self) {
        let patience = self.arena.patience();
        let late = |open: &Open| open.asked.elapsed() > patience;
        for (_, open) in self.open.iter().filter(|(_, open)| late(open)) {
            self.arena.oracle.ended(open.job.token, End::Lost);
        }
        self.open.retain(|_, open| !late(open));
    }

    async fn connect(&self) -> Option<Ws> {
        let port = match self.relay {
            Some(at) => {
                let relays = lock(&self.arena.relays);
                relays
                    .get(at % relays.len().max(1))
                    .map_or(self.arena.sandbox.port(), exai_testkit::Relay::port)
            }
            None => self.arena.sandbox.port(),
        };
        let token = self.arena.sandbox.token()?;
        let greeting = async {
            let mut ws = Ws::try_connect(port).await?;
            let hello = Handshake::modern(&token, &self.id, FEATURES);
            let ack = ws.try_hello(&hello).await?;
            (ack["ok"] == true).then_some(ws)
        };
        timeout(Duration::from_secs(10), greeting)
            .await
            .ok()
            .flatten()
    }

    /// From a welcome to the end of the link.
    async fn converse(&mut self, mut ws: Ws) {
        for (id, open) in &mut self.open {
            let question = if open.acknowledged {
                json!({ "op": "attach", "request_id": id })
            } else {
                asking(id, &open.job)
            };
            if ws.try_send_json(&question).await.is_err() {
                return;
            }
        }
        let mut heard = Instant::now();
        while !self.is_done() {
            self.give_up_on_the_late();
            if !self.ask_more(&mut ws).await {
                return;
            }
            match ws.next(TICK).await {
                Frame::Json(frame) => {
                    heard = Instant::now();
                    if !self.heard(&frame, &mut ws).await {
                        return;
                    }
                }
                // A link that says nothing while calls run is given up, as any client does.
                Frame::Silence
                    if heard.elapsed() > Duration::from_secs(15) && !self.open.is_empty() =>
                {
                    return;
                }
                Frame::Silence => {}
                Frame::Closed(_) => return,
            }
        }
        ws.close().await;
    }

    async fn ask_more(&mut self, ws: &mut Ws) -> bool {
        if self.arena.winding_down.is_cancelled()
            || self.open.len() >= OPEN
            || Instant::now() < self.next_call
        {
            return true;
        }
        self.next_call =
            Instant::now() + Duration::from_millis(self.rng.u64(..self.arena.options.think_ms));
        let oracle = &self.arena.oracle;
        let job = work::any(
            &mut self.rng,
            oracle.token(),
            oracle.traces(),
            Appetite::Huge,
        );
        let id = format!("{}-{}", self.id, job.token);
        oracle.asked(Kind::Native, &job);
        let frame = asking(&id, &job);
        self.open.insert(
            id,
            Open {
                job,
                asked: Instant::now(),
                acknowledged: false,
            },
        );
        ws.try_send_json(&frame).await.is_ok()
    }

    /// `false` when the link is of no use any more.
    async fn heard(&mut self, frame: &Value, ws: &mut Ws) -> bool {
        let id = frame["request_id"].as_str().unwrap_or_default();
        let Some(open) = self.open.get_mut(id) else {
            // A second answer to a call that was asked about twice is the same answer.
            return true;
        };
        match frame["op"].as_str().unwrap_or_default() {
            "call_tool_ack" => open.acknowledged = true,
            "call_tool_res" => {
                let answer = Answer::of_frame(frame, &open.job.expect);
                self.arena
                    .oracle
                    .ended(open.job.token, End::Answered(answer));
                self.open.remove(id);
            }
            "attach_res" if frame["state"] == "unknown" => {
                return self.forgotten(id.to_owned(), ws).await;
            }
            "error" => {
                let words = frame["message"].as_str().unwrap_or_default();
                let answer = Answer::failed("ERROR", "", "", words);
                self.arena
                    .oracle
                    .ended(open.job.token, End::Answered(answer));
                self.open.remove(id);
            }
            _ => {}
        }
        true
    }

    /// The daemon does not know a call it had acknowledged.
    async fn forgotten(&mut self, id: String, ws: &mut Ws) -> bool {
        let Some(open) = self.open.get_mut(&id) else {
            return true;
        };
        if open.job.instant() || !open.job.once() {
            open.acknowledged = false;
            return ws.try_send_json(&asking(&id, &open.job)).await.is_ok();
        }
        let answer = Answer::failed(
            "OUTCOME_UNKNOWN",
            "unknown",
            "forgotten",
            "acknowledged, and forgotten by the next daemon",
        );
        self.arena
            .oracle
            .ended(open.job.token, End::Answered(answer));
        self.open.remove(&id);
        true
    }
}

fn asking(id: &str, job: &Job) -> Value {
    json!({ "op": "call_tool", "request_id": id, "name": job.tool, "arguments": job.arguments })
}
