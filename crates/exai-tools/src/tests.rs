//! The suite as its callers see it: true entries, small lists, answers that hold what they
//! promise and refusals that name the field.

use crate::{
    Ports,
    fakes::{FakeList, FakeLogs, call, nothing_ready, ports, run, text},
};
use exai_engine::ports::models::{Listing, ModelRow};
use exai_protocol::Code;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::Instant;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("a JSON answer")
}

#[test]
fn the_static_list_is_the_live_list() {
    let live: Vec<String> = crate::builtin(&ports(FakeLogs::default()))
        .iter()
        .filter(|tool| !tool.spec().operator)
        .map(|tool| serde_json::to_string(&tool.spec().entry).unwrap())
        .collect();
    let still: Vec<String> = crate::entries()
        .iter()
        .map(|entry| serde_json::to_string(entry).unwrap())
        .collect();
    assert_eq!(live, still);
    let names: Vec<String> = crate::entries()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(names.len(), 33);
}

#[test]
fn the_list_is_small() {
    for entry in crate::entries() {
        // What a profile as a whole may take is proved through the shim.
        let bytes = serde_json::to_string(&entry).unwrap().len();
        assert!(bytes < 2048, "{}: {bytes} bytes", entry.name);
        assert!(entry.description.len() < 1024, "{}", entry.name);
    }
}

#[test]
fn r15_names_and_schemas_suit_every_known_client() {
    let tools = crate::builtin(&ports(FakeLogs::default()));
    let mut seen = BTreeSet::new();
    for tool in tools.iter().chain(&crate::test_tools()) {
        let entry = &tool.spec().entry;
        let name = entry.name.as_str();
        // The longest prefix a client puts before a name of ours takes 24 of its 64 letters.
        assert!(name.len() <= 32 && seen.insert(name.to_owned()), "{name}");
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b))
        );
        let schema: Value = serde_json::from_str(entry.input_schema.get()).unwrap();
        assert_eq!(schema["type"], "object", "{name}");
        for banned in [
            "$schema",
            "$ref",
            "oneOf",
            "anyOf",
            "allOf",
            "additionalProperties",
        ] {
            assert!(schema.get(banned).is_none(), "{name}: {banned}");
        }
        for (field, property) in schema["properties"].as_object().expect(name) {
            let kind = property["type"]
                .as_str()
                .unwrap_or_else(|| panic!("{name}.{field} has no type"));
            assert!(
                property.get("enum").is_none() || kind == "string",
                "{name}.{field}"
            );
        }
    }
}

