//! A stranger on the daemon's port: it answers the upgrade, keeps every word it hears, and says
//! what its script says, so that a test can look for what it should never have been told.

use crate::Must as _;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_tungstenite::tungstenite::{
    Message,
    handshake::server::{Request, Response},
    http::HeaderValue,
};

/// The subprotocol by which a client says that it wants proof.
const PROOF: &str = "exai.proof";

/// What a stranger answers to a frame.
pub type Script = fn(&Value) -> Vec<Value>;

/// Whoever came to the port, and all it said: the headers of its upgrade, then its frames.
#[derive(Debug, Clone, Default)]
pub struct Guest {
    /// Whether it asked for proof, as every client of ours does.
    pub asks_for_proof: bool,
    /// What it said.
    pub said: Vec<String>,
}

/// See the module.
pub struct Squatter {
    guests: Arc<Mutex<Vec<Guest>>>,
    _serving: JoinSet<()>,
}

impl Squatter {
    /// Sits on a port that was bound.
    #[must_use]
    pub fn on(listener: TcpListener, knows_of_proof: bool, script: Script) -> Self {
        let guests = Arc::<Mutex<Vec<Guest>>>::default();
        let mut serving = JoinSet::new();
        let book = Arc::clone(&guests);
        serving.spawn(async move {
            let mut peers = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                peers.spawn(receive(stream, knows_of_proof, script, Arc::clone(&book)));
            }
        });
        Self {
            guests,
            _serving: serving,
        }
    }

    /// Everybody so far.
    #[must_use]
    pub fn guests(&self) -> Vec<Guest> {
        open(&self.guests).clone()
    }

    /// All that was heard of all of them.
    #[must_use]
    pub fn heard(&self) -> String {
        let guests = self.guests();
        let said: Vec<String> = guests.into_iter().flat_map(|guest| guest.said).collect();
        said.join("\n")
    }
}

async fn receive(stream: TcpStream, knows: bool, script: Script, book: Arc<Mutex<Vec<Guest>>>) {
    let at = {
        let mut guests = open(&book);
        guests.push(Guest::default());
        guests.len() - 1
    };
    #[expect(
        clippy::result_large_err,
        reason = "the callback's signature is tungstenite's"
    )]
    let agree = |request: &Request, mut response: Response| {
        let headers = format!("{:?}", request.headers());
        let guest = &mut open(&book)[at];
        guest.asks_for_proof = headers.contains(PROOF);
        guest.said.push(headers);
        if knows {
            let ours = HeaderValue::from_static(PROOF);
            response
                .headers_mut()
                .insert("sec-websocket-protocol", ours);
        }
        Ok(response)
    };
    let Ok(mut peer) = tokio_tungstenite::accept_hdr_async(stream, agree).await else {
        return;
    };
    while let Some(Ok(message)) = peer.next().await {
        let text = message.to_string();
        let frame = serde_json::from_str(&text).unwrap_or_default();
        open(&book)[at].said.push(text);
        for answer in script(&frame) {
            if peer.send(Message::text(answer.to_string())).await.is_err() {
                return;
            }
        }
    }
}

fn open(guests: &Mutex<Vec<Guest>>) -> MutexGuard<'_, Vec<Guest>> {
    guests.lock().must("look at the book of guests")
}

/// Speaks as a daemon that would like to be believed without proof.
#[must_use]
pub fn welcomes(frame: &Value) -> Vec<Value> {
    match frame["op"].as_str() {
        Some("prove") => {
            vec![json!({ "op": "hello_ack", "ok": true, "session_id": "s", "protocol": "1.1" })]
        }
        _ => Vec::new(),
    }
}

/// The same with an answer in the right form.
#[must_use]
pub fn pretends(frame: &Value) -> Vec<Value> {
    match frame["op"].as_str() {
        Some("prove") => vec![json!({ "op": "proof", "protocol": "1.1",
            "nonce": "ab".repeat(32), "proofs": ["cd".repeat(32)],
            "server": { "name": "exai-daemon", "version": "9", "build": "b", "boot_id": "x",
                        "home": "/nowhere" } })],
        _ => vec![json!({ "op": "hello_ack", "ok": true, "session_id": "s", "protocol": "1.1" })],
    }
}
