//! One daemon a home, decided by a lock held for life and by nothing that stands in a file.

use exai_testkit::{Must as _, PATIENCE, Process, Sandbox, Ws, eventually, free_port, is_alive};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

/// See `exit.rs` of the daemon; a number never changes its meaning.
const ALREADY_RUNNING: i32 = 11;

/// Every file below a folder with its bytes, but for what a living daemon writes by itself.
fn bytes_of(folder: &Path, seen: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).must("read a folder of the home") {
        let path = entry.must("read a folder of the home").path();
        let name = path.display().to_string();
        if path.is_dir() {
            bytes_of(&path, seen);
        } else if !name.ends_with("ws_daemon.health.json") {
            seen.insert(name, fs::read(&path).unwrap_or_default());
        }
    }
}

fn home_of(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
    let mut seen = BTreeMap::new();
    bytes_of(&sandbox.home(), &mut seen);
    seen
}

#[tokio::test]
async fn r16_of_many_runs_at_once_one_stays() {
    let sandbox = Sandbox::new();
    let mut runs: Vec<Process> = (0..6)
        .map(|_| {
            let mut command = sandbox.command("exai-daemon");
            command.arg("run");
            sandbox.spawn(command)
        })
        .collect();
    eventually(PATIENCE, "five of six have given way", || {
        runs.iter_mut()
            .map(|run| run.is_running())
            .filter(|runs| !runs)
            .count()
            == 5
    })
    .await;
    let mut stayed = Vec::new();
    for run in &mut runs {
        if run.is_running() {
            stayed.push(run.id());
        } else {
            let status = run.wait(PATIENCE).await;
            assert_eq!(status.code(), Some(ALREADY_RUNNING), "{}", run.said());
            assert!(run.said().contains("already running"), "{}", run.said());
        }
    }
    eventually(PATIENCE, "the one is published", || {
        sandbox.daemon_pid().is_some()
    })
    .await;
    assert_eq!(sandbox.daemon_pid(), Some(stayed[0]));
    let boots = sandbox.log("ws_daemon.log").matches("calls: boot ").count();
    assert_eq!(boots, 1, "{}", sandbox.log("ws_daemon.log"));
}

#[tokio::test]
async fn r16_the_loser_changes_nothing_and_binds_nothing() {
    let mut sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let ws = sandbox.ws().await;
    ws.close().await;
    eventually(PATIENCE, "the log is quiet", || {
        sandbox.log("ws_daemon.log").matches("disconnected").count() == 2
    })
    .await;
    let before = home_of(&sandbox);
    let elsewhere = free_port();
    sandbox.set("EXAI_WS_PORT", elsewhere.to_string());
    let loser = sandbox.cli(&["run"]).await;
    assert_eq!(loser.code, Some(ALREADY_RUNNING), "{}", loser.all());
    let after = home_of(&sandbox);
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &before {
        assert!(
            after.get(name) == Some(bytes),
            "{name} was changed by the loser"
        );
    }
    assert!(Ws::try_connect(elsewhere).await.is_none());
    assert!(daemon.is_running());
}

#[tokio::test]
async fn r16_the_home_is_claimed_before_the_port() {
    let sandbox = Sandbox::new();
    let first = sandbox.cli(&["doctor"]).await;
    assert!(first.all().contains("home"), "{}", first.all());
    let lock = sandbox.write(".exai/run/daemon.lock", "");
    let lock = fs::File::options()
        .write(true)
        .open(lock)
        .must("open the lock");
    lock.try_lock().must("hold the lock");
    // The port is taken too; what is said is what was looked at first.
    let _taken = tokio::net::TcpListener::bind(("127.0.0.1", sandbox.port()))
        .await
        .must("take the port");
    let run = sandbox.cli(&["run"]).await;
    assert_eq!(run.code, Some(ALREADY_RUNNING), "{}", run.all());
    assert!(!sandbox.run_path("endpoint.json").exists());
    assert!(!sandbox.run_path("token").exists());
}

#[tokio::test]
async fn r16_what_a_killed_daemon_left_behind_is_no_obstacle() {
    let sandbox = Sandbox::new();
    let mut boots: Vec<Value> = Vec::new();
    for _ in 0..3 {
        let mut daemon = sandbox.daemon().await;
        let record = sandbox.endpoint().must("read the record");
        assert_eq!(record["pid"], daemon.id());
        assert!(
            !boots.contains(&record["boot_id"]),
            "each life has its own id"
        );
        boots.push(record["boot_id"].clone());
        daemon.kill().await;
        assert!(sandbox.run_path("endpoint.json").exists() && !is_alive(daemon.id()));
    }
}

#[tokio::test]
async fn r21_the_daemon_outlives_its_last_client() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let boot = sandbox.endpoint().must("read the record")["boot_id"].clone();
    let mut ws = sandbox.ws().await;
    let answer = ws.call_and_wait("version", serde_json::json!({})).await;
    assert!(answer.get("error").is_none(), "{answer}");
    ws.close().await;
    drop(sandbox.ws().await);
    eventually(PATIENCE, "nobody is connected", || {
        sandbox
            .health()
            .is_some_and(|health| health["connections"] == 0)
    })
    .await;
    // A daemon that ends with its last client would do so now; give it the time.
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert!(daemon.is_running());
    }
    let (_ws, ack) = sandbox.modern("later", &[]).await;
    assert_eq!(ack["server"]["boot_id"], boot);
}