#[test]
fn hints_are_true() {
    for tool in crate::builtin(&ports(FakeLogs::default())) {
        // Those cost money or change something, so nobody may send them twice unasked.
        let once = [
            "chat",
            "clink",
            "consensus",
            "glm_web_search",
            "kimi_chat_with_tools",
            "kimi_multi_file_chat",
            "kimi_upload_and_extract",
            "models_refresh",
            "models_test",
            "smart_file_query",
            "threads_import",
            "tool_invoke",
        ]
        .contains(&tool.spec().name())
            || crate::workflow::names().any(|name| name == tool.spec().name());
        assert_eq!(tool.spec().repeatable(), !once, "{}", tool.spec().name());
    }
    for tool in crate::test_tools() {
        let once = tool.spec().name().ends_with("_once");
        assert_eq!(tool.spec().repeatable(), !once, "{}", tool.spec().name());
        assert!(!tool.spec().instant);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_marked_instant_needs_no_turn_of_the_loop() {
    let ports = ports(FakeLogs {
        broken: true,
        ..FakeLogs::default()
    });
    for tool in crate::builtin(&ports) {
        let marked = tool
            .spec()
            .entry
            .meta
            .as_ref()
            .is_some_and(|meta| meta.get().contains("instant"));
        assert_eq!(marked, tool.spec().instant);
        if tool.spec().runs_at_once() {
            let mut run = tool.run(call(r#"{"prompt":"x"}"#));
            let waker = std::task::Waker::noop();
            let polled = run
                .as_mut()
                .poll(&mut std::task::Context::from_waker(waker));
            assert!(
                matches!(polled, std::task::Poll::Ready(Ok(_))),
                "{}",
                tool.spec().name()
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_tool_ignores_unknown_arguments() {
    let ports = ports(FakeLogs::default());
    // Those have a `model` of their own, and nobody to ask here.
    let asks = |name: &str| {
        let others = [
            "chat",
            "clink",
            "consensus",
            "smart_file_query",
            "tool_invoke",
        ];
        let providers = ["glm_", "kimi_"];
        let named = providers.iter().any(|provider| name.starts_with(provider));
        named || others.contains(&name) || crate::workflow::names().any(|one| one == name)
    };
    let others = crate::entries().into_iter();
    for entry in others.filter(|entry| !asks(&entry.name)) {
        let answer = run(
            &ports,
            &entry.name,
            r#"{"prompt":"x","wait_for_previous":[1],"model":7}"#,
        )
        .await;
        assert!(answer.is_ok(), "{}: {answer:?}", entry.name);
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_arguments_are_named_with_their_limits() {
    let ports = ports(FakeLogs::default());
    for (tool, arguments, expected) in [
        (
            "status",
            r#"{"tail_lines":501}"#,
            "'tail_lines' must be a whole number from 0 to 500; got 501",
        ),
        (
            "status",
            r#"{"doctor":"yes"}"#,
            "'doctor' must be true or false; got \"yes\"",
        ),
        (
            "activity",
            r#"{"lines":9}"#,
            "'lines' must be a whole number from 10 to 5000; got 9",
        ),
        (
            "activity",
            r#"{"source":"all"}"#,
            "'source' must be one of 'auto', 'activity', 'server'; got \"all\"",
        ),
        (
            "toolcall_log_tail",
            r#"{"n":0}"#,
            "'n' must be a whole number from 1 to 200; got 0",
        ),
        (
            "self-check",
            r#"{"log_lines":-1}"#,
            "'log_lines' must be a whole number from 0 to 500; got -1",
        ),
        (
            "provider_capabilities",
            r#"{"show_advanced":1}"#,
            "'show_advanced' must be true or false; got 1",
        ),
        (
            "challenge",
            "{}",
            "'prompt' is missing; send it as a string",
        ),
        (
            "test_sleep",
            r#"{"ms":3600001}"#,
            "'ms' must be a whole number from 0 to 3600000; got 3600001",
        ),
        (
            "test_count",
            r#"{"file":"here"}"#,
            "'file' must be an absolute path; got here",
        ),
    ] {
        let error = run(&ports, tool, arguments).await.unwrap_err();
        assert_eq!(
            (error.code, error.message.as_str()),
            (Code::InvalidArgument, expected),
            "{tool}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn version_and_health_tell_the_facts() {
    let ports = ports(FakeLogs::default());
    let version = json(&run(&ports, "version", "{}").await.unwrap());
    assert_eq!(version["version"], "0.1.0");
    assert_eq!(version["boot_id"], "boot-1");
    let health = json(&run(&ports, "health", r#"{"tail_lines":50}"#).await.unwrap());
    assert_eq!(health["global_capacity"], 24);
    assert_eq!(health["warnings"][0], "the token is empty");
}

/// Ports with these models.
fn listed(listing: Listing) -> Ports {
    Ports {
        models: Arc::new(FakeList(listing)),
        ..ports(FakeLogs::default())
    }
}

#[tokio::test(start_paused = true)]
async fn listmodels_is_a_line_a_model_and_says_what_the_others_lack() {
    let text = run(&ports(FakeLogs::default()), "listmodels", "{}")
        .await
        .unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[1..],
        [
            "glm (GLM)",
            "  glm-4.6 | 200k | thinking | 0.6/2.2",
            "  glm-new | ? | ? | ?",
            "not ready:",
            "  kimi: set KIMI_API_KEY (kimi-k2-0905-preview)",
        ],
        "{text}"
    );
    assert!(
        lines[0].starts_with("2 models ready at 1 endpoint."),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn listmodels_can_be_narrowed_and_widened() {
    let ports = ports(FakeLogs::default());
    let ready = run(&ports, "listmodels", r#"{"ready":true}"#)
        .await
        .unwrap();
    assert!(!ready.contains("kimi"), "{ready}");
    let one = run(&ports, "listmodels", r#"{"endpoint":"kimi"}"#)
        .await
        .unwrap();
    for part in [
        "not ready: set KIMI_API_KEY",
        "(kimi-k2) | 256k | ? | ? | not ready",
    ] {
        assert!(one.contains(part), "{part:?} in {one}");
    }
    assert!(!one.contains("glm-4.6"), "{one}");
    let none = run(&ports, "listmodels", r#"{"endpoint":"x"}"#)
        .await
        .unwrap_err();
    assert_eq!(none.code, Code::InvalidArgument);
    assert!(
        none.message.contains("known are glm, kimi"),
        "{}",
        none.message
    );
    let full = json(&run(&ports, "listmodels", r#"{"full":true}"#).await.unwrap());
    assert_eq!(full["models"][0]["price"]["in"], 0.6);
    assert_eq!(full["models"][2]["aliases"][0], "kimi-k2");
    assert_eq!(full["endpoints"][1]["lacks"], "set KIMI_API_KEY");
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_ready_every_door_says_what_to_set() {
    let ports = listed(nothing_ready());
    for (tool, part) in [
        (
            "listmodels",
            "No model can be asked. Set GLM_API_KEY. Or start a server.",
        ),
        ("provider_capabilities", "Set GLM_API_KEY."),
        ("self-check", "- no model can be asked. Set GLM_API_KEY."),
        ("status", "providers: none is ready"),
    ] {
        let text = run(&ports, tool, "{}").await.unwrap();
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_models_stay_a_few_kilobytes() {
    let mut many = crate::fakes::listing();
    let row = many.models[1].clone();
    many.models.extend((0..400).map(|n| ModelRow {
        id: format!("vendor-{n}/model-{n}:free"),
        ..row.clone()
    }));
    let text = run(&listed(many), "listmodels", "{}").await.unwrap();
    assert!(text.len() < 4000, "{} bytes", text.len());
    assert!(
        text.contains("and 342 more: endpoint=glm full=true"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_served_twice_is_a_line_once() {
    let mut twice = crate::fakes::listing();
    let mut other = twice.endpoints[0].clone();
    other.name = "glm-cn".to_owned();
    twice.endpoints.insert(1, other);
    let mut row = twice.models[0].clone();
    row.endpoint = "glm-cn".to_owned();
    twice.models.push(row);
    let text = run(&listed(twice), "listmodels", "{}").await.unwrap();
    assert_eq!(text.matches("glm-4.6").count(), 1, "{text}");
    assert!(
        text.contains("and 1 listed above, as NAME@glm-cn"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_resting_endpoint_is_told() {
    let mut resting = crate::fakes::listing();
    resting.endpoints[0].breaker = "open".to_owned();
    resting.endpoints[0].breaker_cause = Some("rate_limited".to_owned());
    let ports = listed(resting);
    for (tool, part) in [
        ("listmodels", "glm (GLM), resting after rate_limited"),
        ("self-check", "'glm' rests after rate_limited"),
        ("status", "providers: glm (resting) ready"),
        ("provider_capabilities", r#""breaker": "open""#),
    ] {
        let text = run(&ports, tool, "{}").await.unwrap();
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn provider_capabilities_grow_on_request() {
    let ports = ports(FakeLogs::default());
    let short = json(
        &run(
            &ports,
            "provider_capabilities",
            r#"{"include_tools":false}"#,
        )
        .await
        .unwrap(),
    );
    assert!(short.get("tools").is_none());
    assert_eq!(short["configured"], serde_json::json!(["glm"]));
    assert!(short["providers"]["glm"].get("base_url").is_none());
    assert_eq!(short["providers"]["glm"]["largest_context"], 200_000);
    assert_eq!(short["providers"]["kimi"]["lacks"], "set KIMI_API_KEY");
    let long = json(
        &run(&ports, "provider_capabilities", r#"{"show_advanced":true}"#)
            .await
            .unwrap(),
    );
    assert_eq!(long["tools"].as_array().unwrap().len(), 33);
    assert_eq!(long["providers"]["kimi"]["max_inflight"], 6);
    assert_eq!(long["providers"]["kimi"]["key_from"], "KIMI_API_KEY");
}

#[tokio::test(start_paused = true)]
async fn status_tells_load_warnings_test_tools_and_the_log() {
    let logs = FakeLogs {
        daemon: (0..40).map(|n| format!("line {n}")).collect(),
        faults: vec!["logs/ is not writable: run chmod u+w logs".to_owned()],
        ..FakeLogs::default()
    };
    let ports = ports(logs);
    let text = run(
        &ports,
        "status",
        r#"{"doctor":true,"probe":true,"include_tools":true}"#,
    )
    .await
    .unwrap();
    for part in [
        "running | ws://127.0.0.1:8765 | pid=123",
        "inflight=1/24",
        "test tools: registered",
        "warning: the token is empty",
        "tools: activity, analyze, apilookup",
        "probe: `exai-daemon models test NAME`",
        "doctor: 1 found\n- logs/ is not writable",
        "log:\nline 10\n",
        "line 39",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let short = run(&ports, "status", r#"{"tail_lines":0}"#).await.unwrap();
    assert!(
        !short.contains("line 39") && !short.contains("doctor"),
        "{short}"
    );
}

#[tokio::test(start_paused = true)]
async fn self_check_is_silent_about_nothing() {
    let mut logs = FakeLogs::default();
    let text = run(&ports(logs.clone()), "self-check", "{}").await.unwrap();
    assert_eq!(text, "doctor: 1 found\n- the token is empty");
    logs.faults = vec!["disk full".to_owned()];
    logs.daemon = vec!["last words".to_owned()];
    let text = run(&ports(logs), "self-check", r#"{"log_lines":5}"#)
        .await
        .unwrap();
    assert_eq!(
        text,
        "doctor: 2 found\n- disk full\n- the token is empty\nlog:\nlast words"
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_read_is_an_error_with_its_cause() {
    let ports = ports(FakeLogs {
        broken: true,
        ..FakeLogs::default()
    });
    for tool in ["activity", "toolcall_log_tail"] {
        let error = run(&ports, tool, "{}").await.unwrap_err();
        assert_eq!(error.code, Code::ExecError, "{tool}");
        assert!(error.message.contains("permission denied"), "{error}");
    }
    // Those that have more to say say it, and this with it.
    for (tool, wanted) in [("status", "{}"), ("self-check", r#"{"log_lines":5}"#)] {
        let text = run(&ports, tool, wanted).await.unwrap();
        assert!(
            text.contains("log: cannot read ws_daemon.log: permission denied"),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_call_log_comes_whole_and_bounded() {
    let mut logs = FakeLogs::default();
    let text = run(&ports(logs.clone()), "toolcall_log_tail", "{}")
        .await
        .unwrap();
    assert_eq!(text, "No tool call has finished yet.");
    logs.calls = (0..300)
        .map(|n| format!(r#"{{"t":{n},"tool":"chat"}}"#))
        .collect();
    let text = run(&ports(logs.clone()), "toolcall_log_tail", "{}")
        .await
        .unwrap();
    assert_eq!(text.lines().count(), 20);
    assert!(text.ends_with(r#"{"t":299,"tool":"chat"}"#));
    logs.calls = (0..300)
        .map(|n| format!(r#"{{"t":{n},"error":"{}"}}"#, "x".repeat(900)))
        .collect();
    let text = run(&ports(logs), "toolcall_log_tail", r#"{"n":200}"#)
        .await
        .unwrap();
    assert!(
        text.len() < 50_000 && text.contains("older records left out"),
        "{} bytes",
        text.len()
    );
}

#[tokio::test(start_paused = true)]
async fn challenge_keeps_the_statement_word_for_word() {
    let ports = ports(FakeLogs::default());
    let answer = json(
        &run(&ports, "challenge", r#"{"prompt":"Rust is \"slow\"."}"#)
            .await
            .unwrap(),
    );
    let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "status",
            "original_statement",
            "challenge_prompt",
            "instructions"
        ]
    );
    assert_eq!(answer["original_statement"], "Rust is \"slow\".");
    assert!(
        answer["challenge_prompt"]
            .as_str()
            .unwrap()
            .contains("Rust is \"slow\".")
    );
}

#[tokio::test(start_paused = true)]
async fn test_sleep_waits_as_long_as_asked() {
    let start = Instant::now();
    let text = run(&ports(FakeLogs::default()), "test_sleep", r#"{"ms":90000}"#)
        .await
        .unwrap();
    assert_eq!(text, "slept 90000 ms");
    assert_eq!(start.elapsed(), Duration::from_secs(90));
}

#[tokio::test(start_paused = true)]
async fn test_count_leaves_one_line_a_run() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("runs");
    let arguments = serde_json::json!({ "file": file, "ms": 5 }).to_string();
    for _ in 0..3 {
        let text = run(&ports(FakeLogs::default()), "test_count_once", &arguments)
            .await
            .unwrap();
        assert_eq!(text, "counted");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "r-1\nr-1\nr-1\n");
}

#[tokio::test(start_paused = true)]
async fn test_bulk_is_exactly_as_long_as_asked() {
    for bytes in [0, 1, 36, 37, 38, 100_000] {
        let arguments = format!(r#"{{"bytes":{bytes}}}"#);
        let text = run(&ports(FakeLogs::default()), "test_bulk", &arguments)
            .await
            .unwrap();
        assert_eq!(text.len(), bytes);
    }
}

#[tokio::test(start_paused = true)]
async fn test_flood_ends_and_test_block_blocks() {
    let ports = ports(FakeLogs::default());
    assert_eq!(
        run(&ports, "test_flood", r#"{"count":1000}"#)
            .await
            .unwrap(),
        "said 1000 messages"
    );
    let start = std::time::Instant::now();
    assert_eq!(
        run(&ports, "test_block", r#"{"ms":20}"#).await.unwrap(),
        "blocked 20 ms"
    );
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[test]
#[should_panic(expected = "test_panic was called")]
fn test_panic_panics() {
    let tools = crate::test_tools();
    let tool = tools
        .iter()
        .find(|tool| tool.spec().name() == "test_panic")
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let output = runtime
        .block_on(async { tool.run(call("{}")).await })
        .unwrap();
    unreachable!("{}", text(&output));
}
