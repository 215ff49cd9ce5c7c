//! What a person is told, at the moment it matters and with the way out: short tokens, a daemon
//! that refuses us, misspelt settings, an end that takes its time.

use exai_testkit::{Must as _, PATIENCE, Sandbox, Stopwatch, eventually};
use serde_json::{Value, json};
use std::time::Duration;

const CONFIG: i32 = 3;
const NOT_RUNNING: i32 = 4;
const OTHER_HOME: i32 = 6;
const REFUSED: i32 = 10;

/// What a rotation to that token is answered with.
async fn rotation_to(sandbox: &Sandbox, new: &str) -> Value {
    let old = sandbox.token().must("read the token");
    let mut ws = sandbox.ws().await;
    ws.send(&json!({ "op": "rotate_token", "request_id": "r", "old": old, "new": new }))
        .await;
    ws.recv_op("rotate_token_res").await
}

#[tokio::test]
async fn s12_a_rotation_to_a_token_that_can_be_guessed_is_refused() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let before = sandbox.token();
    for (new, why) in [
        ("x", "1 character"),
        ("fifteen-letters", "15 characters"),
        ("two words are no token", "blanks"),
        ("a-line-and\nanother-line", "unprintable"),
        ("ends-with-a-blank-here ", "blanks"),
    ] {
        let refused = rotation_to(&sandbox, new).await;
        assert_eq!(refused["ok"], false, "{new:?}: {refused}");
        let error = refused["error"].as_str().unwrap_or_default();
        assert!(
            error.contains("`new`") && error.contains(why),
            "field and fault: {error}"
        );
        assert!(
            error.contains("16 to 512") && error.contains("exai-daemon token rotate"),
            "limit and next step: {error}"
        );
        assert!(new.len() == 1 || !error.contains(new), "{error}");
    }
    assert_eq!(sandbox.token(), before);
    let replaced = rotation_to(&sandbox, "sixteen-letters!").await;
    assert_eq!(replaced["ok"], true, "{replaced}");
}

#[tokio::test]
async fn s01_beyond_this_machine_a_short_token_refuses_the_start() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_HOST", "0.0.0.0")
        .set("EXAI_WS_TOKEN", "fifteen-letters");
    for words in ["run", "start"] {
        let refused = sandbox.cli(&[words]).await;
        assert_eq!(refused.code, Some(CONFIG), "{words}: {}", refused.all());
        for part in ["EXAI_WS_TOKEN", "15 characters", "16", "0.0.0.0"] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.all());
        }
        assert!(!refused.all().contains("fifteen-letters"));
    }
    assert!(sandbox.endpoint().is_none());
}

#[tokio::test]
async fn s06_on_loopback_a_short_token_of_old_works_and_is_warned_about() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_TOKEN", "x");
    let started = sandbox.cli(&["start"]).await.ok();
    let doctor = sandbox.cli(&["doctor"]).await;
    for said in [&started.stderr, &doctor.stdout] {
        assert!(
            said.contains("EXAI_WS_TOKEN") && said.contains("1 character") && said.contains("16"),
            "{said}"
        );
    }
    sandbox.cli(&["call", "version"]).await.ok();
    sandbox.cli(&["stop"]).await.ok();
}

#[tokio::test]
async fn s06_a_token_with_blanks_or_control_characters_is_named_as_such() {
    let mut sandbox = Sandbox::new();
    for token in [
        "two words here, at least",
        "a\u{7}bell-in-the-token",
        "schlüssel-mit-umlaut",
    ] {
        sandbox.set("EXAI_WS_TOKEN", token);
        let refused = sandbox.cli(&["start"]).await;
        assert_eq!(refused.code, Some(CONFIG), "{token:?}: {}", refused.all());
        for part in ["EXAI_WS_TOKEN", "printable ASCII", "no spaces"] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.all());
        }
        assert!(!refused.all().contains(token));
    }
}

