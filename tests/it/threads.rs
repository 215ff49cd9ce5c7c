//! Conversations through the daemon's doors: what the next model sees, what outlives the daemon,
//! what is full, what has expired, and what a death leaves behind.

use crate::windows::{Caller, editor};
use exai_testkit::{
    Must as _, PATIENCE, Sandbox, Ws, answer, eventually,
    provider::{At, Dialect, Gate, Provider, Reply, Usage},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

pub(crate) const MODEL: &str = "parrot@custom";

/// A user with one provider that does what the test says.
pub(crate) async fn stage() -> (Sandbox, Provider) {
    let provider = Provider::start().await;
    let mut sandbox = Sandbox::new();
    let url = provider.url_under("custom", Dialect::OpenAiChat);
    sandbox.set("CUSTOM_API_URL", url);
    (sandbox, provider)
}

/// A window of its own each time: ids of calls are remembered for each, also by a later daemon.
pub(crate) async fn window(sandbox: &Sandbox) -> Ws {
    static WINDOWS: AtomicUsize = AtomicUsize::new(0);
    let name = format!("window-{}", WINDOWS.fetch_add(1, Ordering::Relaxed));
    let features = ["progress", "rich_results"];
    sandbox.modern(&name, &features).await.0
}

fn arguments(prompt: &str, thread: Option<&str>) -> Value {
    let mut arguments = json!({ "prompt": prompt });
    match thread {
        Some(id) => arguments["continuation_id"] = json!(id),
        None => arguments["model"] = json!(MODEL),
    }
    arguments
}

/// One turn; its whole result.
async fn turn(window: &mut impl Caller, prompt: &str, thread: Option<&str>) -> Value {
    window.result_of("chat", arguments(prompt, thread)).await
}

fn facts(result: &Value) -> &Value {
    &result["outputs"][0]["_meta"]["exai/answer"]
}

fn thread_of(result: &Value) -> String {
    let id = facts(result)["continuation_id"].as_str();
    id.unwrap_or_else(|| panic!("no thread: {result}"))
        .to_owned()
}

/// `role: content` of each message of a request.
fn messages(provider: &Provider) -> Vec<String> {
    let last = provider.chats().pop().must("find a request");
    let all = last.json("/messages").and_then(Value::as_array).cloned();
    let line = |message: Value| {
        let content = match &message["content"] {
            Value::String(text) => text.clone(),
            parts => parts[0]["text"].as_str().unwrap_or("?").to_owned(),
        };
        format!("{}: {content}", message["role"].as_str().unwrap_or("?"))
    };
    all.unwrap_or_default().into_iter().map(line).collect()
}

#[tokio::test]
async fn p19_a_conversation_outlives_the_daemon_and_each_turn_is_sent_once() {
    let (sandbox, provider) = stage().await;
    provider.script(["It leaks.", "In parse().", "Close it."].map(Reply::text));
    let mut daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    let first = turn(&mut ws, "What is wrong?", None).await;
    let id = thread_of(&first);
    let words = first["outputs"][0]["text"].as_str().must("read words");
    assert!(
        words.contains(&format!("continuation_id: {id} (turn 1)")),
        "{words}"
    );
    for (at, (prompt, answers)) in [("Where?", "In parse()."), ("So?", "Close it.")]
        .into_iter()
        .enumerate()
    {
        // Once with no chance to say goodbye, once in order.
        if at == 0 {
            daemon.kill().await;
        } else {
            sandbox.cli(&["stop"]).await.ok();
        }
        daemon = sandbox.daemon().await;
        ws = editor(&sandbox).await;
        let next = turn(&mut ws, prompt, Some(&id)).await;
        assert_eq!(answer(&next), answers);
        assert_eq!(facts(&next)["turn"], at + 2);
        assert_eq!(thread_of(&next), id);
        let model = provider.chats().pop().must("find a request");
        assert_eq!(
            model.model(),
            Some("parrot"),
            "a conversation keeps its model"
        );
    }
    assert_eq!(
        messages(&provider),
        [
            "user: What is wrong?",
            "assistant: It leaks.",
            "user: Where?",
            "assistant: In parse().",
            "user: So?",
        ]
    );
    drop(daemon);
}

#[tokio::test]
async fn p16_thirty_turns_grow_linearly() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text(&"answer ".repeat(300)));
    let _daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    let mut id: Option<String> = None;
    for _ in 0..30 {
        let result = turn(&mut ws, &"question ".repeat(57), id.as_deref()).await;
        id = Some(thread_of(&result));
    }
    let sizes: Vec<usize> = provider
        .chats()
        .iter()
        .map(|chat| chat.text().len())
        .collect();
    let steps: Vec<usize> = sizes
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .skip(1)
        .collect();
    let (least, most) = (steps.iter().min(), steps.iter().max());
    assert!(most.must("have") - least.must("have") < 40, "{sizes:?}");
}

