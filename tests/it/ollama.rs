//! The Ollama manager through its front doors: the command line, operator tools and events, with
//! the scripted server at the other end.

use exai_testkit::{
    Daemon, Must as _, Output, PATIENCE, Sandbox, Ws, eventually,
    provider::{Dialect, OllamaModel, Provider, Reply, Route},
};
use serde_json::{Value, json};
use std::time::Duration;

const GB: u64 = 1_000_000_000;

struct Place {
    sandbox: Sandbox,
    server: Provider,
    _daemon: Daemon,
}

impl Place {
    async fn new() -> Self {
        let server = Provider::start().await;
        let mut sandbox = Sandbox::new();
        sandbox.set("OLLAMA_HOST", server.url(Dialect::Ollama));
        let daemon = sandbox.daemon().await;
        Self {
            sandbox,
            server,
            _daemon: daemon,
        }
    }

    async fn cli(&self, words: &[&str]) -> Output {
        let words: Vec<&str> = std::iter::once("ollama")
            .chain(words.iter().copied())
            .collect();
        self.sandbox.cli(&words).await
    }

    fn asked(&self, route: Route) -> usize {
        self.server
            .requests()
            .iter()
            .filter(|request| request.route == route)
            .count()
    }

    /// A peer that follows what is told of Ollama.
    async fn follower(&self) -> Ws {
        let (mut ws, _) = self.sandbox.modern("follower", &["events"]).await;
        ws.send(&json!({"op": "subscribe", "topics":
            ["ollama_status", "ollama_model_update", "ollama_metrics", "ollama_error"]}))
            .await;
        ws.recv_op("subscribe_res").await;
        ws
    }
}

/// The next event of a topic that fits.
async fn told(ws: &mut Ws, topic: &'static str, fits: impl Fn(&Value) -> bool) -> Value {
    let of = |frame: &Value| frame["data"][topic].clone();
    let frame = ws
        .recv_where(|frame| frame["op"] == "event" && frame["topic"] == topic && fits(&of(frame)))
        .await;
    of(&frame)
}

#[tokio::test]
async fn a_model_is_pulled_shown_loaded_unloaded_and_removed() {
    let place = Place::new().await;
    place.server.ollama(|ollama| {
        ollama.offer(
            OllamaModel::new("tiny")
                .size(4 * GB, GB)
                .context(40_960)
                .able(&["completion", "tools"]),
        );
        ollama.pull_pace(Duration::from_millis(100));
    });
    let status = place.cli(&["status"]).await.ok();
    assert!(
        status
            .stdout
            .contains("ollama: version 0.32.0 at http://127.0.0.1:"),
        "{}",
        status.stdout
    );
    assert!(
        place
            .cli(&["models"])
            .await
            .ok()
            .stdout
            .contains("ollama pull NAME")
    );

    let pulled = place.cli(&["pull", "tiny"]).await.ok();
    assert!(
        pulled.stdout.contains("tiny is here (4.0 GB)"),
        "{}",
        pulled.all()
    );
    assert!(
        pulled.stderr.contains("% of 4.0 GB"),
        "its progress is told: {}",
        pulled.stderr
    );
    let models = place.cli(&["models", "--json"]).await.ok().json();
    assert_eq!(
        (&models[0]["name"], &models[0]["size"]),
        (&json!("tiny:latest"), &json!(4 * GB))
    );

    let shown = place.cli(&["show", "tiny", "--json"]).await.ok().json();
    assert_eq!(shown["context_length"], 40_960);
    assert_eq!(shown["capabilities"], json!(["completion", "tools"]));
    let loaded = place.cli(&["load", "tiny"]).await.ok();
    assert!(
        loaded.stdout.contains("25 %"),
        "its share of video memory: {}",
        loaded.stdout
    );
    let ps = place.cli(&["ps", "--json"]).await.ok().json();
    assert_eq!(
        (&ps[0]["gpu_percent"], &ps[0]["context_length"]),
        (&json!(25.0), &shown["num_ctx"])
    );

    assert!(
        place
            .cli(&["unload", "tiny"])
            .await
            .ok()
            .stdout
            .contains("no model is loaded")
    );
    assert!(
        place
            .cli(&["rm", "tiny"])
            .await
            .ok()
            .stdout
            .contains("deleted tiny")
    );
    assert!(place.server.ollama(|ollama| ollama.installed()).is_empty());
}

