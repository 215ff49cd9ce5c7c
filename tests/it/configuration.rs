//! Settings: from the home and the environment, never from where somebody happens to stand;
//! wrong ones refuse the start all at once, unknown ones are named.

use exai_testkit::{Must as _, Sandbox, Ws, free_port};
use serde_json::{Value, json};
use std::{fs, io::Write as _, path::Path};

const CONFIG: i32 = 3;

/// A file outside the home.
fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().must("find its folder")).must("make a folder");
    let mut file = fs::File::create(path).must("make a file");
    file.write_all(text.as_bytes()).must("write a file");
}

async fn setting(sandbox: &Sandbox, key: &str) -> (String, String) {
    let config = sandbox.cli(&["config", "--json"]).await.ok().json();
    let found = config["settings"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one["key"] == key));
    let found = found.must(format_args!("find {key}"));
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (text("value"), text("origin"))
}

#[tokio::test]
async fn a_hostile_working_directory_changes_nothing() {
    let mut sandbox = Sandbox::new();
    // What a cloned repository might hold.
    let work = sandbox.work();
    let bait = "EXAI_WS_HOST=0.0.0.0\nEXAI_WS_PORT=1\nEXAI_WS_TOKEN=attacker\nEXAI_HOME=/tmp/attacker\nEXAI_TEST_TOOLS=1\nEXAI_LOG_ARGUMENTS=1\n";
    for name in [".env", "env", ".env.local"] {
        put(&work.join(name), bait);
    }
    let toml = "[network]\nhost = \"0.0.0.0\"\nport = 1\n[auth]\ntoken = \"attacker\"\n[calls]\nnonsense = true\n";
    for name in [
        "config/exai.toml",
        "exai.toml",
        ".exai/exai.toml",
        "config/models.toml",
    ] {
        put(&work.join(name), toml);
    }
    put(&work.join(".exai/run/token"), "attacker");
    put(
        &work.join(".exai/run/endpoint.json"),
        "{\"host\":\"127.0.0.1\",\"port\":1}",
    );
    sandbox.unset("EXAI_TEST_TOOLS");
    let started = sandbox.cli(&["start"]).await.ok();
    assert!(
        started.stderr.is_empty(),
        "not even a warning: {}",
        started.stderr
    );
    assert_eq!(
        sandbox.endpoint().must("read the record")["port"],
        sandbox.port()
    );
    let call = sandbox.cli(&["call", "version", "--full"]).await.ok();
    assert!(
        call.stdout.contains(&sandbox.home().display().to_string()),
        "{}",
        call.all()
    );
    let config = sandbox.cli(&["config", "--origin"]).await.ok();
    assert!(
        !config.all().contains("attacker") && !config.all().contains("/work/"),
        "{}",
        config.all()
    );
    let tools = sandbox.cli(&["tools"]).await.ok();
    assert!(!tools.stdout.contains("test_"), "{}", tools.stdout);
    // The shim stands there too.
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    let result = shim.call_tool("version", json!({})).await;
    assert!(
        result
            .to_string()
            .contains(&sandbox.home().display().to_string()),
        "{result}"
    );
    sandbox.cli(&["stop"]).await.ok();
}

