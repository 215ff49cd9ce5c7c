//! MCP tasks: for clients whose revision and request both know of them, and for nobody else.

use super::{LIMIT, handle, home};
use exai_testkit::{Gate, Sandbox, Shim};
use serde_json::{Value, json};
use std::time::Duration;

fn declared() -> Value {
    json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } })
}

async fn ask(shim: &mut Shim, capabilities: Value, method: &str, params: Value) -> Value {
    let id = shim
        .modern_request_as("hasty", capabilities, method, params)
        .await;
    shim.answer_within(id, LIMIT).await
}

async fn about(shim: &mut Shim, method: &str, task: &str) -> Value {
    ask(shim, declared(), method, json!({ "taskId": task })).await
}

async fn begun(shim: &mut Shim, sandbox: &Sandbox, gate: &Gate) -> (String, Value) {
    let arguments = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let params = json!({ "name": "test_count_once", "arguments": arguments });
    let result = ask(shim, declared(), "tools/call", params).await["result"].clone();
    assert_eq!(result["resultType"], "task", "{result}");
    (
        result["taskId"].as_str().unwrap_or_default().to_owned(),
        result,
    )
}

/// Asks until the daemon is reached: who has little patience is answered before.
async fn reached(shim: &mut Shim) {
    let end = tokio::time::Instant::now() + LIMIT;
    let call = json!({ "name": "version", "arguments": {} });
    loop {
        let answer = ask(shim, json!({}), "tools/call", call.clone()).await;
        if answer["result"].get("isError").is_none() {
            return;
        }
        assert!(tokio::time::Instant::now() < end, "{answer}");
    }
}

/// Asks until the task is no longer at work.
async fn ended(shim: &mut Shim, task: &str) -> Value {
    let end = tokio::time::Instant::now() + LIMIT;
    loop {
        let answer = about(shim, "tasks/get", task).await;
        let result = answer["result"].clone();
        assert_eq!(result["resultType"], "complete", "{answer}");
        assert_eq!(result["taskId"], task);
        if result["status"] != "working" {
            return result;
        }
        assert!(tokio::time::Instant::now() < end, "still at work: {result}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn r14_a_long_call_is_a_task_for_who_can_follow_one() {
    let sandbox = home();
    let mut daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    let discovered = ask(&mut shim, json!({}), "server/discover", json!({})).await;
    let extensions = &discovered["result"]["capabilities"]["extensions"];
    assert!(
        extensions["io.modelcontextprotocol/tasks"].is_object(),
        "{discovered}"
    );

    reached(&mut shim).await;
    let quick = json!({ "name": "test_sleep_once", "arguments": { "ms": 1 } });
    let answer = ask(&mut shim, declared(), "tools/call", quick).await;
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");

    let gate = sandbox.gate("ran");
    let (task, seed) = begun(&mut shim, &sandbox, &gate).await;
    assert_eq!(
        (&seed["status"], &seed["ttlMs"]),
        (&json!("working"), &json!(null))
    );
    assert!(
        seed["createdAt"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z')),
        "{seed}"
    );
    assert!(seed["pollIntervalMs"].is_number() && seed["lastUpdatedAt"].is_string());
    let now = about(&mut shim, "tasks/get", &task).await;
    assert_eq!(now["result"]["status"], "working", "{now}");
    // Times are told in whole seconds, and the last is to be another than the first.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    gate.open();
    let end = ended(&mut shim, &task).await;
    assert_eq!(end["status"], "completed", "{end}");
    assert_eq!(end["result"]["content"][0]["text"], "counted");
    assert!(
        end["createdAt"].as_str() < end["lastUpdatedAt"].as_str(),
        "{end}"
    );

    daemon.kill().await;
    daemon = sandbox.daemon().await;
    let mut other = sandbox.shim();
    let end = ended(&mut other, &task).await;
    assert_eq!(end["result"]["content"][0]["text"], "counted", "{end}");
    assert_eq!(sandbox.counted("ran"), 1);
    daemon.kill().await;
}

#[tokio::test]
async fn r14_a_task_is_cancelled_and_an_unknown_one_is_none() {
    let sandbox = home();
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    reached(&mut shim).await;
    let (task, _) = begun(&mut shim, &sandbox, &sandbox.gate("ran")).await;
    let heard = about(&mut shim, "tasks/update", &task).await;
    assert_eq!(heard["result"]["resultType"], "complete", "{heard}");
    let heard = about(&mut shim, "tasks/cancel", &task).await;
    assert_eq!(heard["result"]["resultType"], "complete", "{heard}");
    let end = ended(&mut shim, &task).await;
    assert_eq!(end["status"], "cancelled", "{end}");
    assert!(end.get("result").is_none() && end.get("error").is_none());
    for unknown in ["0123456789abcdef0123456789abcdef-7", "what"] {
        let answer = about(&mut shim, "tasks/get", unknown).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    let answer = ask(&mut shim, declared(), "tasks/get", json!({})).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

#[tokio::test]
async fn r14_no_task_without_the_revision_and_the_declaration() {
    let sandbox = home();
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    reached(&mut shim).await;
    let long = json!({ "name": "test_sleep_once", "arguments": { "ms": 60_000 } });
    let answer = ask(&mut shim, json!({}), "tools/call", long.clone()).await;
    assert!(handle(&answer["result"]).is_some(), "{answer}");
    let answer = ask(&mut shim, json!({}), "tasks/get", json!({ "taskId": "x" })).await;
    assert_eq!(answer["error"]["code"], -32021, "{answer}");

    // One that declares it in a revision where it means something else.
    let mut shim = sandbox.shim();
    let hello = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": declared(),
        "clientInfo": { "name": "hasty", "version": "0" },
    });
    let welcome = shim.ask("initialize", hello).await;
    assert!(
        welcome["result"]["capabilities"]
            .get("extensions")
            .is_none(),
        "{welcome}"
    );
    let mut params = long;
    params["_meta"] = json!({ "io.modelcontextprotocol/clientCapabilities": declared() });
    // Its first call may find no link yet.
    let end = tokio::time::Instant::now() + LIMIT;
    while shim.call_tool("version", json!({})).await["isError"] == true {
        assert!(tokio::time::Instant::now() < end, "it is not reached");
    }
    let answer = shim.ask("tools/call", params).await;
    assert!(handle(&answer["result"]).is_some(), "{answer}");
    let answer = shim.ask("tasks/get", json!({ "taskId": "x" })).await;
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
}