/// What a model is loaded with must be what it is asked with: another context loads it again.
#[tokio::test]
async fn loading_and_asking_pin_the_same_context() {
    let place = Place::new().await;
    place
        .server
        .ollama(|ollama| ollama.install(OllamaModel::new("tiny")));
    place.cli(&["load", "tiny"]).await.ok();
    place.server.script([Reply::text("hello")]);
    place
        .sandbox
        .cli(&["chat", "--model", "tiny@ollama", "hi"])
        .await
        .ok();
    let requests = place.server.requests();
    let of = |route| {
        let request = requests.iter().find(|request| request.route == route);
        request
            .and_then(|request| request.json("/options/num_ctx"))
            .cloned()
    };
    assert!(of(Route::Chat).is_some());
    assert_eq!(of(Route::Generate), of(Route::Chat));
}

#[tokio::test]
async fn a_pull_that_is_stopped_ends_there_at_once_and_the_next_goes_on() {
    let place = Place::new().await;
    place.server.ollama(|ollama| {
        ollama.offer(OllamaModel::new("large").size(80 * GB, GB));
        ollama.pull_pace(Duration::from_millis(150));
    });
    let mut ws = place.follower().await;
    ws.send(&json!({"op": "operate", "request_id": "p", "name": "ollama_pull", "arguments": {"model": "large"}})).await;
    let going = told(&mut ws, "ollama_model_update", |update| {
        update["pull"]["completed"].as_u64() > Some(0)
    })
    .await;
    assert_eq!(going["pull"]["total"], 80 * GB);
    ws.send(&json!({"op": "cancel", "request_id": "p"})).await;
    // Everything that comes, in whatever order: the answer, and the last word on the pull.
    let (mut answered, mut ended) = (None, None);
    while answered.is_none() || ended.is_none() {
        let frame = ws.recv().await;
        if frame["op"] == "call_tool_res" {
            answered = Some(frame["error"]["code"].clone());
        } else if frame["data"]["ollama_model_update"]["pull"]["done"] == true {
            ended = Some(frame["data"]["ollama_model_update"]["pull"].clone());
        }
    }
    assert_eq!(answered, Some(json!("CANCELLED")));
    assert_eq!(ended.must("the last word")["error"], "stopped");
    let index = place
        .server
        .requests()
        .iter()
        .position(|r| r.route == Route::Pull)
        .must("find the pull");
    place.server.until_hung_up(index).await;
    let came = place.server.ollama(|ollama| ollama.pulled("large"));
    assert!(came > 0 && came < 80 * GB, "{came}");

    place
        .server
        .ollama(|ollama| ollama.pull_pace(Duration::ZERO));
    place.cli(&["pull", "large"]).await.ok();
    let added = told(&mut ws, "ollama_model_update", |update| {
        update["added"].is_array()
    })
    .await;
    assert_eq!(added["added"][0]["name"], "large:latest");
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_stops_a_pull() {
    let place = Place::new().await;
    place.server.ollama(|ollama| {
        ollama.offer(OllamaModel::new("large").size(80 * GB, GB));
        ollama.pull_pace(Duration::from_secs(2));
    });
    let mut command = place.sandbox.command("exai-daemon");
    command.args(["ollama", "pull", "large"]);
    let mut pull = place.sandbox.spawn(command);
    eventually(PATIENCE, "the pull is under way", || {
        place.asked(Route::Pull) == 1
    })
    .await;
    pull.interrupt();
    let status = pull.wait(PATIENCE).await;
    assert_eq!(status.code(), Some(26), "{}", pull.said());
    let index = place
        .server
        .requests()
        .iter()
        .position(|r| r.route == Route::Pull)
        .must("find the pull");
    place.server.until_hung_up(index).await;
}

#[tokio::test]
async fn every_failure_has_a_kind_and_a_next_step() {
    let place = Place::new().await;
    place
        .server
        .ollama(|ollama| ollama.install(OllamaModel::new("huge")));
    let mut ws = place.follower().await;
    let oom = "model requires more system memory (140.0 GiB) than is available (62.1 GiB)";
    place.server.when(
        |request| request.route == Route::Generate,
        [Reply::status(500).message(oom)],
    );
    for (words, kind, said) in [
        (["pull", "nonsense"], "missing_model", "ollama.com/library"),
        (["rm", "nonsense"], "missing_model", "ollama models"),
        (["show", "nonsense"], "missing_model", "not found"),
        (["load", "huge"], "oom", "Unload another model"),
    ] {
        let failed = place.cli(&words).await;
        assert_ne!(failed.code, Some(0), "{words:?}");
        assert!(failed.stderr.contains(said), "{words:?}: {}", failed.stderr);
        let op = if words[0] == "rm" { "delete" } else { words[0] };
        let error = told(&mut ws, "ollama_error", |error| error["op"] == op).await;
        assert_eq!(
            (&error["kind"], &error["model"]),
            (&json!(kind), &json!(words[1]))
        );
    }
    let elsewhere = place.cli(&["ps", "--endpoint", "nowhere"]).await;
    assert!(
        elsewhere.stderr.contains("there are: ollama"),
        "{}",
        elsewhere.stderr
    );
    place.server.down().await;
    let status = place.cli(&["status"]).await;
    assert_eq!(status.code, Some(1));
    assert!(
        status.stdout.contains("not reachable") && status.stdout.contains("ollama serve"),
        "{}",
        status.stdout
    );
    let listed = place.cli(&["models"]).await;
    assert_eq!(listed.code, Some(27), "{}", listed.all());
}

#[tokio::test]
async fn servers_are_looked_at_only_while_somebody_follows() {
    let place = Place::new().await;
    place
        .server
        .ollama(|ollama| ollama.install(OllamaModel::new("first")));
    let (mut ws, _) = place.sandbox.modern("other", &["events"]).await;
    ws.send(&json!({"op": "subscribe", "topics": ["tool_call_result"]}))
        .await;
    ws.recv_op("subscribe_res").await;
    // Some life, during which nobody asks the server anything.
    for _ in 0..3 {
        ws.call_and_wait("test_sleep", json!({"ms": 200})).await;
    }
    let looks = place.asked(Route::Version) + place.asked(Route::Ps);
    assert_eq!(looks, 0, "nobody follows it");

    let mut follower = place.follower().await;
    let status = told(&mut follower, "ollama_status", |_| true).await;
    assert_eq!(
        (&status["reachable"], &status["version"]),
        (&json!(true), &json!("0.32.0"))
    );
    eventually(PATIENCE, "its lists are read", || {
        place.asked(Route::Tags) > 0 && place.asked(Route::Ps) > 0
    })
    .await;
    // What somebody else does there is seen.
    place.cli(&["load", "first"]).await.ok();
    let loaded = told(&mut follower, "ollama_model_update", |update| {
        update["loaded"].is_array()
    })
    .await;
    assert_eq!(loaded["loaded"][0]["name"], "first:latest");
    drop(follower);
    let before = place.asked(Route::Ps);
    for _ in 0..35 {
        ws.call_and_wait("test_sleep", json!({"ms": 200})).await;
    }
    assert!(
        place.asked(Route::Ps) <= before + 1,
        "it goes on looking for nobody"
    );
}

#[tokio::test]
async fn what_an_answer_took_is_measured_by_us() {
    let place = Place::new().await;
    place
        .server
        .ollama(|ollama| ollama.install(OllamaModel::new("tiny")));
    place
        .server
        .script([Reply::text("hello"), Reply::text("hello again")]);
    let mut ws = place.follower().await;
    for count in 1..=2 {
        place
            .sandbox
            .cli(&["chat", "--model", "tiny@ollama", "hi"])
            .await
            .ok();
        let metrics = told(&mut ws, "ollama_metrics", |metrics| {
            metrics["requests"] == count
        })
        .await;
        assert_eq!(metrics["model"], "tiny");
        assert!(metrics["tokens_per_s"].as_f64() > Some(0.0), "{metrics}");
        assert!(metrics["total_ms"].as_f64() > Some(0.0), "{metrics}");
        assert!(
            metrics["load_ms"].is_number() && metrics["queue_ms"].is_number(),
            "{metrics}"
        );
    }
}
