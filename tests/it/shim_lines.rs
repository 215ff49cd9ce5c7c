//! Lines that no client should send. Each is answered as JSON-RPC wants it, costs little, and
//! harms neither the connection nor what else is in flight.

use crate::editor::{by_hand, connected, error_code, failure, ok_text, reached, window};
use exai_testkit::{Heard, Shim};
use serde_json::{Value, json};
use std::time::Duration;

const MIB: usize = 1024 * 1024;

/// A shim whose client has shaken hands; no daemon is needed to be rude.
async fn shim() -> (exai_testkit::Sandbox, Shim) {
    let sandbox = by_hand();
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    (sandbox, shim)
}

async fn still_there(shim: &mut Shim) {
    let answer = shim.ask("ping", json!({})).await;
    assert_eq!(answer["result"], json!({}));
    assert_eq!(shim.take_aside(), Vec::<Value>::new());
}

#[tokio::test]
async fn r07_garbage_is_answered_with_its_code_and_its_id() {
    let (_sandbox, mut shim) = shim().await;
    let deep = |open: &str, close: &str| {
        let (open, close) = (open.repeat(10_000), close.repeat(10_000));
        format!(r#"{{"jsonrpc":"2.0","id":4,"method":"ping","params":{{"a":{open}{close}}}}}"#)
    };
    let cases: Vec<(Vec<u8>, i64, Value)> = vec![
        (b"garbage".to_vec(), -32700, Value::Null),
        (b"{".to_vec(), -32700, Value::Null),
        (
            br#"{"jsonrpc":"2.0","id":1,"method":"ping""#.to_vec(),
            -32700,
            json!(1),
        ),
        (
            br#"{"jsonrpc":"2.0","id":"a","method":"ping",}"#.to_vec(),
            -32700,
            json!("a"),
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"pi\xffng\"}".to_vec(),
            -32700,
            json!(2),
        ),
        (b"\xff\xfe\x00".to_vec(), -32700, Value::Null),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":3,\0\"method\":\"ping\"}".to_vec(),
            -32700,
            json!(3),
        ),
        (deep("[", "]").into_bytes(), -32600, json!(4)),
        (deep(r#"{"a":"#, "1}").into_bytes(), -32600, json!(4)),
        (
            br#"[{"jsonrpc":"2.0","id":5,"method":"ping"}]"#.to_vec(),
            -32600,
            Value::Null,
        ),
        (b"[]".to_vec(), -32600, Value::Null),
        (b"[1,2]".to_vec(), -32600, Value::Null),
        (b"true".to_vec(), -32600, Value::Null),
        (br#""text""#.to_vec(), -32600, Value::Null),
        (
            br#"{"jsonrpc":"2.0","id":6,"id":7,"method":"ping"}"#.to_vec(),
            -32600,
            json!(6),
        ),
        (
            br#"{"jsonrpc":"2.0","id":8,"method":"ping","method":"x"}"#.to_vec(),
            -32600,
            json!(8),
        ),
        (
            br#"{"JSONRPC":"2.0","ID":9,"METHOD":"ping"}"#.to_vec(),
            -32600,
            Value::Null,
        ),
        (
            br#"{"jsonrpc":"2.0","id":9,"Method":"ping"}"#.to_vec(),
            -32600,
            json!(9),
        ),
        (
            br#"{"jsonrpc":"2.0","Id":9,"method":7}"#.to_vec(),
            -32600,
            Value::Null,
        ),
        (
            br#"{"jsonrpc":"1.0","id":10,"method":"ping"}"#.to_vec(),
            -32600,
            json!(10),
        ),
        (br#"{"id":11,"method":"ping"}"#.to_vec(), -32600, json!(11)),
        (
            br#"{"jsonrpc":"2.0","id":[12],"method":"ping"}"#.to_vec(),
            -32600,
            Value::Null,
        ),
        (
            br#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#.to_vec(),
            -32600,
            Value::Null,
        ),
        (br#"{"jsonrpc":"2.0","id":13}"#.to_vec(), -32600, json!(13)),
    ];
    for (line, code, id) in cases {
        let shown = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
        shim.send_bytes(&[&line[..], b"\n"].concat()).await;
        let answer = shim.recv().await;
        assert_eq!(error_code(&answer), code, "{shown}: {answer}");
        assert_eq!(answer.get("id"), Some(&id), "{shown}: {answer}");
        let words = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(words.len() > 10, "{shown}: {answer}");
        still_there(&mut shim).await;
    }
}

/// Whatever a client counts with, it must find its own id again.
#[tokio::test]
async fn r07_a_number_comes_back_as_it_was_written() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    for id in [
        "9223372036854775808",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "1.5",
        "1.0",
        "-0",
        "1e3",
        "1E+400",
        r#""\u0001exai/id:9""#,
    ] {
        for request in [
            r#""method":"ping""#,
            r#""method":"tools/list""#,
            r#""method":"no/such""#,
            r#""method":7"#,
            r#""method":"tools/call","params":{"name":"version"}"#,
            r#""method":"tools/call","params":{"name":"nobody knows it"}"#,
            r#""method":"tools/call","params":[]"#,
            r#""method":"ping"#,
        ] {
            shim.send_line(&format!(r#"{{"jsonrpc":"2.0","id":{id},{request}}}"#))
                .await;
            let line = shim.recv_line().await;
            let written = [format!(r#""id":{id},"#), format!(r#""id":{id}}}"#)];
            assert!(
                written.iter().any(|written| line.contains(written)),
                "{id} {request}: {line}"
            );
        }
    }
    still_there(&mut shim).await;
}

#[tokio::test]
async fn r07_a_call_with_such_an_id_has_progress_and_can_be_cancelled() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let id = "18446744073709551616.0";
    shim.send_line(
        &format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"test_sleep",
            "arguments":{{"ms":60000}},"_meta":{{"progressToken":{id}}}}}}}"#
        )
        .replace('\n', ""),
    )
    .await;
    let line = shim.recv_line().await;
    let token = format!(r#""progressToken":{id},"#);
    assert!(line.contains(&token), "{line}");
    shim.send_line(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
    ))
    .await;
    // Under an id that still waits this would be refused.
    shim.send_line(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"version"}}}}"#
    ))
    .await;
    loop {
        let line = shim.recv_line().await;
        if line.contains("notifications/progress") {
            continue;
        }
        assert!(
            line.contains("exai-daemon") && !line.contains("in flight"),
            "{line}"
        );
        break;
    }
    still_there(&mut shim).await;
}