#[tokio::test]
async fn files_go_once_and_a_changed_one_is_named() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("ok"));
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox).await;
    let write = |text: &str| {
        let path = sandbox.work().join("a.rs");
        let written = fs::File::create(path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.must("write a file");
    };
    let root = format!("file://{}", sandbox.work().display());
    let mut ask = async |id: &str, thread: Option<&str>, files: &[&str]| {
        let mut arguments = arguments("review", thread);
        arguments["files"] = json!(files);
        ws.send(&json!({
            "op": "call_tool", "request_id": id, "name": "chat", "roots": [root],
            "arguments": arguments,
        }))
        .await;
        ws.result(id).await
    };
    write("fn canary_one() {}\n");
    let first = ask("1", None, &["a.rs"]).await;
    let id = thread_of(&first);
    let sent = messages(&provider)[0].clone();
    for (at, files) in [("2", &[][..]), ("3", &["a.rs"][..])] {
        ask(at, Some(&id), files).await;
        let now = messages(&provider);
        assert_eq!(
            now[0], sent,
            "the beginning stays as it was, for the provider's cache"
        );
        assert_eq!(now.join("\n").matches("canary_one").count(), 1, "{at}");
    }
    write("fn canary_two() {}\n");
    let after = ask("4", Some(&id), &[]).await;
    let all = messages(&provider).join("\n");
    assert!(
        !all.contains("canary_one") && !all.contains("canary_two"),
        "{all}"
    );
    let words = after["outputs"][0]["text"].as_str().must("read words");
    assert!(
        words.contains("not repeated from turn 1: a.rs: it has changed"),
        "{words}"
    );
    ask("5", Some(&id), &["a.rs"]).await;
    assert!(messages(&provider).join("\n").contains("canary_two"));
}

#[tokio::test]
async fn p19_full_expired_and_unknown_are_said_and_nothing_is_sent() {
    let (mut sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("ok"));
    sandbox.set("EXAI_THREADS_MAX_TURNS", "2");
    sandbox.set("EXAI_THREADS_KEEP_SECS", "4");
    let _daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    let id = thread_of(&turn(&mut ws, "one", None).await);
    turn(&mut ws, "two", Some(&id)).await;
    let full = turn(&mut ws, "three", Some(&id)).await;
    assert_eq!(full["error"]["code"], "INVALID_ARGUMENT", "{full}");
    assert_eq!(full["error"]["metadata"]["cause"], "thread_full", "{full}");
    let why = full["error"]["message"].as_str().must("say why");
    assert!(
        why.contains("is full") && why.contains("EXAI_THREADS_MAX_TURNS"),
        "{why}"
    );
    looked_until("it expires", async || {
        let listed = sandbox.cli(&["threads", "list", "--json"]).await.ok();
        (listed.json()["of"] == 0).then_some(())
    })
    .await;
    // Before it is removed, and after: a new one sweeps.
    for _ in 0..2 {
        let expired = turn(&mut ws, "three", Some(&id)).await;
        assert_eq!(expired["error"]["code"], "EXPIRED", "{expired}");
        assert_eq!(expired["error"]["metadata"]["cause"], "thread_expired");
        turn(&mut ws, "new", None).await;
    }
    let unknown = turn(&mut ws, "x", Some("0f8fad5b-d9cb-469f-a165-70867728950e")).await;
    assert_eq!(unknown["error"]["metadata"]["cause"], "thread_unknown");
    assert_eq!(provider.chats().len(), 4, "refusals cost nothing");
}

