//! A shim without a daemon: what can be answered is answered at once, and what cannot is
//! answered in bounded time with words.

use crate::editor::{by_hand, error_code, failure, listing, names, ok_text, window};
use exai_testkit::{MODERN, PATIENCE, Sandbox, Stopwatch};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const BUILTIN: &str = include_str!("../../crates/exai-shim/src/builtin_tools.json");
/// The row's own number. Other work on this machine may slow tries down, not all of them.
const AT_ONCE: Duration = Duration::from_millis(100);
const TRIES: usize = 20;

fn lonely() -> Sandbox {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "1.5");
    sandbox
}

#[tokio::test]
async fn r01_without_a_daemon_everything_but_a_call_is_answered_at_once() {
    let mut fastest = [Duration::MAX; 3];
    for _ in 0..TRIES {
        let sandbox = lonely();
        let started = Stopwatch::start();
        let mut shim = sandbox.shim();
        let answer = shim.initialize("2025-11-25").await;
        let mut times = [started.elapsed(), Duration::ZERO, Duration::ZERO];
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
        for (time, method) in times[1..].iter_mut().zip(["tools/list", "ping"]) {
            let asked = Stopwatch::start();
            let answer = shim.ask(method, json!({})).await;
            *time = asked.elapsed();
            assert!(answer.get("error").is_none(), "{answer}");
        }
        for (fastest, time) in fastest.iter_mut().zip(times) {
            *fastest = time.min(*fastest);
        }
        if fastest.iter().all(|time| *time < AT_ONCE) {
            return;
        }
    }
    panic!("not at once: {fastest:?}");
}

#[tokio::test]
async fn r01_the_new_era_is_answered_at_once_as_well() {
    let mut fastest = Duration::MAX;
    for _ in 0..TRIES {
        let sandbox = lonely();
        let started = Stopwatch::start();
        let mut shim = sandbox.shim();
        let found = shim.modern_ask("server/discover", json!({})).await;
        let list = shim.modern_ask("tools/list", json!({})).await;
        fastest = fastest.min(started.elapsed());
        let versions = found["result"]["supportedVersions"].as_array();
        assert!(
            versions.is_some_and(|all| all.contains(&json!(MODERN))),
            "{found}"
        );
        assert!(!names(&list).is_empty());
        if fastest < 2 * AT_ONCE {
            return;
        }
    }
    panic!("not at once: {fastest:?}");
}

#[tokio::test]
async fn r01_a_call_waits_so_long_and_says_what_to_do() {
    let sandbox = lonely();
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let (asked, watch) = (Instant::now(), Stopwatch::start());
    let result = shim.call_tool("version", json!({})).await;
    let waited = asked.elapsed();
    let (code, text) = failure(&result);
    assert_eq!(code, "UNAVAILABLE");
    assert!(waited >= Duration::from_millis(1400), "{waited:?}: {text}");
    assert!(watch.elapsed() < Duration::from_secs(6), "{waited:?}");
    for part in ["not run", "exai-daemon start"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(result["_meta"]["exai/ran"], "no");
    assert!(
        sandbox.processes("exai-daemon").is_empty(),
        "it was told to start nothing"
    );
    // Others were answered meanwhile, and still are.
    assert!(shim.ask("ping", json!({})).await.get("result").is_some());
}

#[tokio::test]
async fn r01_other_requests_are_answered_while_a_call_waits() {
    let sandbox = lonely();
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let call = shim.call("version", json!({})).await;
    let list = shim.request("tools/list", json!({})).await;
    let first = shim.recv().await;
    assert_eq!(first["id"], list, "{first}");
    let answer = shim.answer(call).await;
    failure(&answer["result"]);
}

#[tokio::test]
async fn r01_a_call_that_waits_runs_when_the_daemon_comes() {
    let mut sandbox = lonely();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "30");
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let call = shim.call("test_sleep", json!({ "ms": 1 })).await;
    let _daemon = sandbox.daemon().await;
    let answer = shim.answer(call).await;
    assert_eq!(ok_text(&answer["result"]), "slept 1 ms");
}

#[tokio::test]
async fn r01_the_list_is_the_builtin_one_until_a_daemon_has_told_another() {
    let sandbox = lonely();
    let builtin: Value = serde_json::from_str(BUILTIN).unwrap();
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    let list = shim.ask("tools/list", json!({})).await;
    assert_eq!(daemons_own(&list), builtin);
    drop(shim);

    let mut daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    let told = listing(&mut shim, "test_sleep").await;
    drop(shim);
    daemon.kill().await;

    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    let kept = shim.ask("tools/list", json!({})).await;
    assert_eq!(kept["result"]["tools"], told["result"]["tools"]);
}

