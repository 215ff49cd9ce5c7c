//! A newcomer without a key: an agent's command line is found, offered, enabled with the line
//! that `doctor` prints, answers, and leaves nothing behind. The agents are small scripts.

use exai_testkit::{
    Must as _, PATIENCE, Sandbox, Stopwatch, eventually, is_alive, provider::Provider,
};
use serde_json::Value;
use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// Says what it was asked, unless it was given a key of ours, tools or a directory with files.
const CLAUDE: &str = r#"#!/bin/sh
test -z "$GLM_API_KEY$EXAI_WS_TOKEN" || { echo "given our key $GLM_API_KEY" >&2; exit 7; }
test -z "$(ls -A)" || { echo "not empty" >&2; exit 8; }
case "$*" in *"--tools  --strict-mcp-config"*) ;; *) echo "unknown option" >&2; exit 9 ;; esac
asked=$(cat)
case "$asked" in *"log out"*) echo "Not logged in. Please run /login" >&2; exit 1 ;; esac
case "$asked" in *hang*) (sleep 300 & echo $! > "$HOME/child"; wait) ;; esac
echo "a greeting"
echo '{"type":"stream_event","event":{"type":"content_block_delta","delta":{"type":"text_delta","text":"You asked: "}}}'
printf '{"type":"stream_event","event":{"type":"content_block_delta","delta":{"type":"text_delta","text":"%s"}}}\n' "$asked"
echo '{"type":"result","subtype":"success","is_error":false,"result":"x","usage":{"input_tokens":11,"output_tokens":7}}'
"#;

fn agent(sandbox: &Sandbox, name: &str, script: &str) {
    let bin = sandbox.user().join("bin");
    fs::create_dir_all(&bin).must("make a folder for programs");
    put(&bin.join(name), script, 0o755);
}

fn put(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().must("have a folder")).must("make a folder");
    let mut file = fs::File::create(path).must("make a file");
    file.write_all(text.as_bytes()).must("write a file");
    file.set_permissions(fs::Permissions::from_mode(mode))
        .must("set its mode");
}

