//! A task handed to another agent that is installed: the caller's folder, its own session, its
//! manners, and nothing of it left behind. The agents are small scripts.

mod left_over;

use exai_testkit::{
    Handshake, Must as _, PATIENCE, Sandbox, Stopwatch, Ws, answer, binary, eventually, is_alive,
};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    time::Duration,
};

/// Notes how it was started and what it was asked; what it then does is asked of it by a word.
const CLAUDE: &str = r#"#!/bin/sh
asked=$(cat)
{ echo "ARGS $*"; echo "CWD $(pwd)"; env | sed 's/^/ENV /'; echo "ASKED $asked"; } > "$HOME/notes"
echo x >> "$HOME/runs"
say() { printf '{"type":"stream_event","session_id":"session-42","event":{"type":"content_block_delta","delta":{"type":"text_delta","text":"%s"}}}\n' "$1"; }
echo '{"type":"system","subtype":"init","session_id":"session-42"}'
case "$*" in *"--permission-mode acceptEdits"*) echo written > written ;; esac
case "$asked" in
*DO-HANG*) (trap '' TERM; sleep 300 & echo $! > "$HOME/child"; wait; sleep 300) ;;
*DO-FAIL*) echo "it broke: $MY_AGENT_KEY" >&2; exit 3 ;;
*DO-GARBAGE*) printf '\001\377{"type":\n'; exit 0 ;;
*DO-FLOOD*) exec yes "$(printf '%09000d' 0)" ;;
*DO-CHATTER*) while :; do say "and so on, and so on, and so on. "; done ;;
*DO-RECURSE*) printf '%s\n%s\n' \
 '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"claude-code","version":"2"}}}' \
 '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"clink","arguments":{"prompt":"again"}}}' \
 | EXAI_HOME=@HOME@ EXAI_WS_PORT=@PORT@ @SHIM@ > "$HOME/inner" 2>/dev/null
 EXAI_HOME=@HOME@ EXAI_WS_PORT=@PORT@ @DAEMON@ call clink --arg prompt=again >> "$HOME/inner" 2>&1 ;;
esac
case "$*" in *"--resume session-42"*) say "went on" ;; *) say "VERDICT-AGENT." ;; esac
echo '{"type":"result","subtype":"success","is_error":false,"result":"x","session_id":"session-42","usage":{"input_tokens":11,"output_tokens":7}}'
"#;

/// Prints what it was asked for, and knows nothing of sessions.
const ROBOT: &str = "#!/bin/sh\necho \"robot $*: $(cat | tr '\\n' ' ')\"\n";

const SETTINGS: &str = "
[providers.claude-cli]
enabled = true
timeouts = { first_event_ms = 3_000, idle_ms = 3_000 }
[providers.claude-cli.command]
inherit = ['MY_AGENT_KEY']
";

/// Gives this user an agent that answers `VERDICT-AGENT.` and notes what it was asked.
pub(crate) fn install(sandbox: &mut Sandbox) {
    let bin = sandbox.user().join("bin");
    let script = CLAUDE
        .replace("@HOME@", &sandbox.home().to_string_lossy())
        .replace("@PORT@", &sandbox.port().to_string())
        .replace("@DAEMON@", &binary("exai-daemon").to_string_lossy())
        .replace("@SHIM@", &binary("exai-shim").to_string_lossy());
    program(sandbox, "claude", &script);
    sandbox.set("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    sandbox.write("config/providers.toml", SETTINGS);
}

fn program(sandbox: &Sandbox, name: &str, script: &str) {
    let path = sandbox.user().join("bin").join(name);
    fs::create_dir_all(path.parent().must("have a folder")).must("make a folder");
    let mut file = fs::File::create(&path).must("make a program");
    std::io::Write::write_all(&mut file, script.as_bytes()).must("write it");
    file.set_permissions(fs::Permissions::from_mode(0o755))
        .must("set its mode");
}

/// What the agent noted when it ran last.
pub(crate) fn notes(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.user().join("notes")).unwrap_or_default()
}

fn runs(sandbox: &Sandbox) -> usize {
    let runs = fs::read_to_string(sandbox.user().join("runs"));
    runs.unwrap_or_default().lines().count()
}

fn stage() -> Sandbox {
    let mut sandbox = Sandbox::new();
    install(&mut sandbox);
    sandbox
        .set("GLM_API_KEY", "canary-of-ours")
        .set("ANTHROPIC_API_KEY", "canary-of-ours")
        .set("MY_AGENT_KEY", "listed-and-secret");
    sandbox
}

