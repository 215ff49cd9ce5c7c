//! Clients of every revision of MCP against one shim, also two eras on one pipe.

use crate::editor::{by_hand, connected, error_code, failure, listing, names, ok_text, reached};
use exai_testkit::{Heard, MODERN, REVISIONS, Shim};
use serde_json::{Value, json};
use std::time::Duration;

/// What a server of ours declares.
fn abilities() -> Value {
    json!({
        "tools": { "listChanged": true }, "prompts": { "listChanged": true }, "resources": { "listChanged": true }, "completions": {},
    })
}

const SERVER: &str = "io.modelcontextprotocol/serverInfo";

#[tokio::test]
async fn every_revision_that_begins_with_initialize_lists_and_calls() {
    let (sandbox, _daemon, _) = connected().await;
    for revision in REVISIONS {
        let mut shim = sandbox.shim();
        let answer = shim.initialize(revision).await;
        let result = &answer["result"];
        assert_eq!(result["protocolVersion"], revision, "{answer}");
        assert_eq!(result["capabilities"], abilities());
        assert_eq!(result["serverInfo"]["name"], "exai");
        assert!(result["instructions"].is_string());
        assert!(result.get("resultType").is_none(), "{answer}");
        let list = shim.ask("tools/list", json!({})).await;
        assert!(names(&list).len() >= 9);
        let fields = list["result"].as_object().unwrap();
        assert!(!fields.contains_key("resultType") && !fields.contains_key("ttlMs"));
        assert_eq!(shim.ask("ping", json!({})).await["result"], json!({}));
        let result = shim.call_tool("test_sleep", json!({ "ms": 1 })).await;
        assert_eq!(ok_text(&result), "slept 1 ms");
        assert!(result.get("resultType").is_none(), "{result}");
    }
}

#[tokio::test]
async fn the_revision_without_a_handshake_discovers_lists_and_calls() {
    let (sandbox, _daemon, _) = connected().await;
    let mut shim = sandbox.shim();
    let found = shim.modern_ask("server/discover", json!({})).await;
    let result = &found["result"];
    for revision in REVISIONS.iter().chain([&MODERN]) {
        let known = result["supportedVersions"].as_array().unwrap();
        assert!(known.contains(&json!(revision)), "{revision}: {found}");
    }
    let mut declared = abilities();
    declared["extensions"] = json!({ "io.modelcontextprotocol/tasks": {} });
    assert_eq!(result["capabilities"], declared);
    let list = shim.modern_ask("tools/list", json!({})).await;
    assert!(list["result"]["ttlMs"].is_u64() && list["result"]["cacheScope"].is_string());
    let call = json!({ "name": "test_sleep", "arguments": { "ms": 1 } });
    let called = shim.modern_ask("tools/call", call).await;
    assert_eq!(ok_text(&called["result"]), "slept 1 ms");
    for answer in [found, list, called] {
        assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
        assert_eq!(answer["result"]["_meta"][SERVER]["name"], "exai");
    }
    let call = json!({ "name": "test_panic", "arguments": {} });
    let failed = shim.modern_ask("tools/call", call).await;
    assert_eq!(failed["result"]["resultType"], "complete");
    failure(&failed["result"]);
}

#[tokio::test]
async fn an_unknown_revision_gets_one_that_is_known() {
    let sandbox = by_hand();
    for (asked, given) in [
        ("2023-01-01", "2025-11-25"),
        ("2099-12-31", "2025-11-25"),
        ("nonsense", "2025-11-25"),
        ("", "2025-11-25"),
        // It has no handshake; who asks for one all the same is an older client in truth.
        (MODERN, "2025-11-25"),
    ] {
        let mut shim = sandbox.shim();
        let answer = shim.initialize(asked).await;
        assert_eq!(answer["result"]["protocolVersion"], given, "{asked}");
        assert!(!names(&shim.ask("tools/list", json!({})).await).is_empty());
    }
}

/// A request of the new era as a client would write it that is wrong in one place.
fn modern(method: &str, version: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": "m", "method": method, "params": { "_meta": {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    } } })
}

async fn answer_to(shim: &mut Shim, request: &Value) -> Value {
    shim.send(request).await;
    let id = request["id"].clone();
    shim.recv_where(move |message| message["id"] == id && message.get("method").is_none())
        .await
}

