//! What ends a shim, and how soon: its client, its parent, a signal. Never the daemon.

use crate::editor::{by_hand, connected, ok_text, reached, window};
use exai_testkit::{Heard, Must as _, Sandbox, Shim, Stopwatch, eventually, is_alive};
use serde_json::json;
use std::{process::Stdio, time::Duration};

/// So long is waited for what comes soon; what the row says of it is measured.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn r04_at_the_end_of_stdin_pending_answers_are_given_and_it_ends_well() {
    let (sandbox, _daemon, _) = connected().await;
    for _ in 0..10 {
        let mut shim = window(&sandbox).await;
        reached(&mut shim).await;
        let watch = Stopwatch::start();
        let id = shim.call("test_sleep", json!({ "ms": 300 })).await;
        shim.close_stdin();
        let answer = shim.answer(id).await;
        assert_eq!(shim.hear(SOON).await, Heard::End);
        assert_eq!(shim.wait(SOON).await.code(), Some(0));
        // Two seconds are all it waits, also if it could not do anything in them.
        if watch.stood_still() < Duration::from_secs(1) {
            return assert_eq!(ok_text(&answer["result"]), "slept 300 ms");
        }
    }
    panic!("the machine stands still all the time");
}

#[tokio::test]
async fn r04_a_call_that_takes_longer_is_left_to_the_daemon() {
    let (sandbox, _daemon, mut shim) = connected().await;
    let gate = sandbox.gate("trace");
    let call = gate.holds(json!({ "file": sandbox.work().join("trace") }));
    shim.call("test_count_once", call).await;
    eventually(SOON, "the call to run", || sandbox.counted("trace") == 1).await;
    let closed = Stopwatch::start();
    shim.close_stdin();
    assert_eq!(shim.wait(SOON).await.code(), Some(0));
    let took = closed.elapsed();
    assert!(took < Duration::from_millis(3500), "{took:?}");
    gate.open();
    let finished = || {
        let calls = sandbox.calls();
        calls
            .into_iter()
            .find(|record| record["tool"] == "test_count_once")
    };
    let record = eventually(SOON, "its record", finished).await;
    assert_eq!(record["outcome"], "ok", "{record}");
}

#[tokio::test]
async fn r04_without_anything_pending_the_end_is_immediate() {
    let sandbox = by_hand();
    let mut spoken = sandbox.shim();
    spoken.initialize("2025-11-25").await;
    let mut silent = sandbox.shim();
    for shim in [&mut spoken, &mut silent] {
        let closed = Stopwatch::start();
        shim.close_stdin();
        assert_eq!(shim.hear(SOON).await, Heard::End);
        assert_eq!(shim.wait(SOON).await.code(), Some(0));
        assert!(
            closed.elapsed() < Duration::from_secs(2),
            "{:?}",
            closed.elapsed()
        );
    }
}

#[tokio::test]
async fn r04_a_last_line_without_an_end_is_a_line() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    shim.send_bytes(br#"{"jsonrpc":"2.0","id":"last","method":"ping"}"#)
        .await;
    shim.close_stdin();
    assert_eq!(shim.recv().await["id"], "last");
    assert_eq!(shim.wait(SOON).await.code(), Some(0));
}

#[tokio::test]
async fn r04_a_call_that_waits_for_no_daemon_does_not_keep_it() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "60");
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    shim.call("version", json!({})).await;
    shim.request("ping", json!({})).await;
    shim.recv().await;
    let closed = Stopwatch::start();
    shim.close_stdin();
    assert_eq!(shim.wait(SOON).await.code(), Some(0));
    assert!(closed.elapsed() < Duration::from_millis(3500));
}

#[tokio::test]
async fn r04_a_closed_stdout_ends_it_at_its_next_word() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    shim.close_stdout();
    let asked = Stopwatch::start();
    // The pipe may break before all of this is taken.
    let ping = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    let _ = shim.try_send_bytes(ping).await;
    shim.wait(SOON).await;
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "{:?}",
        asked.elapsed()
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn r04_a_closed_stdout_is_noticed_by_a_shim_that_has_nothing_to_say() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let closed = Stopwatch::start();
    shim.close_stdout();
    shim.wait(SOON).await;
    assert!(
        closed.elapsed() < Duration::from_secs(2),
        "{:?}",
        closed.elapsed()
    );
}

