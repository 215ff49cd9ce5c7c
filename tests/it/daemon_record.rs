//! The endpoint record and the pid file: hints that are whole, private, honest, and removed
//! by nobody but the daemon they name; and readers that trust none of them.

use exai_testkit::{Must as _, PATIENCE, Process, Sandbox, eventually, is_alive};
use serde_json::{Value, json};
use std::{fs, io::Write as _, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// Replaces a file of the home as its owner might.
fn put(sandbox: &Sandbox, path: &str, bytes: &[u8]) {
    let file = sandbox.write(path, "");
    let mut file = fs::File::create(file).must("write a file of the home");
    file.write_all(bytes).must("write a file of the home");
}

const RECORD: &str = ".exai/run/endpoint.json";
const PID: &str = "logs/ws_daemon.pid";

#[cfg(target_os = "linux")]
fn started(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).must("read a process's state");
    let after = stat.rsplit_once(") ").must("find the name's end").1;
    after
        .split(' ')
        .nth(19)
        .and_then(|ticks| ticks.parse().ok())
        .must("read the start time")
}

fn record(pid: u32, port: u16, boot: &str) -> Value {
    #[cfg(target_os = "linux")]
    let pid_started = Some(started(pid));
    #[cfg(not(target_os = "linux"))]
    let pid_started: Option<u64> = None;
    json!({
        "host": "127.0.0.1", "port": port, "pid": pid, "pid_started": pid_started,
        "boot_id": boot, "protocol": "1.1", "version": "0.1.0",
    })
}

/// A process that is nobody's daemon.
fn bystander(sandbox: &Sandbox) -> Process {
    let mut command = sandbox.command("exai-shim");
    command
        .stdin(std::process::Stdio::piped())
        .env("EXAI_WS_AUTOSTART", "0");
    sandbox.spawn(command)
}

#[tokio::test]
async fn r18_the_record_says_which_process_of_which_life() {
    let sandbox = Sandbox::new();
    let daemon = sandbox.daemon().await;
    let (_ws, ack) = sandbox.modern("reader", &[]).await;
    let found = sandbox.endpoint().must("read the record");
    assert_eq!(found["pid"], daemon.id());
    assert_eq!(found["port"], sandbox.port());
    assert_eq!(found["host"], "127.0.0.1");
    assert_eq!(found["boot_id"], ack["server"]["boot_id"]);
    assert_eq!(found["protocol"], ack["protocol"]);
    #[cfg(target_os = "linux")]
    assert_eq!(found["pid_started"], started(daemon.id()));
    assert_eq!(sandbox.log("ws_daemon.pid"), daemon.id().to_string());
    #[cfg(unix)]
    for path in [RECORD, PID] {
        use std::os::unix::fs::PermissionsExt as _;
        let meta = sandbox.home().join(path).metadata().must("look at a hint");
        assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{path}");
    }
}

#[tokio::test]
async fn r18_no_reader_ever_sees_half_a_record() {
    let sandbox = Sandbox::new();
    // Whatever becomes of this test, its reader ends.
    let stop = std::sync::Arc::new(());
    let (path, pid_path) = (
        sandbox.run_path("endpoint.json"),
        sandbox.log_path("ws_daemon.pid"),
    );
    let reading = tokio::task::spawn_blocking({
        let stop = std::sync::Arc::downgrade(&stop);
        move || {
            let (mut whole, mut torn) = (0_u32, Vec::new());
            while stop.strong_count() > 0 {
                if let Ok(text) = fs::read_to_string(&path) {
                    match serde_json::from_str::<Value>(&text) {
                        Ok(_) => whole += 1,
                        Err(_) => torn.push(text),
                    }
                }
                if let Ok(text) = fs::read_to_string(&pid_path)
                    && text.parse::<u32>().is_err()
                {
                    torn.push(text);
                }
                std::thread::sleep(Duration::from_micros(100));
            }
            (whole, torn)
        }
    });
    for _ in 0..4 {
        let mut daemon = sandbox.daemon().await;
        daemon.terminate();
        assert!(daemon.wait(PATIENCE).await.success());
    }
    drop(stop);
    let (whole, torn) = reading.await.must("read along");
    assert!(torn.is_empty(), "{torn:?}");
    assert!(whole > 0);
}

/// Answers anything with a web page, as a program does that took the port meanwhile.
async fn web_page(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut buffer = [0_u8; 2048];
        let _ = stream.read(&mut buffer).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .await;
    }
}

