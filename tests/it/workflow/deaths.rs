//! kill −9 between steps and while the expert thinks: what was kept is there, what was not can
//! be sent again.

use super::{envelope, last_request, next, run, step};
use crate::{
    editor::failure,
    models::chats,
    threads::{MODEL, stage, window},
    windows::editor,
};
use exai_testkit::provider::{At, Gate, Reply};
use serde_json::json;

#[tokio::test]
async fn p19_a_workflow_goes_on_after_its_daemon_was_killed() {
    let (sandbox, provider) = stage().await;
    let mut daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    let begun = run(&mut ws, "debug", step(&json!({}), 1, 3, "It leaks")).await;
    daemon.kill().await;
    let mut daemon = sandbox.daemon().await;
    let mut second = next(&begun);
    second["findings"] = json!("the second finding");
    let second = run(&mut ws, "debug", second).await;
    assert_eq!(second["step"], 2);
    let mut last = next(&second);
    last["findings"] = json!("the last finding");
    last["model"] = json!(MODEL);
    // It dies while the expert thinks: that step is not there, the two before it are.
    provider.script([Reply::text("Lost.").stall(At::FirstEvent, &Gate::new())]);
    let asked = ws.call("debug", last.clone()).await;
    chats(&provider, 1).await;
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    // The window is told that nobody knows what became of it, and decides.
    let lost = ws.answer(asked).await;
    let (code, words) = failure(&lost["result"]);
    assert_eq!(code, "OUTCOME_UNKNOWN", "{words}");
    assert_eq!(
        provider.chats().len(),
        1,
        "nothing is paid for twice unasked"
    );
    provider.script([Reply::text("Kept.")]);
    let ended = run(&mut ws, "debug", last).await;
    assert_eq!(ended["status"], "done", "{ended}");
    assert_eq!(ended["expert_analysis"]["raw_analysis"], "Kept.");
    assert_eq!(ended["complete_investigation"]["steps_taken"], 3);
    let told = last_request(&provider);
    for once in [
        "It leaks: found 1",
        "the second finding",
        "the last finding",
    ] {
        assert_eq!(told.matches(once).count(), 1, "{once}: {told}");
    }
}

#[tokio::test]
async fn a_caller_is_told_that_the_expert_thinks() {
    let (sandbox, provider) = stage().await;
    let gate = Gate::new();
    provider.script([Reply::text("Judged.").stall(At::FirstEvent, &gate)]);
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox).await;
    let id = ws.call("thinkdeep", step(&json!({}), 1, 1, "Think")).await;
    let said = |frame: &serde_json::Value| {
        frame["op"] == "progress" && frame.to_string().contains("expert_running")
    };
    ws.recv_where(said).await;
    gate.open();
    assert_eq!(envelope(&ws.result(&id).await)["status"], "done");
}
