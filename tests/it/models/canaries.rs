//! A key is in the header made for it and nowhere else: in no file of the home, no frame, no
//! event, no word of any program, no other provider's request, no child's environment.

use super::{FEATURES, Stage, ask};
use exai_testkit::{
    Must as _, PATIENCE, Ws, eventually,
    provider::{At, Cut, Dialect, Reply, Request},
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

/// By where it comes from; long enough that no accident writes one.
const IN_ENV: &str = "canary-env-4f1d9b7a2c";
const IN_DOT_ENV: &str = "canary-dotenv-8e3c6a5d1f";
const IN_FILE: &str = "canary-file-7b2e9d4c6a";
const IN_COMMAND: &str = "canary-command-1c8f5e3b9d";
const FOR_GLM: &str = "canary-glm-6d4a2f8e7c";
const ALL: [&str; 5] = [IN_ENV, IN_DOT_ENV, IN_FILE, IN_COMMAND, FOR_GLM];

fn script(file: &Path, body: &str) {
    fs::File::create(file)
        .and_then(|mut opened| std::io::Write::write_all(&mut opened, body.as_bytes()))
        .must("write a script");
    fs::set_permissions(file, fs::Permissions::from_mode(0o700)).must("make it a program");
}

/// Providers whose keys come in every way there is, and one that is a program.
fn arrange(stage: &mut Stage) {
    let work = stage.sandbox.work();
    let (lender, agent) = (work.join("lend-key"), work.join("agent"));
    let dump = |name: &str| work.join(name).display().to_string();
    let command = format!(
        "#!/bin/sh\nenv > '{}'\necho {IN_COMMAND}\n",
        dump("lender.env")
    );
    script(&lender, &command);
    let agent_says = format!(
        "#!/bin/sh\nenv > '{}'\ncat > /dev/null\necho fine\n",
        dump("agent.env")
    );
    script(&agent, &agent_says);
    let url = |name, dialect| stage.provider.url_under(name, dialect);
    let endpoint = |name: &str, dialect: &str, url: String, key: &str| {
        format!(
            "[providers.{name}]\ntitle = \"{name}\"\ndialect = \"{dialect}\"\nbase_url = \"{url}\"\nkey = {key}\nlimits = {{ retries = 1 }}\n"
        )
    };
    let toml = [
        endpoint(
            "by-file",
            "anthropic",
            url("by-file", Dialect::Anthropic),
            "{ file = \"secret/key\" }",
        ),
        endpoint(
            "by-command",
            "gemini",
            url("by-command", Dialect::Gemini),
            &format!("{{ command = [\"{}\"] }}", lender.display()),
        ),
        format!(
            "[providers.by-agent]\ntitle = \"agent\"\ndialect = \"cli\"\n\
             [providers.by-agent.command]\nprogram = \"{}\"\nlogin = \"agent login\"\n\
             [providers.by-agent.quirks.answer]\nformat = \"text\"\n",
            agent.display()
        ),
    ];
    stage.providers(&toml.concat());
    let key = stage.sandbox.write("secret/key", IN_FILE);
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).must("make it private");
    stage
        .sandbox
        .write(".env", &format!("KIMI_API_KEY={IN_DOT_ENV}\n"));
    stage
        .sandbox
        .unset("KIMI_API_KEY")
        .set("OPENAI_API_KEY", IN_ENV)
        .set("GLM_API_KEY", FOR_GLM);
}

const MODELS: [(&str, &str); 5] = [
    ("gpt-5-mini@openai", IN_ENV),
    ("kimi-k2-0905-preview@kimi", IN_DOT_ENV),
    ("m@by-file", IN_FILE),
    ("m@by-command", IN_COMMAND),
    ("glm-4.6@glm", FOR_GLM),
];

/// Everything a peer hears until all of these calls have ended.
async fn hear(ws: &mut Ws, ids: &[String]) -> String {
    let (mut heard, mut open) = (String::new(), ids.len());
    while open > 0 {
        let frame = ws.recv().await;
        open -= usize::from(frame["op"] == "call_tool_res");
        heard.push_str(&frame.to_string());
    }
    heard
}

#[track_caller]
fn none_in(text: &str, place: &str) {
    for key in ALL {
        assert!(!text.contains(key), "{key} is in {place}:\n{text}");
    }
}