/// A window that has the project open.
pub(crate) async fn window(sandbox: &Sandbox, name: &str) -> Ws {
    let hello = json!({
        "op": "hello", "token": sandbox.token().unwrap_or_default(), "protocol": "1.1",
        "features": ["progress", "rich_results"],
        "client": { "id": name, "name": "testkit", "roots": [sandbox.work().to_string_lossy()] },
    });
    let mut ws = Ws::connect(sandbox.port()).await;
    ws.hello(&Handshake::of(hello)).await;
    ws
}

async fn hand(ws: &mut Ws, arguments: Value) -> Value {
    ws.call_and_wait("clink", arguments).await
}

fn facts(result: &Value) -> &Value {
    &result["outputs"][0]["_meta"]["exai/answer"]
}

#[track_caller]
fn failed(result: &Value) -> &str {
    let words = result["error"]["message"].as_str();
    words.unwrap_or_else(|| panic!("no error: {result}"))
}

#[tokio::test]
async fn it_reads_in_the_callers_project_and_gets_no_key_that_is_not_listed() {
    let sandbox = stage();
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "w").await;
    let result = hand(&mut ws, json!({ "prompt": "Look around." })).await;
    assert_eq!(answer(&result), "VERDICT-AGENT.", "{result}");
    let told = notes(&sandbox);
    let work = fs::canonicalize(sandbox.work()).must("find the project");
    assert!(
        told.contains(&format!("CWD {}\n", work.display())),
        "{told}"
    );
    assert!(
        told.contains("--tools Read,Glob,Grep --strict-mcp"),
        "{told}"
    );
    assert!(
        told.contains("Only read") && !told.contains("--resume"),
        "{told}"
    );
    assert!(
        !told.contains("canary-of-ours") && !told.contains("EXAI_WS"),
        "{told}"
    );
    assert!(
        told.contains("ENV MY_AGENT_KEY=listed-and-secret"),
        "{told}"
    );
    assert!(told.contains("ENV EXAI_CLI_DEPTH=1"), "{told}");
    assert!(!sandbox.work().join("written").exists());
    let errand = &facts(&result)["errand"];
    assert_eq!(
        (&errand["write"], &errand["resumed"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(result["usage"]["tokens"]["input"], 11, "{result}");
    // Only who asks for it has files changed.
    let result = hand(&mut ws, json!({ "prompt": "Write it.", "write": true })).await;
    assert_eq!(facts(&result)["errand"]["write"], true, "{result}");
    assert!(sandbox.work().join("written").exists());
}

#[tokio::test]
async fn its_own_session_goes_on_after_the_daemon_was_another() {
    let sandbox = stage();
    let mut daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "w").await;
    let first = hand(&mut ws, json!({ "prompt": "FIRST-TASK" })).await;
    let thread = facts(&first)["continuation_id"].as_str();
    let thread = thread.must("have a thread").to_owned();
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "v").await;
    let arguments = |more: Value| {
        let mut all = json!({ "prompt": "And now?", "agent": "claude", "continuation_id": thread });
        let fields = all.as_object_mut().must("be an object");
        fields.extend(more.as_object().cloned().unwrap_or_default());
        all
    };
    let second = hand(&mut ws, arguments(json!({}))).await;
    assert_eq!(answer(&second), "went on", "{second}");
    assert_eq!(facts(&second)["errand"]["resumed"], true, "{second}");
    let told = notes(&sandbox);
    assert!(told.contains("--resume session-42"), "{told}");
    assert!(!told.contains("FIRST-TASK"), "its session knows: {told}");
    // A new one is told what the old one knew, once.
    let third = hand(&mut ws, arguments(json!({ "fresh": true }))).await;
    assert_eq!(facts(&third)["errand"]["resumed"], false, "{third}");
    let told = notes(&sandbox);
    assert!(!told.contains("--resume"), "{told}");
    for once in ["FIRST-TASK", "VERDICT-AGENT.", "went on"] {
        assert_eq!(told.matches(once).count(), 1, "{once}: {told}");
    }
    // Of a branch its session may know what was said in another.
    let branch = arguments(json!({ "continuation_id": format!("{thread}#1") }));
    let fourth = hand(&mut ws, branch).await;
    assert_eq!(facts(&fourth)["errand"]["resumed"], false, "{fourth}");
}

