//! The socket in the home: where it stands, who may come through it, and what is passed over,
//! replaced or left alone in its place.

use crate::editor::reached;
use exai_testkit::{Must as _, PATIENCE, Sandbox, eventually};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink},
    path::PathBuf,
};

const GUESS: &str = "guess-0123456789abcdef";
const REFUSED: i32 = 10;

fn recorded(sandbox: &Sandbox) -> Option<PathBuf> {
    let record = sandbox.endpoint()?;
    record["socket"].as_str().map(PathBuf::from)
}

#[tokio::test]
async fn s01_the_homes_own_programs_come_through_its_socket() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let path = recorded(&sandbox).must("find the socket in the record");
    assert_eq!(path, sandbox.run_path("daemon.sock"));
    let meta = path.symlink_metadata().must("look at the socket");
    assert!(meta.file_type().is_socket() && meta.mode() & 0o777 == 0o600);
    let folder = sandbox.run_path("").metadata().must("look at the folder");
    assert_eq!(folder.mode() & 0o777, 0o700);
    // With another program on its port the home goes on: nothing of ours needs it.
    let record = sandbox.endpoint().must("read the record");
    let mut elsewhere = record.clone();
    elsewhere["port"] = json!(exai_testkit::free_port());
    sandbox.write(".exai/run/endpoint.json", &elsewhere.to_string());
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
    daemon.terminate();
    daemon.wait(PATIENCE).await;
    assert!(!path.exists(), "it goes with the daemon");
}

#[tokio::test]
async fn s08_at_the_socket_no_token_is_asked_for_and_none_is_sent() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    // Whatever became of the token, the system vouches for the owner.
    sandbox.write(".exai/run/token", "a b");
    sandbox.cli(&["status"]).await.ok();
    sandbox.cli(&["call", "version"]).await.ok();
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
    // One that was given by hand is proven there too: a wrong one is told.
    let mut wrong = Sandbox::on_port(sandbox.port());
    wrong
        .set("EXAI_HOME", sandbox.home())
        .set("EXAI_WS_TOKEN", GUESS);
    let refused = wrong.cli(&["call", "version"]).await;
    assert_eq!(refused.code, Some(REFUSED), "{}", refused.all());
    daemon.kill().await;
}

#[tokio::test]
async fn s07_a_dead_daemons_socket_is_replaced_and_a_foreign_file_is_not() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    let path = recorded(&sandbox).must("find the socket");
    let first = path.metadata().must("look at it").ino();
    daemon.kill().await;
    assert!(path.exists(), "nobody was left to remove it");
    let mut daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
    let _ = first;
    daemon.kill().await;
    for foreign in ["file", "link", "folder"] {
        fs::remove_file(&path)
            .or_else(|_| fs::remove_dir(&path))
            .must("make room");
        let bait = sandbox.work().join("bait");
        fs::File::create(&bait).must("lay a bait");
        match foreign {
            "file" => drop(fs::File::create(&path).must("put a file there")),
            "link" => symlink(&bait, &path).must("put a link there"),
            _ => fs::create_dir(&path).must("put a folder there"),
        }
        let mut daemon = sandbox.daemon().await;
        assert_eq!(recorded(&sandbox), None, "{foreign}");
        assert!(
            path.symlink_metadata().is_ok() && bait.exists(),
            "{foreign} is left"
        );
        let health = sandbox.cli(&["call", "health"]).await.ok();
        assert!(health.stdout.contains("daemon.sock"), "{}", health.all());
        let mut shim = sandbox.shim();
        shim.initialize("2025-11-25").await;
        reached(&mut shim).await;
        daemon.kill().await;
    }
}

#[tokio::test]
async fn s08_a_socket_that_is_not_our_daemons_is_passed_over() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let path = recorded(&sandbox).must("find the socket");
    let real = sandbox.run_path("real.sock");
    fs::rename(&path, &real).must("move it away");
    symlink(&real, &path).must("put a link in its place");
    sandbox.cli(&["call", "version"]).await.ok();
    // A folder that others may look into is no place for it either.
    fs::remove_file(&path).must("take the link away");
    let open = sandbox.work().join("open");
    fs::create_dir(&open).must("make a folder");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).must("open it");
    let theirs = open.join("daemon.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&theirs).must("listen there");
    let mut record = sandbox.endpoint().must("read the record");
    record["socket"] = json!(theirs);
    sandbox.write(".exai/run/endpoint.json", &record.to_string());
    sandbox.cli(&["call", "version"]).await.ok();
}

#[tokio::test]
async fn s07_a_socket_that_is_removed_stands_again() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let path = recorded(&sandbox).must("find the socket");
    fs::remove_file(&path).must("remove it");
    sandbox.cli(&["call", "version"]).await.ok();
    eventually(PATIENCE, "it stands again", || path.exists()).await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
}

#[tokio::test]
async fn s07_a_home_with_a_long_path_has_its_socket_in_a_private_folder() {
    let mut sandbox = Sandbox::new();
    let far = sandbox.user().join("x".repeat(120));
    sandbox.set("EXAI_HOME", &far);
    sandbox.cli(&["start"]).await.ok();
    let record = fs::read_to_string(far.join(".exai/run/endpoint.json")).must("read it");
    let record: Value = serde_json::from_str(&record).must("read the record");
    let path = PathBuf::from(record["socket"].as_str().must("find the socket"));
    assert!(path.as_os_str().len() <= 103, "{}", path.display());
    let folder = path.parent().must("find its folder");
    let meta = folder.symlink_metadata().must("look at its folder");
    assert!(meta.is_dir() && meta.mode() & 0o777 == 0o700);
    let called = sandbox.cli(&["call", "version"]).await.ok();
    ok_line(&called.stdout);
    sandbox.cli(&["stop"]).await.ok();
    assert!(
        !path.exists() && !folder.exists(),
        "they go with the daemon"
    );
}

fn ok_line(text: &str) {
    assert!(text.contains("exai-daemon"), "{text}");
}

/// Root can become anybody for a moment; elsewhere there is nobody else to be.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn s08_another_user_is_refused_even_where_the_file_lets_him() {
    let sandbox = Sandbox::new();
    let me = sandbox.home().metadata().must("look at the home").uid();
    let setpriv = std::path::Path::new("/usr/bin/setpriv");
    let python = std::path::Path::new("/usr/bin/python3");
    if me != 0 || !setpriv.exists() || !python.exists() {
        return;
    }
    let _daemon = sandbox.daemon().await;
    let path = recorded(&sandbox).must("find the socket");
    let root = sandbox.home();
    let root = root.parent().must("find the sandbox");
    for open in path.ancestors().take_while(|open| open.starts_with(root)) {
        fs::set_permissions(open, fs::Permissions::from_mode(0o777)).must("open it to all");
    }
    let knock = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
        s.sendall(b'GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: Upgrade\\r\\n\
        Upgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\n\
        Sec-WebSocket-Key: ZXhhaS1kYWVtb24tbG9vaw==\\r\\n\\r\\n')\n\
        print(s.recv(4096).decode())\n";
    let mut command = sandbox.command_at(setpriv);
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(python)
        .args(["-c", knock])
        .arg(&path);
    let heard = sandbox.finish(command, PATIENCE).await;
    assert!(heard.stdout.contains("403"), "{}", heard.all());
    assert!(heard.stdout.contains("own user"), "{}", heard.all());
    let mut same = sandbox.command_at(python);
    same.args(["-c", knock]).arg(&path);
    let heard = sandbox.finish(same, PATIENCE).await;
    assert!(heard.stdout.contains("101"), "{}", heard.all());
}