#[tokio::test]
async fn r25_a_daemon_that_refuses_our_token_runs_and_status_says_so() {
    let mut sandbox = Sandbox::new();
    // At the socket the system vouches for the owner, and no token is asked for.
    sandbox.set("EXAI_WS_UNIX_SOCKET", "false");
    let _daemon = sandbox.daemon().await;
    let mut wrong = Sandbox::on_port(sandbox.port());
    wrong
        .set("EXAI_HOME", sandbox.home())
        .set("EXAI_WS_TOKEN", "not-the-token-of-this-daemon");
    eventually(PATIENCE, "the health file is there", || {
        !sandbox.log("ws_daemon.health.json").is_empty()
    })
    .await;
    let status = wrong.cli(&["status"]).await;
    assert_eq!(status.code, Some(REFUSED), "{}", status.all());
    assert!(
        status
            .stdout
            .starts_with("ws_status: running, but refuses our token | ws://"),
        "{}",
        status.all()
    );
    assert!(!status.all().contains("stale"), "{}", status.all());
    assert!(
        status.stderr.contains("EXAI_WS_TOKEN") && status.stderr.contains("unset"),
        "{}",
        status.all()
    );
    let json = wrong.cli(&["status", "--json"]).await;
    assert_eq!(json.code, Some(REFUSED), "{}", json.all());
    let json = json.json();
    assert_eq!(json["state"], "refused", "{json}");
    assert_eq!(
        sandbox.cli(&["status", "--json"]).await.json()["state"],
        "running"
    );
    // Another daemon's home, whose token file was swapped: the way out is another.
    let mut swapped = Sandbox::on_port(sandbox.port());
    swapped.set("EXAI_HOME", sandbox.home());
    sandbox.write(".exai/run/token", "an-old-copy-of-the-token-file");
    let status = swapped.cli(&["status"]).await;
    assert_eq!(status.code, Some(REFUSED), "{}", status.all());
    assert!(status.stderr.contains("restart"), "{}", status.all());
}

#[tokio::test]
async fn p20_start_run_and_restart_say_which_names_are_no_settings() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_PROT", "9000");
    sandbox.write("config/exai.toml", "[network]\nprot = 9000\n");
    for words in [&["start"][..], &["restart"], &["start"]] {
        let said = sandbox.cli(words).await.ok().stderr;
        for part in [
            "EXAI_WS_PROT",
            "EXAI_WS_PORT",
            "network.prot",
            "network.port",
        ] {
            assert!(said.contains(part), "{words:?} {part}: {said}");
        }
    }
    sandbox.cli(&["stop"]).await.ok();
    let quiet = sandbox.cli(&["start", "--quiet"]).await.ok();
    assert_eq!(quiet.all(), "", "quiet is quiet");
    sandbox.cli(&["stop"]).await.ok();
    let daemon = sandbox.daemon().await;
    assert!(daemon.said().contains("EXAI_WS_PROT"), "{}", daemon.said());
}

const CLIENTS: [&str; 8] = [
    "auggie",
    "vscode",
    "claude-code",
    "claude-desktop",
    "codex",
    "cursor",
    "gemini",
    "opencode",
];

