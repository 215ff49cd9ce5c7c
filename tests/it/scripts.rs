//! The wrappers in `scripts/`, as a person with a checkout uses them.

#![cfg(unix)]

use exai_testkit::{Must as _, Output, Sandbox, binary, is_alive};
use std::{fs, path::Path, time::Duration};

/// Runs a script against the binaries under test, whatever profile they are of.
async fn script(sandbox: &Sandbox, name: &str) -> Output {
    let target = sandbox.work().join("target");
    let debug = target.join("debug");
    if !debug.exists() {
        fs::create_dir_all(&debug).must("make a target folder");
        for program in ["exai-daemon", "exai-shim"] {
            std::os::unix::fs::symlink(binary(program), debug.join(program)).must("make a link");
        }
    }
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
    let mut command = tokio::process::Command::new(scripts.join(format!("{name}.sh")));
    command
        .env_clear()
        .current_dir("/")
        .env("CARGO_TARGET_DIR", target);
    let template = sandbox.command("exai-daemon");
    for (name, value) in template.as_std().get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    sandbox.finish(command, Duration::from_secs(60)).await
}

#[tokio::test]
async fn the_wrappers_start_look_try_restart_and_stop() {
    let sandbox = Sandbox::new();
    assert_eq!(script(&sandbox, "status").await.code, Some(1));
    let started = script(&sandbox, "start").await.ok();
    assert!(
        started.stdout.contains("ws_daemon: started"),
        "{}",
        started.all()
    );
    let first = sandbox.daemon_pid().must("read the record");
    assert!(
        script(&sandbox, "status")
            .await
            .ok()
            .stdout
            .starts_with("ws_status: running")
    );
    let smoke = script(&sandbox, "smoke").await.ok();
    assert!(smoke.stdout.trim_end().ends_with("OK"), "{}", smoke.all());
    script(&sandbox, "force_restart").await.ok();
    let second = sandbox.daemon_pid().must("read the record");
    assert!(first != second && !is_alive(first));
    script(&sandbox, "stop").await.ok();
    assert!(!is_alive(second));
    assert_eq!(script(&sandbox, "status").await.code, Some(1));
}