#[tokio::test]
async fn every_wrong_value_is_reported_at_once_with_its_place() {
    let mut sandbox = Sandbox::new();
    sandbox.write(
        "config/exai.toml",
        "[network]\nping_interval_secs = \"often\"\n[limits]\nglobal_inflight = 0\nqueue_calls = -5\n",
    );
    sandbox.write(".env", "EXAI_WS_CALL_TIMEOUT=soon\nEXAI_LOG_KEEP=many\n");
    sandbox
        .set("EXAI_WS_MAX_BYTES", "1")
        .set("EXAI_WS_COMPAT_TEXT", "perhaps")
        .set("LOG_LEVEL", "LOUD");
    let places = [
        "network.ping_interval_secs",
        "limits.global_inflight",
        "limits.queue_calls",
        "EXAI_WS_CALL_TIMEOUT",
        "EXAI_LOG_KEEP",
        "EXAI_WS_MAX_BYTES",
        "EXAI_WS_COMPAT_TEXT",
        "LOG_LEVEL",
        "network.port",
    ];
    for words in [&["run"][..], &["start"], &["config"]] {
        let mut words = words.to_vec();
        words.extend(["--set", "network.port=70000"]);
        let refused = sandbox.cli(&words).await;
        assert_eq!(refused.code, Some(CONFIG), "{words:?}: {}", refused.all());
        for place in places {
            assert!(
                refused.stderr.contains(place),
                "{words:?} does not name {place}: {}",
                refused.stderr
            );
        }
        for value in ["soon", "perhaps", "LOUD", "70000", "often"] {
            assert!(
                refused.stderr.contains(value),
                "{words:?} does not show {value}: {}",
                refused.stderr
            );
        }
    }
    assert!(
        !sandbox.home().join(".exai").exists(),
        "a start that is refused leaves no trace"
    );
    // Who only looks is told, and still gets an answer; so does who repairs.
    let status = sandbox.cli(&["status"]).await;
    assert_eq!(status.code, Some(1), "{}", status.all());
    assert!(
        status.stderr.contains("EXAI_WS_CALL_TIMEOUT"),
        "{}",
        status.all()
    );
    let doctor = sandbox.cli(&["doctor", "--json"]).await;
    let failed = doctor.stdout.matches("\"fail\"").count();
    assert!(failed >= places.len() - 1, "{}", doctor.all());
}

#[tokio::test]
async fn toml_that_cannot_be_read_is_named_with_its_line() {
    let sandbox = Sandbox::new();
    sandbox.write("config/exai.toml", "[network]\nport = 1\nport = 2\n");
    let refused = sandbox.cli(&["run"]).await;
    assert_eq!(refused.code, Some(CONFIG), "{}", refused.all());
    assert!(
        refused.stderr.contains("exai.toml") && refused.stderr.contains('3'),
        "{}",
        refused.stderr
    );
}

#[tokio::test]
async fn unknown_names_are_warned_about_and_stop_nothing() {
    let mut sandbox = Sandbox::new();
    sandbox
        .set("EXAI_WS_PROT", "9000")
        .set("EXAI_WS_SKIP_HEALTH_CHECK", "true")
        .set("KIMI_API_KEY", "not-ours-to-judge")
        .set("EXAI_ZZZZZZZ", "1");
    sandbox.write(
        "config/exai.toml",
        "[network]\nprot = 9000\n[nonsense]\nx = 1\n",
    );
    sandbox.write(".env", "EXAI_WS_TOKN=x\nOTHER=1\n");
    let _daemon = sandbox.daemon().await;
    let config = sandbox.cli(&["config"]).await.ok();
    let log = sandbox.log("ws_daemon.log");
    let mut ws = sandbox.ws().await;
    let status = ws.call_and_wait("status", json!({})).await.to_string();
    for said in [&config.stderr, &log] {
        for (name, near) in [
            ("EXAI_WS_PROT", "EXAI_WS_PORT"),
            ("EXAI_WS_TOKN", "EXAI_WS_TOKEN"),
            ("prot", "network.port"),
        ] {
            let line = said
                .lines()
                .find(|line| line.contains(name) && line.contains("did you mean"));
            assert!(
                line.is_some_and(|line| line.contains(near)),
                "{name}: {said}"
            );
        }
        assert!(
            said.contains("EXAI_ZZZZZZZ") && said.contains("nonsense"),
            "{said}"
        );
        assert!(
            said.contains("EXAI_WS_SKIP_HEALTH_CHECK") && said.contains("predecessor"),
            "{said}"
        );
        assert!(
            !said.contains("KIMI_API_KEY") && !said.contains("OTHER"),
            "{said}"
        );
        assert!(!said.contains("not-ours-to-judge"));
    }
    assert!(
        status.contains("EXAI_WS_PROT"),
        "the status tool tells too: {status}"
    );
}