#[tokio::test]
async fn r15_an_entry_leads_to_this_daemon_from_a_window_without_our_environment() {
    let mut sandbox = Sandbox::new();
    let other = sandbox.write("other.env", "EXAI_WS_CALL_TIMEOUT=300\n");
    sandbox
        .set("EXAI_WS_HOST", "127.0.0.2")
        .set("EXAI_WS_TOKEN", "the-secret-of-this-test")
        .set("ENV_FILE", other)
        .set("EXAI_SESSION_ID", "this-window")
        .set("LOG_LEVEL", "debug");
    let port = sandbox.port().to_string();
    for client in CLIENTS {
        let printed = sandbox.cli(&["mcp-config", client]).await.ok();
        for part in [
            "EXAI_WS_HOST",
            "127.0.0.2",
            "EXAI_WS_PORT",
            &*port,
            "ENV_FILE",
            "EXAI_HOME",
        ] {
            assert!(
                printed.stdout.contains(part),
                "{client} {part}: {}",
                printed.all()
            );
        }
        for part in [
            "EXAI_WS_TOKEN",
            "the-secret",
            "EXAI_SESSION_ID",
            "LOG_LEVEL",
        ] {
            assert!(
                !printed.stdout.contains(part),
                "{client} {part}: {}",
                printed.all()
            );
        }
        // Without the token the window cannot come in; where to put it is said.
        assert!(
            printed.stderr.contains("EXAI_WS_TOKEN")
                && printed.stderr.contains("other.env")
                && !printed.all().contains("the-secret"),
            "{client}: {}",
            printed.all()
        );
    }
    // What stands in files of the home needs no word; nor what is the default anyway.
    let mut plain = Sandbox::new();
    plain.write("config/exai.toml", "[network]\nport = 9123\n");
    plain.set("EXAI_WS_HOST", "127.0.0.1").unset("EXAI_WS_PORT");
    let printed = plain.cli(&["mcp-config", "vscode"]).await.ok();
    assert!(!printed.stdout.contains("EXAI_WS_"), "{}", printed.all());
    assert!(
        !printed.stderr.contains("EXAI_WS_TOKEN"),
        "{}",
        printed.all()
    );
    // A flag leads elsewhere just as a variable does.
    let printed = plain
        .cli(&["mcp-config", "vscode", "--set", "network.port=9321"])
        .await
        .ok();
    assert!(
        printed.stdout.contains("\"EXAI_WS_PORT\": \"9321\""),
        "{}",
        printed.all()
    );
}

/// The entry is used as an editor would: nothing of our environment but what it says.
#[tokio::test]
async fn r15_the_entry_of_a_port_set_in_the_shell_reaches_the_daemon() {
    let mut sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let entry = sandbox.cli(&["mcp-config", "cursor"]).await.ok().json();
    let entry = &entry["mcpServers"]["exai"]["env"];
    let said = |name: &str| entry[name].as_str().map(str::to_owned);
    assert_eq!(
        said("EXAI_WS_PORT"),
        Some(sandbox.port().to_string()),
        "{entry}"
    );
    sandbox.unset("EXAI_WS_PORT").unset("EXAI_HOME");
    for (name, value) in entry.as_object().must("read the entry") {
        sandbox.set(name, value.as_str().must("read a value"));
    }
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    let result = shim.call_tool("version", json!({})).await;
    assert_ne!(result["isError"], true, "{result}");
}

#[tokio::test]
async fn r41_run_names_the_home_of_the_exai_that_holds_its_port() {
    let theirs = Sandbox::new();
    let _daemon = theirs.daemon().await;
    let ours = Sandbox::on_port(theirs.port());
    let home = theirs.home().display().to_string();
    for words in ["run", "start", "restart"] {
        let refused = ours.cli(&[words]).await;
        assert_eq!(refused.code, Some(OTHER_HOME), "{words}: {}", refused.all());
        assert!(refused.stderr.contains(&home), "{words}: {}", refused.all());
    }
}

