//! `start`: returns when a daemon answers, or says why none does; many starters, one daemon.

use exai_testkit::{Must as _, PATIENCE, Process, Sandbox, eventually, is_alive};
use std::{fs, process::Stdio};
use tokio::{io::AsyncReadExt as _, process::Command, time::timeout};

const START_FAILED: i32 = 8;

#[tokio::test]
async fn r17_start_returns_when_the_daemon_answers() {
    let sandbox = Sandbox::new();
    let started = sandbox.cli(&["start"]).await.ok();
    // Not "soon": the very next connection is served.
    let mut ws = sandbox.ws().await;
    let pong = {
        ws.send(&serde_json::json!({ "op": "ping", "request_id": "p" }))
            .await;
        ws.recv().await
    };
    assert_eq!(pong["op"], "pong");
    let pid = sandbox.daemon_pid().must("read the record");
    assert_eq!(
        started.stdout.trim(),
        format!(
            "ws_daemon: started | ws://127.0.0.1:{} | pid={pid}",
            sandbox.port()
        )
    );
    let again = sandbox.cli(&["start"]).await.ok();
    assert!(again.stdout.contains("already running"), "{}", again.all());
    assert!(again.stdout.contains(&pid.to_string()), "{}", again.all());
    assert!(
        sandbox
            .cli(&["start", "--quiet"])
            .await
            .ok()
            .all()
            .is_empty()
    );
}

#[tokio::test]
async fn r17_a_daemon_that_dies_in_start_up_is_reported_with_its_log() {
    let mut sandbox = Sandbox::new();
    // No interface has this address: nobody answers there, and nobody can listen there.
    sandbox
        .set("EXAI_WS_HOST", "192.0.2.1")
        .set("EXAI_WS_TOKEN", "a-token-for-this-test");
    let started = sandbox.cli(&["start"]).await;
    assert_eq!(started.code, Some(START_FAILED), "{}", started.all());
    let said = &started.stderr;
    assert!(said.contains("cannot listen"), "the log's tail: {said}");
    assert!(
        said.contains("EXAI_WS_HOST"),
        "the daemon's last words: {said}"
    );
    assert!(said.contains("doctor"), "the next step: {said}");
    assert!(!said.contains("a-token-for-this-test"), "{said}");
    assert!(sandbox.processes("exai-daemon").is_empty());
    assert!(!sandbox.run_path("endpoint.json").exists());
}

#[tokio::test]
async fn r17_a_second_starter_waits_for_the_first() {
    let sandbox = Sandbox::new();
    let lock = sandbox.write(".exai/run/start.lock", "");
    let lock = fs::File::options()
        .write(true)
        .open(lock)
        .must("open the lock");
    lock.try_lock().must("be the first starter");
    let mut second = sandbox.spawn({
        let mut command = sandbox.command("exai-daemon");
        command.arg("start");
        command
    });
    eventually(PATIENCE, "the second starter looks at the lock", || {
        waits_for_a_lock(&sandbox, &second)
    })
    .await;
    assert!(second.is_running(), "it must wait: {}", second.said());
    assert!(
        sandbox.daemon_pid().is_none(),
        "only the lock's holder starts anything"
    );
    // The first one's daemon comes up; the second needs no lock any more to be content.
    let daemon = sandbox.daemon().await;
    assert_eq!(
        second.wait(PATIENCE).await.code(),
        Some(0),
        "{}",
        second.said()
    );
    assert!(
        second.said().contains(&format!("pid={}", daemon.id())),
        "{}",
        second.said()
    );
    drop(lock);
}

/// It has the lock's file open and is still there.
fn waits_for_a_lock(sandbox: &Sandbox, starter: &Process) -> bool {
    let path = sandbox.run_path("start.lock");
    let Ok(open) = fs::read_dir(format!("/proc/{}/fd", starter.id())) else {
        return false;
    };
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|link| link == path)
}

#[tokio::test]
async fn r17_twelve_starts_at_once_make_one_daemon_and_all_succeed() {
    let sandbox = Sandbox::new();
    let mut starts: Vec<Process> = (0..12)
        .map(|_| {
            let mut command = sandbox.command("exai-daemon");
            command.arg("start");
            sandbox.spawn(command)
        })
        .collect();
    for start in &mut starts {
        let status = start.wait(PATIENCE).await;
        assert_eq!(status.code(), Some(0), "{}", start.said());
    }
    let pid = sandbox.daemon_pid().must("read the record");
    for start in &starts {
        assert!(
            start.said().contains(&format!("pid={pid}")),
            "{}",
            start.said()
        );
    }
    let fresh = starts
        .iter()
        .filter(|start| start.said().contains(": started"))
        .count();
    assert_eq!(fresh, 1, "one of them started it");
    assert_eq!(sandbox.processes("exai-daemon"), [pid]);
}