#[tokio::test]
async fn p19_two_turns_at_once_are_one_after_the_other() {
    let (sandbox, provider) = stage().await;
    let gate = Gate::new();
    provider.script([
        Reply::text("One."),
        Reply::text("Two.").stall(At::FirstEvent, &gate),
        Reply::text("Three."),
    ]);
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox).await;
    let id = thread_of(&turn(&mut ws, "first", None).await);
    ws.call_as("a", "chat", arguments("second", Some(&id)))
        .await;
    provider_asked(&provider, 2).await;
    ws.call_as("b", "chat", arguments("third", Some(&id))).await;
    let waits = ws.recv_where(|frame| {
        frame["op"] == "progress"
            && frame["request_id"] == "b"
            && frame
                .to_string()
                .contains("another turn of this conversation")
    });
    waits.await;
    assert_eq!(provider.chats().len(), 2, "it is not sent yet");
    // Other conversations do not wait for this one.
    gate.open();
    let mut results = Vec::new();
    for _ in 0..2 {
        results.push(ws.recv_op("call_tool_res").await);
    }
    assert_eq!(results[0]["request_id"], "a");
    assert_eq!(facts(&results[1])["turn"], 3);
    assert_eq!(
        messages(&provider),
        [
            "user: first",
            "assistant: One.",
            "user: second",
            "assistant: Two.",
            "user: third",
        ]
    );
}

/// Looks again and again, each look being a command.
async fn looked_until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn those_who_wait_for_a_conversation_keep_nobody_from_it() {
    let (mut sandbox, provider) = stage().await;
    sandbox.set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "2");
    sandbox.write(
        "config/providers.toml",
        "[providers.custom]\nlimits = { concurrency = 1 }\n",
    );
    let gate = Gate::new();
    provider.script([
        Reply::text("ok"),
        Reply::text("ok").stall(At::FirstEvent, &gate),
    ]);
    provider.otherwise(Reply::text("ok"));
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox).await;
    let id = thread_of(&turn(&mut ws, "first", None).await);
    // It has the provider's one place; whoever waits for that has laid its permit down.
    ws.call_as("other", "chat", arguments("elsewhere", None))
        .await;
    provider_asked(&provider, 2).await;
    for at in 0..12 {
        ws.call_as(&format!("r{at}"), "chat", arguments("more", Some(&id)))
            .await;
    }
    let waits = |frame: &Value| {
        frame["request_id"] == "r11" && frame.to_string().contains("another turn of this")
    };
    ws.recv_where(waits).await;
    gate.open();
    let mut turns = Vec::new();
    while turns.len() < 12 {
        let result = ws.recv_op("call_tool_res").await;
        if result["request_id"] != "other" {
            turns.push(facts(&result)["turn"].as_u64().must("keep a turn"));
        }
    }
    assert_eq!(turns, (2..=13).collect::<Vec<_>>(), "one after the other");
    assert_eq!(messages(&provider).len(), 25);
}