#[tokio::test]
async fn the_twins_of_the_bench_are_no_words_to_complete() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sandbox.cli(&["completions", shell]).await.ok().stdout;
        for word in ["bench-echo", "bench-stdio-responder", "detached"] {
            assert!(!script.contains(word), "{shell}: {word}");
        }
        for word in ["bench", "mcp-config", "sessions", "force", "rotate"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[tokio::test]
async fn r25_stop_says_at_once_what_it_waits_for_and_force_waits_little() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    ws.call_as("long", "test_sleep", json!({ "ms": 60_000 }))
        .await;
    ws.recv_op("call_tool_ack").await;
    let mut stop = sandbox.command("exai-daemon");
    stop.arg("stop");
    let mut stop = sandbox.spawn(stop);
    eventually(PATIENCE, "stop says what it waits for", || {
        let said = stop.said();
        said.contains("1 running call") && said.contains("30 s") && said.contains("--force")
    })
    .await;
    assert!(stop.is_running() && daemon.is_running());
    eventually(PATIENCE, "the daemon notes that it drains", || {
        sandbox.log("ws_daemon.health.json").contains("draining")
    })
    .await;
    // A second one waits too, and cuts nothing short.
    let mut second = sandbox.command("exai-daemon");
    second.arg("stop");
    let mut second = sandbox.spawn(second);
    eventually(PATIENCE, "the second says the same", || {
        second.said().contains("1 running call") && second.said().contains("on its way down")
    })
    .await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(stop.is_running() && second.is_running() && daemon.is_running());
    // Whoever has no patience left says so in a third command.
    let began = Stopwatch::start();
    sandbox.cli(&["stop", "--force"]).await.ok();
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    let cut = ws.result("long").await;
    assert_eq!(cut["error"]["code"], "SHUTTING_DOWN", "{cut}");
    daemon.wait(PATIENCE).await;
    for asked in [&mut stop, &mut second] {
        assert_eq!(
            asked.wait(PATIENCE).await.code(),
            Some(0),
            "{}",
            asked.said()
        );
    }
    sandbox.cli(&["logs", "check"]).await.ok();
}

#[tokio::test]
async fn r25_force_gives_calls_three_seconds_and_their_answer() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    ws.call_as("long", "test_sleep", json!({ "ms": 60_000 }))
        .await;
    ws.recv_op("call_tool_ack").await;
    let began = Stopwatch::start();
    let forced = sandbox.cli(&["stop", "--force"]).await.ok();
    assert!(
        began.elapsed() < Duration::from_secs(12),
        "{:?}",
        began.elapsed()
    );
    assert!(
        forced.stdout.contains("ws_daemon: stopped"),
        "{}",
        forced.all()
    );
    let cut = ws.result("long").await;
    assert_eq!(cut["error"]["code"], "SHUTTING_DOWN", "{cut}");
    assert!(daemon.wait(PATIENCE).await.success());
    let help = sandbox.cli(&["stop", "--help"]).await.ok().stdout;
    assert!(
        help.contains("30") && help.contains("3 with --force"),
        "{help}"
    );
}

/// A daemon that hangs is not given the patience of one that works.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r24_force_without_a_drain_ends_a_frozen_daemon_soon() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    exai_testkit::pause_pid(daemon.id());
    let began = Stopwatch::start();
    let stopped = sandbox.cli(&["stop", "--force"]).await.ok();
    assert!(stopped.stdout.contains("killed"), "{}", stopped.all());
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert!(
        stopped.stderr.contains("does not answer"),
        "{}",
        stopped.all()
    );
    daemon.wait(PATIENCE).await;
}

#[tokio::test]
async fn a_lost_link_is_waited_for_as_long_as_was_set() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_SHIM_REATTACH_WAIT", "0.5")
        .set("EXAI_WS_AUTOSTART", "false");
    let mut daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    let id = shim.call("test_sleep", json!({ "ms": 60_000 })).await;
    eventually(PATIENCE, "the call runs", || {
        sandbox.log("ws_daemon.log").contains("received")
    })
    .await;
    daemon.kill().await;
    let began = Stopwatch::start();
    let answer = shim.answer(id).await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}