#[tokio::test]
async fn the_layers_have_their_order_and_every_value_its_origin() {
    let mut sandbox = Sandbox::new();
    let key = "limits.queue_calls";
    assert_eq!(
        setting(&sandbox, key).await,
        ("4096".into(), "default".into())
    );
    let file = sandbox.write("config/exai.toml", "[limits]\nqueue_calls = 11\n");
    assert_eq!(
        setting(&sandbox, key).await,
        ("11".into(), file.display().to_string())
    );
    let own = sandbox.user().join(".config/exai/exai.toml");
    put(&own, "[limits]\nqueue_calls = 12\n");
    assert_eq!(
        setting(&sandbox, key).await,
        ("12".into(), own.display().to_string())
    );
    let env_file = sandbox.write(".env", "# a comment\nEXAI_WS_QUEUE_CALLS=13\n");
    let origin = format!("{} (EXAI_WS_QUEUE_CALLS)", env_file.display());
    assert_eq!(setting(&sandbox, key).await, ("13".into(), origin));
    sandbox.set("EXAI_WS_QUEUE_CALLS", "14");
    assert_eq!(setting(&sandbox, key).await.0, "14");
    let flagged = sandbox
        .cli(&["config", "--origin", "--set", "limits.queue_calls=15"])
        .await
        .ok();
    let line = flagged
        .stdout
        .lines()
        .find(|line| line.starts_with(key))
        .must("find the setting")
        .to_owned();
    assert!(line.contains(" 15 ") && line.ends_with("flag"), "{line}");
    // A flag of `start` reaches the daemon that it starts.
    sandbox
        .cli(&["start", "--set", "limits.global_inflight=3"])
        .await
        .ok();
    let (mut ws, _) = sandbox.modern("c", &[]).await;
    ws.send(&json!({ "op": "health" })).await;
    assert_eq!(
        ws.recv_op("health_res").await["health"]["global_capacity"],
        3
    );
    sandbox.cli(&["stop"]).await.ok();
    // ENV_FILE names another file; relative, it is meant from the home.
    sandbox
        .unset("EXAI_WS_QUEUE_CALLS")
        .set("ENV_FILE", "other.env");
    sandbox.write("other.env", "EXAI_WS_QUEUE_CALLS=16\n");
    assert_eq!(setting(&sandbox, key).await.0, "16");
}

#[tokio::test]
async fn test_tools_come_from_the_environment_only_and_are_announced() {
    let mut sandbox = Sandbox::new();
    sandbox.unset("EXAI_TEST_TOOLS");
    sandbox.write(".env", "EXAI_TEST_TOOLS=1\n");
    sandbox.write(
        "config/exai.toml",
        "test_tools = true\nEXAI_TEST_TOOLS = 1\n",
    );
    let mut daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    assert_eq!(
        ws.call_and_wait("test_sleep", json!({})).await["error"]["code"],
        "TOOL_NOT_FOUND"
    );
    let status = ws.call_and_wait("status", json!({})).await["text"].to_string();
    assert!(!status.contains("test tools: registered"), "{status}");
    daemon.kill().await;
    sandbox.set("EXAI_TEST_TOOLS", "1");
    let _daemon = sandbox.daemon().await;
    let mut ws = sandbox.ws().await;
    assert!(
        ws.call_and_wait("test_sleep", json!({}))
            .await
            .get("error")
            .is_none()
    );
    let status = ws.call_and_wait("status", json!({})).await["text"].to_string();
    assert!(status.contains("EXAI_TEST_TOOLS"), "{status}");
}

