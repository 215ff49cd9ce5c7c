//! `chat` and `models` as people use them: one question, pipes, files, a conversation, a
//! terminal; and what never leaves the machine.

use exai_testkit::{
    Must as _, PATIENCE, Sandbox,
    provider::{Dialect, Provider, Reply, Request},
};
use serde_json::{Value, json};
use std::{fs, io::Write as _, process::Stdio, time::Duration};
use tokio::io::AsyncWriteExt as _;

const MODEL: &str = "parrot@custom";
const WORDS: &str = "The answer grows word by word until it is whole.";

/// A user with one provider that does what the test says.
async fn stage() -> (Sandbox, Provider) {
    let provider = Provider::start().await;
    let mut sandbox = Sandbox::new();
    sandbox.set(
        "CUSTOM_API_URL",
        provider.url_under("custom", Dialect::OpenAiChat),
    );
    (sandbox, provider)
}

fn file(sandbox: &Sandbox, name: &str, bytes: &[u8]) {
    let path = sandbox.work().join(name);
    fs::create_dir_all(path.parent().must("have a folder")).must("make a folder");
    let mut file = fs::File::create(path).must("make a file");
    file.write_all(bytes).must("write a file");
}

fn last(provider: &Provider) -> Request {
    provider.chats().pop().must("find a request")
}

#[tokio::test]
async fn an_answer_is_alone_on_standard_output_and_the_rest_is_beside_it() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text(WORDS).chunks(3));
    let _daemon = sandbox.daemon().await;
    let plain = sandbox.cli(&["chat", "-m", MODEL, "why?"]).await.ok();
    assert_eq!(plain.stdout, format!("{WORDS}\n"));
    assert!(
        plain.stderr.contains("[parrot at custom"),
        "{}",
        plain.all()
    );
    let quiet = sandbox.cli(&["chat", "-q", "-m", MODEL, "why?"]).await.ok();
    assert_eq!(
        (quiet.stdout, quiet.stderr),
        (format!("{WORDS}\n"), String::new())
    );
    let json = sandbox
        .cli(&["chat", "--json", "-m", MODEL, "why?"])
        .await
        .ok();
    let json = json.json();
    assert_eq!(json["text"], WORDS);
    assert_eq!(json["answer"]["endpoint"], "custom");
    assert_eq!(json["usage"]["model"], "parrot", "{json}");
    assert_eq!(json["error"], Value::Null);
}

#[tokio::test]
async fn what_was_asked_for_reaches_the_provider() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("ok"));
    let _daemon = sandbox.daemon().await;
    let words = [
        "chat",
        "-m",
        MODEL,
        "--system",
        "Be brief.",
        "--max-output",
        "99",
        "--temperature",
        "0.5",
        "tell",
        "me",
    ];
    sandbox.cli(&words).await.ok();
    let asked = last(&provider);
    assert_eq!(asked.json("/messages/0/content"), Some(&json!("Be brief.")));
    assert!(asked.text().contains("tell me"), "{}", asked.text());
    assert_eq!(asked.json("/temperature"), Some(&json!(0.5)));
    assert!(asked.text().contains("99"), "the ceiling is sent");
}

#[tokio::test]
async fn a_pipe_goes_with_the_question() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("ok"));
    let _daemon = sandbox.daemon().await;
    for (words, expected) in [
        (&["chat", "-m", MODEL, "review"][..], "review\\n\\n---"),
        (&["chat", "-m", MODEL], "+ added line"),
    ] {
        let mut command = sandbox.command("exai-daemon");
        command.args(words).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().must("start chat");
        let mut pipe = child.stdin.take().must("hold its input");
        pipe.write_all(b"+ added line\n").await.must("write");
        drop(pipe);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output());
        let output = output.await.must("end in time").must("end");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "ok\n");
        let text = last(&provider).text();
        assert!(
            text.contains(expected) && text.contains("+ added line"),
            "{text}"
        );
    }
    let nothing = sandbox.cli(&["chat", "-m", MODEL]).await;
    assert_eq!(nothing.code, Some(2), "{}", nothing.all());
    assert!(
        nothing.stderr.contains("nothing to ask"),
        "{}",
        nothing.all()
    );
}