/// A file that somebody spoilt must not make the daemon invisible, or impossible to end.
#[tokio::test]
async fn r25_a_spoilt_token_file_hides_no_daemon_and_keeps_none_alive() {
    let mut sandbox = Sandbox::new();
    // At the socket the system vouches for the owner, and no token is asked for.
    sandbox.set("EXAI_WS_UNIX_SOCKET", "false");
    let mut daemon = sandbox.daemon().await;
    sandbox.write(".exai/run/token", "a b");
    let status = sandbox.cli(&["status"]).await;
    assert_eq!(status.code, Some(REFUSED), "{}", status.all());
    assert!(
        status.stdout.contains("running, but refuses") && status.stderr.contains("holds no token"),
        "{}",
        status.all()
    );
    let doctor = sandbox.cli(&["doctor"]).await;
    assert_eq!(doctor.code, Some(1), "{}", doctor.all());
    assert!(
        doctor.stdout.contains("refuses us") && doctor.stdout.contains("writes it again"),
        "{}",
        doctor.all()
    );
    // What could not start again is not stopped first.
    let restart = sandbox.cli(&["restart"]).await;
    assert_ne!(restart.code, Some(0), "{}", restart.all());
    assert!(restart.stderr.contains("remove it"), "{}", restart.all());
    assert!(daemon.is_running());
    let stopped = sandbox.cli(&["stop"]).await.ok();
    assert!(
        stopped.stderr.contains("refuses our token") && !stopped.all().contains("not answer"),
        "{}",
        stopped.all()
    );
    daemon.wait(PATIENCE).await;
    let refused = sandbox.cli(&["start"]).await;
    assert!(refused.stderr.contains("remove it"), "{}", refused.all());
    let removed = std::fs::remove_file(sandbox.home().join(".exai/run/token"));
    removed.must("remove the token file, as was advised");
    sandbox.cli(&["start"]).await.ok();
    sandbox.cli(&["call", "version"]).await.ok();
    sandbox.cli(&["stop"]).await.ok();
}

#[tokio::test]
async fn p20_faults_do_not_hide_the_names_that_are_no_settings() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "config/exai.toml",
        "[network]\nhots = 'x'\n[calls]\ncall_timeout_secs = 'soon'\n",
    );
    for words in [
        &["start"][..],
        &["run"],
        &["restart"],
        &["config"],
        &["status"],
    ] {
        let said = sandbox.cli(words).await.stderr;
        assert!(
            said.contains("call_timeout_secs") && said.contains("network.host"),
            "{words:?}: {said}"
        );
    }
}

#[tokio::test]
async fn an_argument_the_tool_does_not_have_is_pointed_out() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let called = sandbox
        .cli(&["call", "test_sleep", "-a", "mss=1"])
        .await
        .ok();
    assert!(
        called.stderr.contains("mss") && called.stderr.contains("did you mean ms?"),
        "{}",
        called.all()
    );
    let called = sandbox
        .cli(&["call", "test_sleep", "-a", "ms=1"])
        .await
        .ok();
    assert!(!called.stderr.contains("no argument"), "{}", called.all());
}

#[tokio::test]
async fn smoke_without_a_daemon_says_so_at_once() {
    let sandbox = Sandbox::new();
    let began = Stopwatch::start();
    let smoke = sandbox.cli(&["smoke"]).await;
    assert_eq!(smoke.code, Some(NOT_RUNNING), "{}", smoke.all());
    assert!(
        smoke.stderr.contains("exai-daemon start"),
        "{}",
        smoke.all()
    );
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}

/// A command line is read by every user of the machine, and that of the daemon stays for weeks.
#[tokio::test]
async fn s13_a_token_is_not_taken_from_a_command_line() {
    let sandbox = Sandbox::new();
    for name in ["auth.token", "EXAI_WS_TOKEN"] {
        let flag = format!("{name}=a-secret-on-the-command-line");
        let refused = sandbox.cli(&["start", "--set", &flag]).await;
        assert_eq!(refused.code, Some(CONFIG), "{}", refused.all());
        assert!(
            refused.stderr.contains("set EXAI_WS_TOKEN instead")
                && !refused.all().contains("a-secret"),
            "{}",
            refused.all()
        );
    }
    assert!(sandbox.processes("exai-daemon").is_empty());
}
