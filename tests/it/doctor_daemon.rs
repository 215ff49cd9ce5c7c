//! `doctor` on what is between a home and its daemon: a port that is somebody else's, a daemon of
//! another version, a disk without room. Each is made, named, put right as it says, and gone.

use crate::doctor::{fixed, found, says};
use exai_testkit::{Must as _, Sandbox, binary, free_port};
use std::{fs, path::PathBuf};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, task::JoinSet};

#[tokio::test]
async fn a_port_that_is_another_programs_is_named_with_its_owner() {
    let mut sandbox = Sandbox::new();
    let taken = TcpListener::bind(("127.0.0.1", sandbox.port()))
        .await
        .must("take the port");
    let mut owner = JoinSet::new();
    owner.spawn(async move { while taken.accept().await.is_ok() {} });
    let named = found(&sandbox, "daemon").await;
    says(
        named.first().must("name the port"),
        &[&sandbox.port().to_string(), "no exai", "EXAI_WS_PORT"],
    );
    #[cfg(target_os = "linux")]
    says(&named[0], &[&format!("pid {}", std::process::id())]);
    sandbox.set("EXAI_WS_PORT", free_port().to_string());
    sandbox.cli(&["start"]).await.ok();
    assert!(found(&sandbox, "daemon").await.is_empty());
}

/// A web server that keeps its connections, and a program that says nothing: neither is a daemon
/// that hangs, and `stop --force` would not help.
#[tokio::test]
async fn r41_a_program_on_the_port_that_does_not_hang_up_is_no_daemon_that_hangs() {
    for answer in ["", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"] {
        let sandbox = Sandbox::new();
        let taken = TcpListener::bind(("127.0.0.1", sandbox.port()))
            .await
            .must("take the port");
        let mut owner = JoinSet::new();
        owner.spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut guest, _)) = taken.accept().await {
                let _ = guest.write_all(answer.as_bytes()).await;
                kept.push(guest);
            }
        });
        let named = found(&sandbox, "daemon").await;
        let named = named.first().must("name the port");
        says(named, &["is held by", "no ", "EXAI_WS_PORT"]);
        assert!(!named.to_string().contains("--force"), "{named}");
        #[cfg(target_os = "linux")]
        says(named, &[&format!("pid {}", std::process::id())]);
        let status = sandbox.cli(&["status"]).await;
        assert!(
            status.all().contains("held by another program"),
            "{}",
            status.all()
        );
    }
}

#[tokio::test]
async fn what_the_daemon_itself_finds_wrong_is_named_while_it_lasts() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_TOOL_RATES", "test_sleep=1/min");
    sandbox.cli(&["start"]).await.ok();
    assert!(found(&sandbox, "daemon").await.is_empty());
    sandbox.cli(&["call", "test_sleep"]).await.ok();
    let refused = sandbox.cli(&["call", "test_sleep"]).await;
    assert_eq!(refused.code, Some(24), "{}", refused.all());
    let named = found(&sandbox, "daemon").await;
    let named = named.first().must("name the limit");
    says(named, &["tool_rate of test_sleep", "refused"]);
    sandbox.cli(&["restart"]).await.ok();
    assert!(found(&sandbox, "daemon").await.is_empty());
}

#[tokio::test]
async fn a_token_file_of_garbage_is_named_and_put_aside() {
    let sandbox = Sandbox::new();
    sandbox.cli(&["start"]).await.ok();
    sandbox.cli(&["stop"]).await.ok();
    let token = sandbox.write(".exai/run/token", "gar bage\n");
    let named = found(&sandbox, "token").await;
    let named = named.first().must("name the token");
    says(named, &["holds no token", "remove"]);
    assert_eq!(named["fixable"], true, "{named}");
    assert_ne!(sandbox.cli(&["start"]).await.code, Some(0));
    let (done, left) = fixed(&sandbox, "token").await;
    assert_eq!((done.len(), left.len()), (1, 0), "{done:?} {left:?}");
    let kept = fs::read_to_string(token.with_extension("unusable")).must("keep it");
    assert_eq!(kept, "gar bage\n");
    sandbox.cli(&["start"]).await.ok();
    assert!(found(&sandbox, "token").await.is_empty());
    sandbox.cli(&["stop"]).await.ok();
}

/// This build with another version in it, as the one before it was.
fn earlier(sandbox: &Sandbox) -> PathBuf {
    let mut program = fs::read(binary("exai-daemon")).must("read the program");
    let (now, before) = (env!("CARGO_PKG_VERSION").as_bytes(), b"0.0.9");
    assert_eq!(now.len(), before.len(), "words of the same length");
    let mut at = 0;
    while let Some(found) = position(&program[at..], now) {
        at += found;
        program[at..at + before.len()].copy_from_slice(before);
    }
    let path = sandbox
        .work()
        .join(format!("exai-daemon{}", std::env::consts::EXE_SUFFIX));
    fs::copy(binary("exai-daemon"), &path).must("copy its rights");
    let mut file = fs::File::create(&path).must("open the copy");
    std::io::Write::write_all(&mut file, &program).must("write the program");
    path
}

fn position(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|part| part == word)
}

#[tokio::test]
async fn r44_a_daemon_of_another_version_is_named_and_a_restart_puts_it_right() {
    let sandbox = Sandbox::new();
    let mut start = sandbox.command_at(earlier(&sandbox));
    start.arg("start");
    sandbox.finish(start, exai_testkit::PATIENCE).await.ok();
    let named = found(&sandbox, "daemon").await;
    says(
        named.first().must("name the version"),
        &[
            "runs version 0.0.9",
            env!("CARGO_PKG_VERSION"),
            "exai-daemon restart",
        ],
    );
    sandbox.cli(&["restart"]).await.ok();
    assert!(found(&sandbox, "daemon").await.is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn r42_a_disk_without_room_is_named() {
    let mut sandbox = Sandbox::new();
    let folder = sandbox.work().join("small");
    let Some(mount) = crate::daemon_homes::Mount::tmpfs(folder, "size=32m").await else {
        return;
    };
    sandbox.set("EXAI_HOME", &mount.0);
    let named = found(&sandbox, "disk").await;
    says(
        named.first().must("name the disk"),
        &["MiB free", "free space", "refused"],
    );
    assert!(mount.remount("remount,size=2g").await);
    assert!(found(&sandbox, "disk").await.is_empty());
}
