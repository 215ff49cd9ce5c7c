//! Weather: many clients that come and go as they please, and daemons that are killed while
//! they work. What is random here is repeated with `EXAI_SEED`.

use exai_testkit::{Daemon, Frame, Must as _, PATIENCE, Sandbox, Shim, Ws, eventually};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};
use tokio::task::JoinSet;

/// The seed of this run, shown with a failure.
#[expect(
    clippy::print_stderr,
    reason = "shown by the test runner with the failure"
)]
fn seed() -> u64 {
    let given = std::env::var("EXAI_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("EXAI_SEED={seed}");
    seed
}

/// One client that calls, cancels, lets go, hangs up and comes back.
async fn wander(
    port: u16,
    token: String,
    name: String,
    calls: usize,
    seed: u64,
) -> BTreeMap<String, Value> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut ends = BTreeMap::new();
    let hello = exai_testkit::Handshake::modern(&token, &name, &["progress", "rich_results"]);
    let mut ws = join(port, &hello).await;
    for n in 0..calls {
        let id = format!("{name}-{n}");
        let (tool, arguments) = match random.u8(0..8) {
            0 => ("version", json!({})),
            1 => ("no_such_tool", json!({})),
            2 => ("test_panic", json!({})),
            3 => ("test_sleep", json!({ "ms": "x" })),
            4 => (
                "test_flood",
                json!({ "count": 20, "ms": random.u64(0..10) }),
            ),
            5 => ("test_bulk", json!({ "bytes": random.u64(0..200_000) })),
            6 => ("test_block", json!({ "ms": random.u64(0..60) })),
            _ => ("test_sleep", json!({ "ms": random.u64(0..120) })),
        };
        ws.call_as(&id, tool, arguments).await;
        match random.u8(0..6) {
            // The usual: wait for it.
            0..=2 => drop(ends.insert(id.clone(), ws.result(&id).await)),
            3 => ws.send(&json!({ "op": "cancel", "request_id": id })).await,
            4 => {
                ws.send(&json!({ "op": "cancel", "request_id": id, "mode": "detach" }))
                    .await
            }
            // Hung up on, in good order or in none.
            _ if random.bool() => {
                ws.close().await;
                ws = join(port, &hello).await;
            }
            _ => ws = join(port, &hello).await,
        }
    }
    ends
}

async fn join(port: u16, hello: &exai_testkit::Handshake) -> Ws {
    let mut ws = Ws::connect(port).await;
    match ws.hello(hello).await {
        Frame::Json(ack) if ack["ok"] == true => ws,
        other => panic!("not welcome: {other:?}"),
    }
}

/// What the database may keep open for its readers once they were needed: four connections, each
/// with the file, its log and their shared memory.
#[cfg(target_os = "linux")]
const OF_READERS: usize = 4 * 3;

/// Sockets, and everything that is open.
#[cfg(target_os = "linux")]
fn descriptors(pid: u32) -> (usize, usize) {
    let files: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd"))
        .must("list what is open")
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .collect();
    let is_socket = |to: &&std::path::PathBuf| to.to_string_lossy().starts_with("socket:");
    (files.iter().filter(is_socket).count(), files.len())
}