#[tokio::test]
async fn p24_files_are_sent_on_purpose_or_not_at_all_and_each_is_told() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("ok"));
    let _daemon = sandbox.daemon().await;
    file(&sandbox, "src/a.rs", b"fn canary_one() {}\n");
    file(&sandbox, ".env", b"KEY=canary_two");
    file(&sandbox, "p.png", b"\x89PNG\r\n\x1a\n0000");
    let words = [
        "chat", "-m", MODEL, "-f", "src/a.rs", "-f", ".env", "-f", "gone.rs", "review",
    ];
    let output = sandbox.cli(&words).await.ok();
    let sent = last(&provider).text();
    assert!(sent.contains("1| fn canary_one() {}"), "{sent}");
    assert!(!sent.contains("canary_two"), "{sent}");
    assert!(
        sent.contains(".env: NOT INCLUDED"),
        "the model is told: {sent}"
    );
    for told in [
        "a.rs: whole, 1 line,",
        ".env: NOT SENT, files of this name hold keys",
        "gone.rs: NOT SENT, there is no such file",
    ] {
        assert!(output.stderr.contains(told), "{told}: {}", output.all());
    }
    let before = provider.chats().len();
    let refused = sandbox
        .cli(&["chat", "-m", MODEL, "-f", ".env", "what is the key?"])
        .await;
    assert_eq!(refused.code, Some(22), "{}", refused.all());
    assert!(
        refused.stderr.contains("nothing was sent"),
        "{}",
        refused.all()
    );
    assert_eq!(provider.chats().len(), before, "and nothing was paid");
    // A client may have no more read than the folders it has open, whatever it asks for.
    let outside = sandbox.home().join("outside.txt");
    fs::File::create(&outside)
        .and_then(|mut file| file.write_all(b"canary_three"))
        .must("make a file");
    let (mut ws, _) = sandbox.modern("editor", &["rich_results"]).await;
    let inside = sandbox.work().join("src/a.rs");
    let call = json!({
        "op": "call_tool", "request_id": "r", "name": "chat",
        "roots": [format!("file://{}", sandbox.work().display())],
        "arguments": { "prompt": "p", "model": MODEL, "files": [inside, outside] },
    });
    ws.send(&call).await;
    let result = ws.result("r").await;
    let told = result["outputs"][0]["text"].as_str().must("read words");
    assert!(told.contains("src/a.rs: whole"), "{told}");
    assert!(told.contains("it is outside the folders"), "{told}");
    assert!(!last(&provider).text().contains("canary_three"));
}

#[tokio::test]
async fn a_failure_has_its_exit_code_and_leaves_standard_output_empty() {
    let (sandbox, provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    provider.otherwise(Reply::status(401));
    let refused = sandbox.cli(&["chat", "-m", MODEL, "why?"]).await;
    assert!(
        refused.code.is_some_and(|code| code >= 20),
        "{}",
        refused.all()
    );
    assert_eq!(refused.stdout, "", "{}", refused.all());
    assert!(refused.stderr.contains("custom"), "{}", refused.all());
    let unknown = sandbox
        .cli(&["chat", "-m", "no-such-model-anywhere", "why?"])
        .await;
    assert!(
        unknown.code.is_some_and(|code| code >= 20),
        "{}",
        unknown.all()
    );
    assert!(
        unknown.stderr.contains("no-such-model-anywhere"),
        "{}",
        unknown.all()
    );
    let (mut ws, _) = sandbox.modern("w", &["rich_results"]).await;
    ws.call_as(
        "r",
        "chat",
        json!({ "prompt": "p", "continuation_id": "no-such" }),
    )
    .await;
    let result = ws.result("r").await;
    assert_eq!(result["error"]["code"], "INVALID_ARGUMENT", "{result}");
}

#[tokio::test]
async fn a_conversation_sends_its_turns_as_turns_and_keeps_its_model() {
    let (sandbox, provider) = stage().await;
    provider.script(["One.", "Two.", "Three."].map(Reply::text));
    let _daemon = sandbox.daemon().await;
    let mut command = sandbox.command("exai-daemon");
    command.args(["chat", "--interactive", "-m", MODEL]);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().must("start chat");
    let mut keys = child.stdin.take().must("hold its input");
    keys.write_all(b"first?\n\nsecond?\n/new\nthird?\n/exit\nnever asked\n")
        .await
        .must("type");
    drop(keys);
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output());
    let output = output.await.must("end in time").must("end");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "One.\nTwo.\nThree.\n"
    );
    let turns: Vec<Vec<String>> = provider
        .chats()
        .iter()
        .map(|request| {
            let messages = request.json("/messages").and_then(Value::as_array);
            let turn = |message: &Value| message["role"].as_str().unwrap_or("?").to_owned();
            messages.into_iter().flatten().map(turn).collect()
        })
        .collect();
    assert_eq!(turns[0], ["user"]);
    assert_eq!(turns[1], ["user", "assistant", "user"]);
    assert_eq!(turns[2], ["user"], "/new begins anew");
    let second = provider.chats()[1].text();
    assert!(
        second.contains("first?") && second.contains("One."),
        "{second}"
    );
}

