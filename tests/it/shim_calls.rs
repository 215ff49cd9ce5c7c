//! Tool calls through the whole of the product, as an editor makes them.

use crate::editor::{
    answers, connected, error_code, failure, listing, ok_text, reached, seed, window,
};
use exai_testkit::eventually;
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn decorated_names_find_their_tool() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    for name in [
        "test_sleep",
        "test_sleep_exai",
        "test_sleep_EXAI-WS",
        "test_sleep_EXAI-WS-VSCode1",
        "test_sleep_EXAI-WS-VSCode2",
        "test_sleep-exai_ws",
        "mcp__exai__test_sleep",
        "mcp__EXAI-WS__test_sleep",
    ] {
        let result = shim.call_tool(name, json!({ "ms": 1 })).await;
        assert_eq!(ok_text(&result), "slept 1 ms", "{name}");
    }
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error_that_names_the_nearest() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    for (name, near) in [("test_slep", "test_sleep"), ("versoin_exai", "version")] {
        let answer = shim.ask("tools/call", json!({ "name": name })).await;
        assert_eq!(error_code(&answer), -32602, "{answer}");
        let words = answer["error"]["message"].as_str().unwrap();
        assert!(words.contains(name) && words.contains(near), "{words}");
    }
    let answer = shim
        .ask(
            "tools/call",
            json!({ "name": "../../etc/passwd\u{0}\u{1f600}" }),
        )
        .await;
    assert_eq!(error_code(&answer), -32602);
    reached(&mut shim).await;
}

#[tokio::test]
async fn invalid_arguments_are_an_error_the_model_can_mend() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    for (tool, arguments, part) in [
        ("test_sleep", json!({ "ms": "soon" }), "ms"),
        ("test_sleep", json!({ "ms": -1 }), "ms"),
        ("test_count", json!({}), "file"),
        ("test_count", json!({ "file": "relative" }), "absolute"),
        ("challenge", json!({}), "prompt"),
    ] {
        let result = shim.call_tool(tool, arguments.clone()).await;
        let (code, words) = failure(&result);
        assert_eq!(code, "INVALID_ARGUMENT", "{tool} {arguments}: {words}");
        assert!(words.contains(part), "{tool} {arguments}: {words}");
    }
    // Unknown arguments do no harm: some clients add their own.
    let result = shim
        .call_tool("test_sleep", json!({ "ms": 1, "wait_for_previous": true }))
        .await;
    assert_eq!(ok_text(&result), "slept 1 ms");
}

#[tokio::test]
async fn a_key_twice_in_the_arguments_is_refused() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let line = r#"{"jsonrpc":"2.0","id":"t","method":"tools/call","params":{"name":"test_sleep","arguments":{"ms":1,"ms":2}}}"#;
    shim.send_line(line).await;
    let answer = shim.recv_where(|message| message["id"] == "t").await;
    let (code, words) = failure(&answer["result"]);
    assert_eq!(code, "INVALID_ARGUMENT");
    assert!(words.contains("ms"), "{words}");
}

#[tokio::test]
async fn a_panic_is_an_error_with_a_reference_and_the_next_call_works() {
    let (sandbox, _daemon, mut shim) = connected().await;
    for tool in ["test_panic", "test_panic_once"] {
        let result = shim.call_tool(tool, json!({})).await;
        let (code, words) = failure(&result);
        assert_eq!(code, "INTERNAL");
        let reference = words.split_once("reference call ").unwrap().1;
        let number = reference.split_once(' ').unwrap().0;
        let line = format!("finished call={number} ");
        let logged = || sandbox.log("ws_daemon.log").contains(&line);
        eventually(LIMIT, format_args!("{line:?} in the log"), logged).await;
    }
    reached(&mut shim).await;
}

#[tokio::test]
async fn a_result_of_30_mb_arrives_whole() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let bytes = 30 * 1024 * 1024;
    let id = shim.call("test_bulk", json!({ "bytes": bytes })).await;
    let answer = shim.answer_within(id, LIMIT).await;
    let text = ok_text(&answer["result"]);
    let pattern = "abcdefghijklmnopqrstuvwxyz0123456789-";
    assert_eq!(text.len(), bytes);
    let whole = pattern.bytes().cycle().zip(text.bytes());
    assert!(
        whole.clone().all(|(want, got)| want == got),
        "spoiled on its way"
    );
    reached(&mut shim).await;
}

#[tokio::test]
async fn a_result_over_every_limit_is_an_error_with_words() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let id = shim
        .call("test_bulk", json!({ "bytes": 40 * 1024 * 1024 }))
        .await;
    let answer = shim.answer_within(id, LIMIT).await;
    let (code, words) = failure(&answer["result"]);
    assert_eq!(code, "TOO_LARGE", "{words}");
    assert!(words.len() > 20, "{words}");
    reached(&mut shim).await;
}