/// Waits until nothing runs, nothing waits and nobody but the asker is connected.
async fn calm(sandbox: &Sandbox) {
    let mut ws = sandbox.ws().await;
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        ws.send(&json!({ "op": "health" })).await;
        let health = ws.recv_op("health_res").await["health"].clone();
        if health["global_inflight"] == 0 && health["queued"] == 0 && health["connections"] == 1 {
            return ws.close().await;
        }
        assert!(tokio::time::Instant::now() < end, "never calm: {health}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn i01_after_a_storm_every_call_has_its_end_and_nothing_is_held() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_GLOBAL_MAX_INFLIGHT", "6")
        .set("EXAI_WS_SESSION_MAX_INFLIGHT", "2");
    let daemon = sandbox.daemon().await;
    let token = sandbox.token().must("read the token");
    let seed = seed();
    #[cfg(target_os = "linux")]
    let before = descriptors(daemon.id());
    let mut clients = JoinSet::new();
    for n in 0..10 {
        clients.spawn(wander(
            sandbox.port(),
            token.clone(),
            format!("c{n}"),
            20,
            seed.wrapping_add(n),
        ));
    }
    let mut answered = BTreeMap::new();
    while let Some(ends) = clients.join_next().await {
        answered.extend(ends.must("let a client wander"));
    }
    let received = |sandbox: &Sandbox| {
        sandbox
            .log("ws_daemon.log")
            .matches("calls: received ")
            .count()
    };
    calm(&sandbox).await;
    // Nothing was awaited from here on, so all of it is on its way to the disk.
    eventually(PATIENCE, "what was received has its record", || {
        let calls = sandbox.calls();
        let told = |id: &String| calls.iter().any(|call| call["request_id"] == **id);
        calls.len() == received(&sandbox) && answered.keys().all(told)
    })
    .await;
    let calls = sandbox.calls();
    let ids: BTreeSet<String> = calls
        .iter()
        .map(|call| call["request_id"].to_string())
        .collect();
    assert_eq!(calls.len(), ids.len(), "one record each");
    // A frame that its sender hung up on may never have been read, no other is lost.
    assert!(calls.len() > 100 && calls.len() <= 200, "{}", calls.len());
    for (id, end) in &answered {
        let record = calls
            .iter()
            .find(|call| call["request_id"] == **id)
            .must("find its record");
        let code = end["error"].get("code").cloned().unwrap_or(Value::Null);
        assert_eq!(
            record["code"], code,
            "{id}: the record says what the client heard"
        );
    }
    #[cfg(target_os = "linux")]
    eventually(PATIENCE, "what was open is given back", || {
        let (sockets, all) = descriptors(daemon.id());
        sockets <= before.0 && all <= before.1 + OF_READERS
    })
    .await;
    let check = sandbox.cli(&["logs", "check"]).await.ok();
    assert!(
        check.stdout.contains("open=0 violations=0"),
        "{}",
        check.all()
    );
    drop(daemon);
}

/// One editor that asks for work that must not be done twice, whatever happens to the daemon.
async fn ask_for_work(
    mut shim: Shim,
    file: std::path::PathBuf,
    calls: usize,
    seed: u64,
) -> (Shim, Vec<Value>) {
    let mut random = fastrand::Rng::with_seed(seed);
    shim.initialize("2025-06-18").await;
    let mut answers = Vec::new();
    for _ in 0..calls {
        let arguments = json!({ "file": file, "ms": random.u64(0..150) });
        answers.push(shim.call_tool("test_count_once", arguments).await);
    }
    (shim, answers)
}

#[tokio::test]
async fn i04_daemons_killed_at_random_moments_run_nothing_twice() {
    let sandbox = Sandbox::new();
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut daemon: Daemon = sandbox.daemon().await;
    let file = sandbox.work().join("ran");
    let mut editors = JoinSet::new();
    for n in 0..3 {
        let mut command = sandbox.command("exai-shim");
        command.env("EXAI_WS_AUTOSTART", "0");
        editors.spawn(ask_for_work(
            sandbox.shim_of(command),
            file.clone(),
            25,
            seed.wrapping_add(n),
        ));
    }
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(random.u64(50..500))).await;
        daemon.kill().await;
        daemon = sandbox.daemon().await;
    }
    let (mut done, mut unknown) = (0, 0);
    let mut shims = Vec::new();
    while let Some(asked) = editors.join_next().await {
        let (shim, answers) = asked.must("ask for work");
        shims.push(shim);
        for answer in answers {
            let words = Shim::text_of(&answer);
            if answer["isError"] == true {
                assert!(
                    words.contains("OUTCOME_UNKNOWN")
                        || words.contains("not known")
                        || words.contains("may"),
                    "{answer}"
                );
                unknown += 1;
            } else {
                assert_eq!(words, "counted", "{answer}");
                done += 1;
            }
        }
    }
    assert_eq!(done + unknown, 75, "every call has one answer");
    assert!(done > 0);
    let text = fs::read_to_string(&file).must("read what ran");
    let ran: Vec<&str> = text.lines().collect();
    let once: BTreeSet<&str> = ran.iter().copied().collect();
    assert_eq!(ran.len(), once.len(), "nothing ran twice");
    assert!(
        ran.len() >= done && ran.len() <= 75,
        "{} ran, {done} were told so",
        ran.len()
    );
    // The editors noticed nothing but the answers, and the next call just works.
    for mut shim in shims {
        assert_ne!(shim.call_tool("version", json!({})).await["isError"], true);
    }
    let check = sandbox.cli(&["logs", "check"]).await.ok();
    assert!(
        check.stdout.contains("boots=7 ") && check.stdout.contains("violations=0"),
        "{}",
        check.all()
    );
    assert!(daemon.is_running());
}
