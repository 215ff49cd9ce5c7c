//! Standard output carries JSON-RPC and nothing else, whatever goes wrong around it. The
//! testkit ends a test at any other line; here things are made to go wrong.

use crate::editor::{by_hand, names, window};
use exai_testkit::{Heard, Sandbox, eventually};
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn r06_bad_flags_are_told_on_stderr_with_their_exit_code() {
    let sandbox = by_hand();
    for flags in [
        &["--stdio"][..],
        &["--version", "x"],
        &["serve"],
        &["", "--help"],
        &[""],
        &["--log=debug"],
    ] {
        let mut command = sandbox.command("exai-shim");
        command.args(flags);
        let output = sandbox.finish(command, SOON).await;
        assert_eq!(output.code, Some(64), "{flags:?}");
        assert_eq!(output.stdout, "", "{flags:?}");
        assert!(
            output.stderr.contains("usage:"),
            "{flags:?}: {}",
            output.stderr
        );
    }
    let mut command = sandbox.command("exai-shim");
    command.arg("--version");
    let output = sandbox.finish(command, SOON).await.ok();
    assert!(output.stdout.starts_with("exai-shim "), "{}", output.stdout);
}

/// Talks to a shim whose surroundings are wrong; it answers all the same.
async fn serves(sandbox: &Sandbox, what: &str) {
    let mut shim = sandbox.shim();
    let answer = shim.initialize("2025-11-25").await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{what}");
    let list = shim.ask("tools/list", json!({})).await;
    assert!(!names(&list).is_empty(), "{what}");
    let result = shim.call_tool("version", json!({})).await;
    let (_, text) = crate::editor::failure(&result);
    assert!(text.len() > 20, "{what}: {text}");
    shim.close_stdin();
    assert_eq!(shim.hear(SOON).await, Heard::End, "{what}");
}

#[tokio::test]
async fn r06_wrong_settings_are_said_on_stderr_and_it_serves_all_the_same() {
    for (name, value) in [
        ("EXAI_WS_PORT", "many"),
        ("EXAI_WS_PING_INTERVAL", "-1"),
        ("EXAI_WS_MAX_BYTES", "a lot"),
        ("LOG_LEVEL", "loudest"),
        ("EXAI_SHIM_RPC_TIMEOUT", "soon"),
        ("EXAI_UNHEARD_OF", "1"),
        ("EXAI_WS_HOST", ""),
        ("EXAI_WS_TOKEN", ""),
    ] {
        let mut sandbox = by_hand();
        sandbox
            .set("EXAI_SHIM_CONNECT_WAIT", "0.3")
            .set(name, value);
        serves(&sandbox, name).await;
    }
}

#[tokio::test]
async fn r06_a_home_that_is_no_home_does_not_silence_it() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "0.3");
    sandbox.write("a-file", "not a folder");
    let places = [
        sandbox.home().join("a-file"),
        sandbox.home().join("a-file").join("below"),
        "relative/home".into(),
        "/proc/nowhere".into(),
        "".into(),
    ];
    for place in places {
        sandbox.set("EXAI_HOME", &place);
        serves(&sandbox, &place.display().to_string()).await;
    }
    sandbox
        .unset("EXAI_HOME")
        .unset("HOME")
        .unset("USERPROFILE");
    serves(&sandbox, "no home at all").await;
}

#[tokio::test]
async fn r06_spoiled_files_of_the_home_are_no_reason_to_end() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "0.3");
    for (file, text) in [
        (".env", "EXAI_WS_PORT=\"unclosed\nnonsense ==\n"),
        ("config/exai.toml", "[network\nport = "),
        ("config/exai.toml", "[network]\nport = \"x\"\nodd = 1\n"),
        (".exai/run/endpoint.json", "{\"host\":"),
        (".exai/run/endpoint.json", "null"),
        (".exai/run/token", ""),
        (".exai/run/tools.json", "[{\"name\":7}]"),
    ] {
        sandbox.write(file, text);
        serves(&sandbox, file).await;
    }
    // Where its log should be there is something else.
    std::fs::remove_dir_all(sandbox.home().join("logs")).unwrap();
    sandbox.write("logs", "a file");
    serves(&sandbox, "logs").await;
}

#[tokio::test]
async fn r06_the_loudest_log_level_goes_to_the_log() {
    let mut sandbox = by_hand();
    sandbox.set("LOG_LEVEL", "TRACE").set("RUST_LOG", "trace");
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    shim.send_line("garbage").await;
    assert_eq!(shim.recv().await["error"]["code"], -32700);
    shim.notify("notifications/cancelled", json!({ "requestId": [] }))
        .await;
    shim.call_tool("test_panic", json!({})).await;
    let loud = || sandbox.log("ws_shim.log").contains("DEBUG");
    eventually(SOON, "something loud in the log", loud).await;
    assert_eq!(shim.said(), "");
}

/// A daemon that the shim starts holds nothing of the shim's: an editor that waits for the end
/// of the pipe does not wait for the daemon.
#[tokio::test]
async fn r06_a_daemon_it_started_inherits_no_pipe() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "30");
    let mut shim = window(&sandbox).await;
    shim.close_stdin();
    assert_eq!(shim.hear(SOON).await, Heard::End);
    shim.wait(SOON).await;
    let pid = sandbox.daemon_pid().expect("no endpoint record");
    assert!(exai_testkit::is_alive(pid));
    #[cfg(target_os = "linux")]
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
        let link = std::fs::read_link(entry.unwrap().path()).unwrap_or_default();
        let link = link.to_string_lossy().into_owned();
        assert!(!link.starts_with("pipe:"), "the daemon holds {link}");
    }
}
