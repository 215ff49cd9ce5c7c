//! An answer grows before the eyes of those who watch, and is the same at its end as the sum
//! of what they saw: over the wire, in the terminal, through the shim.

use super::{EACH, FEATURES, Stage, ask, ms, said};
use crate::editor::{settled, window};
use exai_testkit::{
    Must as _, PATIENCE,
    provider::{At, Gate, Reply},
};
use serde_json::json;
use std::process::Stdio;
use tokio::{io::AsyncWriteExt as _, time::timeout};

const WORDS: &str = "Once upon a time there was a stream that grew and grew until it was whole.";

#[tokio::test]
async fn the_pieces_are_the_answer_in_every_dialect() {
    let stage = Stage::new().await;
    stage
        .provider
        .otherwise(Reply::text(WORDS).chunks(8).every(ms(60)));
    let _daemon = stage.daemon().await;
    for (dialect, name, model) in EACH {
        let (mut ws, _) = stage.sandbox.modern(name, &FEATURES).await;
        ask(&mut ws, name, model).await;
        let (mut grown, mut pieces) = (String::new(), 0);
        let result = loop {
            let frame = ws.recv().await;
            match frame["op"].as_str() {
                Some("partial") => {
                    assert_eq!(frame["request_id"], name);
                    grown.push_str(frame["text"].as_str().must("read a piece"));
                    pieces += 1;
                }
                Some("call_tool_res") => break frame,
                _ => {}
            }
        };
        assert_eq!(said(&result), WORDS, "{dialect:?}");
        assert_eq!(grown, WORDS, "{dialect:?}");
        assert!(pieces >= 3, "{dialect:?}: only {pieces} pieces");
    }
}

/// The first piece is with the reader while the provider has not said the second.
#[tokio::test]
async fn the_first_piece_waits_for_nothing() {
    let stage = Stage::new().await;
    let gate = Gate::new();
    let reply = Reply::text("first second").pieces(["first ", "second"]);
    stage.provider.script([reply.stall(At::Piece(1), &gate)]);
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask(&mut ws, "a", "parrot@custom").await;
    assert_eq!(ws.recv_op("partial").await["text"], "first ");
    gate.open();
    assert_eq!(said(&ws.result("a").await), "first second");
}

/// Who announced nothing gets no pieces, only the answer.
#[tokio::test]
async fn who_did_not_ask_for_pieces_gets_none() {
    let stage = Stage::new().await;
    stage
        .provider
        .otherwise(Reply::text(WORDS).chunks(4).every(ms(50)));
    let _daemon = stage.daemon().await;
    let (mut ws, _) = stage.sandbox.modern("plain", &["rich_results"]).await;
    ask(&mut ws, "a", "parrot@custom").await;
    let (mut v1, mut ops) = (stage.sandbox.ws().await, Vec::new());
    let result = loop {
        let frame = ws.recv().await;
        let op = frame["op"].as_str().unwrap_or_default().to_owned();
        if op == "call_tool_res" {
            break frame;
        }
        ops.push(op);
    };
    assert_eq!(said(&result), WORDS);
    assert!(ops.iter().all(|op| op != "partial"), "{ops:?}");
    ask(&mut v1, "b", "parrot@custom").await;
    assert_eq!(said(&v1.result("b").await), WORDS, "V1 too");
}

#[tokio::test]
async fn chat_prints_the_answer_once_in_a_pipe_and_reads_pipes_and_files() {
    let stage = Stage::new().await;
    stage.provider.otherwise(Reply::text(WORDS).chunks(5));
    let _daemon = stage.daemon().await;
    let sandbox = &stage.sandbox;
    let one = sandbox
        .cli(&["chat", "-m", "parrot@custom", "tell", "me"])
        .await
        .ok();
    assert_eq!(one.stdout.trim_end(), WORDS, "{}", one.all());
    let notes = sandbox.work().join("notes.txt");
    let file = std::fs::File::create(&notes);
    std::io::Write::write_all(&mut file.must("make a file"), b"the secret is plum").must("write");
    let with_file = [
        "chat",
        "-m",
        "parrot@custom",
        "--file",
        "notes.txt",
        "what is it?",
    ];
    let answered = sandbox.cli(&with_file).await.ok();
    assert_eq!(answered.stdout.trim_end(), WORDS, "{}", answered.all());
    let asked = stage.provider.chats().pop().must("find the request").text();
    assert!(
        asked.contains("the secret is plum") && asked.contains("what is it?"),
        "{asked}"
    );
    let mut piped = sandbox.command("exai-daemon");
    piped.args(["chat", "-m", "parrot@custom", "--quiet"]);
    piped
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().must("start chat");
    let mut stdin = child.stdin.take().must("take its input");
    stdin
        .write_all(b"from a pipe\n")
        .await
        .must("write the question");
    drop(stdin);
    let ended = timeout(PATIENCE, child.wait_with_output())
        .await
        .must("end in time")
        .must("end");
    assert_eq!(String::from_utf8_lossy(&ended.stdout).trim_end(), WORDS);
    let asked = stage.provider.chats().pop().must("find the request").text();
    assert!(asked.contains("from a pipe"), "{asked}");
    let called = sandbox
        .cli(&[
            "call",
            "chat",
            "-a",
            "prompt=hello",
            "-a",
            "model=parrot@custom",
        ])
        .await
        .ok();
    assert!(called.stdout.contains(WORDS), "{}", called.all());
}

/// What a person reads of progress, in an editor that shows it.
#[tokio::test]
async fn through_the_shim_the_answer_grows_as_progress() {
    let stage = Stage::new().await;
    stage
        .provider
        .otherwise(Reply::text(WORDS).chunks(6).every(ms(400)));
    let _daemon = stage.daemon().await;
    let mut shim = window(&stage.sandbox).await;
    settled(&mut shim).await;
    let question = json!({ "prompt": "tell me", "model": "parrot@custom" });
    let id = shim.call_with_progress("chat", question, json!("t")).await;
    let mut seen: Vec<String> = Vec::new();
    let answer = loop {
        let message = shim.recv().await;
        if message["id"] == id {
            break message;
        }
        let words = message["params"]["message"].as_str().unwrap_or_default();
        seen.push(words.to_owned());
    };
    let content = &answer["result"]["content"];
    assert_eq!(exai_testkit::answer(&answer["result"]), WORDS);
    let grown = seen
        .iter()
        .filter(|words| words.contains("Once upon") || words.contains("stream"));
    assert!(grown.count() >= 2, "no text in {seen:?}");
    assert_eq!(content.as_array().map_or(0, Vec::len), 1, "{content}");
}