async fn provider_asked(provider: &Provider, times: usize) {
    let what = format!("{times} models were asked");
    eventually(PATIENCE, what, || {
        (provider.chats().len() >= times).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_failed_leaves_the_fact_and_no_words_and_a_death_leaves_what_was_kept() {
    let (sandbox, provider) = stage().await;
    provider.script([Reply::text("One.")]);
    let mut daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox).await;
    let id = thread_of(&turn(&mut ws, "first", None).await);
    provider.script([Reply::status(400)]);
    let failed = turn(&mut ws, "a secret", Some(&id)).await;
    assert!(failed["error"].is_object(), "{failed}");
    let shown = async || {
        let shown = sandbox.cli(&["threads", "show", &id, "--json"]).await.ok();
        shown.json()
    };
    let kept = looked_until("the fact is kept", async || {
        let kept = shown().await;
        kept["failures"].is_array().then_some(kept)
    })
    .await;
    assert_eq!(kept["turns"].as_array().must("list").len(), 1);
    assert!(!kept.to_string().contains("a secret"), "{kept}");
    // kill -9 while the answer comes: what the person sees, and what is kept.
    provider.script([Reply::text("Never kept.").stall(At::FirstEvent, &Gate::new())]);
    let mut command = sandbox.command("exai-daemon");
    command.args(["chat", "--thread", &id[..8], "lost?"]);
    let killed = async {
        provider_asked(&provider, 3).await;
        daemon.kill().await;
        let kept = shown().await;
        assert_eq!(kept["turns"].as_array().must("list").len(), 1, "{kept}");
        sandbox.daemon().await
    };
    let (output, _daemon) = tokio::join!(sandbox.finish(command, PATIENCE), killed);
    assert_eq!(output.stdout, "", "{}", output.all());
    assert_eq!(output.code, Some(30), "{}", output.all());
    assert!(
        output.stderr.contains("OUTCOME_UNKNOWN"),
        "{}",
        output.all()
    );
    provider.script([Reply::text("Two.")]);
    ws = window(&sandbox).await;
    turn(&mut ws, "second", Some(&id)).await;
    assert_eq!(
        messages(&provider),
        ["user: first", "assistant: One.", "user: second"]
    );
}

#[tokio::test]
async fn a_budget_of_a_conversation_holds_for_its_whole_life() {
    let (mut sandbox, provider) = stage().await;
    sandbox.set("EXAI_BUDGET_THREAD", "1");
    sandbox.write(
        "config/models.toml",
        "[[models]]\nid = \"gold\"\nendpoint = \"custom\"\n\
         price = { in = 1.0, out = 5000.0, date = \"2026-01-01\" }\n",
    );
    let usage = Usage {
        output: 90,
        ..Usage::default()
    };
    provider.otherwise(Reply::text("Gold.").usage(usage));
    let mut daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox).await;
    let ask = |thread: Option<&str>| {
        let mut arguments = arguments("why?", thread);
        arguments["model"] = json!("gold");
        arguments["max_output"] = json!(120);
        arguments
    };
    let first = ws.call_and_wait("chat", ask(None)).await;
    let id = thread_of(&first);
    // It has taken about 45 cents; another may take 60.
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    ws = window(&sandbox).await;
    let over = ws.call_and_wait("chat", ask(Some(&id))).await;
    assert_eq!(over["error"]["code"], "OVER_BUDGET", "{over}");
    let why = over["error"]["message"].as_str().must("say why");
    assert!(why.contains("EXAI_BUDGET_THREAD"), "{why}");
    assert_eq!(provider.chats().len(), 1, "nothing was sent");
    let other = ws.call_and_wait("chat", ask(None)).await;
    assert_ne!(
        thread_of(&other),
        id,
        "another conversation has a budget of its own"
    );
    let usage = sandbox
        .cli(&["usage", "--by", "thread", "--json"])
        .await
        .ok();
    assert!(usage.stdout.contains(&id), "{}", usage.stdout);
}

#[tokio::test]
async fn an_agent_finds_reads_and_goes_on_through_the_shim() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("The handle is left open."));
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    let asked = arguments("Why does it leak?", None);
    let result = shim.call_tool("chat", asked).await;
    let text = result.to_string();
    let (_, after) = text.split_once("continuation_id: ").must("name it");
    let id: String = after.chars().take(36).collect();
    let mut threads = async |arguments: Value| {
        let result = shim.call_tool("threads", arguments).await;
        result["content"][0]["text"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let listed = threads(json!({})).await;
    assert!(
        listed.contains(&id) && listed.contains("Why does it leak?"),
        "{listed}"
    );
    let found = threads(json!({"action": "search", "text": "handle open"})).await;
    assert!(found.contains(&id) && found.contains("turn 1:"), "{found}");
    let shown = threads(json!({"action": "show", "id": id})).await;
    assert!(shown.contains("A: The handle is left open."), "{shown}");
    let resumed = threads(json!({"action": "resume", "continuation_id": id})).await;
    assert!(resumed.contains("A: The handle is left open."), "{resumed}");
    let (_, call) = resumed.split_once("To go on, send\n").must("say how");
    let call: Value = serde_json::from_str(call).must("be a call");
    assert_eq!(call["tool"], "chat", "{resumed}");
    assert_eq!(call["arguments"]["continuation_id"], json!(id), "{resumed}");
    threads(json!({"action": "rename", "id": id, "text": "The leak"})).await;
    let file = threads(json!({"action": "export", "id": id})).await;
    assert!(file.starts_with("# The leak\n"), "{file}");
    let deleted = threads(json!({"action": "delete", "id": id})).await;
    assert!(deleted.contains("Deleted"), "{deleted}");
    let gone = shim.call_tool("chat", arguments("And?", Some(&id))).await;
    assert_eq!(gone["isError"], true, "{gone}");
    assert!(gone.to_string().contains("was deleted"), "{gone}");
}

#[tokio::test]
async fn an_investigation_whose_words_are_forgotten_is_resumed_where_it_stood() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("It is the handle."));
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    let begun = json!({
        "step": "Why does it leak?", "step_number": 1, "total_steps": 2,
        "next_step_required": true, "findings": "canary_first", "model": MODEL,
    });
    shim.call_tool("debug", begun).await;
    let listed = shim.call_tool("threads", json!({"everywhere": true})).await;
    let listed = listed["content"][0]["text"].as_str().must("be text");
    let id: String = listed.chars().take(36).collect();
    let asked = json!({"action": "resume", "continuation_id": id});
    let resumed = shim.call_tool("threads", asked).await;
    let resumed = resumed["content"][0]["text"].as_str().must("be text");
    assert!(
        resumed.contains("`debug` is at step 1 of 2: working"),
        "{resumed}"
    );
    let (_, call) = resumed.split_once("To go on, send\n").must("say how");
    let call: Value = serde_json::from_str(call).must("be a call");
    let tool = call["tool"].as_str().must("be named");
    let mut arguments = call["arguments"].clone();
    arguments["findings"] = json!("canary_second");
    let ended = shim.call_tool(tool, arguments).await;
    let ended = ended["content"][0]["text"].as_str().must("be text");
    let ended: Value = serde_json::from_str(ended).must("be an envelope");
    assert_eq!(
        (&ended["status"], &ended["step"]),
        (&json!("done"), &json!(2)),
        "{ended}"
    );
    let sent = provider.chats().pop().must("be asked").text();
    assert_eq!(sent.matches("canary_first").count(), 1, "{sent}");
}

#[tokio::test]
async fn p20_a_field_no_tool_has_is_told_beside_the_answer() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("An answer."));
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    for (tool, mut arguments) in [
        ("chat", json!({"prompt": "Why?", "stream": true})),
        (
            "debug",
            json!({"step": "Why?", "next_step_required": false, "findings": "so"}),
        ),
        (
            "consensus",
            json!({"step": "Why?", "findings": "so", "models": [MODEL, {"model": MODEL, "stance": "for"}]}),
        ),
    ] {
        arguments["model"] = json!(MODEL);
        arguments["absolute_file_paths"] = json!(["/work/a.rs"]);
        arguments["wait_for_previous"] = json!(true);
        let result = shim.call_tool(tool, arguments.clone()).await;
        let told = result.to_string();
        assert!(
            told.contains("NOT USED, because this tool has no such field: 'absolute_file_paths'\"")
                || told.contains(
                    "NOT USED, because this tool has no such field: 'absolute_file_paths'\\"
                ),
            "{tool}: {told}"
        );
        arguments["absolute_file_paths"] = json!([]);
        let told = shim.call_tool(tool, arguments).await.to_string();
        assert!(!told.contains("NOT USED"), "{tool}: {told}");
    }
}