#[tokio::test]
async fn a_request_of_an_unknown_revision_is_told_the_known_ones() {
    let sandbox = by_hand();
    let mut shim = sandbox.shim();
    for version in ["2031-01-01", "x"] {
        let answer = answer_to(&mut shim, &modern("tools/list", version)).await;
        assert_eq!(error_code(&answer), -32022, "{answer}");
        let known = answer["error"]["data"]["supported"].as_array().unwrap();
        assert!(known.contains(&json!(MODERN)), "{answer}");
        assert_eq!(answer["error"]["data"]["requested"], version);
    }
    // What it must say and does not.
    let mut bare = modern("tools/list", MODERN);
    bare["params"]["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": MODERN });
    let answer = answer_to(&mut shim, &bare).await;
    assert_eq!(error_code(&answer), -32602, "{answer}");
    let answer = answer_to(&mut shim, &modern("tools/list", MODERN)).await;
    assert!(!names(&answer).is_empty());
}

/// Calls are the shim's own; they keep to the rules the library has for everything else.
#[tokio::test]
async fn a_call_says_its_revision_like_any_other_request() {
    let (sandbox, _daemon, _) = connected().await;
    let mut shim = sandbox.shim();
    let call = |meta: Value| {
        let params = json!({ "name": "version", "arguments": {}, "_meta": meta });
        json!({ "jsonrpc": "2.0", "id": "m", "method": "tools/call", "params": params })
    };
    let whole = |version: &str| modern("tools/call", version)["params"]["_meta"].clone();
    let answer = answer_to(&mut shim, &call(whole("2031-01-01"))).await;
    assert_eq!(error_code(&answer), -32022, "{answer}");
    assert_eq!(answer["error"]["data"]["requested"], "2031-01-01");
    let version = "io.modelcontextprotocol/protocolVersion";
    for (meta, missing) in [
        (json!({}), version),
        (json!({ version: MODERN }), "clientCapabilities"),
        (json!({ version: 7 }), version),
    ] {
        let answer = answer_to(&mut shim, &call(meta)).await;
        assert_eq!(error_code(&answer), -32602, "{answer}");
        let words = answer["error"]["message"].as_str().unwrap();
        assert!(words.contains(missing), "{words}");
    }
    let answer = answer_to(&mut shim, &call(whole(MODERN))).await;
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    // A call opens nothing: a handshake may still follow, and is the first.
    shim.initialize("2025-06-18").await;
    let answer = answer_to(&mut shim, &call(json!({}))).await;
    assert!(answer["result"].get("resultType").is_none(), "{answer}");
    ok_text(&answer["result"]);
    let answer = answer_to(&mut shim, &call(whole("x"))).await;
    assert_eq!(error_code(&answer), -32022, "{answer}");
    let answer = answer_to(&mut shim, &call(json!({ version: MODERN }))).await;
    assert_eq!(error_code(&answer), -32602, "{answer}");
}

#[tokio::test]
async fn a_call_before_anything_else_is_answered_also_when_the_input_ends_with_it() {
    let (sandbox, _daemon, _) = connected().await;
    let mut shim = sandbox.shim();
    let call = json!({ "name": "test_sleep", "arguments": { "ms": 300 } });
    let id = shim.modern_request("tools/call", call).await;
    shim.close_stdin();
    let answer = shim.answer(id).await;
    assert_eq!(ok_text(&answer["result"]), "slept 300 ms");
    assert_eq!(shim.hear(exai_testkit::PATIENCE).await, Heard::End);
}

#[tokio::test]
async fn a_client_that_asks_what_there_is_may_go_on_in_the_old_way() {
    let (sandbox, _daemon, _) = connected().await;
    let mut shim = sandbox.shim();
    shim.modern_ask("server/discover", json!({})).await;
    let answer = shim.initialize("2025-06-18").await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
    reached(&mut shim).await;
}

#[tokio::test]
async fn both_eras_share_a_pipe_once_it_was_opened_in_the_old_way() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    for _ in 0..3 {
        let call = json!({ "name": "test_sleep", "arguments": { "ms": 1 } });
        let modern = shim.modern_ask("tools/call", call.clone()).await;
        assert_eq!(modern["result"]["resultType"], "complete");
        let legacy = shim.ask("tools/call", call).await;
        assert!(legacy["result"].get("resultType").is_none(), "{legacy}");
        assert_eq!(ok_text(&legacy["result"]), ok_text(&modern["result"]));
    }
}

#[tokio::test]
async fn both_eras_share_a_pipe_once_it_was_opened_in_the_new_way() {
    let (sandbox, _daemon, _) = connected().await;
    let mut shim = sandbox.shim();
    shim.modern_ask("tools/list", json!({})).await;
    // Without a handshake a request has to say its revision.
    let bare = shim.ask("tools/list", json!({})).await;
    assert_eq!(error_code(&bare), -32602);
    let answer = shim.initialize("2025-06-18").await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
    // After it, it need not.
    for _ in 0..2 {
        let legacy = shim.ask("tools/list", json!({})).await;
        assert!(!names(&legacy).is_empty(), "{legacy}");
        assert!(legacy["result"].get("resultType").is_none());
        let called = shim.call_tool("test_sleep", json!({ "ms": 1 })).await;
        assert!(called.get("resultType").is_none(), "{called}");
        let modern = shim.modern_ask("tools/list", json!({})).await;
        assert_eq!(modern["result"]["resultType"], "complete");
    }
}

