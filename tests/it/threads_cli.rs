//! `exai-daemon threads` and `chat --thread`: with a daemon and without one.

use crate::threads::stage;
use exai_testkit::{Must as _, PATIENCE, provider::Reply};
use serde_json::Value;
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;

const MODEL: &str = "parrot@custom";

#[tokio::test]
async fn conversations_are_read_without_a_daemon_and_changed_with_one() {
    let (sandbox, provider) = stage().await;
    let none = sandbox.cli(&["threads", "list"]).await.ok();
    assert!(none.stdout.is_empty() && none.stderr.contains("no conversations"));
    provider.script(["Because.", "Indeed.", "A fork."].map(Reply::text));
    let daemon = sandbox.daemon().await;
    let json = sandbox
        .cli(&["chat", "--json", "-m", MODEL, "why is it so?"])
        .await
        .ok();
    let id = json.json()["answer"]["continuation_id"]
        .as_str()
        .must("name it")
        .to_owned();
    sandbox
        .cli(&["chat", "--thread", &id[..8], "really?"])
        .await
        .ok();
    let branch = format!("{id}#1");
    sandbox
        .cli(&["threads", "resume", &branch, "-q", "or so?"])
        .await
        .ok();
    let last = provider.chats().pop().must("find a request").text();
    assert!(
        last.contains("Because.") && !last.contains("really?"),
        "{last}"
    );
    sandbox
        .cli(&["threads", "rename", &id[..8], "A", "why"])
        .await
        .ok();
    sandbox.cli(&["stop"]).await.ok();
    drop(daemon);

    let listed = sandbox.cli(&["threads", "list", "--here"]).await.ok();
    assert!(listed.stdout.contains(&id), "{}", listed.all());
    assert!(listed.stdout.contains("3 turns  A why"), "{}", listed.all());
    let found = sandbox
        .cli(&["threads", "search", "inde", "--json"])
        .await
        .ok();
    assert_eq!(found.json()[0]["turn"], 2);
    let shown = sandbox.cli(&["threads", "show", &id]).await.ok();
    for part in ["# A why", "why is it so?", "Indeed.", "goes on from 1"] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.all());
    }
    let unknown = sandbox.cli(&["threads", "show", "no-such-thread"]).await;
    assert_eq!(unknown.code, Some(22), "{}", unknown.all());
    let export = sandbox.cli(&["threads", "export", &id]).await.ok();
    assert_eq!(export.stdout.lines().count(), 4, "{}", export.stdout);
    let delete = sandbox.cli(&["threads", "delete", &id]).await;
    assert_ne!(delete.code, Some(0), "no daemon, no change");

    let _daemon = sandbox.daemon().await;
    sandbox.cli(&["threads", "delete", &id]).await.ok();
    let gone = sandbox.cli(&["threads", "show", &id]).await;
    assert!(gone.stderr.contains("was deleted"), "{}", gone.all());
    let file = sandbox.write("back.jsonl", &export.stdout);
    let back = sandbox
        .cli(&["threads", "import", &file.display().to_string()])
        .await
        .ok();
    assert!(
        back.stdout.contains(&format!("{id}: 3 turns")),
        "{}",
        back.all()
    );
    let again = sandbox.cli(&["threads", "export", &id]).await.ok();
    assert_eq!(
        again.stdout, export.stdout,
        "what went out came back, to the byte"
    );
}

#[tokio::test]
async fn p19_the_predecessors_conversations_go_on() {
    let (sandbox, provider) = stage().await;
    provider.script([Reply::text("Now.")]);
    let _daemon = sandbox.daemon().await;
    let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let file = sandbox.write(
        format!("old/conversation/{id}.jsonl"),
        "{\"ts\": 1760000000.0, \"role\": \"user\", \"content\": \"Old question?\"}\n\
         {\"ts\": 1760000001.0, \"role\": \"assistant\", \"content\": \"Old answer.\"}\n\
         broken\n",
    );
    let file = file.display().to_string();
    let told = sandbox.cli(&["threads", "import", &file]).await.ok();
    assert!(
        told.stdout.contains(&format!("{id}: 1 turns")),
        "{}",
        told.all()
    );
    assert!(
        told.stdout.contains("1 lines could not be read"),
        "{}",
        told.all()
    );
    let again = sandbox.cli(&["threads", "import", &file]).await.ok();
    assert!(again.stdout.contains("is here already"), "{}", again.all());
    let words = ["chat", "-m", MODEL, "--thread", id, "And now?"];
    sandbox.cli(&words).await.ok();
    let asked = provider.chats().pop().must("find a request").text();
    for part in ["Old question?", "Old answer.", "And now?"] {
        assert_eq!(asked.matches(part).count(), 1, "{part}: {asked}");
    }
}

#[tokio::test]
async fn a_conversation_on_the_command_line_is_one_of_the_daemons() {
    let (sandbox, provider) = stage().await;
    provider.script(["One.", "Two.", "Three.", "Four."].map(Reply::text));
    let mut daemon = sandbox.daemon().await;
    let typed = async |words: &[&str], lines: &str| {
        let mut command = sandbox.command("exai-daemon");
        command.args(words).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().must("start chat");
        let mut keys = child.stdin.take().must("hold its input");
        keys.write_all(lines.as_bytes()).await.must("type");
        drop(keys);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output());
        let output = output.await.must("end in time").must("end");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let words = ["chat", "--interactive", "-m", MODEL];
    assert_eq!(
        typed(&words, "first?\nsecond?\n/new\nthird?\n").await,
        "One.\nTwo.\nThree.\n"
    );
    let listed = sandbox
        .cli(&["threads", "list", "--json"])
        .await
        .ok()
        .json();
    assert_eq!(listed["of"], 2, "{listed}");
    let turns: Vec<&Value> = (0..2).map(|at| &listed["threads"][at]["turns"]).collect();
    assert_eq!(turns, [1, 2]);
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    let id = listed["threads"][1]["id"].as_str().must("name it");
    let resumed = typed(&["threads", "resume", id, "--interactive"], "fourth?\n").await;
    assert_eq!(resumed, "Four.\n");
    let asked = provider.chats().pop().must("find a request").text();
    for part in ["first?", "One.", "second?", "Two.", "fourth?"] {
        assert_eq!(asked.matches(part).count(), 1, "{part}: {asked}");
    }
    assert!(!asked.contains("third?"), "{asked}");
}