/// Some clients hand out sockets, one for each direction or one for both.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r04_sockets_serve_as_pipes_do() {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        os::{fd::OwnedFd, unix::net::UnixStream},
    };
    let sandbox = by_hand();
    let ping = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    for one_for_both in [false, true] {
        let (mut theirs_in, ours_in) = UnixStream::pair().unwrap();
        let (theirs_out, ours_out) = if one_for_both {
            (theirs_in.try_clone().unwrap(), ours_in.try_clone().unwrap())
        } else {
            UnixStream::pair().unwrap()
        };
        let mut command = sandbox.command("exai-shim");
        command
            .stdin(OwnedFd::from(ours_in))
            .stdout(OwnedFd::from(ours_out));
        let mut child = command.spawn().unwrap();
        drop(command);
        theirs_out.set_read_timeout(Some(SOON)).unwrap();
        theirs_in.write_all(ping).unwrap();
        let mut said = BufReader::new(theirs_out);
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert!(line.contains("\"id\":1"), "{line}");
        // What was asked before the end of stdin is answered after it.
        theirs_in.write_all(ping).unwrap();
        theirs_in.shutdown(std::net::Shutdown::Write).unwrap();
        line.clear();
        said.read_line(&mut line).unwrap();
        assert!(line.contains("\"id\":1"), "{line}");
        let ended = tokio::time::timeout(SOON, child.wait()).await;
        assert_eq!(ended.unwrap().unwrap().code(), Some(0));
    }
    // Nobody reads: over for a shim with a socket as well.
    let (_theirs_in, ours_in) = UnixStream::pair().unwrap();
    let (theirs_out, ours_out) = UnixStream::pair().unwrap();
    let mut command = sandbox.command("exai-shim");
    command
        .stdin(OwnedFd::from(ours_in))
        .stdout(OwnedFd::from(ours_out));
    let mut child = command.spawn().unwrap();
    drop((command, theirs_out));
    let ended = tokio::time::timeout(SOON, child.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn r04_a_signal_ends_it_fast_even_with_calls_pending() {
    let (sandbox, _daemon, first) = connected().await;
    drop(first);
    let signals: [fn(&mut Shim); 3] = [
        |shim| shim.terminate(),
        |shim| shim.interrupt(),
        |shim| shim.hang_up(),
    ];
    for signal in signals {
        let mut fastest = Duration::MAX;
        for _ in 0..3 {
            let mut shim = window(&sandbox).await;
            shim.call("test_sleep", json!({ "ms": 60_000 })).await;
            shim.ask("ping", json!({})).await;
            let sent = Stopwatch::start();
            signal(&mut shim);
            shim.wait(SOON).await;
            fastest = fastest.min(sent.elapsed());
        }
        // The row's own number; three tries, because this machine does other things as well.
        assert!(fastest < Duration::from_millis(100), "{fastest:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn r04_it_never_spins() {
    let mut sandbox = by_hand();
    let mut alone = sandbox.shim();
    alone.initialize("2025-11-25").await;
    sandbox.set("EXAI_WS_PORT", exai_testkit::free_port().to_string());
    let (_other, _daemon, mut served) = connected().await;
    reached(&mut served).await;
    let before = [&alone, &served].map(|shim| shim.cpu_time().unwrap());
    tokio::time::sleep(Duration::from_secs(4)).await;
    for (shim, before) in [&alone, &served].into_iter().zip(before) {
        let used = shim.cpu_time().unwrap() - before;
        assert!(used < Duration::from_millis(200), "{used:?} of 4 s");
    }
}

/// Nobody reads, nobody writes, and both ends are half gone.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r04_a_drain_that_cannot_be_read_does_not_spin_and_ends() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    for _ in 0..4 {
        shim.call("test_bulk", json!({ "bytes": 2_000_000 })).await;
    }
    let before = shim.cpu_time().unwrap();
    let closed = Stopwatch::start();
    shim.close_stdin();
    let mut last = before;
    while shim.is_running() {
        assert!(closed.elapsed() < SOON, "it still runs");
        last = shim.cpu_time().map_or(last, |now| now.max(last));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Results of megabytes cost something; two seconds of turning in circles cost two seconds.
    assert!(
        last - before < Duration::from_millis(1200),
        "{:?}",
        last - before
    );
}

/// A shim whose parent is a shell that can be killed, with a stdin that outlives the shell.
#[cfg(unix)]
async fn with_a_parent(sandbox: &Sandbox) -> (exai_testkit::Process, u32, std::fs::File) {
    let pipe = sandbox.work().join("stdin");
    let mut mkfifo = tokio::process::Command::new("mkfifo");
    assert!(
        mkfifo
            .arg(&pipe)
            .status()
            .await
            .is_ok_and(|status| status.success())
    );
    // Opened both ways, so that neither opening waits for the other.
    let held = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&pipe)
        .must("open the pipe");
    let shim = exai_testkit::binary("exai-shim");
    let script = format!(
        "'{}' < '{}' > '{}' & echo $! > pid; wait",
        shim.display(),
        pipe.display(),
        sandbox.work().join("stdout").display(),
    );
    let mut command = sandbox.command("exai-shim");
    let std = command.as_std_mut();
    let mut shell = tokio::process::Command::new("sh");
    shell
        .arg("-c")
        .arg(script)
        .current_dir(sandbox.work())
        .stdin(Stdio::null());
    shell.env_clear();
    for (name, value) in std.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    shell.kill_on_drop(true);
    let parent = sandbox.spawn(shell);
    let pid = eventually(SOON, "the shim's id", || {
        let text = std::fs::read_to_string(sandbox.work().join("pid")).ok()?;
        text.trim().parse().ok()
    })
    .await;
    (parent, pid, held)
}

#[cfg(unix)]
#[tokio::test]
async fn r05_when_its_parent_is_killed_the_shim_goes_too() {
    use std::io::Write as _;
    let sandbox = by_hand();
    let _daemon = sandbox.daemon().await;
    let (mut parent, shim, mut stdin) = with_a_parent(&sandbox).await;
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "0" } } });
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
        "name": "test_sleep", "arguments": { "ms": 60_000 } } });
    writeln!(stdin, "{hello}\n{call}").unwrap();
    let started = || sandbox.log("ws_daemon.log").contains("tool=test_sleep");
    eventually(SOON, "the call to be received", started).await;
    assert!(is_alive(shim));
    parent.kill().await;
    let killed = Stopwatch::start();
    let gone = || !is_alive(shim);
    eventually(SOON, "the shim to be gone", gone).await;
    assert!(killed.elapsed() < Duration::from_secs(10));
    // Its stdin was open all the time, and its stdout carries what it should and nothing else.
    drop(stdin);
    let said = std::fs::read_to_string(sandbox.work().join("stdout")).unwrap();
    let first: serde_json::Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    assert_eq!(first["id"], 1);
}

