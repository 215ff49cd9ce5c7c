//! The command line as scripts and people use it: words, numbers, and what a pipe gets.

use exai_testkit::{Must as _, PATIENCE, Sandbox, eventually};
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use tokio::{io::AsyncWriteExt as _, time::timeout};

#[tokio::test]
async fn exit_codes_are_what_the_help_says() {
    let mut sandbox = Sandbox::new();
    let help = sandbox.cli(&["--help"]).await.ok();
    for (number, words) in [
        ("4", "no daemon answers"),
        ("5", "port is taken"),
        ("21", "no tool has that name"),
        ("26", "chat: stopped"),
    ] {
        let line = help.stdout.lines().find(|line| line.contains(words));
        assert!(
            line.is_some_and(|line| line.contains(number)),
            "{words}: {}",
            help.stdout
        );
    }
    for (words, code) in [
        (&["nonsense"][..], 2),
        (&["call"], 2),
        (&["call", "version", "--json", "[1]"], 2),
        (&["status"], 1),
        (&["call", "version"], 4),
        (&["tools"], 4),
        (&["sessions"], 4),
        (&["events"], 4),
        (&["logs"], 0),
        (&["stop"], 0),
        (&["start", "--autostart"], 7),
    ] {
        let output = sandbox.cli(words).await;
        // Before `--json [1]` is looked at, nobody needs to answer.
        assert!(
            output.code == Some(code) || (code == 2 && output.code == Some(4)),
            "{words:?}: {}",
            output.all()
        );
        assert!(
            code == 0 || !output.stderr.is_empty(),
            "{words:?} fails without a word"
        );
        assert!(
            !output.stdout.contains("error"),
            "{words:?}: what is said goes beside the data"
        );
    }
    sandbox.set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "1");
    sandbox.cli(&["start"]).await.ok();
    for (words, code, said) in [
        (&["call", "test_sleeep"][..], 21, "did you mean"),
        (&["call", "test_sleep", "--arg", "ms=x"], 2, "ms"),
        (
            &["call", "test_sleep", "--json", "{\"ms\":\"x\"}"],
            22,
            "'ms'",
        ),
        (
            &["call", "test_count", "--arg", "file=/no/where"],
            20,
            "/no/where",
        ),
        (&["call", "test_panic"], 31, "bug in exai"),
        (
            &["call", "test_sleep", "-a", "ms=60000", "--timeout", "0.3"],
            23,
            "0.3s",
        ),
        (&["call", "version", "--json", "[1]"], 2, "JSON object"),
    ] {
        let output = sandbox.cli(words).await;
        assert_eq!(output.code, Some(code), "{words:?}: {}", output.all());
        assert!(output.stderr.contains(said), "{words:?}: {}", output.all());
    }
    sandbox.cli(&["stop"]).await.ok();
}

#[tokio::test]
async fn status_is_v1s_line_with_v1s_exit_code() {
    let sandbox = Sandbox::new();
    let at = format!("ws://127.0.0.1:{}", sandbox.port());
    let none = sandbox.cli(&["status"]).await;
    assert_eq!(
        (none.code, none.stdout.trim()),
        (Some(1), &*format!("ws_status: not running | {at}"))
    );
    sandbox.cli(&["start"]).await.ok();
    sandbox.cli(&["stop"]).await.ok();
    let ended = sandbox.cli(&["status"]).await;
    assert_eq!(
        (ended.code, &ended.stdout),
        (Some(1), &none.stdout),
        "after an end in order"
    );
    sandbox.cli(&["start"]).await.ok();
    let pid = sandbox.daemon_pid().must("read the record");
    let (mut ws, _) = sandbox.modern("window", &[]).await;
    ws.call_as("r", "test_sleep", json!({ "ms": 60_000 })).await;
    ws.recv_op("call_tool_ack").await;
    let up = sandbox.cli(&["status"]).await.ok();
    let line = up.stdout.trim();
    assert!(
        line.starts_with(&format!(
            "ws_status: running | {at} | pid={pid} | sessions="
        )),
        "{line}"
    );
    assert!(line.ends_with(" inflight=1/24"), "{line}");
    let report = sandbox.cli(&["status", "--json"]).await.ok().json();
    assert_eq!(
        (&report["running"], &report["health"]["pid"]),
        (&json!(true), &json!(pid))
    );
    assert_eq!(report["identity"]["boot_id"], report["endpoint"]["boot_id"]);
    exai_testkit::kill_pid(pid);
    eventually(PATIENCE, "it is gone", || !exai_testkit::is_alive(pid)).await;
    let dead = sandbox.cli(&["status"]).await;
    assert_eq!(dead.code, Some(1), "{}", dead.all());
    assert!(
        dead.stdout.starts_with("ws_status: stale ("),
        "{}",
        dead.all()
    );
    assert_eq!(
        sandbox.cli(&["status", "--json"]).await.json()["running"],
        false
    );
}

