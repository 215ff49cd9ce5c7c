//! `doctor`: each fault of a set-up is made, named, repaired and gone. What cannot be repaired
//! safely is left, with the exact words.

use exai_testkit::{Must as _, Output, Sandbox};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};

/// The faults that are found, of one kind.
pub(crate) async fn found(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    let report = sandbox.cli(&["doctor", "--json"]).await.json();
    faults(&report, name)
}

fn faults(report: &Value, name: &str) -> Vec<Value> {
    let checks = report["checks"].as_array().must("find the checks").iter();
    let faulty = |check: &&Value| check["name"] == name && check["verdict"] != "ok";
    checks.filter(faulty).cloned().collect()
}

/// Runs the repairs; what was done, and what of that kind is left.
pub(crate) async fn fixed(sandbox: &Sandbox, name: &str) -> (Vec<Value>, Vec<Value>) {
    let report = sandbox.cli(&["doctor", "--fix", "--json"]).await.json();
    let repairs = report["repairs"].as_array().must("find the repairs").iter();
    let done = repairs.filter(|done| done["name"] == name && done["did"].is_string());
    (done.cloned().collect(), faults(&report, name))
}

pub(crate) fn says(check: &Value, words: &[&str]) {
    let text = check.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} in {text}");
    }
    assert!(
        check["why"].is_string() && check["fix"].is_string(),
        "{text}"
    );
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().must("find a folder")).must("make a folder");
    let mut file = fs::File::create(path).must("make a file");
    std::io::Write::write_all(&mut file, text.as_bytes()).must("write a file");
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn open(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).must("open a file");
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().must("look at it").permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn what_others_can_read_is_named_and_closed() {
        let sandbox = Sandbox::new();
        {
            let _daemon = sandbox.daemon().await;
            sandbox.cli(&["stop"]).await.ok();
        }
        let env_file = sandbox.write(".env", "KIMI_API_KEY=canary-key\n");
        let (token, logs) = (sandbox.run_path("token"), sandbox.home().join("logs"));
        for (path, mode) in [(&token, 0o644), (&env_file, 0o640), (&logs, 0o755)] {
            open(path, mode);
        }
        let report = sandbox.cli(&["doctor", "--json"]).await;
        assert_eq!(report.code, Some(1), "{report:?}");
        assert!(!report.all().contains("canary-key"));
        let named = faults(&report.json(), "access");
        assert_eq!(named.len(), 3, "{named:?}");
        for check in &named {
            says(check, &["can be read by other users", "chmod"]);
            assert_eq!(check["fixable"], true);
        }
        // A look may close what it opens; the faults are made again for the repair.
        for (path, mode) in [(&token, 0o644), (&env_file, 0o640), (&logs, 0o755)] {
            open(path, mode);
        }
        let (done, left) = fixed(&sandbox, "access").await;
        assert_eq!((done.len(), left.len()), (3, 0), "{done:?} {left:?}");
        assert_eq!(
            (mode(&token), mode(&env_file), mode(&logs)),
            (0o600, 0o600, 0o700)
        );
        assert!(found(&sandbox, "access").await.is_empty());
    }

    #[tokio::test]
    async fn a_key_file_that_would_be_refused_is_not_called_ready() {
        let sandbox = Sandbox::new();
        let key = sandbox.write("glm.key", "canary-key\n");
        open(&key, 0o644);
        sandbox.write(
            "config/providers.toml",
            "providers.glm.key = { file = \"glm.key\" }\n",
        );
        let named = found(&sandbox, "models").await;
        says(
            &named[0],
            &["glm cannot be asked", "can be read by others", "chmod 600"],
        );
        let daemon = sandbox.daemon().await;
        let list = sandbox.cli(&["models", "--json"]).await.json().to_string();
        assert!(list.contains("can be read by others"), "{list}");
        let (done, left) = fixed(&sandbox, "models").await;
        assert_eq!((done.len(), left.len()), (1, 0), "{done:?} {left:?}");
        assert_eq!(mode(&key), 0o600);
        let list = sandbox.cli(&["models", "--json"]).await.json().to_string();
        assert!(
            !list.contains("can be read by others"),
            "at once, without a restart: {list}"
        );
        drop(daemon);
    }

    #[tokio::test]
    async fn another_copy_that_comes_first_on_the_path_is_named_with_its_version() {
        let mut sandbox = Sandbox::new();
        let directory = sandbox.work().join("old");
        put(
            &directory.join("exai-shim"),
            "#!/bin/sh\necho exai-shim 0.0.1\n",
        );
        open(&directory.join("exai-shim"), 0o755);
        sandbox.set("PATH", format!("{}:/usr/bin:/bin", directory.display()));
        let named = found(&sandbox, "path").await;
        let shim = named
            .iter()
            .find(|check| check.to_string().contains("0.0.1"));
        says(
            shim.must("find the copy"),
            &["exai-shim on PATH is", "0.1.0", "remove"],
        );
        let daemon = named
            .iter()
            .find(|check| check.to_string().contains("exai-daemon is not on PATH"));
        says(daemon.must("find what is missing"), &["export PATH="]);
        fs::remove_file(directory.join("exai-shim")).must("remove the copy");
        for program in ["exai-daemon", "exai-shim"] {
            let ours = exai_testkit::binary(program);
            std::os::unix::fs::symlink(ours, directory.join(program)).must("install it");
        }
        assert!(found(&sandbox, "path").await.is_empty());
    }

    #[tokio::test]
    async fn what_a_dead_daemon_left_is_named_and_removed() {
        let sandbox = Sandbox::new();
        let mut daemon = sandbox.daemon().await;
        let running = found(&sandbox, "leftovers").await;
        assert!(
            running.is_empty(),
            "nothing is left while it runs: {running:?}"
        );
        daemon.kill().await;
        let socket = sandbox.run_path("left.sock");
        drop(std::os::unix::net::UnixListener::bind(&socket).must("leave a socket"));
        let draft = sandbox.log_path(".exai-draft");
        put(&draft, "half");
        let old = std::time::SystemTime::now() - Duration::from_secs(7200);
        let file = fs::File::options().write(true).open(&draft).must("open it");
        file.set_modified(old).must("make it old");
        let named = found(&sandbox, "leftovers").await;
        let all = json!(named).to_string();
        for word in [
            "ws_daemon.pid",
            "endpoint.json",
            "health.json",
            "left.sock",
            ".exai-draft",
        ] {
            assert!(all.contains(word), "{word} in {all}");
        }
        named.iter().for_each(|check| says(check, &["remove"]));
        let (done, left) = fixed(&sandbox, "leftovers").await;
        assert_eq!(
            (done.len(), left.len()),
            (named.len(), 0),
            "{done:?} {left:?}"
        );
        assert!(!socket.exists() && !draft.exists() && sandbox.endpoint().is_none());
        // Of one that wrote half of its last word too.
        let health = sandbox.log_path("ws_daemon.health.json");
        put(&health, "{ \"state\": \"runn");
        let named = found(&sandbox, "leftovers").await;
        assert_eq!(named.len(), 1, "{named:?}");
        says(
            &named[0],
            &["health.json", "nothing that anybody can read", "remove"],
        );
        let (done, left) = fixed(&sandbox, "leftovers").await;
        assert_eq!((done.len(), left.len()), (1, 0), "{done:?} {left:?}");
        assert!(!health.exists());
        let _daemon = sandbox.daemon().await;
        assert!(found(&sandbox, "leftovers").await.is_empty());
    }

    #[tokio::test]
    async fn files_from_the_future_are_named_and_given_todays_time() {
        let sandbox = Sandbox::new();
        {
            let _daemon = sandbox.daemon().await;
            sandbox.cli(&["stop"]).await.ok();
        }
        let log = sandbox.log_path("ws_daemon.log");
        let file = fs::File::options()
            .append(true)
            .open(&log)
            .must("open the log");
        let ahead = std::time::SystemTime::now() + Duration::from_secs(86_400);
        file.set_modified(ahead).must("set it ahead");
        let named = found(&sandbox, "clock").await;
        says(&named[0], &["ws_daemon.log", "in the future", "clock"]);
        let (done, left) = fixed(&sandbox, "clock").await;
        assert_eq!((done.len(), left.len()), (1, 0), "{done:?} {left:?}");
        assert!(found(&sandbox, "clock").await.is_empty());
    }
}