/// Every file below a folder but those that are made to hold a key.
fn search(folder: &Path) {
    for entry in fs::read_dir(folder).must("list a folder") {
        let path = entry.must("look at a file").path();
        if path.is_dir() {
            search(&path);
        } else if !path.ends_with(".env") && !path.ends_with("secret/key") {
            let bytes = fs::read(&path).must("read a file");
            none_in(
                &String::from_utf8_lossy(&bytes),
                &path.display().to_string(),
            );
        }
    }
}

/// A provider that says its caller's key back, in every place it can.
fn telltale(key: &str) -> Vec<Reply> {
    vec![
        Reply::text("good"),
        Reply::status(400)
            .message(&format!("your key {key} is odd"))
            .header("x-seen", key),
        Reply::status(500).message(&format!("Bearer {key}")),
        Reply::body(502, "text/html", format!("<p>{key}</p>")),
        Reply::text("half")
            .chunks(2)
            .error_event(At::Piece(1), &format!("lost {key}")),
        Reply::text("half")
            .chunks(2)
            .event(At::Piece(1), format!("{{\"{key}\"")),
        Reply::text("half").chunks(2).cut(At::Piece(1), Cut::Short),
        Reply::status(401)
            .message(&format!("invalid key: {key}"))
            .code(key),
    ]
}

fn carries(key: &'static str) -> impl Fn(&Request) -> bool + Send + Sync + 'static {
    move |request| request.key() == Some(key)
}

#[tokio::test]
async fn keys_are_in_their_header_and_nowhere_else() {
    let mut stage = Stage::new().await;
    arrange(&mut stage);
    for (_, key) in MODELS {
        stage.provider.when(carries(key), telltale(key));
    }
    let mut daemon = stage.daemon().await;
    let (mut watcher, _) = stage.sandbox.modern("watcher", &["events"]).await;
    watcher
        .send(&json!({ "op": "subscribe", "request_id": "s" }))
        .await;
    let (mut ws, _) = stage.sandbox.modern("caller", &FEATURES).await;
    let mut heard = String::new();
    for round in 0..9 {
        let mut ids = Vec::new();
        for (model, _) in MODELS {
            let id = format!("{round}-{model}");
            ask(&mut ws, &id, model).await;
            ids.push(id);
        }
        heard.push_str(&hear(&mut ws, &ids).await);
    }
    ask(&mut ws, "agent", "default@by-agent").await;
    let result = ws.result("agent").await;
    assert_eq!(super::said(&result).trim(), "fine");
    for (_, key) in MODELS {
        let used = stage
            .provider
            .requests()
            .iter()
            .filter(|one| one.key() == Some(key))
            .count();
        assert!(used >= 2, "{key} was never used ({used})");
        assert_eq!(stage.provider.leaks(key), Vec::<String>::new());
    }
    none_in(&heard, "the frames");
    for (tool, arguments) in [
        ("listmodels", json!({ "full": true })),
        ("status", json!({})),
        ("self-check", json!({})),
        ("provider_capabilities", json!({})),
        ("health", json!({})),
    ] {
        let told = ws.call_and_wait(tool, arguments).await;
        none_in(&told.to_string(), tool);
    }
    for line in [
        &["doctor"][..],
        &["config", "show"],
        &["status"],
        &["models", "--all"],
        &["models", "--json"],
        &["usage", "--by", "key"],
        &["chat", "-m", "gpt-5-mini@openai", "hello"],
    ] {
        none_in(&stage.sandbox.cli(line).await.all(), &format!("{line:?}"));
    }
    let mut events = Vec::<Value>::new();
    while let exai_testkit::Frame::Json(event) =
        watcher.next(std::time::Duration::from_millis(300)).await
    {
        events.push(event);
    }
    assert!(
        events
            .iter()
            .any(|event| event["topic"] == "provider_status"),
        "{events:?}"
    );
    none_in(&json!(events).to_string(), "the events");
    // What children were given.
    for file in ["lender.env", "agent.env"] {
        let file = stage.sandbox.work().join(file);
        let read = || fs::read_to_string(&file).ok();
        let environment = eventually(PATIENCE, "the child's environment is there", read).await;
        assert!(environment.contains("PATH="), "{environment}");
        none_in(&environment, "a child's environment");
    }
    daemon.terminate();
    daemon.wait(PATIENCE).await;
    none_in(&daemon.said(), "what the daemon said");
    search(&stage.sandbox.home());
}
