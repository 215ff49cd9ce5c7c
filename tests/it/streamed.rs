//! Text that grows: to whoever announced that it takes it, on a terminal as it comes, in a
//! pipe exactly once.

use crate::editor::connected;
use exai_testkit::{Must as _, PATIENCE, Sandbox, Stopwatch};
use serde_json::{Value, json};
use std::time::Duration;

const TEXT: &str = "one two three four five six seven eight";

fn order(ms: u64) -> Value {
    json!({ "text": TEXT, "ms": ms })
}

#[tokio::test]
async fn text_comes_as_it_grows_to_whoever_takes_it_and_to_nobody_else() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let (mut taker, _) = sandbox.modern("taker", &["partial"]).await;
    let (mut other, _) = sandbox.modern("other", &["progress"]).await;
    let asked = Stopwatch::start();
    taker.call_as("t", "test_stream", order(400)).await;
    other.call_as("o", "test_stream", order(50)).await;
    let (mut pieces, mut first) = (Vec::new(), None);
    let result = loop {
        let frame = taker.recv().await;
        match frame["op"].as_str() {
            Some("partial") => {
                first.get_or_insert_with(|| asked.elapsed());
                assert_eq!(frame["request_id"], "t");
                pieces.push(frame["text"].as_str().must("read text").to_owned());
            }
            Some("call_tool_res") => break frame,
            _ => {}
        }
    };
    // The whole takes 3.2 s; its first word must not wait for a heartbeat or a second one.
    assert!(
        first.must("hear text") < Duration::from_millis(2400),
        "{first:?}"
    );
    assert!(pieces.len() >= 4, "it grows: {pieces:?}");
    assert_eq!(pieces.concat(), TEXT);
    assert_eq!(result["outputs"][0]["text"], TEXT);
    loop {
        let frame = other.recv().await;
        assert_ne!(frame["op"], "partial", "nobody asked for it");
        if frame["op"] == "call_tool_res" {
            break;
        }
    }
    assert!(
        !sandbox.log("progress.log").contains("three"),
        "never logged"
    );
}

#[tokio::test]
async fn in_a_pipe_the_text_is_there_once_and_whole() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let arguments = order(30).to_string();
    let output = sandbox
        .cli(&["call", "test_stream", "--json", &arguments])
        .await
        .ok();
    assert_eq!(output.stdout, format!("{TEXT}\n"));
}

#[tokio::test]
async fn on_a_terminal_the_text_grows_and_is_there_once() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let arguments = order(400).to_string();
    let words = ["call", "test_stream", "--json", &arguments];
    let Some(mut terminal) = sandbox.on_a_terminal("exai-daemon", &words) else {
        return;
    };
    terminal.shows("one two", PATIENCE).await;
    assert!(
        !terminal.screen().contains("eight"),
        "{}",
        terminal.screen()
    );
    assert_eq!(terminal.ends(PATIENCE).await, Some(0));
    let screen = terminal.screen();
    assert!(screen.contains(TEXT), "{screen:?}");
    assert_eq!(screen.matches("eight").count(), 1, "{screen:?}");
}

#[tokio::test]
async fn ctrl_c_stops_a_text_that_grows() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let arguments = order(5000).to_string();
    let words = ["call", "test_stream", "--json", &arguments];
    let Some(mut terminal) = sandbox.on_a_terminal("exai-daemon", &words) else {
        return;
    };
    terminal.shows("one ", PATIENCE).await;
    terminal.types("\u{3}").await;
    assert_eq!(terminal.ends(PATIENCE).await, Some(26));
    let screen = terminal.screen();
    assert!(screen.contains("stopping the call"), "{screen:?}");
    assert!(screen.contains("CANCELLED"), "{screen:?}");
}

/// An editor that shows progress shows the text as it grows; one that does not hears nothing.
#[tokio::test]
async fn r10_through_the_shim_a_text_grows_as_progress() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let id = shim
        .call_with_progress("test_stream", order(300), json!("t"))
        .await;
    let mut grown: Vec<String> = Vec::new();
    let answer = loop {
        let message = shim.recv().await;
        if message["id"] == id {
            break message;
        }
        let words = message["params"]["message"].as_str().must("read words");
        if words.starts_with("one") {
            grown.push(words.to_owned());
        }
    };
    assert_eq!(answer["result"]["content"][0]["text"], TEXT);
    // 2.4 s of text, told at most every 250 ms.
    assert!((4..=11).contains(&grown.len()), "{grown:?}");
    assert!(
        grown.windows(2).all(|pair| pair[1].starts_with(&pair[0])),
        "{grown:?}"
    );
    let silent = shim.call("test_stream", order(50)).await;
    assert_eq!(shim.recv().await["id"], silent, "nothing but the answer");
}