#[tokio::test]
async fn a_call_in_a_pipe_gives_its_result_alone_and_its_progress_beside() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_PROGRESS_INTERVAL_SECS", "0.3");
    let _daemon = sandbox.daemon().await;
    let flood = sandbox
        .cli(&["call", "test_flood", "-a", "count=6", "-a", "ms=300"])
        .await
        .ok();
    assert_eq!(flood.stdout, "said 6 messages\n");
    let lines: Vec<&str> = flood
        .stderr
        .lines()
        .filter(|line| line.contains("message "))
        .collect();
    assert!(lines.len() >= 3, "{}", flood.stderr);
    assert!(
        !flood.all().contains('\u{1b}') && !flood.all().contains('\r'),
        "plain in a pipe: {:?}",
        flood.all()
    );
    let quiet = sandbox
        .cli(&[
            "call",
            "test_flood",
            "-a",
            "count=3",
            "-a",
            "ms=300",
            "--quiet",
        ])
        .await
        .ok();
    assert_eq!((&*quiet.stdout, &*quiet.stderr), ("said 3 messages\n", ""));
    let full = sandbox
        .cli(&["call", "test_sleep", "--full"])
        .await
        .ok()
        .json();
    assert_eq!(full["outputs"][0]["text"], "slept 0 ms");
    // A result longer than any frame comes whole.
    sandbox.cli(&["stop"]).await.ok();
    sandbox.set("EXAI_WS_MAX_BYTES", "262144");
    let _daemon = sandbox.daemon().await;
    let bulk = sandbox
        .cli(&["call", "test_bulk", "-a", "bytes=3000000", "-q"])
        .await
        .ok();
    assert_eq!(bulk.stdout.trim_end().len(), 3_000_000);
}

