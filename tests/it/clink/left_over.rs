//! A daemon that is killed ends nothing: the next one ends the agent it left at work, and nobody
//! else.

use super::{SETTINGS, hand, stage, window};
use exai_testkit::{Must as _, PATIENCE, Sandbox, answer, eventually, is_alive, kill_pid};
use serde_json::json;
use std::fs;

/// A home where no other limit can be what ends an agent.
fn patient() -> Sandbox {
    let sandbox = stage();
    let patient = SETTINGS.replace("3_000", "300_000");
    sandbox.write("config/providers.toml", &patient);
    sandbox
}

/// The files about programs that run: one each, named after its pid.
fn notes(sandbox: &Sandbox) -> Vec<u32> {
    let files = fs::read_dir(sandbox.run_path("cli.running"));
    let names = files.into_iter().flatten().flatten();
    let pids = names.filter_map(|file| {
        let name = file.file_name().into_string().ok()?;
        name.split('-').next()?.parse().ok()
    });
    pids.collect()
}

/// An agent at work, and a child of it that cannot be asked to go.
async fn at_work(sandbox: &Sandbox, name: &str) -> (u32, u32) {
    let mut ws = window(sandbox, name).await;
    ws.call("clink", json!({ "prompt": "DO-HANG" })).await;
    let file = sandbox.user().join("child");
    let child = eventually(PATIENCE, "it has started a child", || {
        fs::read_to_string(&file).ok()?.trim().parse().ok()
    })
    .await;
    let [leader] = notes(sandbox)[..] else {
        panic!("one is at work: {:?}", notes(sandbox));
    };
    (leader, child)
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn i04_the_next_daemon_ends_the_agent_that_a_killed_one_left_at_work() {
    let sandbox = patient();
    for is_led in [true, false] {
        let mut daemon = sandbox.daemon().await;
        let (leader, child) = at_work(&sandbox, &format!("led: {is_led}")).await;
        daemon.kill().await;
        assert!(is_alive(leader) && is_alive(child), "nobody ended it");
        if !is_led {
            kill_pid(leader);
        }
        let _next = sandbox.daemon().await;
        eventually(PATIENCE, "all of it to be gone", || {
            !is_alive(leader) && !is_alive(child)
        })
        .await;
        eventually(PATIENCE, "nothing to be noted", || {
            notes(&sandbox).is_empty()
        })
        .await;
        let mut ws = window(&sandbox, &format!("after: {is_led}")).await;
        let result = hand(&mut ws, json!({ "prompt": "Look around." })).await;
        assert_eq!(answer(&result), "VERDICT-AGENT.", "{result}");
        fs::remove_file(sandbox.user().join("child")).must("forget the child");
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn an_agent_whose_daemon_gave_its_home_away_works_on() {
    let sandbox = patient();
    sandbox.cli(&["start"]).await.ok();
    let (leader, child) = at_work(&sandbox, "first").await;
    sandbox.cli(&["restart"]).await.ok();
    // The new daemon looks for left-overs at its start and before each agent.
    let mut ws = window(&sandbox, "another").await;
    hand(&mut ws, json!({ "prompt": "Look around." })).await;
    assert!(is_alive(leader) && is_alive(child));
    let only = || notes(&sandbox) == [leader];
    eventually(PATIENCE, "the other's note to be gone", only).await;
    sandbox.cli(&["stop", "--force", "--drain", "0"]).await.ok();
    eventually(PATIENCE, "all of it to be gone", || {
        !is_alive(leader) && !is_alive(child)
    })
    .await;
}
