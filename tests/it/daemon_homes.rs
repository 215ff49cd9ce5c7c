//! Homes that are awkward, and homes that cannot be: the first work, the second are refused
//! with what is wrong and what to do.

use exai_testkit::{Must as _, Output, PATIENCE, Sandbox, eventually};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const BAD_HOME: i32 = 12;
const CONFIG: i32 = 3;

/// The whole life of a daemon in that home, by the command line alone.
async fn lives(sandbox: &mut Sandbox, home: &Path) {
    sandbox.set("EXAI_HOME", home);
    let started = sandbox.cli(&["start"]).await;
    let shown = home.display();
    assert_eq!(started.code, Some(0), "{shown}: {}", started.all());
    let call = sandbox.cli(&["call", "test_sleep", "-a", "ms=5"]).await;
    assert_eq!(call.stdout.trim(), "slept 5 ms", "{shown}: {}", call.all());
    let status = sandbox.cli(&["status", "--json"]).await;
    assert_eq!(
        status.json()["home"],
        *home.to_string_lossy(),
        "{}",
        status.all()
    );
    for words in [&["logs", "check"][..], &["stop"]] {
        let output = sandbox.cli(words).await;
        assert_eq!(output.code, Some(0), "{shown}: {words:?}: {}", output.all());
    }
    assert!(home.join("logs").join("ws_daemon.log").is_file());
}

#[tokio::test]
async fn r42_homes_with_blanks_letters_of_all_kinds_and_great_length_work() {
    let mut sandbox = Sandbox::new();
    let base = sandbox.work();
    let mut long = base.clone();
    // Beyond what a socket's path could hold, and not yet there.
    for _ in 0..8 {
        long.push("a-rather-long-name-for-a-directory");
    }
    let names = [
        "with blanks and 'quotes' $HOME",
        "Größe-домой-家-🏠",
        "#%&=;[x]",
    ];
    for home in names.iter().map(|name| base.join(name)).chain([long]) {
        lives(&mut sandbox, &home).await;
    }
}

/// Refused before anything was started, saying which path and what to do.
fn refused(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.code, Some(code), "{}", output.all());
    for word in words {
        assert!(
            output.stderr.contains(word),
            "no {word:?} in: {}",
            output.stderr
        );
    }
}

#[tokio::test]
async fn r42_a_home_that_cannot_be_is_refused_with_its_path_and_a_way_out() {
    let mut sandbox = Sandbox::new();
    let file = sandbox.work().join("a-file");
    fs::File::create(&file).must("make a file");
    let below = file.join("home");
    for home in [&file, &below] {
        sandbox.set("EXAI_HOME", home);
        for words in ["start", "run"] {
            let output = sandbox.cli(&[words]).await;
            refused(&output, BAD_HOME, &["a-file", "EXAI_HOME"]);
        }
        assert!(sandbox.processes("exai-daemon").is_empty());
    }
    sandbox.set("EXAI_HOME", "not/absolute");
    refused(
        &sandbox.cli(&["start"]).await,
        BAD_HOME,
        &["not/absolute", "absolute"],
    );
    sandbox.set("EXAI_HOME", sandbox.home());
    sandbox.write("logs", "a file where a directory belongs");
    refused(
        &sandbox.cli(&["start"]).await,
        BAD_HOME,
        &["logs", "not a directory"],
    );
}

/// A mount that is gone when the test is; `None`, with the reason printed, where the system
/// lets nobody mount.
pub(crate) struct Mount(pub(crate) PathBuf);

impl Mount {
    pub(crate) async fn tmpfs(at: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir_all(&at).must("make a mount point");
        let mounted = tool(
            "mount",
            &["-t", "tmpfs", "-o", options, "tmpfs", &at.to_string_lossy()],
        )
        .await;
        if mounted {
            return Some(Self(at));
        }
        skipped("this system does not let the test mount a file system");
        None
    }

    pub(crate) async fn remount(&self, options: &str) -> bool {
        tool("mount", &["-o", options, &self.0.to_string_lossy()]).await
    }
}