#[tokio::test]
async fn arguments_come_as_words_as_an_object_from_a_file_or_a_pipe() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let file = sandbox.write("arguments.json", "{\"ms\": 7}");
    let from_file = format!("@{}", file.display());
    for words in [
        &["-a", "ms=7"][..],
        &["--json", "{\"ms\":7}"],
        &["--json", "{\"ms\":1}", "-a", "ms=7"],
        &["--json", &from_file],
    ] {
        let mut all = vec!["call", "test_sleep"];
        all.extend(words);
        let output = sandbox.cli(&all).await.ok();
        assert_eq!(output.stdout.trim(), "slept 7 ms", "{words:?}");
    }
    let mut piped = sandbox.command("exai-daemon");
    piped
        .args(["call", "test_sleep", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = piped.spawn().must("start a call");
    let mut stdin = child.stdin.take().must("take its input");
    stdin
        .write_all(b"{\"ms\":7}")
        .await
        .must("write the arguments");
    drop(stdin);
    let output = timeout(PATIENCE, child.wait_with_output())
        .await
        .must("end in time")
        .must("end");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "slept 7 ms");
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_stops_the_call_and_waits_for_its_end() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let mut call = sandbox.command("exai-daemon");
    call.args(["call", "test_sleep", "-a", "ms=60000"]);
    let mut call = sandbox.spawn(call);
    eventually(PATIENCE, "the call runs", || {
        sandbox.log("ws_daemon.log").contains("tool=test_sleep")
    })
    .await;
    call.interrupt();
    assert_eq!(
        call.wait(PATIENCE).await.code(),
        Some(26),
        "{}",
        call.said()
    );
    eventually(PATIENCE, "it was cancelled", || {
        sandbox
            .calls()
            .iter()
            .any(|record| record["outcome"] == "cancelled")
    })
    .await;
    let record = sandbox
        .calls()
        .into_iter()
        .find(|record| record["tool"] == "test_sleep")
        .must("find it");
    assert!(
        record["error"]
            .as_str()
            .is_some_and(|words| words.contains("Ctrl-C")),
        "{record}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn followers_follow_until_ctrl_c_and_over_a_restart() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let follow = |words: &[&str]| {
        let mut command = sandbox.command("exai-daemon");
        command.args(words);
        sandbox.spawn(command)
    };
    let mut logs = follow(&["logs", "-f", "-n", "1"]);
    let mut events = follow(&["events", "-f", "--json", "--topic", "tool_call_result"]);
    let mut watch = follow(&["status", "--watch", "--interval", "0.1"]);
    eventually(PATIENCE, "the watch shows it", || {
        watch.said().contains("ws_status: running")
    })
    .await;
    // The watch is one of them.
    eventually(PATIENCE, "the follower is connected", || {
        let log = sandbox.log("ws_daemon.log");
        let came = |line: &&str| {
            line.contains(" connected session=") && line.contains("client=exai-daemon-cli")
        };
        log.lines().filter(came).count() >= 2
    })
    .await;
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    // That they are back is proved by what they tell of the new daemon.
    let mut ws = sandbox.ws().await;
    let mut number = 0;
    let told = |said: &str| said.contains("\"topic\":\"tool_call_result\"");
    let end = tokio::time::Instant::now() + PATIENCE;
    while !told(&events.said()) || !logs.said().contains("tool=no_such_tool") {
        assert!(
            tokio::time::Instant::now() < end,
            "{}\n{}",
            events.said(),
            logs.said()
        );
        number += 1;
        ws.call_as(&format!("n{number}"), "no_such_tool", json!({}))
            .await;
        ws.result(&format!("n{number}")).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for follower in [&mut logs, &mut events, &mut watch] {
        follower.interrupt();
        assert_eq!(
            follower.wait(PATIENCE).await.code(),
            Some(0),
            "{}",
            follower.said()
        );
    }
}

#[tokio::test]
async fn what_is_asked_for_is_listed() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let tools = sandbox.cli(&["tools"]).await.ok();
    for name in [
        "version",
        "listmodels",
        "status",
        "health",
        "provider_capabilities",
        "activity",
        "toolcall_log_tail",
        "self-check",
        "challenge",
        "test_count_once",
    ] {
        assert!(
            tools.stdout.lines().any(|line| line.starts_with(name)),
            "{name}: {}",
            tools.stdout
        );
    }
    let tools = sandbox.cli(&["tools", "--json"]).await.ok().json();
    assert!(tools.to_string().contains("inputSchema"), "{tools}");
    let doctor = sandbox.cli(&["doctor"]).await;
    assert_eq!(doctor.code, Some(0), "{}", doctor.all());
    let doctor: Value = sandbox.cli(&["doctor", "--json"]).await.json();
    assert!(doctor.is_array() || doctor.is_object(), "{doctor}");
    sandbox.cli(&["call", "no_such_tool"]).await;
    let events = sandbox.cli(&["events", "--json"]).await.ok();
    for line in events.stdout.lines() {
        let _: Value = serde_json::from_str(line).must(format_args!("read {line}"));
    }
    assert!(
        events.stdout.contains("tool_call_result"),
        "{}",
        events.stdout
    );
    let wrong = sandbox.cli(&["events", "--topic", "nonsense"]).await;
    assert_eq!(wrong.code, Some(2), "{}", wrong.all());
    for (file, word) in [
        ("daemon", "listening"),
        ("calls", "no_such_tool"),
        ("failures", "not_found"),
        ("metrics", "\"lat\""),
    ] {
        let logs = sandbox
            .cli(&["logs", "--file", file, "-n", "100"])
            .await
            .ok();
        assert!(logs.stdout.contains(word), "{file}: {}", logs.all());
    }
    let smoke = sandbox.cli(&["smoke"]).await;
    assert_eq!(smoke.code, Some(0), "{}", smoke.all());
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sandbox.cli(&["completions", shell]).await.ok();
        assert!(
            script.stdout.contains("exai-daemon") && script.stdout.contains("mcp-config"),
            "{shell}"
        );
    }
}

/// A reader that has seen enough is no failure.
#[cfg(unix)]
#[tokio::test]
async fn a_closed_pipe_ends_a_command_quietly() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    for words in [
        "tools --json",
        "completions bash",
        "call test_bulk -q -a bytes=10000000",
    ] {
        let mut shell = tokio::process::Command::new("/bin/sh");
        let daemon = exai_testkit::binary("exai-daemon");
        let script = format!(
            "{{ '{}' {words}; echo \"code $?\" >&2; }} | head -c 1 >/dev/null",
            daemon.display()
        );
        shell
            .args(["-c", &script])
            .env_clear()
            .current_dir(sandbox.work());
        let template = sandbox.command("exai-daemon");
        for (name, value) in template.as_std().get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        let output = sandbox.finish(shell, PATIENCE).await;
        assert_eq!(output.stderr.trim(), "code 0", "{words}: {}", output.all());
    }
}