#[tokio::test]
async fn on_a_terminal_an_answer_is_stopped_and_the_conversation_goes_on() {
    let (sandbox, provider) = stage().await;
    provider.script([
        Reply::text(WORDS).chunks(10).every(Duration::from_secs(2)),
        Reply::text("Second answer."),
    ]);
    let _daemon = sandbox.daemon().await;
    let Some(mut terminal) = sandbox.on_a_terminal("exai-daemon", &["chat", "-m", MODEL]) else {
        return;
    };
    terminal.shows("> ", PATIENCE).await;
    terminal.types("first?\n").await;
    terminal.shows("The a", PATIENCE).await;
    terminal.types("\u{3}").await;
    terminal
        .shows("not part of the conversation", PATIENCE)
        .await;
    provider.until_hung_up(last(&provider).index).await;
    terminal.types("second?\n").await;
    terminal.shows("Second answer.", PATIENCE).await;
    assert!(
        !last(&provider).text().contains("first?"),
        "half a turn is no turn"
    );
    terminal.types("/exit\n").await;
    assert_eq!(terminal.ends(PATIENCE).await, Some(0));
    assert_eq!(terminal.screen().matches("Second answer.").count(), 1);
}

#[tokio::test]
async fn what_is_dear_is_asked_for_on_a_terminal_and_refused_in_a_pipe() {
    let (mut sandbox, provider) = stage().await;
    sandbox.set("EXAI_CONFIRM_ABOVE", "0.01");
    sandbox.write(
        "config/models.toml",
        "[[models]]\nid = \"gold\"\nendpoint = \"custom\"\n\
         price = { in = 1000.0, out = 5000.0, date = \"2026-01-01\" }\n",
    );
    provider.otherwise(Reply::text("Worth it."));
    let _daemon = sandbox.daemon().await;
    let words = ["chat", "-m", "gold", "why?"];
    let refused = sandbox.cli(&words).await;
    assert_eq!(refused.code, Some(25), "{}", refused.all());
    assert!(refused.stderr.contains("--yes"), "{}", refused.all());
    assert_eq!(provider.chats().len(), 0, "nothing was sent");
    let agreed = sandbox
        .cli(&["chat", "--yes", "-m", "gold", "why?"])
        .await
        .ok();
    assert_eq!(agreed.stdout, "Worth it.\n");
    let Some(mut terminal) = sandbox.on_a_terminal("exai-daemon", &words) else {
        return;
    };
    terminal.shows("[y/N]", PATIENCE).await;
    terminal.types("y\n").await;
    assert_eq!(
        terminal.ends(PATIENCE).await,
        Some(0),
        "{}",
        terminal.screen()
    );
    assert!(terminal.screen().contains("Worth it."));
}

#[tokio::test]
async fn models_are_listed_refreshed_and_tried() {
    let (sandbox, provider) = stage().await;
    provider.models(["parrot", "cockatoo-7b"]);
    provider.otherwise(Reply::text("pong"));
    let _daemon = sandbox.daemon().await;
    let all = sandbox.cli(&["models", "--all"]).await.ok();
    assert!(all.stdout.contains("glm-4.6"), "{}", all.all());
    assert!(
        all.stdout.contains("GLM_API_KEY"),
        "what is lacking is told: {}",
        all.all()
    );
    let refreshed = sandbox.cli(&["models", "refresh", "custom"]).await.ok();
    assert!(refreshed.stdout.contains("custom"), "{}", refreshed.all());
    let listed = sandbox.cli(&["models"]).await.ok();
    assert!(listed.stdout.contains("cockatoo-7b"), "{}", listed.all());
    assert!(
        !listed.stdout.contains("glm-4.6"),
        "not without a key: {}",
        listed.all()
    );
    let json = sandbox.cli(&["models", "--json"]).await.ok().json();
    let known = json["models"].as_array().must("be a list");
    assert!(known.iter().any(|model| model["id"] == "cockatoo-7b"));
    let unknown = sandbox.cli(&["models", "refresh", "nowhere"]).await;
    assert_ne!(unknown.code, Some(0), "{}", unknown.all());
    assert!(unknown.stderr.contains("nowhere"), "{}", unknown.all());

    let tried = sandbox.cli(&["models", "test", MODEL]).await.ok();
    for part in [
        "parrot at custom",
        "pong",
        "first piece",
        "provider in all",
        "tokens",
    ] {
        assert!(tried.stdout.contains(part), "{part}: {}", tried.all());
    }
    let json = sandbox
        .cli(&["models", "test", MODEL, "--json"])
        .await
        .ok()
        .json();
    assert_eq!(
        (&json["ok"], &json["answer"]),
        (&json!(true), &json!("pong"))
    );
    assert!(json["total_ms"].is_u64(), "{json}");
    provider.otherwise(Reply::status(404));
    let failed = sandbox.cli(&["models", "test", MODEL, "--json"]).await;
    assert_ne!(failed.code, Some(0), "{}", failed.all());
    assert_eq!(failed.json()["ok"], false);
}