fn stage() -> Sandbox {
    let mut sandbox = Sandbox::new();
    let bin = sandbox.user().join("bin");
    sandbox.set("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    agent(&sandbox, "claude", CLAUDE);
    sandbox
}

fn models(doctor: &Value) -> Vec<Value> {
    let checks = doctor["checks"].as_array().must("find checks").iter();
    checks
        .filter(|check| check["name"] == "models")
        .cloned()
        .collect()
}

#[tokio::test]
async fn a_newcomer_has_a_model_in_the_first_minute() {
    let sandbox = stage();
    let doctor = sandbox.cli(&["doctor", "--json"]).await.ok().json();
    let checks = models(&doctor);
    assert_eq!(checks[0]["verdict"], "warn", "{checks:?}");
    let fix = checks[0]["fix"].as_str().must("find what to do");
    assert!(
        fix.contains("GLM_API_KEY") && fix.contains("Claude Code"),
        "{fix}"
    );
    let found = checks[1]["found"].as_str().must("find what is here");
    assert!(
        found.contains("Claude Code") && found.contains("no sign of a login"),
        "{found}"
    );
    let fix = checks[1]["fix"].as_str().must("find the line");
    let (place, line) = fix.rsplit_once(": ").must("find the line");
    assert_eq!(line, "providers.claude-cli.enabled = true");
    assert!(place.contains("config/providers.toml"), "{place}");
    put(
        &sandbox.user().join(".claude/.credentials.json"),
        "{}",
        0o600,
    );
    let plain = sandbox.cli(&["doctor"]).await.ok();
    assert!(plain.stdout.contains("(logged in)"), "{}", plain.all());
    assert!(
        plain.stdout.contains(&format!("to use it: {fix}")),
        "{}",
        plain.all()
    );
    // Found is not used.
    {
        let _daemon = sandbox.daemon().await;
        let refused = sandbox.cli(&["chat", "hello"]).await;
        assert_ne!(refused.code, Some(0), "{}", refused.all());
        assert!(refused.stderr.contains("Claude Code"), "{}", refused.all());
        sandbox.cli(&["stop"]).await.ok();
    }
    sandbox.write("config/providers.toml", &format!("{line}\n"));
    let _daemon = sandbox.daemon().await;
    let answer = sandbox.cli(&["chat", "--json", "hello"]).await.ok().json();
    assert_eq!(answer["text"], "You asked: hello", "{answer}");
    let checks = models(&sandbox.cli(&["doctor", "--json"]).await.ok().json());
    assert_eq!(checks[0]["found"], "ready: claude-cli");
    assert_eq!(checks.len(), 1, "{checks:?}");
}

fn enabled() -> Sandbox {
    let mut sandbox = stage();
    sandbox.set("GLM_API_KEY", "canary-of-ours-123");
    sandbox.write(
        "config/providers.toml",
        "providers.claude-cli.enabled = true\n",
    );
    sandbox
}

#[tokio::test]
async fn its_answer_is_streamed_counted_and_recorded_and_our_keys_stay_here() {
    let sandbox = enabled();
    let _daemon = sandbox.daemon().await;
    let answer = sandbox
        .cli(&["chat", "--json", "-m", "claude-cli", "why"])
        .await
        .ok()
        .json();
    assert_eq!(answer["text"], "You asked: why");
    assert_eq!(answer["answer"]["endpoint"], "claude-cli", "{answer}");
    let all = answer.to_string();
    assert!(
        all.contains("\"input\":11") && all.contains("\"output\":7"),
        "{all}"
    );
    let failed = sandbox.cli(&["chat", "-m", "claude-cli", "log out"]).await;
    assert_ne!(failed.code, Some(0));
    assert!(
        failed.stderr.contains("claude auth login"),
        "{}",
        failed.all()
    );
    let log = sandbox.home().join("logs").join("tool_calls_all.jsonl");
    let record = fs::read_to_string(log).must("read the record");
    assert!(
        record.contains("claude-cli") && !record.contains("canary-of-ours"),
        "{record}"
    );
}

#[tokio::test]
async fn a_cancelled_call_takes_the_agent_and_its_children_with_it() {
    let sandbox = enabled();
    let _daemon = sandbox.daemon().await;
    let mut asking = sandbox.command("exai-daemon");
    asking.args(["chat", "-m", "claude-cli", "hang"]);
    let mut asking = sandbox.spawn(asking);
    let child = sandbox.user().join("child");
    eventually(PATIENCE, "the agent has a child", || {
        number(&child).is_some()
    })
    .await;
    let child = number(&child).must("know the child");
    assert!(is_alive(child));
    // A person's word at the terminal.
    asking.interrupt();
    eventually(PATIENCE, "its child is gone", || !is_alive(child)).await;
    asking.wait(PATIENCE).await;
    let place: PathBuf = sandbox.home().join(".exai/run/cli");
    eventually(PATIENCE, "its directory is gone", || {
        fs::read_dir(&place).map_or(0, |entries| entries.count()) == 0
    })
    .await;
}

fn number(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[tokio::test]
async fn doctor_names_an_ollama_that_answers() {
    let provider = Provider::start().await;
    let sandbox = stage();
    let port = provider.url(exai_testkit::provider::Dialect::Ollama);
    let file = format!("providers.ollama.base_url = '{port}'\n");
    sandbox.write("config/providers.toml", &file);
    let checks = models(&sandbox.cli(&["doctor", "--json"]).await.ok().json());
    let found = checks
        .iter()
        .find(|check| check["found"].to_string().contains("answers at"));
    let fix = found.must("find it")["fix"].as_str().must("find the line");
    assert!(fix.ends_with(": providers.ollama.enabled = true"), "{fix}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_daemon_that_an_agent_starts_is_not_inside_it() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_CLI_DEPTH", "1");
    sandbox.cli(&["start"]).await.ok();
    let pid = sandbox.daemon_pid().must("read the pid");
    let environ = std::fs::read(format!("/proc/{pid}/environ")).must("read its environment");
    let environ = String::from_utf8_lossy(&environ);
    assert!(environ.contains("EXAI_HOME="), "{environ}");
    assert!(!environ.contains("EXAI_CLI_DEPTH"), "{environ}");
    sandbox.cli(&["stop"]).await.ok();
}

#[tokio::test]
async fn an_agent_that_is_not_installed_fails_at_once_and_says_how_to_have_it() {
    let mut sandbox = Sandbox::new();
    sandbox.set("PATH", sandbox.work());
    sandbox.write(
        "config/providers.toml",
        "providers.claude-cli.enabled = true\n",
    );
    let _daemon = sandbox.daemon().await;
    let begun = Stopwatch::start();
    // More often than the breaker would bear with what can be mended by waiting.
    for _ in 0..4 {
        let refused = sandbox.cli(&["chat", "hello"]).await;
        assert_ne!(refused.code, Some(0), "{}", refused.all());
        assert!(
            refused.stderr.contains("install it: ") && !refused.stderr.contains("resting"),
            "{}",
            refused.all()
        );
    }
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    let said = sandbox.cli(&["status", "--json"]).await.ok().json();
    let endpoint = &said["health"]["providers"][0];
    assert_eq!(endpoint["breaker"], "closed", "{said}");
}