impl Drop for Mount {
    #[expect(
        clippy::disallowed_methods,
        reason = "a drop cannot wait for tokio's children"
    )]
    fn drop(&mut self) {
        // Lazily: a process that is just ending may still be in there.
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

async fn tool(program: &str, arguments: &[&str]) -> bool {
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    command.status().await.is_ok_and(|status| status.success())
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn r42_a_home_on_a_read_only_file_system_is_refused() {
    let mut sandbox = Sandbox::new();
    let Some(mount) = Mount::tmpfs(sandbox.work().join("ro"), "ro,size=1m").await else {
        return;
    };
    sandbox.set("EXAI_HOME", &mount.0);
    for words in ["start", "run"] {
        refused(
            &sandbox.cli(&[words]).await,
            BAD_HOME,
            &["ro", "Read-only", "EXAI_HOME"],
        );
    }
    // And a home that turned read-only under the files of an earlier life.
    assert!(mount.remount("remount,rw").await);
    lives(&mut sandbox, &mount.0).await;
    assert!(mount.remount("remount,ro").await);
    refused(
        &sandbox.cli(&["start"]).await,
        BAD_HOME,
        &["Read-only", "EXAI_HOME"],
    );
    let status = sandbox.cli(&["status"]).await;
    assert_eq!(
        status.code,
        Some(1),
        "looking needs no writing: {}",
        status.all()
    );
}

/// Fills the file system to its last byte.
fn fill(folder: &Path) {
    use std::io::Write as _;
    let mut ballast = fs::File::create(folder.join("ballast")).must("make ballast");
    let block = vec![0_u8; 4096];
    while ballast.write_all(&block).is_ok() {}
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn r42_a_full_disk_is_named_at_the_start() {
    let mut sandbox = Sandbox::new();
    let Some(mount) = Mount::tmpfs(sandbox.work().join("full"), "size=256k").await else {
        return;
    };
    fill(&mount.0);
    sandbox.set("EXAI_HOME", &mount.0);
    refused(&sandbox.cli(&["start"]).await, BAD_HOME, &["full", "space"]);
    fs::remove_file(mount.0.join("ballast")).must("make room");
    lives(&mut sandbox, &mount.0).await;
}

/// The disk fills under a running daemon: it goes on answering, says what is wrong, and once
/// there is room again its record is complete.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r42_a_disk_that_fills_stops_no_daemon_and_loses_no_record() {
    let mut sandbox = Sandbox::new();
    let Some(mount) = Mount::tmpfs(sandbox.work().join("full"), "size=1m").await else {
        return;
    };
    sandbox
        .set("EXAI_HOME", &mount.0)
        .set("EXAI_HEALTH_WRITER_INTERVAL", "1");
    sandbox.cli(&["start"]).await.ok();
    sandbox.cli(&["call", "version"]).await.ok();
    fill(&mount.0);
    for _ in 0..3 {
        // What cannot be kept is not promised; what needs no keeping goes on.
        let call = sandbox.cli(&["call", "test_sleep", "-a", "ms=5"]).await;
        assert!(call.all().contains("UNAVAILABLE"), "{}", call.all());
        assert!(call.all().contains("free some space"), "{}", call.all());
        sandbox.cli(&["call", "version"]).await.ok();
    }
    until_warned(&sandbox, true).await;
    // Whoever asks is told.
    let told = sandbox.cli(&["call", "status"]).await.ok();
    for words in ["inflight=", "free space"] {
        assert!(told.stdout.contains(words), "{}", told.all());
    }
    fs::remove_file(mount.0.join("ballast")).must("make room");
    let calls = mount.0.join("logs").join("tool_calls_all.jsonl");
    eventually(exai_testkit::PATIENCE, "every call has its record", || {
        let text = fs::read_to_string(&calls).unwrap_or_default();
        text.matches("\"tool\":\"test_sleep\"").count() == 3
    })
    .await;
    until_warned(&sandbox, false).await;
    let call = sandbox.cli(&["call", "test_sleep", "-a", "ms=5"]).await;
    assert_eq!(call.stdout.trim(), "slept 5 ms", "{}", call.all());
    sandbox.cli(&["stop"]).await.ok();
    let check = sandbox.cli(&["logs", "check"]).await;
    assert_eq!(check.code, Some(0), "{}", check.all());
}

/// Whoever runs out of room may want nothing more than to end what fills it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r42_a_full_disk_keeps_nobody_from_stopping_the_daemon() {
    let mut sandbox = Sandbox::new();
    let Some(mount) = Mount::tmpfs(sandbox.work().join("full"), "size=1m").await else {
        return;
    };
    sandbox.set("EXAI_HOME", &mount.0);
    sandbox.cli(&["start"]).await.ok();
    fill(&mount.0);
    let stopped = sandbox.cli(&["stop"]).await.ok();
    assert!(stopped.stdout.contains("ws_daemon: stopped"));
    assert!(sandbox.processes("exai-daemon").is_empty());
    // The daemon's end may have made room for the note; where it did not, that is said.
    let is_noted = mount.0.join(".exai/run/stopped").exists();
    let is_told = stopped.all().contains("may start it again");
    assert_ne!(is_noted, is_told, "{}", stopped.all());
    // Where nothing ran, nothing was done.
    fill(&mount.0);
    let again = sandbox.cli(&["stop"]).await;
    refused(&again, BAD_HOME, &["full", "space"]);
}

/// What a daemon that died had begun is not made undone by a full disk: nobody is told that it
/// did not run, and what had ended is told as it ended.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn r42_what_ran_before_the_disk_filled_is_never_said_not_to_have_run() {
    let sandbox = Sandbox::new();
    let Some(mount) = Mount::tmpfs(sandbox.home(), "size=4m").await else {
        return;
    };
    let mut daemon = sandbox.daemon().await;
    let (mut ws, _) = sandbox.modern("window", &["rich_results"]).await;
    let counted = |file: &str, ms: u64| json!({ "file": sandbox.work().join(file), "ms": ms });
    ws.call_as("ended", "test_count_once", counted("ended", 0))
        .await;
    ws.result("ended").await;
    ws.call_as("once", "test_count_once", counted("once", 60_000))
        .await;
    ws.call_as("again", "test_count", counted("again", 60_000))
        .await;
    eventually(PATIENCE, "both run", || {
        sandbox.counted("once") == 1 && sandbox.counted("again") == 1
    })
    .await;
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    fill(&mount.0);
    let (mut ws, _) = sandbox.modern("window", &["rich_results"]).await;
    // A file that is there may have room for a line or two.
    let mut tries = 0..50;
    while tries.next().is_some() {
        let fresh = ws
            .call_and_wait("test_count_once", counted("fresh", 0))
            .await;
        if fresh["error"].is_object() {
            assert_eq!(fresh["error"]["code"], "UNAVAILABLE", "{fresh}");
            assert_eq!(fresh["error"]["ran"], "no", "{fresh}");
            break;
        }
    }
    assert!(!tries.is_empty(), "the disk never filled");
    ws.call_as("once", "test_count_once", counted("once", 60_000))
        .await;
    let once = ws.result("once").await;
    assert_eq!(once["error"]["code"], "OUTCOME_UNKNOWN", "{once}");
    assert_eq!(once["error"]["ran"], "unknown", "{once}");
    ws.call_as("again", "test_count", counted("again", 60_000))
        .await;
    let again = ws.result("again").await;
    assert_eq!(again["error"]["code"], "UNAVAILABLE", "{again}");
    assert_eq!(again["error"]["ran"], "unknown", "{again}");
    ws.call_as("ended", "test_count_once", counted("ended", 0))
        .await;
    let ended = ws.result("ended").await;
    assert_eq!(ended["outputs"][0]["text"], "counted", "{ended}");
    assert_eq!((sandbox.counted("once"), sandbox.counted("ended")), (1, 1));
    fs::remove_file(mount.0.join("ballast")).must("make room");
}