#[tokio::test]
async fn r18_a_record_that_names_somebody_else_fools_nobody() {
    let sandbox = Sandbox::new();
    let mut dead = sandbox.daemon().await;
    dead.kill().await;
    let mut other = bystander(&sandbox);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.must("listen");
    let port = listener.local_addr().must("read the address").port();
    let mut pages = tokio::task::JoinSet::new();
    pages.spawn(web_page(listener));
    // A process that lives, with its true start, and a port where something answers.
    put(
        &sandbox,
        RECORD,
        record(other.id(), port, "of-old").to_string().as_bytes(),
    );
    put(&sandbox, PID, other.id().to_string().as_bytes());
    let status = sandbox.cli(&["status"]).await;
    assert_eq!(status.code, Some(1), "{}", status.all());
    assert!(
        !status.stdout.contains("ws_status: running"),
        "{}",
        status.all()
    );
    let started = sandbox.cli(&["start"]).await.ok();
    assert!(
        started.stdout.contains("ws_daemon: started"),
        "{}",
        started.all()
    );
    let found = sandbox.endpoint().must("read the record");
    assert_eq!(found["port"], sandbox.port());
    assert_ne!(found["pid"], other.id());
    assert!(other.is_running());
    assert!(
        sandbox
            .cli(&["status"])
            .await
            .ok()
            .stdout
            .contains("ws_status: running")
    );
}

#[tokio::test]
async fn r18_a_record_of_garbage_fools_nobody() {
    let mut huge = vec![b'['; 300_000];
    huge.push(b'1');
    let kinds: [&[u8]; 8] = [
        b"",
        b"{",
        b"null",
        b"\xff\xfe\0\0",
        b"{\"pid\":\"x\"}",
        b"{\"host\":\"127.0.0.1\",\"port\":99999999,\"pid\":-1}",
        b"{\"host\":\"\",\"port\":0,\"pid\":0,\"pid_started\":null,\"boot_id\":\"\",\"protocol\":\"\",\"version\":\"\"}",
        &huge,
    ];
    let sandbox = Sandbox::new();
    for garbage in kinds {
        put(&sandbox, RECORD, garbage);
        put(&sandbox, PID, garbage);
        let shown = String::from_utf8_lossy(&garbage[..garbage.len().min(60)]).into_owned();
        let status = sandbox.cli(&["status"]).await;
        assert_eq!(status.code, Some(1), "{shown}: {}", status.all());
        let started = sandbox.cli(&["start"]).await;
        assert_eq!(started.code, Some(0), "{shown}: {}", started.all());
        assert!(
            sandbox
                .endpoint()
                .is_some_and(|found| found["port"] == sandbox.port()),
            "{shown}"
        );
        // While it runs, a spoilt record hides it from nobody either.
        put(&sandbox, RECORD, garbage);
        let status = sandbox.cli(&["status"]).await;
        assert_eq!(status.code, Some(0), "{shown}: {}", status.all());
        let stopped = sandbox.cli(&["stop"]).await;
        assert_eq!(stopped.code, Some(0), "{shown}: {}", stopped.all());
        assert!(sandbox.processes("exai-daemon").is_empty(), "{shown}");
    }
}

#[tokio::test]
async fn r19_the_hints_go_with_the_daemon_and_only_while_they_name_it() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).await.success());
    assert!(!sandbox.run_path("endpoint.json").exists());
    assert!(!sandbox.log_path("ws_daemon.pid").exists());

    let mut daemon = sandbox.daemon().await;
    // Right after it has looked at its record, it will not look again for seconds.
    fs::remove_file(sandbox.run_path("endpoint.json")).must("remove the record");
    eventually(PATIENCE, "the record is back", || sandbox.endpoint()).await;
    let theirs = record(std::process::id(), 9, "another-life").to_string();
    put(&sandbox, RECORD, theirs.as_bytes());
    put(&sandbox, PID, b"1");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).await.success());
    assert_eq!(
        sandbox.endpoint().map(|found| found.to_string()),
        Some(theirs)
    );
    assert_eq!(sandbox.log("ws_daemon.pid"), "1");
}

#[tokio::test]
async fn r20_a_record_that_is_removed_or_replaced_is_written_again() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let ours = sandbox.endpoint().must("read the record");
    fs::remove_file(sandbox.run_path("endpoint.json")).must("remove the record");
    fs::remove_file(sandbox.log_path("ws_daemon.pid")).must("remove the pid file");
    eventually(PATIENCE, "the removed record is back", || {
        sandbox.endpoint() == Some(ours.clone())
    })
    .await;
    eventually(PATIENCE, "the pid file is back", || {
        sandbox.log("ws_daemon.pid") == daemon.id().to_string()
    })
    .await;
    put(
        &sandbox,
        RECORD,
        record(std::process::id(), 9, "another")
            .to_string()
            .as_bytes(),
    );
    eventually(PATIENCE, "the replaced record is ours again", || {
        sandbox.endpoint() == Some(ours.clone())
    })
    .await;
    fs::remove_file(sandbox.log_path("ws_daemon.pid")).must("remove the pid file");
    eventually(PATIENCE, "the pid file alone is missed too", || {
        sandbox.log("ws_daemon.pid") == daemon.id().to_string()
    })
    .await;
    assert!(daemon.is_running());
}