/// A result over the daemon's frame and within reason is put together from pages.
#[tokio::test]
async fn a_result_over_one_frame_is_fetched_in_pages() {
    let mut sandbox = crate::editor::by_hand();
    sandbox.set("EXAI_WS_MAX_BYTES", "1 MiB");
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    let bytes = 5_000_000;
    let id = shim.call("test_bulk", json!({ "bytes": bytes })).await;
    let answer = shim.answer_within(id, LIMIT).await;
    let text = ok_text(&answer["result"]);
    let pattern = "abcdefghijklmnopqrstuvwxyz0123456789-";
    assert_eq!(text.len(), bytes);
    assert!(
        pattern
            .bytes()
            .cycle()
            .zip(text.bytes())
            .all(|(want, got)| want == got)
    );
}

/// What a person may write, and what a careless writer would spoil.
const WORDS: &str = "häßlich 漢字 🦀👩‍👩‍👧 \u{202e}rtl\u{202c} \u{0} \u{7f} \u{2028}\u{2029} \"q\" \\ / \r\n\t \u{fffd} e\u{301}";

#[tokio::test]
async fn every_letter_survives_the_way_there_and_back() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let result = shim
        .call_tool("challenge", json!({ "prompt": WORDS }))
        .await;
    let text = ok_text(&result);
    let inner: Value = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    let said = inner["original_statement"].as_str().unwrap_or(text);
    assert!(said.contains(WORDS), "{said:?}");
}

#[tokio::test]
async fn calls_run_beside_each_other_and_answer_in_their_own_order() {
    let (sandbox, _daemon, mut shim) = connected().await;
    let gates = ["slow", "middle"].map(|name| sandbox.gate(name));
    let slow = shim.call("test_sleep", gates[0].holds(json!({}))).await;
    let middle = shim.call("test_sleep", gates[1].holds(json!({}))).await;
    let quick = shim.call("version", json!({})).await;
    let mut order = vec![shim.recv().await["id"].as_u64().unwrap()];
    for gate in gates.iter().rev() {
        gate.open();
        order.push(shim.recv().await["id"].as_u64().unwrap());
    }
    assert_eq!(order, [quick, middle, slow]);
}

#[tokio::test]
async fn p05_answers_are_never_mixed_up() {
    let mut rng = seed("p05");
    let (_sandbox, _daemon, mut shim) = connected().await;
    for _ in 0..5 {
        let mut sent = Vec::new();
        for _ in 0..40 {
            let bytes = rng.usize(1..60_000);
            sent.push((
                shim.call("test_bulk", json!({ "bytes": bytes })).await,
                bytes,
            ));
        }
        let ids: Vec<u64> = sent.iter().map(|(id, _)| *id).collect();
        let found = answers(&mut shim, &ids, LIMIT).await;
        for (id, bytes) in sent {
            assert_eq!(ok_text(&found[&id]["result"]).len(), bytes);
        }
    }
}

#[tokio::test]
async fn ids_may_be_numbers_or_text_and_come_back_as_they_were() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    for id in [
        json!(1),
        json!("1"),
        json!(-3),
        json!(""),
        json!("ü\n\""),
        json!(1_u64 << 52),
    ] {
        let params = json!({ "name": "version", "arguments": {} });
        shim.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
            .await;
        let answer = shim.recv().await;
        assert_eq!(answer["id"], id);
        ok_text(&answer["result"]);
    }
}

#[tokio::test]
async fn an_id_that_is_still_in_use_is_refused_and_the_first_call_goes_on() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let call = json!({ "jsonrpc": "2.0", "id": "same", "method": "tools/call",
        "params": { "name": "test_sleep", "arguments": { "ms": 1500 } } });
    shim.send(&call).await;
    shim.send(&call).await;
    let (first, second) = (shim.recv().await, shim.recv().await);
    assert_eq!(error_code(&first), -32600);
    assert_eq!(ok_text(&second["result"]), "slept 1500 ms");
    shim.send(&call).await;
    assert_eq!(ok_text(&shim.recv().await["result"]), "slept 1500 ms");
}

#[tokio::test]
async fn two_windows_list_and_call_at_once() {
    let (sandbox, _daemon, mut one) = connected().await;
    let mut two = window(&sandbox).await;
    let busy = async |shim: &mut exai_testkit::Shim, ms: u64| {
        for _ in 0..20 {
            let list = shim.request("tools/list", json!({})).await;
            let call = shim.call("test_sleep", json!({ "ms": ms })).await;
            let found = answers(shim, &[list, call], LIMIT).await;
            let said = format!("slept {ms} ms");
            assert_eq!(ok_text(&found[&call]["result"]), said);
            assert!(found[&list]["result"]["tools"].is_array());
        }
    };
    tokio::join!(busy(&mut one, 3), busy(&mut two, 7));
    let lists = tokio::join!(
        listing(&mut one, "test_sleep"),
        listing(&mut two, "test_sleep")
    );
    assert_eq!(lists.0["result"], lists.1["result"]);
}