#[tokio::test]
async fn an_empty_token_counts_as_none_and_is_warned_about() {
    let mut sandbox = Sandbox::new();
    sandbox.set("EXAI_WS_TOKEN", "");
    let _daemon = sandbox.daemon().await;
    assert!(
        sandbox.token().is_some_and(|token| token.len() >= 32),
        "one was made"
    );
    let log = sandbox.log("ws_daemon.log");
    assert!(
        log.contains("EXAI_WS_TOKEN") && log.contains("empty"),
        "{log}"
    );
    let mut ws = Ws::connect(sandbox.port()).await;
    let refused = ws.hello(&exai_testkit::Handshake::v1("")).await;
    assert!(
        matches!(&refused, exai_testkit::Frame::Json(ack) if ack["error"] == "unauthorized"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_home_needs_no_environment_at_all() {
    let mut sandbox = Sandbox::new();
    sandbox.unset("EXAI_HOME").unset("EXAI_WS_PORT");
    let state = sandbox.user().join(".local/state/exai");
    let port = free_port();
    put(
        &state.join("config/exai.toml"),
        &format!("[network]\nport = {port}\n"),
    );
    // Whatever directory each is started in.
    let mut start = sandbox.command("exai-daemon");
    start.arg("start").current_dir("/");
    let started = sandbox
        .finish(start, std::time::Duration::from_secs(60))
        .await
        .ok();
    assert!(
        started.stdout.contains(&format!(":{port} ")),
        "{}",
        started.all()
    );
    let call = sandbox.cli(&["call", "test_sleep"]).await.ok();
    assert_eq!(call.stdout.trim(), "slept 0 ms");
    let stopped = sandbox.cli(&["stop"]).await.ok();
    assert!(stopped.stdout.contains("stopped"), "{}", stopped.all());
    // Another home by a flag.
    let other = sandbox
        .cli(&[
            "status",
            "--home",
            &sandbox.home().display().to_string(),
            "--json",
        ])
        .await;
    assert_eq!(other.json()["home"], sandbox.home().display().to_string());
}

/// The shipped file and the shipped example are complete: every setting is in the first, and
/// every name of the environment in the second.
#[tokio::test]
async fn the_shipped_files_hold_every_setting_and_change_none() {
    let sandbox = Sandbox::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("config/exai.toml")).must("read config/exai.toml");
    let before = sandbox.cli(&["config", "--json"]).await.ok().json();
    sandbox.write("config/exai.toml", &text);
    let after = sandbox.cli(&["config", "--json"]).await.ok().json();
    assert_eq!(after["warnings"], json!([]), "{}", after["warnings"]);
    let values = |config: &Value| -> Vec<(String, String)> {
        let all = config["settings"].as_array().must("read the settings");
        all.iter()
            .map(|one| (one["key"].to_string(), one["value"].to_string()))
            .collect()
    };
    assert_eq!(values(&before), values(&after));
    for (key, _) in values(&before) {
        let name = key
            .trim_matches('"')
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_owned();
        let env_only = ["session_id", "server_id", "server_name"].contains(&&*name);
        assert!(
            env_only || text.contains(&name),
            "config/exai.toml lacks {key}"
        );
    }
    let example = fs::read_to_string(root.join(".env.example")).must("read .env.example");
    let uncommented = |line: &str| {
        let bare = line.trim_start_matches(['#', ' ']);
        let name = bare.split_once('=').map_or("", |(name, _)| name);
        let setting = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        format!("{}\n", if setting { bare } else { line })
    };
    sandbox.write(
        ".env",
        &example.lines().map(uncommented).collect::<String>(),
    );
    let config = sandbox.cli(&["config", "--json"]).await;
    assert_eq!(
        config.code,
        Some(0),
        "the example with nothing commented out: {}",
        config.all()
    );
}

#[tokio::test]
async fn r45_settings_edited_to_garbage_leave_the_daemon_as_it_was() {
    let sandbox = Sandbox::new();
    sandbox.write("config/exai.toml", "[limits]\nglobal_inflight = 3\n");
    let _daemon = sandbox.daemon().await;
    let pid = sandbox.daemon_pid();
    let file = sandbox.write("config/exai.toml", "[limits]\nglobal_inflight = \"lots\n");
    let place = format!("{}:2", file.display());
    for (words, code) in [("status", 0), ("restart", 3)] {
        let said = sandbox.cli(&[words]).await;
        assert_eq!(said.code, Some(code), "{words}: {}", said.all());
        assert!(said.stderr.contains(&place), "{words}: {}", said.all());
    }
    let doctor = sandbox.cli(&["doctor"]).await;
    assert!(doctor.stdout.contains(&place), "{}", doctor.all());
    assert_eq!(
        sandbox.daemon_pid(),
        pid,
        "it was not stopped for what cannot start"
    );
    let (mut ws, _) = sandbox.modern("asks", &[]).await;
    let result = ws.call_and_wait("version", json!({})).await;
    assert!(result["error"].is_null(), "{result}");
    ws.send(&json!({ "op": "health", "request_id": "h" })).await;
    let health = ws.recv_op("health_res").await;
    assert_eq!(health["health"]["global_capacity"], 3, "{health}");
}