#[tokio::test]
async fn what_goes_wrong_is_told_and_the_task_is_done_once() {
    let sandbox = stage();
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "w").await;
    for (n, (word, expected)) in [
        ("DO-FAIL", "exit code 3: it broke: [key]"),
        (
            "DO-GARBAGE",
            "claude ended without an error, and this is no answer",
        ),
        ("DO-FLOOD", "claude printed more than"),
        ("DO-HANG", "claude was ended"),
    ]
    .into_iter()
    .enumerate()
    {
        let result = hand(&mut ws, json!({ "prompt": word })).await;
        let words = failed(&result);
        assert!(words.contains(expected), "{word}: {words}");
        assert_eq!(runs(&sandbox), n + 1, "{word} ran once: {words}");
    }
    let written = json!({ "prompt": "DO-FAIL", "write": true });
    let result = hand(&mut ws, written).await;
    assert!(failed(&result).contains("see what it changed"), "{result}");
    let chatter = json!({ "prompt": "DO-CHATTER", "max_output": 100 });
    let result = hand(&mut ws, chatter).await;
    let told = result["outputs"][0]["text"].as_str().unwrap_or_default();
    assert!(told.contains("THE ANSWER IS CUT"), "{result}");
    let child = fs::read_to_string(sandbox.user().join("child")).must("have had a child");
    let child: u32 = child.trim().parse().must("be a number");
    eventually(PATIENCE, "what it started is gone", || !is_alive(child)).await;
}

#[tokio::test]
async fn a_stopped_call_takes_everything_with_it_that_the_agent_started() {
    let sandbox = stage();
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "w").await;
    let id = ws.call("clink", json!({ "prompt": "DO-HANG" })).await;
    let file = sandbox.user().join("child");
    let child: u32 = eventually(PATIENCE, "it has started a child", || {
        fs::read_to_string(&file).ok()?.trim().parse().ok()
    })
    .await;
    assert!(is_alive(child));
    let stop = json!({ "op": "cancel", "request_id": id, "mode": "stop", "reason": "enough" });
    ws.send(&stop).await;
    let result = ws.result(&id).await;
    assert_eq!(result["error"]["code"], "CANCELLED", "{result}");
    eventually(PATIENCE, "its child is gone too", || !is_alive(child)).await;
    assert_eq!(runs(&sandbox), 1);
}

#[tokio::test]
async fn a_daemon_that_is_stopped_leaves_no_agent_behind() {
    let sandbox = stage();
    // So that no other limit can be what ends it.
    let patient = SETTINGS.replace("3_000", "300_000");
    sandbox.write("config/providers.toml", &patient);
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "w").await;
    ws.call("clink", json!({ "prompt": "DO-HANG" })).await;
    let file = sandbox.user().join("child");
    let child: u32 = eventually(PATIENCE, "it has started a child", || {
        fs::read_to_string(&file).ok()?.trim().parse().ok()
    })
    .await;
    sandbox.cli(&["stop", "--force"]).await.ok();
    eventually(PATIENCE, "its child is gone too", || !is_alive(child)).await;
}

#[tokio::test]
async fn nothing_outside_the_project_and_no_secret_is_handed_on() {
    let sandbox = stage();
    let _daemon = sandbox.daemon().await;
    let work = sandbox.work();
    let outside = sandbox.write("outside.txt", "not yours\n");
    fs::create_dir(work.join("sub")).must("make a folder");
    symlink(sandbox.home(), work.join("way-out")).must("make a link");
    for (name, text) in [("a.rs", "fn a() {}\nfn b() {}\n"), (".env", "KEY=1\n")] {
        let mut file = fs::File::create(work.join(name)).must("make a file");
        std::io::Write::write_all(&mut file, text.as_bytes()).must("write a file");
    }
    let mut ws = window(&sandbox, "w").await;
    for directory in ["/", "..", "way-out", "/etc"] {
        let result = hand(&mut ws, json!({ "prompt": "p", "directory": directory })).await;
        assert!(failed(&result).contains("outside the folders"), "{result}");
    }
    for (field, value, expected) in [
        ("directory", json!("a.rs"), "it is no folder"),
        ("directory", json!("gone"), "'directory': gone"),
        ("files", json!([outside]), "outside the folders"),
        ("files", json!([".env"]), "NOT SENT"),
        ("agent", json!("nobody"), "claude-cli"),
        (
            "agent",
            json!("codex"),
            "providers.codex-cli.enabled = true",
        ),
        ("model", json!("--yes"), "could be taken for an option"),
    ] {
        let mut arguments = json!({ "prompt": "p" });
        arguments[field] = value;
        let result = hand(&mut ws, arguments).await;
        assert!(failed(&result).contains(expected), "{result}");
    }
    assert_eq!(runs(&sandbox), 0, "nothing of that ran");
    let arguments = json!({ "prompt": "p", "directory": "sub", "files": ["a.rs:2", ".env"] });
    let result = hand(&mut ws, arguments).await;
    let told = notes(&sandbox);
    assert!(
        told.contains("/a.rs (lines 2-2)") && !told.contains(".env"),
        "{told}"
    );
    assert!(told.contains("/sub\n"), "{told}");
    assert_eq!(facts(&result)["packing"]["omitted"], 1, "{result}");
}