/// The list without its last tool, which is the shim's own.
fn daemons_own(list: &Value) -> Value {
    let mut tools = list["result"]["tools"].clone();
    let last = tools.as_array_mut().and_then(Vec::pop);
    assert_eq!(last.unwrap_or_default()["name"], "exai_continue", "{list}");
    tools
}

#[tokio::test]
async fn r01_a_list_on_disk_that_is_spoiled_is_not_used() {
    let sandbox = lonely();
    let builtin: Value = serde_json::from_str(BUILTIN).unwrap();
    for garbage in ["", "{\"tools\":", "{\"tools\":[]}", "[]", "\u{0}\u{0}"] {
        sandbox.write(".exai/run/tools.json", garbage);
        let mut shim = sandbox.shim();
        shim.initialize("2025-06-18").await;
        let list = shim.ask("tools/list", json!({})).await;
        assert_eq!(daemons_own(&list), builtin, "{garbage:?}");
    }
}

#[tokio::test]
async fn r01_a_page_that_does_not_exist_is_refused() {
    let sandbox = lonely();
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let answer = shim.ask("tools/list", json!({ "cursor": "2" })).await;
    assert_eq!(error_code(&answer), -32602);
}

/// An agent that exai runs as a model must not come back through the door: the daemon would wait
/// for a model that waits for the daemon.
#[tokio::test]
async fn r01_inside_a_command_line_that_exai_runs_there_are_no_tools() {
    for daemon_runs in [false, true] {
        // Were it not for the guard, the shim would start a daemon, or call the one there is.
        let mut sandbox = Sandbox::new();
        let daemon = if daemon_runs {
            Some(sandbox.daemon().await)
        } else {
            None
        };
        sandbox.set("EXAI_CLI_DEPTH", "1");
        let mut shim = sandbox.shim();
        shim.initialize("2025-11-25").await;
        let list = shim.ask("tools/list", json!({})).await;
        assert_eq!(list["result"]["tools"], json!([]), "{list}");
        let list = shim.modern_ask("tools/list", json!({})).await;
        assert_eq!(list["result"]["tools"], json!([]), "{list}");
        for tool in ["version", "chat", "no_such_tool"] {
            let result = shim.call_tool(tool, json!({})).await;
            let (code, text) = failure(&result);
            assert_eq!(code, "UNAVAILABLE", "{result}");
            assert!(
                text.contains("EXAI_CLI_DEPTH") && text.contains("not run"),
                "{text}"
            );
            assert_eq!(result["_meta"]["exai/ran"], "no", "{result}");
        }
        shim.close_stdin();
        shim.wait(PATIENCE).await;
        match daemon {
            Some(_daemon) => {
                let calls = sandbox.home().join("logs/tool_calls_all.jsonl");
                let calls = std::fs::read_to_string(calls).unwrap_or_default();
                assert_eq!(calls, "", "the daemon was called");
            }
            None => {
                let started = sandbox.processes("exai-daemon");
                assert_eq!(started, Vec::<u32>::new(), "a daemon was started");
            }
        }
    }
}

/// Agents clean the environment of what they start; what they were started with themselves stays.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r01_an_agent_that_hides_its_environment_is_known_all_the_same() {
    let sandbox = by_hand();
    let mut agent = sandbox.command_at("sh");
    let shim = exai_testkit::binary("exai-shim");
    agent.env("EXAI_CLI_DEPTH", "1");
    agent.arg("-c").arg(format!(
        "env -u EXAI_CLI_DEPTH sh -c '\"{}\"; exit 0'; exit 0",
        shim.display()
    ));
    let mut shim = sandbox.shim_of(agent);
    shim.initialize("2025-11-25").await;
    let list = shim.ask("tools/list", json!({})).await;
    assert_eq!(list["result"]["tools"], json!([]), "{list}");
}

#[tokio::test]
async fn r01_a_depth_of_nought_is_no_depth() {
    for depth in ["0", ""] {
        let mut sandbox = lonely();
        sandbox.set("EXAI_CLI_DEPTH", depth);
        let mut shim = window_without_daemon(&sandbox).await;
        let list = shim.ask("tools/list", json!({})).await;
        assert!(!names(&list).is_empty(), "{depth:?}");
    }
}

async fn window_without_daemon(sandbox: &Sandbox) -> exai_testkit::Shim {
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    shim
}
