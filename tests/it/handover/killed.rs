//! kill −9 of either daemon at any moment of a hand-over: whatever is left, somebody serves,
//! everything asked for has one answer, and what must not run twice has run once.

use super::{LIMIT, RICH, wide};
use crate::editor::{answers, failure, ok_text, window};
use exai_testkit::{Gate, Must as _, Sandbox, Shim, eventually, is_alive, kill_pid, pause_pid};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The daemon that is on its way to take the home over from the old one, which may have been an
/// heir itself.
fn heir(sandbox: &Sandbox, old: u32) -> Option<u32> {
    let is_heir = |pid: &u32| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words
            .split(|byte| *byte == 0)
            .any(|word| word == b"--succeed")
    };
    let daemons = sandbox.processes("exai-daemon");
    daemons.into_iter().find(|pid| is_heir(pid) && *pid != old)
}

/// Two calls at work: one that must not run twice, and one that may.
async fn two_at_work(sandbox: &Sandbox, shim: &mut Shim, gate: &Gate, round: u64) -> [u64; 2] {
    let mut ids = [0; 2];
    for (id, tool) in ids.iter_mut().zip(["test_count_once", "test_count"]) {
        let file = sandbox.work().join(format!("{tool} {round}"));
        let call = gate.holds(json!({ "file": file }));
        *id = shim.call(tool, call).await;
    }
    eventually(LIMIT, "both to run", || {
        sandbox.counted(&format!("test_count_once {round}")) == 1
            && sandbox.counted(&format!("test_count {round}")) == 1
    })
    .await;
    ids
}

/// Strikes one of the two while the home changes hands; the pid of whom.
async fn struck(sandbox: &Sandbox, old: u32, strikes_heir: bool, after: Duration) -> u32 {
    let mut found = None;
    eventually(LIMIT, "an heir to appear", || {
        found = heir(sandbox, old);
        found.is_some() || sandbox.daemon_pid() != Some(old)
    })
    .await;
    sleep(after).await;
    let victim = match strikes_heir {
        true => found.or(sandbox.daemon_pid()).must("know the heir"),
        false => old,
    };
    kill_pid(victim);
    eventually(LIMIT, "it to be gone", || !is_alive(victim)).await;
    victim
}

/// The number under which a process has a file open.
#[cfg(target_os = "linux")]
fn number_of(pid: u32, is_it: impl Fn(&str) -> bool) -> u32 {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).must("list its files");
    let names_it = |entry: &std::fs::DirEntry| {
        let file = std::fs::read_link(entry.path()).unwrap_or_default();
        is_it(&file.to_string_lossy())
    };
    let found = open.flatten().find(names_it).must("find the file");
    let number = found.file_name().to_string_lossy().parse();
    number.must("read its number")
}

/// The system closes the files of a killed process one after the other, by their numbers. Who
/// finds the home free in between is not to take the dead one's calls for those of a living.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r02_a_killed_daemons_life_is_over_before_its_home_is_free() {
    let sandbox = wide();
    sandbox.cli(&["start"]).await.ok();
    let first = sandbox.daemon_pid().must("read the record");
    let closes_its_life_first = |pid: u32| {
        let life = number_of(pid, |file| file.contains("/run/boot-"));
        let home = number_of(pid, |file| file.ends_with("/daemon.lock"));
        assert!(life < home, "{life} {home}");
    };
    closes_its_life_first(first);
    closes_its_life_first(super::restarted(&sandbox).await);
}