#[tokio::test]
async fn inside_an_agent_exai_starts_no_other() {
    let sandbox = stage();
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "w").await;
    let result = hand(&mut ws, json!({ "prompt": "DO-RECURSE" })).await;
    assert_eq!(answer(&result), "VERDICT-AGENT.", "{result}");
    let inner = fs::read_to_string(sandbox.user().join("inner")).must("have spoken to the shim");
    assert!(
        inner.contains("switched off"),
        "by its editor's door: {inner}"
    );
    assert!(inner.contains("Nothing was run"), "by its shell: {inner}");
    assert_eq!(runs(&sandbox), 1);
}

#[tokio::test]
async fn another_agent_is_settings_and_nothing_else() {
    let sandbox = stage();
    program(&sandbox, "robot", ROBOT);
    sandbox.write(
        "config/providers.toml",
        "[providers.robot]\ntitle = 'Robot'\ndialect = 'cli'\nenabled = true\n\
         command = { program = 'robot', agent = { read = { args = ['--look'] } } }\n",
    );
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "w").await;
    let first = hand(&mut ws, json!({ "prompt": "FIRST-TASK" })).await;
    let text = first["outputs"][0]["text"].as_str().unwrap_or_default();
    assert!(
        text.starts_with("robot --look: ") && text.contains("FIRST-TASK"),
        "{first}"
    );
    // Without a session of its own it is told what was said.
    let thread = &facts(&first)["continuation_id"];
    let arguments = json!({ "prompt": "Go on.", "continuation_id": thread });
    let second = hand(&mut ws, arguments).await;
    let text = second["outputs"][0]["text"].as_str().unwrap_or_default();
    assert!(
        text.contains("FIRST-TASK") && text.contains("Go on."),
        "{second}"
    );
    let refused = hand(&mut ws, json!({ "prompt": "p", "write": true })).await;
    assert!(
        failed(&refused).contains("command.agent.write"),
        "{refused}"
    );
}

#[tokio::test]
async fn agents_of_one_kind_wait_for_each_other_and_the_rest_does_not() {
    let sandbox = stage();
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "w").await;
    let begun = Stopwatch::start();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(ws.call("clink", json!({ "prompt": "DO-HANG" })).await);
    }
    eventually(PATIENCE, "two of them run", || runs(&sandbox) == 2).await;
    let version = ws.call_and_wait("version", json!({})).await;
    assert!(version["error"].is_null(), "{version}");
    assert_eq!(runs(&sandbox), 2, "the third waits for a place");
    for id in ids {
        assert!(failed(&ws.result(&id).await).contains("was ended"));
    }
    assert_eq!(runs(&sandbox), 3);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test]
async fn a_window_that_does_not_list_it_finds_it_and_works_where_it_was_started() {
    let sandbox = stage();
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    let listed = shim.ask("tools/list", json!({})).await.to_string();
    assert!(!listed.contains("clink"), "{listed}");
    let query = json!({ "query": "another coding agent" });
    let found = shim.call_tool("tools_search", query).await;
    assert!(found.to_string().contains("clink"), "{found}");
    let arguments = json!({ "name": "clink", "arguments": { "prompt": "Look around." } });
    let result = shim.call_tool("tool_invoke", arguments).await;
    assert!(result.to_string().contains("VERDICT-AGENT."), "{result}");
    let work = fs::canonicalize(sandbox.work()).must("find the project");
    let told = notes(&sandbox);
    assert!(
        told.contains(&format!("CWD {}\n", work.display())),
        "{told}"
    );
}
