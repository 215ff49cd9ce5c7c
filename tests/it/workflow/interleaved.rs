//! Many investigations at once are answered, byte for byte, as one after the other.

use super::{next, run, step, tools};
use crate::{
    threads::{MODEL, stage},
    windows::editor,
};
use exai_testkit::{
    Must as _, Sandbox,
    provider::{Provider, Reply},
};
use serde_json::{Value, json};
use std::time::Duration;

const SESSIONS: usize = 8;
const STEPS: u32 = 3;

/// Everything one of them is told, its conversation's id put aside.
async fn session(sandbox: &Sandbox, at: usize) -> Vec<String> {
    let (tool, own) = tools().swap_remove(at % tools().len());
    let mut ws = editor(sandbox).await;
    let mut told = Vec::new();
    let mut arguments = step(&own, 1, STEPS, &format!("session {at};"));
    loop {
        let answer = run(&mut ws, tool, arguments).await;
        let id = answer["continuation_id"]
            .as_str()
            .must("be kept")
            .to_owned();
        let work = sandbox.work().display().to_string();
        told.push(answer.to_string().replace(&id, "ID").replace(&work, "WORK"));
        if answer["next_call"] == Value::Null {
            return told;
        }
        arguments = next(&answer);
        let number = arguments["step_number"].clone();
        arguments["findings"] = json!(format!("session {at}; found {number}"));
        arguments["model"] = json!(MODEL);
    }
}

async fn ready() -> (Sandbox, Provider) {
    let (sandbox, provider) = stage().await;
    for at in 0..SESSIONS {
        let mark = format!("session {at};");
        let reply = Reply::text(&format!("Verdict {at}."))
            .chunks(3)
            .every(Duration::from_millis(5));
        provider.always(move |request| request.text().contains(&mark), reply);
    }
    (sandbox, provider)
}

#[tokio::test]
async fn p11_interleaved_sessions_are_told_what_serial_ones_are() {
    let (sandbox, _provider) = ready().await;
    let daemon = sandbox.daemon().await;
    let mut serial = Vec::new();
    for at in 0..SESSIONS {
        serial.push(session(&sandbox, at).await);
    }
    drop(daemon);
    let (sandbox, _provider) = ready().await;
    let _daemon = sandbox.daemon().await;
    let all = (0..SESSIONS).map(|at| session(&sandbox, at));
    let at_once = futures_util::future::join_all(all).await;
    assert_eq!(serial, at_once);
}