fn once_is_true(told: &Value, heir_was_struck: bool, what: &str) {
    if told["isError"] != true {
        assert_eq!(ok_text(told), "counted", "{what}");
        return;
    }
    let (code, words) = failure(told);
    assert_eq!(code, "OUTCOME_UNKNOWN", "{what}: {words}");
    assert!(!heir_was_struck, "its daemon lives: {what}: {words}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn r02_either_daemon_dies_at_any_moment_of_a_hand_over_and_nothing_is_lost_or_doubled() {
    const ROUNDS: u64 = 10;
    let sandbox = wide();
    sandbox.cli(&["start"]).await.ok();
    let mut shim = window(&sandbox).await;
    for round in 0..ROUNDS {
        let old = sandbox.daemon_pid().must("read the record");
        let gate = sandbox.gate(&round.to_string());
        let ids = two_at_work(&sandbox, &mut shim, &gate, round).await;
        let strikes_heir = round % 2 == 0;
        let after = Duration::from_millis(fastrand::u64(0..150));
        let what = format!("round {round}, heir: {strikes_heir}, after {after:?}");
        let (restart, _) = tokio::join!(
            sandbox.cli(&["restart"]),
            struck(&sandbox, old, strikes_heir, after)
        );
        let is_told = match restart.code {
            Some(0) => restart.stdout.contains("started"),
            Some(8) => restart.stderr.contains("goes on"),
            _ => false,
        };
        assert!(is_told, "{what}: {}", restart.all());
        sandbox.cli(&["start"]).await.ok();
        gate.open();
        let found = answers(&mut shim, &ids, LIMIT).await;
        once_is_true(&found[&ids[0]]["result"], strikes_heir, &what);
        assert_eq!(ok_text(&found[&ids[1]]["result"]), "counted", "{what}");
        assert_eq!(sandbox.counted(&format!("test_count_once {round}")), 1);
        assert!(
            sandbox.counted(&format!("test_count {round}")) <= 2,
            "{what}"
        );
        ok_text(&shim.call_tool("test_sleep", json!({ "ms": 1 })).await);
    }
    sandbox.cli(&["stop"]).await.ok();
    let none = || sandbox.processes("exai-daemon").is_empty();
    eventually(LIMIT, "every daemon to end", none).await;
    let check = sandbox.cli(&["logs", "check"]).await.ok();
    assert!(check.stdout.contains("violations=0"), "{}", check.all());
}

/// A daemon that ends begins nothing; what one that died had begun is not called unbegun.
#[tokio::test]
async fn r25_a_call_that_a_dead_daemon_had_begun_is_not_called_unbegun_by_one_that_drains() {
    let sandbox = wide();
    sandbox.cli(&["start"]).await.ok();
    let call = |name: &str, ms: u64| json!({ "file": sandbox.work().join(name), "ms": ms });
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    for (id, tool) in [("again", "test_count"), ("once", "test_count_once")] {
        ws.call_as(id, tool, call(id, 60_000)).await;
    }
    eventually(LIMIT, "both run", || {
        sandbox.counted("again") == 1 && sandbox.counted("once") == 1
    })
    .await;
    kill_pid(sandbox.daemon_pid().must("read the record"));
    sandbox.cli(&["start"]).await.ok();
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    ws.call_as("holds", "test_count", call("holds", 60_000))
        .await;
    eventually(LIMIT, "it runs", || sandbox.counted("holds") == 1).await;
    let asking = async {
        // Until it takes nothing more.
        let begins = Instant::now();
        loop {
            let fresh = ws.call_and_wait("test_sleep", json!({ "ms": 1 })).await;
            if fresh["error"]["code"] == "SHUTTING_DOWN" {
                break assert_eq!(fresh["error"]["ran"], "no", "{fresh}");
            }
            assert!(begins.elapsed() < LIMIT, "it never drains");
        }
        ws.call_as("again", "test_count", call("again", 60_000))
            .await;
        let again = ws.result("again").await["error"].clone();
        assert_eq!(again["code"], "SHUTTING_DOWN", "{again}");
        assert_eq!(again["ran"], "unknown", "{again}");
        let words = again["message"].as_str().unwrap_or_default();
        assert!(words.contains("had begun before"), "{words}");
        ws.call_as("once", "test_count_once", call("once", 60_000))
            .await;
        let once = ws.result("once").await["error"].clone();
        assert_eq!(once["code"], "OUTCOME_UNKNOWN", "{once}");
        // Held for as long as the questions took, however slow this machine is.
        ws.send(&json!({ "op": "cancel", "request_id": "holds" }))
            .await;
        let held = ws.result("holds").await;
        assert_eq!(held["error"]["code"], "CANCELLED", "{held}");
    };
    let (stop, ()) = tokio::join!(sandbox.cli(&["stop"]), asking);
    assert_eq!(stop.code, Some(0), "{}", stop.all());
    assert_eq!((sandbox.counted("again"), sandbox.counted("once")), (1, 1));
}

/// What waits behind a call that goes on in the daemon before was promised as well: when both die,
/// the next one knows it.
#[tokio::test]
async fn r02_a_call_that_joined_one_of_the_daemon_before_is_known_when_both_die() {
    let sandbox = wide();
    sandbox.cli(&["start"]).await.ok();
    let gate = sandbox.gate("ran");
    let call = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    ws.call_as("left", "test_count", call.clone()).await;
    eventually(LIMIT, "it runs", || sandbox.counted("ran") == 1).await;
    ws.send(&json!({ "op": "cancel", "request_id": "left", "mode": "detach" }))
        .await;
    ws.recv_op("cancel_res").await;
    let elder = sandbox.daemon_pid().must("read the record");
    let heir = super::restarted(&sandbox).await;
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    ws.call_as("same", "test_count", call).await;
    ws.recv_where(|frame| frame["request_id"] == "same").await;
    for pid in [heir, elder] {
        kill_pid(pid);
    }
    eventually(LIMIT, "both to be gone", || {
        sandbox.processes("exai-daemon").is_empty()
    })
    .await;
    sandbox.cli(&["start"]).await.ok();
    gate.open();
    let (mut ws, _) = sandbox.modern("window", RICH).await;
    ws.send(&json!({ "op": "attach", "request_id": "same" }))
        .await;
    let known = ws.recv_op("attach_res").await;
    assert_ne!(known["state"], "unknown", "{known}");
    let same = ws.result("same").await;
    assert_eq!(same["outputs"][0]["text"], "counted", "{same}");
}

/// The heir stands still before it has written how the call ended, and then it is killed: only the
/// daemon that ran it knows, and stays for as long.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r02_an_end_that_a_frozen_heir_has_not_written_is_not_lost_when_it_dies() {
    const LONGER_THAN_ANY_FAREWELL: Duration = Duration::from_secs(15);
    let sandbox = wide();
    sandbox.cli(&["start"]).await.ok();
    let mut shim = window(&sandbox).await;
    let gate = sandbox.gate("ran");
    let call = gate.holds(json!({ "file": sandbox.work().join("ran") }));
    let id = shim.call("test_count_once", call).await;
    eventually(LIMIT, "it to run", || sandbox.counted("ran") == 1).await;
    let elder = sandbox.daemon_pid().must("read the record");
    let heir = super::restarted(&sandbox).await;
    pause_pid(heir);
    gate.open();
    let frozen = Instant::now();
    while frozen.elapsed() < LONGER_THAN_ANY_FAREWELL {
        assert!(is_alive(elder), "it left after {:?}", frozen.elapsed());
        sleep(Duration::from_millis(100)).await;
    }
    kill_pid(heir);
    eventually(LIMIT, "both to be gone", || {
        !is_alive(heir) && !is_alive(elder)
    })
    .await;
    sandbox.cli(&["start"]).await.ok();
    let answer = shim.answer(id).await;
    assert_eq!(ok_text(&answer["result"]), "counted", "{answer}");
    assert_eq!(sandbox.counted("ran"), 1);
    sandbox.cli(&["stop"]).await.ok();
}