#[tokio::test]
async fn r07_what_is_only_unusual_is_understood() {
    let (_sandbox, mut shim) = shim().await;
    let ping = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
    for (line, id) in [
        (format!("\u{feff}{}\n", ping("1")), json!(1)),
        (format!("{}\r\n", ping("2")), json!(2)),
        (format!("\n\r\n  \n{}\n", ping("3")), json!(3)),
        (format!("  \t{}  \n", ping("4")), json!(4)),
        (format!("{}\n", ping(r#""s\u00e9\"x""#)), json!("sé\"x")),
        (format!("{}\n", ping("-7")), json!(-7)),
        (
            format!("{}\n", ping("9007199254740991")),
            json!(9_007_199_254_740_991_u64),
        ),
        (format!("{}\n", ping(r#""""#)), json!("")),
        (
            "{\"method\" : \"ping\",\t\"id\" : 5 , \"odd\": [1], \"jsonrpc\":\"2.0\"}\n".to_owned(),
            json!(5),
        ),
    ] {
        shim.send_bytes(line.as_bytes()).await;
        let answer = shim.recv().await;
        assert_eq!(
            (&answer["id"], &answer["result"]),
            (&id, &json!({})),
            "{line:?}"
        );
    }
}

#[tokio::test]
async fn r07_notifications_and_replies_that_make_no_sense_are_not_answered() {
    let (_sandbox, mut shim) = shim().await;
    for line in [
        r#"{"jsonrpc":"2.0","method":"notifications/unheard_of","params":{"a":1}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"nobody"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":77,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":78,"error":{"code":-1,"message":"no"}}"#,
        r#"{"jsonrpc":"2.0","id":79,"result":7}"#,
        r#"{"jsonrpc":"2.0","error":{"code":-1,"message":"no"}}"#,
        // A request without an id is a notification, whatever it is called.
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"version"}}"#,
        r#"{"jsonrpc":"2.0","method":"tools/list"}"#,
    ] {
        shim.send_line(line).await;
        still_there(&mut shim).await;
    }
}

#[tokio::test]
async fn r07_params_that_do_not_fit_are_named_as_such() {
    let (_sandbox, mut shim) = shim().await;
    for (method, params) in [
        ("tools/call", json!(null)),
        ("tools/call", json!([])),
        ("tools/call", json!({})),
        ("tools/call", json!({ "name": 5 })),
        ("tools/call", json!({ "name": "" })),
        ("tools/call", json!({ "name": "version", "arguments": [] })),
        ("tools/call", json!({ "name": "version", "arguments": "x" })),
        ("tools/call", json!({ "name": "version", "_meta": 7 })),
        ("initialize", json!({})),
        ("initialize", json!({ "protocolVersion": 7 })),
        ("tools/list", json!({ "cursor": 7 })),
        ("tools/list", json!("x")),
    ] {
        let answer = shim.ask(method, params.clone()).await;
        assert_eq!(error_code(&answer), -32602, "{method} {params}: {answer}");
    }
    let twice =
        r#"{"jsonrpc":"2.0","id":"d","method":"tools/call","params":{"name":"a","name":"b"}}"#;
    shim.send_line(twice).await;
    let answer = shim.recv().await;
    assert_eq!((error_code(&answer), &answer["id"]), (-32602, &json!("d")));
    still_there(&mut shim).await;
}

/// A long line in pieces, with a call in flight beside it.
async fn endless(shim: &mut Shim, head: &str, megabytes: usize, tail: &str) {
    shim.send_bytes(head.as_bytes()).await;
    let piece = vec![b'x'; MIB];
    for _ in 0..megabytes {
        shim.send_bytes(&piece).await;
    }
    shim.send_line(tail).await;
}

#[tokio::test]
async fn r07_a_line_of_200_mb_costs_next_to_nothing_and_is_answered() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let call = shim.call("test_sleep", json!({ "ms": 100 })).await;
    let head = r#"{"jsonrpc":"2.0","id":"big","method":"tools/call","params":{"name":"version","arguments":{"a":""#;
    endless(&mut shim, head, 200, r#""}}}"#).await;
    let answer = shim.recv_where(|message| message["id"] == "big").await;
    assert_eq!(error_code(&answer), -32600, "{answer}");
    let words = answer["error"]["message"].as_str().unwrap();
    assert!(
        words.contains("33554432") && words.contains("file path"),
        "{words}"
    );
    assert_eq!(ok_text(&shim.answer(call).await["result"]), "slept 100 ms");
    reached(&mut shim).await;
    if let Some(peak) = shim.peak_bytes() {
        // Up to the limit a line may be a message; beyond it nothing is kept.
        assert!(peak < 120 * MIB as u64, "{} MiB", peak / MIB as u64);
    }
}

#[tokio::test]
async fn r07_the_id_of_a_line_that_is_thrown_away_is_found_at_its_end_as_well() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_WS_MAX_BYTES", "1 MiB");
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    endless(
        &mut shim,
        r#"{"jsonrpc":"2.0","method":"ping","a":""#,
        3,
        r#"","id":44}"#,
    )
    .await;
    let answer = shim.recv().await;
    assert_eq!((error_code(&answer), &answer["id"]), (-32600, &json!(44)));
    // Without an id, and without being JSON.
    endless(&mut shim, "", 3, "").await;
    let answer = shim.recv().await;
    assert_eq!((error_code(&answer), &answer["id"]), (-32600, &Value::Null));
    still_there(&mut shim).await;
}

/// The daemon's limit may be smaller than the shim's own.
#[tokio::test]
async fn r07_a_call_the_daemon_would_not_take_is_refused_before_it_is_sent() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_WS_MAX_BYTES", "1 MiB");
    let _daemon = sandbox.daemon().await;
    sandbox.unset("EXAI_WS_MAX_BYTES");
    let mut shim = window(&sandbox).await;
    let call = shim.call("test_sleep", json!({ "ms": 100 })).await;
    let text = "y".repeat(MIB);
    let result = shim.call_tool("version", json!({ "a": text })).await;
    let (code, words) = failure(&result);
    assert_eq!(code, "TOO_LARGE");
    for part in ["1048576", "file path", "not sent"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(ok_text(&shim.answer(call).await["result"]), "slept 100 ms");
}

#[tokio::test]
async fn r07_random_lines_never_end_it_and_never_go_unanswered() {
    let mut rng = crate::editor::seed("r07_random");
    let (_sandbox, mut shim) = shim().await;
    let good = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"version","arguments":{"a":[1,{"b":"c\u0041"}]}}}"#;
    for _ in 0..400 {
        let mut line = good.as_bytes().to_vec();
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(0..line.len().max(1));
            if line.is_empty() {
                continue;
            }
            match rng.u8(0..4) {
                0 => line[at] = rng.u8(..),
                1 => drop(line.remove(at)),
                2 => line.insert(at, *rng.choice(b"{}[]\",:\\\0\xff").unwrap()),
                _ => line.truncate(at.max(1)),
            }
        }
        line.retain(|byte| *byte != b'\n' && *byte != b'\r');
        line.push(b'\n');
        shim.send_bytes(&line).await;
        // `hear` ends the test at anything that is no JSON-RPC.
        while let Heard::Message(_) = shim.hear(Duration::ZERO).await {}
    }
    let id = shim.request("ping", json!({})).await;
    shim.answer(id).await;
    assert!(shim.is_running());
}

#[tokio::test]
async fn the_first_message_may_be_anything() {
    let sandbox = by_hand();
    for first in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
        r#"{"jsonrpc":"2.0","id":9,"result":{}}"#,
        "",
    ] {
        let mut shim = sandbox.shim();
        shim.send_line(first).await;
        let answer = shim.initialize("2025-11-25").await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{first}");
    }
    // A request before the handshake gets an answer, and the handshake still works.
    let mut shim = sandbox.shim();
    for method in ["tools/list", "prompts/list", "unheard/of"] {
        let answer = shim.ask(method, json!({})).await;
        error_code(&answer);
    }
    let call = shim.ask("tools/call", json!({ "name": "version" })).await;
    assert_eq!(error_code(&call), -32602);
    assert_eq!(shim.ask("ping", json!({})).await["result"], json!({}));
    assert_eq!(error_code(&shim.ask("initialize", json!({})).await), -32602);
    shim.send_line("garbage").await;
    assert_eq!(error_code(&shim.recv().await), -32700);
    let answer = shim.initialize("2024-11-05").await;
    assert_eq!(answer["result"]["protocolVersion"], "2024-11-05");
    let list = shim.ask("tools/list", json!({})).await;
    assert!(list.get("result").is_some(), "{list}");
}
