//! A task for another agent, whose command line is a script.

use super::{Scene, thread_of};
use crate::clink;
use exai_testkit::Must as _;
use serde_json::json;

#[tokio::test]
async fn golden_clink() {
    let mut scene = Scene::with(clink::install).await;
    let first = json!({ "prompt": "Find out why it leaks.", "agent": "claude" });
    let first = scene.call("clink", first).await;
    let thread = thread_of(&first);
    let notes = clink::notes(&scene.sandbox);
    let asked = notes.split_once("\nASKED ").map(|(_, asked)| asked);
    scene.told.push_str("==== the agent was asked\n");
    scene.told.push_str(asked.must("find what it was asked"));
    let next = json!({ "prompt": "Mend it.", "continuation_id": thread, "write": true });
    scene.call("clink", next).await;
    for odd in [
        json!({ "prompt": "DO-FAIL" }),
        json!({ "prompt": "DO-HANG" }),
        json!({ "prompt": "Look.", "agent": "codex" }),
        json!({ "prompt": "Look.", "directory": "/" }),
    ] {
        scene.call("clink", odd).await;
    }
    scene.same("clink");
}