#[cfg(unix)]
#[tokio::test]
async fn r23_a_started_daemon_holds_nothing_of_its_starter() {
    let sandbox = Sandbox::new();
    let (mut reader, mut start) = start_with_a_leaked_pipe(&sandbox);
    let status = timeout(PATIENCE, start.wait())
        .await
        .must("start in time")
        .must("wait");
    assert!(status.success());
    // An editor that waits for the end of this pipe must not wait for the daemon.
    let mut said = String::new();
    timeout(PATIENCE, reader.read_to_string(&mut said))
        .await
        .must("see the end of the pipe although the daemon runs")
        .must("read the pipe");
    assert!(said.contains("ws_daemon: started"), "{said}");
    let pid = sandbox.daemon_pid().must("read the record");
    assert!(is_alive(pid));
    #[cfg(target_os = "linux")]
    on_its_own(pid, &sandbox);
}

/// `start` with its output on a pipe, and the same pipe once more as descriptor 9.
#[cfg(unix)]
fn start_with_a_leaked_pipe(
    sandbox: &Sandbox,
) -> (tokio::process::ChildStdout, tokio::process::Child) {
    let daemon = exai_testkit::binary("exai-daemon");
    let mut shell = Command::new("/bin/sh");
    let env = sandbox.command("exai-daemon");
    shell
        .args(["-c", "exec 9>&1; exec \"$0\" start"])
        .arg(daemon);
    shell.env_clear();
    for (name, value) in env.as_std().get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    shell
        .current_dir(sandbox.work())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = shell.spawn().must("start a shell");
    (child.stdout.take().must("take the pipe"), child)
}

#[cfg(target_os = "linux")]
fn on_its_own(pid: u32, sandbox: &Sandbox) {
    let folder = format!("/proc/{pid}");
    let cwd = fs::read_link(format!("{folder}/cwd")).must("read its folder");
    assert_eq!(cwd, std::path::Path::new("/"));
    let stat = fs::read_to_string(format!("{folder}/stat")).must("read its state");
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .must("read its state")
        .1
        .split_whitespace()
        .collect();
    let (group, session, terminal) = (fields[2], fields[3], fields[4]);
    assert_eq!(
        (group, session),
        (&*pid.to_string(), &*pid.to_string()),
        "a session of its own"
    );
    assert_eq!(terminal, "0", "no terminal");
    let status = fs::read_to_string(format!("{folder}/status")).must("read its state");
    assert!(status.contains("Umask:\t0077"), "{status}");
    let link = |number: &str| fs::read_link(format!("{folder}/fd/{number}")).unwrap_or_default();
    for number in ["0", "1"] {
        assert_eq!(link(number), std::path::Path::new("/dev/null"));
    }
    assert!(
        link("2").starts_with(sandbox.home()),
        "its last words go to the home"
    );
    assert!(
        !link("9").to_string_lossy().contains("pipe"),
        "the leaked pipe is closed"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn r23_a_started_daemon_survives_hangups_and_its_terminals_end() {
    let sandbox = Sandbox::new();
    sandbox.cli(&["start"]).await.ok();
    let pid = sandbox.daemon_pid().must("read the record");
    for _ in 0..3 {
        let status = Command::new("/bin/kill")
            .args(["-HUP", &pid.to_string()])
            .status()
            .await;
        assert!(status.must("send a hangup").success());
    }
    eventually(PATIENCE, "the hangups are noticed", || {
        sandbox.log("ws_daemon.log").contains("SIGHUP ignored")
    })
    .await;
    let mut ws = sandbox.ws().await;
    let answer = ws.call_and_wait("version", serde_json::json!({})).await;
    assert!(answer.get("error").is_none(), "{answer}");
    assert_eq!(sandbox.daemon_pid(), Some(pid));
}

#[tokio::test]
async fn r26_who_stopped_the_daemon_is_not_overruled_by_a_shims_start() {
    let sandbox = Sandbox::new();
    sandbox.cli(&["start"]).await.ok();
    sandbox.cli(&["stop"]).await.ok();
    assert!(sandbox.run_path("stopped").exists());
    let auto = sandbox.cli(&["start", "--autostart"]).await;
    assert_eq!(auto.code, Some(7), "{}", auto.all());
    assert!(auto.stderr.contains("stopped by you"), "{}", auto.all());
    assert!(sandbox.processes("exai-daemon").is_empty());
    let call = sandbox.cli(&["call", "version"]).await;
    assert_eq!(call.code, Some(4), "{}", call.all());
    assert!(
        call.stderr
            .contains("stopped by you; run `exai-daemon start`"),
        "{}",
        call.all()
    );
    sandbox.cli(&["start"]).await.ok();
    assert!(!sandbox.run_path("stopped").exists());
    // A restart is no wish for an end.
    sandbox.cli(&["restart"]).await.ok();
    assert!(!sandbox.run_path("stopped").exists());
}