/// A client's file and what stands in it.
fn entry(sandbox: &Sandbox, client: &str) -> (std::path::PathBuf, String) {
    let file = match client {
        "codex" => ".codex/config.toml",
        "cursor" => ".cursor/mcp.json",
        "gemini" => ".gemini/settings.json",
        "claude-code" => ".claude.json",
        "auggie" => ".augment/settings.json",
        "opencode" => ".config/opencode/opencode.json",
        "vscode" => ".config/Code/User/mcp.json",
        _ => ".config/Claude/claude_desktop_config.json",
    };
    let file = sandbox.user().join(file);
    let text = fs::read_to_string(&file).unwrap_or_default();
    (file, text)
}

const CLIENTS: [&str; 8] = [
    "auggie",
    "vscode",
    "claude-code",
    "claude-desktop",
    "codex",
    "cursor",
    "gemini",
    "opencode",
];

async fn written(sandbox: &Sandbox, client: &str) -> Output {
    sandbox.cli(&["mcp-config", client, "--write"]).await.ok()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn clients_that_lead_elsewhere_are_named_and_put_right() {
    let sandbox = Sandbox::new();
    let home = sandbox.home().display().to_string();
    for client in CLIENTS {
        written(&sandbox, client).await;
    }
    assert!(
        found(&sandbox, "clients").await.is_empty(),
        "as written they lead here"
    );
    let mut before = Vec::new();
    for (n, client) in CLIENTS.iter().enumerate() {
        let (file, good) = entry(&sandbox, client);
        let bad = match n % 3 {
            0 => good.replace(&home, "/another/home"),
            1 => good.replace("exai-shim", "gone/exai-shim"),
            _ => good.replace(&sandbox.port().to_string(), "1"),
        };
        assert_ne!(good, bad, "{client}");
        put(&file, &bad);
        before.push((file, good, bad));
    }
    let named = found(&sandbox, "clients").await;
    assert_eq!(named.len(), CLIENTS.len(), "{named:?}");
    let words = [
        "names the home /another/home",
        "which does not exist",
        "says 1 for EXAI_WS_PORT",
    ];
    for (n, check) in named.iter().enumerate() {
        says(check, &[words[n % 3], "mcp-config", "--write", "restart"]);
        assert_eq!(check["fixable"], true, "{check}");
    }
    let (done, left) = fixed(&sandbox, "clients").await;
    assert_eq!(
        (done.len(), left.len()),
        (CLIENTS.len(), 0),
        "{done:?} {left:?}"
    );
    for (file, good, _) in &before {
        let now = fs::read_to_string(file).must("read it");
        assert!(
            now.contains(&home) && !now.contains("/another/home"),
            "{now}"
        );
        assert_eq!(now.contains("gone/"), good.contains("gone/"), "{now}");
    }
    assert!(found(&sandbox, "clients").await.is_empty());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_clients_file_that_is_broken_is_left_alone_and_named() {
    let sandbox = Sandbox::new();
    let (json, _) = entry(&sandbox, "cursor");
    put(&json, "{\"mcpServers\": {\"exai\": }");
    let (toml, _) = entry(&sandbox, "codex");
    put(&toml, "[mcp_servers.exai\ncommand = 1\n");
    let named = found(&sandbox, "clients").await;
    assert_eq!(named.len(), 2, "{named:?}");
    for check in &named {
        says(check, &["cannot be read", "correct"]);
        assert!(
            check["fixable"].is_null(),
            "a broken file is its owner's: {check}"
        );
    }
    let (done, left) = fixed(&sandbox, "clients").await;
    assert_eq!((done.len(), left.len()), (0, 2));
    assert_eq!(
        fs::read_to_string(&json).must("read it"),
        "{\"mcpServers\": {\"exai\": }"
    );
    put(&json, "{}");
    put(&toml, "");
    assert!(found(&sandbox, "clients").await.is_empty());
}

#[tokio::test]
async fn faults_of_settings_are_told_with_file_line_and_cure() {
    let sandbox = Sandbox::new();
    let env_file = sandbox.write(
        ".env",
        "LOG_LEVEL=info\nEXAI_WS_ALLOWED_HOSTS=a.test, b.test\n",
    );
    let toml = sandbox.write("config/exai.toml", "[limits]\n\nglobal_inflight = -3\n");
    let named = found(&sandbox, "settings").await;
    let all = json!(named).to_string();
    let env_place = format!("{}:2", env_file.display());
    let toml_place = format!("{}:3", toml.display());
    for word in [
        env_place.as_str(),
        toml_place.as_str(),
        "write EXAI_WS_ALLOWED_HOSTS=",
    ] {
        assert!(all.contains(word), "{word} in {all}");
    }
    let refused = sandbox.cli(&["run"]).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(
        refused.stderr.contains(&env_place) && refused.stderr.contains("not quoted"),
        "{refused:?}"
    );
    sandbox.write(
        ".env",
        "LOG_LEVEL=info\nEXAI_WS_ALLOWED_HOSTS=\"a.test, b.test\"\n",
    );
    sandbox.write("config/exai.toml", "[limits]\n\nglobal_inflight = 3\n");
    assert!(found(&sandbox, "settings").await.is_empty());
}

#[tokio::test]
async fn repairs_say_what_they_did_and_what_they_left() {
    let sandbox = Sandbox::new();
    let mut daemon = sandbox.daemon().await;
    daemon.kill().await;
    let offered = sandbox.cli(&["doctor"]).await;
    assert!(offered.stderr.contains("doctor --fix"), "{offered:?}");
    let repaired = sandbox.cli(&["doctor", "--fix"]).await;
    assert!(repaired.stdout.contains("fixed leftovers"), "{repaired:?}");
    assert!(repaired.stderr.contains("left for you"), "{repaired:?}");
    let again = sandbox.cli(&["doctor", "--fix"]).await;
    assert!(
        !again.stdout.contains("fixed"),
        "nothing is done twice: {again:?}"
    );
}