/// Waits until the daemon warns of its disk, or does so no longer.
async fn until_warned(sandbox: &Sandbox, wanted: bool) {
    let end = tokio::time::Instant::now() + exai_testkit::PATIENCE;
    loop {
        let status = sandbox.cli(&["status", "--json"]).await.ok().json();
        let warnings = status["health"]["warnings"].to_string();
        if warnings.contains("free space") == wanted {
            return;
        }
        assert!(
            tokio::time::Instant::now() < end,
            "warned {}: {status}",
            !wanted
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn s07_private_directories_are_ours_alone_and_the_home_is_left_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    let mode = |path: PathBuf| {
        let meta = path
            .metadata()
            .must(format_args!("look at {}", path.display()));
        meta.permissions().mode() & 0o777
    };
    let home = sandbox.home();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).must("open the home");
    for open in [".exai", ".exai/run", "logs"] {
        let folder = home.join(open);
        fs::create_dir_all(&folder).must("make a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).must("open a folder");
    }
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    for tool in ["version", "no_such_tool"] {
        ws.call_and_wait(tool, json!({})).await;
    }
    eventually(exai_testkit::PATIENCE, "there is a health file", || {
        sandbox.health()
    })
    .await;
    assert_eq!(mode(home.clone()), 0o755, "the home is its owner's affair");
    for folder in [".exai", ".exai/run", ".exai/data", "logs"] {
        assert_eq!(mode(home.join(folder)), 0o700, "{folder}");
    }
    for folder in [".exai/run", "logs"] {
        for entry in fs::read_dir(home.join(folder)).must("list a folder") {
            let path = entry.must("list a folder").path();
            assert_eq!(mode(path.clone()), 0o600, "{}", path.display());
        }
    }
    daemon.terminate();
    daemon.wait(exai_testkit::PATIENCE).await;
}

#[cfg(unix)]
#[tokio::test]
async fn s07_links_where_secrets_would_go_are_refused() {
    for link in [".exai", ".exai/run", "logs"] {
        let sandbox = Sandbox::new();
        let elsewhere = sandbox.work().join("elsewhere");
        fs::create_dir_all(&elsewhere).must("make a folder");
        let place = sandbox.home().join(link);
        fs::create_dir_all(place.parent().must("find its folder")).must("make a folder");
        std::os::unix::fs::symlink(&elsewhere, &place).must("make a link");
        for words in ["start", "run"] {
            refused(
                &sandbox.cli(&[words]).await,
                BAD_HOME,
                &["symbolic link", link],
            );
        }
        let left = fs::read_dir(&elsewhere).must("list a folder").count();
        assert_eq!(left, 0, "{link}: nothing was written through the link");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn s07_a_token_that_is_a_link_is_not_followed_and_an_open_one_is_closed() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::new();
    let bait = sandbox.work().join("bait");
    fs::copy(sandbox.write("seed", "a-token-of-someone-else"), &bait).must("lay a bait");
    fs::create_dir_all(sandbox.run_path("")).must("make a folder");
    std::os::unix::fs::symlink(&bait, sandbox.run_path("token")).must("make a link");
    let run = sandbox.cli(&["run"]).await;
    assert_ne!(run.code, Some(0), "{}", run.all());
    assert!(run.stderr.contains("token"), "{}", run.all());
    fs::remove_file(sandbox.run_path("token")).must("remove the link");
    let token = sandbox.write(".exai/run/token", "a-token-that-was-open-to-all");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).must("open the token");
    let _daemon = sandbox.daemon().await;
    let mode = token
        .metadata()
        .must("look at the token")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600);
    let log = sandbox.log("ws_daemon.log");
    assert!(log.contains("could be read by other users"), "{log}");
    assert!(!log.contains("a-token-that-was-open-to-all"));
}

#[tokio::test]
async fn r42_a_token_file_of_garbage_is_named_with_its_remedy() {
    let sandbox = Sandbox::new();
    for garbage in ["", "two words", "\u{1}"] {
        sandbox.write(".exai/run/token", garbage);
        let run = sandbox.cli(&["run"]).await;
        assert!(
            matches!(run.code, Some(1 | CONFIG | BAD_HOME)),
            "{garbage:?}: {}",
            run.all()
        );
        assert!(
            run.stderr.contains("holds no token") && run.stderr.contains("remove it"),
            "{}",
            run.all()
        );
    }
}