#[tokio::test]
async fn a_second_handshake_is_a_fresh_one() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let answer = shim.initialize("2025-03-26").await;
    assert_eq!(
        answer["result"]["protocolVersion"], "2025-03-26",
        "{answer}"
    );
    reached(&mut shim).await;
}

#[tokio::test]
async fn r03_a_subscription_hears_of_a_new_list_and_ends_with_the_pipe() {
    let mut sandbox = by_hand();
    let mut daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.modern_ask("tools/list", json!({})).await;
    let mut seen = false;
    for _ in 0..200 {
        let list = shim.modern_ask("tools/list", json!({})).await;
        seen = names(&list).iter().any(|name| name == "test_sleep");
        if seen {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(seen, "the daemon's list never came");
    let wish = json!({ "notifications": { "toolsListChanged": true } });
    let id = shim.modern_request("subscriptions/listen", wish).await;
    let first = shim.recv().await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(
        first["params"]["notifications"],
        json!({ "toolsListChanged": true })
    );
    let of = "io.modelcontextprotocol/subscriptionId";
    assert_eq!(first["params"]["_meta"][of], id);

    daemon.kill().await;
    sandbox.unset("EXAI_TEST_TOOLS");
    let mut daemon = sandbox.daemon().await;
    let told = shim.recv().await;
    assert_eq!(told["method"], "notifications/tools/list_changed", "{told}");
    assert_eq!(told["params"]["_meta"][of], id, "{told}");

    // Whoever lets go of it hears nothing more.
    let gone = json!({ "requestId": id });
    shim.notify("notifications/cancelled", gone).await;
    shim.modern_ask("tools/list", json!({})).await;
    daemon.kill().await;
    sandbox.set("EXAI_TEST_TOOLS", "1");
    let _daemon = sandbox.daemon().await;
    for _ in 0..200 {
        let list = shim.modern_ask("tools/list", json!({})).await;
        if names(&list).iter().any(|name| name == "test_sleep") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let heard = shim.take_aside();
    let news = |m: &&Value| m["method"] == "notifications/tools/list_changed";
    assert_eq!(heard.iter().filter(news).count(), 0, "{heard:?}");

    let wish = json!({ "notifications": { "toolsListChanged": true } });
    let id = shim.modern_request("subscriptions/listen", wish).await;
    shim.recv_where(|m| m["method"] == "notifications/subscriptions/acknowledged")
        .await;
    shim.close_stdin();
    let last = shim.answer(id).await;
    assert_eq!(last["result"]["resultType"], "complete");
    assert_eq!(shim.hear(exai_testkit::PATIENCE).await, Heard::End);
}

#[tokio::test]
async fn undeclared_abilities_are_not_found_in_either_era() {
    let (sandbox, _daemon, mut shim) = connected().await;
    let mut modern = sandbox.shim();
    for (method, params) in [
        ("tasks/list", json!({})),
        ("elicitation/create", json!({})),
        ("exai/unheard_of", json!({ "a": 1 })),
    ] {
        let answer = shim.ask(method, params.clone()).await;
        assert_eq!(error_code(&answer), -32601, "{method}: {answer}");
        let answer = modern.modern_ask(method, params).await;
        assert_eq!(error_code(&answer), -32601, "{method}: {answer}");
    }
    // Those that are declared say what is wrong with their parameters.
    for (method, params) in [
        ("prompts/get", json!({ "name": "x" })),
        ("prompts/get", json!({})),
        ("prompts/list", json!({ "cursor": 7 })),
        ("resources/read", json!({ "uri": "file:///x" })),
        ("resources/read", json!({ "uri": 7 })),
        ("completion/complete", json!({})),
    ] {
        let answer = shim.ask(method, params.clone()).await;
        assert_eq!(error_code(&answer), -32602, "{method}: {answer}");
        let answer = modern.modern_ask(method, params).await;
        assert_eq!(error_code(&answer), -32602, "{method}: {answer}");
    }
    for (method, params) in [
        ("resources/subscribe", json!({ "uri": "file:///x" })),
        ("resources/unsubscribe", json!({ "uri": "file:///x" })),
        ("logging/setLevel", json!({ "level": "info" })),
        ("logging/setLevel", json!({ "level": 7 })),
    ] {
        let answer = shim.ask(method, params).await;
        assert_eq!(error_code(&answer), -32601, "{method}: {answer}");
    }
    listing(&mut shim, "version").await;
}
