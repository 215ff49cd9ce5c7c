//! What a window is shown of the tools, and what it may call: through the real shim.

use crate::editor::{by_hand, failure, names, ok_text, reached};
use exai_testkit::{Frame, Handshake, Must as _, PATIENCE, Sandbox, Shim, Ws, eventually};
use serde_json::{Value, json};

const FILE: &str = "config/profiles.toml";
const CHANGED: &str = "notifications/tools/list_changed";

/// A user without the tests' own tools, whose list is what everybody's is.
fn plain() -> Sandbox {
    let mut sandbox = by_hand();
    sandbox.unset("EXAI_TEST_TOOLS");
    sandbox
}

/// The list once the shim has the daemon's.
async fn list(shim: &mut Shim) -> Value {
    reached(shim).await;
    shim.ask("tools/list", json!({})).await
}

/// Asks for the list until it is as wanted.
async fn list_where(shim: &mut Shim, fits: impl Fn(&[String]) -> bool) -> Value {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let list = shim.ask("tools/list", json!({})).await;
        if fits(&names(&list)) {
            return list;
        }
        assert!(tokio::time::Instant::now() < until, "{:?}", names(&list));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn has(names: &[String], tool: &str) -> bool {
    names.iter().any(|name| name == tool)
}

#[tokio::test]
async fn t08_the_default_list_is_8_kb_and_the_lean_one_4() {
    let mut sandbox = plain();
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let before = shim.ask("tools/list", json!({})).await;
    let default = list(&mut shim).await;
    assert_eq!(
        before["result"], default["result"],
        "the list a shim is built with"
    );
    let bytes = default["result"].to_string().len();
    assert!(bytes <= 8 * 1024, "{bytes} bytes: {:?}", names(&default));
    sandbox.set("EXAI_TOOL_PROFILE", "lean");
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
    let lean = list_where(&mut shim, |names| !has(names, "listmodels")).await;
    let bytes = lean["result"].to_string().len();
    assert!(bytes <= 4 * 1024, "{bytes} bytes: {:?}", names(&lean));
    for tool in ["chat", "tools_search", "tool_invoke"] {
        assert!(has(&names(&lean), tool), "{tool}: {:?}", names(&lean));
    }
    // Who wishes for nothing and comes for the first time is not shown what another wished for.
    sandbox.set("EXAI_TOOL_PROFILE", "full");
    let mut full = sandbox.shim();
    full.initialize("2025-11-25").await;
    list_where(&mut full, |names| has(names, "self-check")).await;
    sandbox.set("EXAI_TOOL_PROFILE", "");
    let mut first = sandbox.shim();
    let hello = json!({
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "newcomer", "version": "1" },
    });
    first.ask("initialize", hello).await;
    let shown = first.ask("tools/list", json!({})).await;
    assert_eq!(shown["result"], default["result"]);
    sandbox.set("EXAI_TOOL_PROFILE", "lean");
    // What this window saw last is what its next start shows at once.
    let mut again = sandbox.shim();
    again.initialize("2025-11-25").await;
    let kept = again.ask("tools/list", json!({})).await;
    assert_eq!(kept["result"], lean["result"]);
}

#[tokio::test]
async fn what_is_not_listed_is_found_and_called() {
    let sandbox = plain();
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let list = list(&mut shim).await;
    assert!(!has(&names(&list), "self-check"));
    let found = shim
        .call_tool("tools_search", json!({ "query": "self-check" }))
        .await;
    let found: Value = serde_json::from_str(ok_text(&found)).unwrap();
    assert_eq!(found["found"][0]["name"], "self-check", "{found}");
    let wrapped = json!({ "name": "self-check", "arguments": { "log_lines": 0 } });
    let called = shim.call_tool("tool_invoke", wrapped).await;
    let directly = shim
        .call_tool("self-check", json!({ "log_lines": 0 }))
        .await;
    for result in [called, directly] {
        assert!(ok_text(&result).contains("found"), "{result}");
    }
    // The record names the tool that ran.
    let log = sandbox.home().join("logs/tool_calls_all.jsonl");
    eventually(PATIENCE, "both calls are recorded", || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.matches("\"self-check\"").count() >= 2
    })
    .await;
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(!text.contains("\"tool_invoke\""), "{text}");
    let wrong = shim
        .call_tool(
            "tool_invoke",
            json!({ "name": "self-check", "arguments": [] }),
        )
        .await;
    let (code, words) = failure(&wrong);
    assert_eq!(code, "INVALID_ARGUMENT");
    assert!(words.contains("nothing was run"), "{words}");
}

#[tokio::test]
async fn p20_what_is_denied_is_neither_listed_nor_found_nor_called() {
    let sandbox = plain();
    let rules = "deny = [\"threads\"]\n[clients.\"other*\"]\nallow = [\"version\"]\n";
    sandbox.write(FILE, rules);
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
    list_where(&mut shim, |names| {
        !has(names, "threads") && has(names, "chat")
    })
    .await;
    for (tool, arguments) in [
        ("threads", json!({})),
        ("tool_invoke", json!({ "name": "threads", "arguments": {} })),
        ("mcp__exai__threads", json!({})),
    ] {
        let id = shim.call(tool, arguments).await;
        let answer = shim.answer(id).await;
        let words = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(words.contains("switched off"), "{tool}: {answer}");
    }
    let found = shim.call_tool("tools_search", json!({})).await;
    assert!(!ok_text(&found).contains("threads:"), "{found}");
}