/// The call of an editor that died is finished, or stopped once nobody has come for it.
#[tokio::test]
async fn i05_a_shim_killed_in_mid_call_leaves_no_orphan_and_one_record_a_call() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_UNWATCHED_SECS", "2");
    let mut daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    let short = sandbox.work().join("short");
    let long = sandbox.work().join("long");
    shim.call("test_count_once", json!({ "file": short, "ms": 1000 }))
        .await;
    shim.call("test_count_once", json!({ "file": long, "ms": 600_000 }))
        .await;
    let both = || sandbox.counted("short") + sandbox.counted("long") == 2;
    eventually(SOON, "both calls to run", both).await;
    let pid = shim.id();
    shim.kill().await;
    assert!(!is_alive(pid));
    let outcomes = eventually(SOON, "both records", || {
        let mut of: Vec<String> = sandbox
            .calls()
            .iter()
            .filter(|record| record["tool"] == "test_count_once")
            .map(|record| record["outcome"].as_str().unwrap_or_default().to_owned())
            .collect();
        of.sort();
        (of.len() == 2).then_some(of)
    })
    .await;
    assert_eq!(outcomes, ["cancelled", "ok"]);
    assert_eq!(sandbox.processes("exai-shim"), Vec::<u32>::new());
    assert!(daemon.is_running());
    window(&sandbox).await;
}
