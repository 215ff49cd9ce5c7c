//! `activity` by source, time and words, as it reads to its caller.

use crate::fakes::{FakeLogs, NOW, ports, run};
use serde_json::{Value, json};

fn logs() -> FakeLogs {
    let call = |ago: f64, tool: &str, success: bool, error: Value| {
        json!({
            "t": NOW - ago, "timestamp": NOW - ago, "tool": tool, "duration": 0.25, "success": success,
            "outcome": if success { "ok" } else { "tool_error" }, "error": error,
        })
        .to_string()
    };
    FakeLogs {
        calls: vec![
            call(3600.0, "chat", true, Value::Null),
            call(60.0, "debug", false, json!("File not found")),
            call(5.0, "version", true, Value::Null),
        ],
        daemon: vec![
            "2026-03-01 09:00:00 INFO ws_daemon: started".to_owned(),
            "2026-03-01 09:59:00 ERROR ws_daemon: boom".to_owned(),
            "    at somewhere".to_owned(),
        ],
        ..FakeLogs::default()
    }
}

#[tokio::test(start_paused = true)]
async fn calls_read_as_sentences() {
    let text = run(&ports(logs()), "activity", "{}").await.unwrap();
    assert_eq!(
        text,
        "activity, 3 lines, oldest first:\n\
         2026-03-01 09:00:00 chat ok 0.250s\n\
         2026-03-01 09:59:00 debug tool_error 0.250s | File not found\n\
         2026-03-01 09:59:55 version ok 0.250s"
    );
}

#[tokio::test(start_paused = true)]
async fn time_and_words_narrow_it() {
    let ports = ports(logs());
    let shown = async |arguments: &str| {
        let text = run(&ports, "activity", arguments).await.unwrap();
        text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(shown(r#"{"since":"10m"}"#).await.len(), 2);
    assert_eq!(shown(r#"{"until":"2026-03-01T09:30:00Z"}"#).await.len(), 1);
    assert_eq!(shown(r#"{"filter":"NOT FOUND|version"}"#).await.len(), 2);
    assert_eq!(shown(r#"{"filter":"no such words"}"#).await, ["(none)"]);
    let late = shown(r#"{"source":"server","since":"5m"}"#).await;
    assert_eq!(
        late,
        [
            "2026-03-01 09:59:00 ERROR ws_daemon: boom",
            "    at somewhere"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn auto_falls_back_to_the_log() {
    let no_calls = FakeLogs {
        calls: Vec::new(),
        ..logs()
    };
    let text = run(&ports(no_calls), "activity", "{}").await.unwrap();
    assert!(text.starts_with("server, 3 lines"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn structured_is_json_all_through() {
    let text = run(
        &ports(logs()),
        "activity",
        r#"{"structured":true,"filter":"debug"}"#,
    )
    .await
    .unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["count"], 1);
    assert_eq!(answer["lines"][0]["tool"], "debug");
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_time_is_refused_with_examples() {
    let error = run(&ports(logs()), "activity", r#"{"since":"yesterday"}"#)
        .await
        .unwrap_err();
    assert!(
        error.message.contains("'since'") && error.message.contains("15m"),
        "{error}"
    );
}