#[tokio::test]
async fn p20_a_changed_file_is_told_at_once_and_a_broken_one_changes_nothing() {
    let sandbox = plain();
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let before = names(&list(&mut shim).await);
    sandbox.write(FILE, "default = \"lean\"\n");
    shim.recv_where(|message| message["method"] == CHANGED)
        .await;
    let lean = names(&shim.ask("tools/list", json!({})).await);
    assert!(lean.len() < before.len(), "{lean:?}");
    sandbox.write(FILE, "default = \"leaner\" # there is none\n");
    let log = sandbox.home().join("logs/ws_daemon.log");
    eventually(PATIENCE, "the fault is told", || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.contains("there is no profile 'leaner'")
    })
    .await;
    assert_eq!(names(&shim.ask("tools/list", json!({})).await), lean);
    // Where people look, and as long as it holds: the file may be what keeps a tool from a client.
    let status = async || warned(&sandbox).await;
    assert!(status().await.contains("no profile 'leaner'"));
    let doctor = sandbox.cli(&["doctor"]).await;
    assert!(
        doctor.stdout.contains("no profile 'leaner'"),
        "{}",
        doctor.all()
    );
    sandbox.write(FILE, "default = \"standard\"\n\n");
    shim.recv_where(|message| message["method"] == CHANGED)
        .await;
    assert_eq!(names(&shim.ask("tools/list", json!({})).await), before);
    assert!(!status().await.contains("leaner"));
}

/// What `status` says before it shows the log, where everything stands for good.
async fn warned(sandbox: &Sandbox) -> String {
    let status = sandbox.cli(&["call", "status"]).await.ok().stdout;
    let (before, _) = status.split_once("\nlog:\n").must("have a log");
    before.to_owned()
}

#[tokio::test]
async fn a_file_that_is_broken_at_the_start_is_told_until_it_is_mended() {
    let sandbox = plain();
    sandbox.write(FILE, "default = \"leaner\"\n");
    let _daemon = sandbox.daemon().await;
    let status = async || warned(&sandbox).await;
    assert!(status().await.contains("until it is mended only"));
    sandbox.write(FILE, "default = \"standard\" # mended\n");
    let until = tokio::time::Instant::now() + PATIENCE;
    while status().await.contains("until it is mended only") {
        assert!(tokio::time::Instant::now() < until, "it is told for ever");
    }
}

#[tokio::test]
async fn r03_who_listed_the_prompts_hears_that_they_changed_and_who_did_not_does_not() {
    const PROMPTS: &str = "notifications/prompts/list_changed";
    let sandbox = plain();
    let _daemon = sandbox.daemon().await;
    let mut asked = sandbox.shim();
    asked.initialize("2025-11-25").await;
    list(&mut asked).await;
    asked.ask("prompts/list", json!({})).await;
    let mut other = sandbox.shim();
    other.initialize("2025-11-25").await;
    list(&mut other).await;
    sandbox.write(FILE, "default = \"lean\"\ndeny = [\"docgen\"]\n");
    asked
        .recv_where(|message| message["method"] == PROMPTS)
        .await;
    let left = asked.ask("prompts/list", json!({})).await.to_string();
    assert!(
        left.contains("thinkdeep") && !left.contains("docgen"),
        "{left}"
    );
    other
        .recv_where(|message| message["method"] == CHANGED)
        .await;
    other.ask("ping", json!({})).await;
    let heard = other.take_aside();
    assert!(
        heard.iter().all(|one| one["method"] != PROMPTS),
        "{heard:?}"
    );
}

#[tokio::test]
async fn each_client_is_told_the_hash_of_its_own_list() {
    let sandbox = plain();
    sandbox.write(FILE, "[clients.\"little*\"]\nprofile = \"lean\"\n");
    let _daemon = sandbox.daemon().await;
    let mut seen = Vec::new();
    for name in ["little-one", "big-one"] {
        let token = sandbox.token().unwrap_or_default();
        let hello = json!({
            "op": "hello", "token": token, "protocol": "1.1", "features": ["rich_results"],
            "client": { "name": name },
        });
        let mut ws = Ws::connect(sandbox.port()).await;
        let Frame::Json(ack) = ws.hello(&Handshake::of(hello)).await else {
            panic!("not welcome");
        };
        ws.send(&json!({ "op": "list_tools", "request_id": "l" }))
            .await;
        let list = ws.recv_where(|frame| frame["op"] == "list_tools_res").await;
        assert_eq!(ack["tools_hash"], list["tools_hash"], "{name}");
        seen.push((ack["tools_hash"].clone(), list["tools"].to_string().len()));
    }
    assert_ne!(seen[0].0, seen[1].0);
    assert!(seen[0].1 < seen[1].1, "{seen:?}");
}
