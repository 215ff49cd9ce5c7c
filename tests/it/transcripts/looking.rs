//! Tools that ask no model: what there is, what happened, where to go on.

use super::{Scene, thread_of};
use exai_testkit::{PATIENCE, Shim, eventually, provider::Reply};
use serde_json::json;

/// This window's client waits for a call no longer.
const HASTY: &str = "[clients.hasty]\nname = ['testkit']\ncall_secs = 1.5\n";

#[tokio::test]
async fn golden_what_the_daemon_says_of_itself() {
    let mut scene = Scene::new().await;
    let mut made = 0;
    for (tool, calls) in [
        ("version", vec![json!({})]),
        ("status", vec![json!({})]),
        ("health", vec![json!({})]),
        ("self-check", vec![json!({})]),
        (
            "activity",
            vec![json!({}), json!({ "source": "elsewhere" })],
        ),
        ("toolcall_log_tail", vec![json!({})]),
        ("provider_capabilities", vec![json!({})]),
        (
            "listmodels",
            vec![
                json!({}),
                json!({ "endpoint": "glm" }),
                json!({ "endpoint": "no" }),
            ],
        ),
        (
            "challenge",
            vec![json!({ "prompt": "Caches are always faster." }), json!({})],
        ),
        (
            "apilookup",
            vec![json!({ "prompt": "reqwest 0.13 timeouts" })],
        ),
    ] {
        scene.told.clear();
        for arguments in calls {
            // What was called before has its record.
            let recorded = || scene.sandbox.calls().len() == made;
            eventually(PATIENCE, "all records", recorded).await;
            scene.call(tool, arguments).await;
            made += 1;
        }
        scene.same(tool);
    }
}

#[tokio::test]
async fn golden_threads() {
    let mut scene = Scene::new().await;
    scene.call("threads", json!({ "action": "list" })).await;
    scene.provider.script([Reply::text("In parse().")]);
    let ask = json!({ "prompt": "Where does it leak?", "model": "parrot@custom" });
    let first = scene.shim.call_tool("chat", ask).await;
    let id = thread_of(&first);
    for arguments in [
        json!({ "action": "list" }),
        json!({ "action": "search", "text": "leak" }),
        json!({ "action": "search", "text": "elephants" }),
        json!({ "action": "search" }),
        json!({ "action": "show", "continuation_id": id }),
        json!({ "action": "rename", "continuation_id": id, "text": "The leak" }),
        json!({ "action": "export", "continuation_id": id }),
        json!({ "action": "resume", "continuation_id": id }),
        json!({ "action": "delete", "continuation_id": id }),
        json!({ "action": "show", "continuation_id": id }),
        json!({ "action": "burn" }),
    ] {
        scene.call("threads", arguments).await;
    }
    scene.same("threads");
}

#[tokio::test]
async fn golden_what_is_not_listed() {
    let mut scene = Scene::new().await;
    for arguments in [
        json!({ "query": "security" , "limit": 1 }),
        json!({ "query": "zzz" }),
    ] {
        scene.call("tools_search", arguments).await;
    }
    scene.same("tools_search");
    scene.told.clear();
    for arguments in [
        json!({ "name": "challenge", "arguments": { "prompt": "It is fast." } }),
        json!({ "name": "chalenge", "arguments": {} }),
        json!({ "name": "zzz", "arguments": {} }),
        json!({ "name": "challenge", "arguments": "It is fast." }),
        json!({ "arguments": {} }),
    ] {
        scene.call("tool_invoke", arguments).await;
    }
    scene.same("tool_invoke");
}

#[tokio::test]
async fn golden_exai_continue() {
    let mut scene = Scene::with(|sandbox| {
        sandbox.set("EXAI_TEST_TOOLS", "1");
        sandbox.write("config/clients.toml", HASTY);
    })
    .await;
    let slow = json!({ "file": scene.sandbox.work().join("ran"), "ms": 8_000 });
    let left = scene.call("test_count_once", slow).await;
    let handle = &left["_meta"]["exai/continue"]["handle"];
    assert!(handle.is_string(), "{left}");
    scene
        .call("exai_continue", json!({ "handle": handle }))
        .await;
    let mut told = String::new();
    while told != "counted" {
        let more = json!({ "handle": handle });
        let result = scene.shim.call_tool("exai_continue", more).await;
        Shim::text_of(&result).clone_into(&mut told);
    }
    scene
        .call("exai_continue", json!({ "handle": handle }))
        .await;
    scene
        .call("exai_continue", json!({ "handle": handle, "page": 3 }))
        .await;
    scene
        .call("exai_continue", json!({ "handle": "nonsense" }))
        .await;
    scene.call("exai_continue", json!({})).await;
    scene.same("exai_continue");
}