/// `rm -rf .exai/run` under a living daemon must not leave a daemon that nobody can find,
/// stop or speak to, nor make room for a second one.
#[tokio::test]
async fn r20_a_daemon_whose_run_directory_is_removed_stays_findable() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let token = sandbox.token().must("read the token");
    fs::remove_dir_all(sandbox.run_path("")).must("remove the run directory");
    eventually(PATIENCE, "the record is back", || {
        sandbox.daemon_pid() == Some(daemon.id())
    })
    .await;
    eventually(PATIENCE, "its clients can enter", || {
        sandbox.token() == Some(token.clone())
    })
    .await;
    let second = sandbox.cli(&["run"]).await;
    assert_eq!(
        second.code,
        Some(11),
        "the lock is held again: {}",
        second.all()
    );
    sandbox.cli(&["status"]).await.ok();
    sandbox.cli(&["stop"]).await.ok();
    assert!(daemon.wait(PATIENCE).await.success());
}

#[tokio::test]
async fn r24_stop_without_a_daemon_touches_nobody() {
    let sandbox = Sandbox::new();
    let mut other = bystander(&sandbox);
    // A stale pid file and a stale record, both naming a living process.
    put(&sandbox, PID, other.id().to_string().as_bytes());
    put(
        &sandbox,
        RECORD,
        record(other.id(), sandbox.port(), "of-old")
            .to_string()
            .as_bytes(),
    );
    for words in [
        &["stop"][..],
        &["stop", "--force"],
        &["restart"],
        &["stop", "--force"],
    ] {
        sandbox.cli(words).await.ok();
        assert!(other.is_running(), "{words:?}");
    }
    let stopped = sandbox.cli(&["stop"]).await.ok();
    assert!(stopped.stdout.contains("not running"), "{}", stopped.all());
}

#[tokio::test]
async fn r24_stop_of_one_home_leaves_the_daemon_of_another_alone() {
    let theirs = Sandbox::new();
    let mut daemon = theirs.daemon().await;
    let ours = Sandbox::on_port(theirs.port());
    let stopped = ours.cli(&["stop", "--force"]).await.ok();
    assert!(stopped.stdout.contains("not running"), "{}", stopped.all());
    let home = theirs.home().display().to_string();
    assert!(
        stopped.stderr.contains(&home),
        "it names whose port this is: {}",
        stopped.all()
    );
    assert!(daemon.is_running());
    let mut ws = theirs.ws().await;
    assert!(
        ws.call_and_wait("version", json!({}))
            .await
            .get("error")
            .is_none()
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn r24_force_ends_exactly_the_frozen_daemon() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let mut other = bystander(&sandbox);
    put(&sandbox, PID, other.id().to_string().as_bytes());
    exai_testkit::pause_pid(daemon.id());
    let stopped = sandbox.cli(&["stop", "--force", "--drain", "0"]).await.ok();
    assert!(stopped.stdout.contains("killed"), "{}", stopped.all());
    daemon.wait(PATIENCE).await;
    assert!(!is_alive(daemon.id()) && other.is_running());
    // The record named the dead one and was removed; the pid file named another and stands.
    assert!(!sandbox.run_path("endpoint.json").exists());
    assert_eq!(sandbox.log("ws_daemon.pid"), other.id().to_string());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn r24_a_recorded_process_that_is_not_the_lock_holder_is_not_signalled() {
    let sandbox = Sandbox::new();
    let mut other = bystander(&sandbox);
    let lock = sandbox.write(".exai/run/daemon.lock", "");
    let lock = fs::File::options()
        .write(true)
        .open(lock)
        .must("open the lock");
    lock.try_lock()
        .must("hold the lock, as a daemon that does not answer");
    // A number that was given to another process since: its start tells.
    let mut stale = record(other.id(), sandbox.port(), "of-old");
    stale["pid_started"] = json!(started(other.id()) - 1);
    put(&sandbox, RECORD, stale.to_string().as_bytes());
    let stopped = sandbox.cli(&["stop", "--force", "--drain", "0"]).await;
    assert_eq!(stopped.code, Some(9), "{}", stopped.all());
    assert!(
        stopped.stderr.contains("nothing was signalled"),
        "{}",
        stopped.all()
    );
    // And a record that tells the truth about a process that does not hold the lock.
    put(
        &sandbox,
        RECORD,
        record(other.id(), sandbox.port(), "lie")
            .to_string()
            .as_bytes(),
    );
    let stopped = sandbox.cli(&["stop", "--force", "--drain", "0"]).await;
    assert_eq!(stopped.code, Some(9), "{}", stopped.all());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(other.is_running(), "{}", stopped.all());
}
