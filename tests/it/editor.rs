//! An editor window as these tests play it: the shims it starts, and what it reads out of
//! their answers.

use exai_testkit::{Daemon, PATIENCE, Sandbox, Shim};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// A user on whose machine nothing starts a daemon but the user.
pub(crate) fn by_hand() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_AUTOSTART", "false");
    sandbox
}

/// The same with a daemon that serves, and a window whose shim has reached it.
pub(crate) async fn connected() -> (Sandbox, Daemon, Shim) {
    let sandbox = by_hand();
    let daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    settled(&mut shim).await;
    (sandbox, daemon, shim)
}

/// The window knows the daemon's list, and with it what may be run again; that the list
/// changed has been heard.
pub(crate) async fn settled(shim: &mut Shim) -> Value {
    let list = listing(shim, "test_sleep").await;
    shim.take_aside();
    list
}

/// A window of the old era whose shim has reached the daemon.
pub(crate) async fn window(sandbox: &Sandbox) -> Shim {
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
    shim
}

/// Ends the test unless a call comes through.
pub(crate) async fn reached(shim: &mut Shim) {
    let result = shim.call_tool("version", json!({})).await;
    ok_text(&result);
}

/// The text of a result that is no error.
#[track_caller]
pub(crate) fn ok_text(result: &Value) -> &str {
    assert!(result.get("isError").is_none(), "an error: {result}");
    let blocks = result["content"].as_array().map_or(0, Vec::len);
    assert_eq!(blocks, 1, "not one block: {result}");
    Shim::text_of(result)
}

/// The code and the words of a result that is an error a model can act on: text only.
#[track_caller]
pub(crate) fn failure(result: &Value) -> (&str, &str) {
    assert_eq!(result["isError"], true, "no error: {result}");
    assert!(result.get("structuredContent").is_none(), "{result}");
    let code = result["_meta"]["exai/code"].as_str().unwrap_or_default();
    let text = Shim::text_of(result);
    assert!(!code.is_empty() && !text.is_empty(), "no words: {result}");
    (code, text)
}

/// The code of a JSON-RPC error.
#[track_caller]
pub(crate) fn error_code(answer: &Value) -> i64 {
    assert!(answer.get("result").is_none(), "a result: {answer}");
    answer["error"]["code"]
        .as_i64()
        .unwrap_or_else(|| panic!("no error code: {answer}"))
}

/// The names in an answer to `tools/list`.
#[track_caller]
pub(crate) fn names(answer: &Value) -> Vec<String> {
    let tools = answer["result"]["tools"].as_array();
    let tools = tools.unwrap_or_else(|| panic!("no list: {answer}"));
    let name = |tool: &Value| tool["name"].as_str().unwrap_or_default().to_owned();
    tools.iter().map(name).collect()
}

/// Lists until this tool is listed; the answer that did.
pub(crate) async fn listing(shim: &mut Shim, tool: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = shim.ask("tools/list", json!({})).await;
        if names(&answer).iter().any(|name| name == tool) {
            return answer;
        }
        assert!(Instant::now() < end, "{tool} is not listed: {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Reads until all of these requests are answered; ends the test when one is answered twice,
/// or somebody else is.
pub(crate) async fn answers(shim: &mut Shim, ids: &[u64], limit: Duration) -> BTreeMap<u64, Value> {
    let end = Instant::now() + limit;
    let mut found = BTreeMap::new();
    while found.len() < ids.len() {
        let left = end.saturating_duration_since(Instant::now());
        let answer = shim.recv_within(left, |m| m.get("method").is_none()).await;
        let id = answer["id"].as_u64();
        let id = id.unwrap_or_else(|| panic!("an answer to nobody: {answer}"));
        assert!(ids.contains(&id), "an answer nobody asked for: {answer}");
        let before = found.insert(id, answer);
        assert!(before.is_none(), "answered twice: {before:?}");
    }
    found
}

/// Ends the test if anything but notifications comes before the answer to a ping: whatever was
/// said of earlier requests has been said.
pub(crate) async fn nothing_more(shim: &mut Shim) {
    let id = shim.request("ping", json!({})).await;
    shim.answer(id).await;
    let late: Vec<Value> = shim.take_aside();
    let answers = late
        .iter()
        .filter(|message| message.get("method").is_none());
    assert_eq!(answers.count(), 0, "late answers: {late:?}");
}

/// A number to begin random tests with; printed, so that a failure can be repeated with
/// `EXAI_TEST_SEED`.
#[expect(clippy::print_stdout, reason = "shown with a failed test's output")]
pub(crate) fn seed(of: &str) -> fastrand::Rng {
    let given = std::env::var("EXAI_TEST_SEED").ok();
    let seed = given
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("{of}: EXAI_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