#[tokio::test]
async fn mcp_config_writes_and_takes_back_exactly() {
    let sandbox = Sandbox::new();
    let user = sandbox.user();
    let shim = exai_testkit::binary("exai-shim").display().to_string();
    let home = sandbox.home().display().to_string();
    for (client, file, before) in [
        ("auggie", ".augment/settings.json", None),
        (
            "vscode",
            ".config/Code/User/mcp.json",
            Some("{\n\t\"servers\": { \"other\": { \"command\": \"mine\" } }\n}\n"),
        ),
        (
            "claude-code",
            ".claude.json",
            Some("{\"numStartups\":7,\"mcpServers\":{}}"),
        ),
        (
            "claude-desktop",
            ".config/Claude/claude_desktop_config.json",
            None,
        ),
        (
            "codex",
            ".codex/config.toml",
            Some("# mine\nmodel = \"x\"\n\n[mcp_servers.other]\ncommand = \"y\"\n"),
        ),
        ("cursor", ".cursor/mcp.json", Some("{}\n")),
        (
            "gemini",
            ".gemini/settings.json",
            Some("{ \"theme\": \"dark\" }"),
        ),
        ("opencode", ".config/opencode/opencode.json", None),
    ] {
        let path = user.join(file);
        if let Some(before) = before {
            put(&path, before);
        }
        let printed = sandbox.cli(&["mcp-config", client]).await.ok();
        assert!(
            printed.stdout.contains(&shim) && printed.stdout.contains("EXAI_HOME"),
            "{client}: {}",
            printed.all()
        );
        assert_eq!(
            std::fs::read_to_string(&path).ok().as_deref(),
            before,
            "{client}: printing writes nothing"
        );
        sandbox.cli(&["mcp-config", client, "--write"]).await.ok();
        let written = std::fs::read_to_string(&path).must("read the client's file");
        assert!(
            written.contains(&shim) && written.contains(&home),
            "{client}: {written}"
        );
        if before.is_some_and(|before| before.contains("mine")) {
            assert!(
                written.contains("mine") && written.contains("other"),
                "{client}: {written}"
            );
        }
        let again = sandbox.cli(&["mcp-config", client, "--write"]).await.ok();
        assert!(
            again.stdout.contains("already"),
            "{client}: {}",
            again.all()
        );
        assert_eq!(
            std::fs::read_to_string(&path).ok().as_deref(),
            Some(&*written),
            "{client}"
        );
        sandbox.cli(&["mcp-config", client, "--undo"]).await.ok();
        assert_eq!(
            std::fs::read_to_string(&path).ok().as_deref(),
            before,
            "{client}: as it was"
        );
        sandbox.cli(&["mcp-config", client, "--undo"]).await.ok();
        assert_eq!(
            std::fs::read_to_string(&path).ok().as_deref(),
            before,
            "{client}: twice is once"
        );
    }
}

#[tokio::test]
async fn mcp_config_spoils_no_file_it_cannot_read() {
    let sandbox = Sandbox::new();
    let path = sandbox.user().join(".cursor/mcp.json");
    for broken in [
        "{ not json",
        "[]",
        "{\"mcpServers\": 7}",
        "{ // a comment\n }",
    ] {
        put(&path, broken);
        let refused = sandbox.cli(&["mcp-config", "cursor", "--write"]).await;
        assert_ne!(refused.code, Some(0), "{broken}: {}", refused.all());
        assert!(refused.stderr.contains("mcp.json"), "{}", refused.all());
        assert_eq!(std::fs::read_to_string(&path).ok().as_deref(), Some(broken));
    }
    // What its owner added since stays when ours is taken out.
    put(&path, "{\"mcpServers\": {}}");
    sandbox.cli(&["mcp-config", "cursor", "--write"]).await.ok();
    let mut value: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).must("read")).must("read it as JSON");
    value["mcpServers"]["later"] = json!({ "command": "z" });
    put(&path, &value.to_string());
    sandbox.cli(&["mcp-config", "cursor", "--undo"]).await.ok();
    let left = std::fs::read_to_string(&path).must("read");
    assert!(
        left.contains("later") && !left.contains("exai-shim"),
        "{left}"
    );
}

fn put(path: &std::path::Path, text: &str) {
    use std::io::Write as _;
    std::fs::create_dir_all(path.parent().must("find its folder")).must("make a folder");
    let mut file = std::fs::File::create(path).must("make a file");
    file.write_all(text.as_bytes()).must("write a file");
}
