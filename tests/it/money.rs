//! The daemon's database from outside: made for its owner alone, told of when it is damaged,
//! never a reason not to run; and `usage`, which needs no daemon.

use exai_testkit::{Must as _, Sandbox, Ws};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

fn database(sandbox: &Sandbox) -> PathBuf {
    sandbox.home().join(".exai/data/exai.db")
}

async fn warnings(ws: &mut Ws) -> Vec<String> {
    ws.send(&json!({ "op": "health" })).await;
    let health = ws.recv_op("health_res").await;
    let all = health["health"]["warnings"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    all.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

async fn text_of(ws: &mut Ws, tool: &str) -> String {
    let result = ws.call_and_wait(tool, json!({})).await;
    result["outputs"][0]["text"]
        .as_str()
        .must("read a text")
        .to_owned()
}

#[tokio::test]
async fn usage_answers_with_and_without_a_daemon() {
    let mut sandbox = Sandbox::new();
    let usage = || sandbox.cli(&["usage"]);
    let before = usage().await.ok();
    assert!(before.stdout.is_empty(), "{}", before.stdout);
    assert!(
        before.stderr.contains("no model was asked"),
        "{}",
        before.stderr
    );
    assert!(
        before.stderr.contains("EXAI_BUDGET_DAY"),
        "{}",
        before.stderr
    );
    assert!(!database(&sandbox).exists(), "looking makes nothing");

    let daemon = sandbox.daemon().await;
    assert!(database(&sandbox).exists());
    usage().await.ok();
    drop(daemon);
    sandbox
        .set("EXAI_BUDGET_DAY", "5")
        .set("EXAI_BUDGET_CALL", "0.25");
    let after = sandbox.cli(&["usage"]).await.ok();
    assert!(
        after
            .stdout
            .contains("per day   $5.00  $0.00  $0.00  $5.00"),
        "{}",
        after.stdout
    );
    assert!(after.stdout.contains("per call  $0.25"), "{}", after.stdout);
    let json = sandbox
        .cli(&["usage", "--by", "client", "--since", "7d", "--json"])
        .await
        .ok()
        .json();
    assert_eq!((&json["rows"], &json["total"]), (&json!([]), &Value::Null));
    assert_eq!(json["budgets"][1]["left_usd"], 5.0);
    let wrong = sandbox.cli(&["usage", "--since", "lately"]).await;
    assert_eq!(wrong.code, Some(2), "{}", wrong.all());
}

#[cfg(unix)]
#[tokio::test]
async fn the_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    for file in fs::read_dir(sandbox.home().join(".exai/data")).must("list the data") {
        let file = file.must("look at a file");
        let mode = file.metadata().must("look at a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
}

#[tokio::test]
async fn a_damaged_database_is_set_aside_and_told_of_everywhere() {
    let sandbox = Sandbox::new();
    // Ended in order, so that all of it is in the file and nothing in its log.
    let daemon = sandbox.daemon().await;
    sandbox.cli(&["stop"]).await.ok();
    drop(daemon);
    fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(database(&sandbox))
        .and_then(|mut file| std::io::Write::write_all(&mut file, &[b'x'; 8192]))
        .must("damage the database");
    let doctor = sandbox.cli(&["doctor"]).await;
    assert!(doctor.stdout.contains("FAIL  data"), "{}", doctor.all());

    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let told = |text: &str| text.contains("a damaged database was set aside as");
    let found = warnings(&mut ws).await;
    assert!(found.iter().any(|warning| told(warning)), "{found:?}");
    for tool in ["status", "self-check"] {
        let text = text_of(&mut ws, tool).await;
        assert!(told(&text), "{tool}: {text}");
    }
    let status = sandbox.cli(&["status"]).await.ok();
    assert!(told(&status.stderr), "{}", status.all());
    let doctor = sandbox.cli(&["doctor"]).await;
    assert!(doctor.stdout.contains("warn  data"), "{}", doctor.all());
    assert!(
        doctor.stdout.contains("exai.db (whole)"),
        "{}",
        doctor.all()
    );
    let kept = fs::read_dir(sandbox.home().join(".exai/data")).must("list the data");
    let kept = kept
        .flatten()
        .filter(|file| fs::read(file.path()).is_ok_and(|bytes| bytes == [b'x'; 8192]));
    assert_eq!(
        kept.count(),
        1,
        "what was damaged is still there, byte for byte"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_that_is_refused_stops_nothing_else() {
    let sandbox = Sandbox::new();
    let elsewhere = sandbox.work().join("elsewhere.db");
    fs::create_dir_all(sandbox.home().join(".exai/data")).must("make the folder");
    for private in [".exai", ".exai/data"] {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(
            sandbox.home().join(private),
            fs::Permissions::from_mode(0o700),
        )
        .must("close it");
    }
    std::os::unix::fs::symlink(&elsewhere, database(&sandbox)).must("make a link");
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    let found = warnings(&mut ws).await;
    assert!(
        found
            .iter()
            .any(|warning| warning.contains("symbolic link")),
        "{found:?}"
    );
    assert!(!elsewhere.exists(), "the link was not followed");
    let text = text_of(&mut ws, "version").await;
    assert!(text.contains("exai"), "{text}");
}

#[tokio::test]
async fn a_wrong_budget_names_the_setting_and_what_is_allowed() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_BUDGET_DAY", "lots")
        .set("EXAI_BUDGET_WARN_PERCENT", "0");
    let started = sandbox.cli(&["start"]).await;
    assert_eq!(started.code, Some(3), "{}", started.all());
    for part in [
        "EXAI_BUDGET_DAY: `lots` is not allowed; expected US dollars from 0 to 1000000",
        "EXAI_BUDGET_WARN_PERCENT: `0` is not allowed; expected a whole number from 1 to 100",
    ] {
        assert!(started.stderr.contains(part), "{}", started.stderr);
    }
}
