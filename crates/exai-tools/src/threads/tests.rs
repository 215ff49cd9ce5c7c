//! The tool as a model sees it: compact lists, whole turns, refusals that name the field.

use crate::fakes::{FakeLogs, call, ports, text, threads::FakeThreads};
use exai_engine::{
    ports::threads::{Failure, Said, Thread, Turn},
    tool::ToolError,
};
use exai_protocol::{Code, UnixMillis};
use serde_json::{Value, json};
use std::sync::Arc;

const AT: UnixMillis = UnixMillis(1_772_359_200_000);

fn turn(number: u32, question: &str, answer: &str) -> Turn {
    Turn {
        number,
        parent: number.checked_sub(1).filter(|parent| *parent > 0),
        at: AT,
        said: Said {
            tool: "chat".to_owned(),
            question: question.to_owned(),
            answer: Some(answer.to_owned()),
            ..Said::default()
        },
    }
}

fn stage() -> Arc<FakeThreads> {
    let thread = |id: &str, title: &str, workspace: &str, turns: Vec<Turn>| Thread {
        id: id.to_owned(),
        title: title.to_owned(),
        workspace: workspace.to_owned(),
        created_at: AT,
        touched_at: AT,
        turns,
        failures: vec![Failure {
            at: AT,
            code: "TIMEOUT".to_owned(),
            why: "no answer\nin time".to_owned(),
            ..Failure::default()
        }],
    };
    let threads = FakeThreads::default();
    *threads.all.lock().unwrap() = vec![
        thread(
            "id-1",
            "A leak",
            "/work/a",
            vec![turn(1, "why?", "because")],
        ),
        thread(
            "id-2",
            "Long\ntalk",
            "/work/b",
            (1..=4)
                .map(|at| turn(at, "q", &"word ".repeat(900)))
                .collect(),
        ),
    ];
    Arc::new(threads)
}

async fn asked(threads: &Arc<FakeThreads>, arguments: Value) -> Result<String, ToolError> {
    let mut ports = ports(FakeLogs::default());
    ports.threads = Arc::clone(threads) as _;
    let tools = crate::builtin(&ports);
    let tool = tools.iter().find(|tool| tool.spec().name() == "threads");
    let mut call = call(&arguments.to_string());
    call.roots = vec!["file:///work/a/".to_owned()].into();
    tool.expect("threads")
        .run(call)
        .await
        .map(|output| text(&output))
}

#[tokio::test]
async fn lists_are_of_this_project_unless_asked_for_all() {
    let threads = stage();
    let here = asked(&threads, json!({})).await.unwrap();
    assert_eq!(here, "id-1  2026-03-01 10:00  1 turn  A leak");
    let all = asked(&threads, json!({"everywhere": true, "limit": 1})).await;
    let all = all.unwrap();
    assert!(all.contains("A leak  (/work/a)"), "{all}");
    assert!(all.contains("(1 older ones"), "{all}");
    let found = asked(&threads, json!({"action": "search", "text": "leak"}));
    let found = found.await.unwrap();
    assert!(
        found.contains("id-1") && found.contains("\n  turn 1: … leak …"),
        "{found}"
    );
    let none = asked(&threads, json!({"action": "search", "text": "Long"})).await;
    assert!(none.unwrap().contains("'everywhere' looks at all"));
}

#[tokio::test]
async fn what_is_long_is_shown_in_beginnings_and_any_turn_whole() {
    let threads = stage();
    let text = asked(&threads, json!({"action": "show", "id": "id-2"}))
        .await
        .unwrap();
    assert!(text.len() < 10_000, "{}", text.len());
    assert!(
        text.starts_with("Long talk\ncontinuation_id: id-2\nproject: /work/b\n"),
        "{text}"
    );
    assert!(text.contains("('turn': 1 shows it whole)"), "{text}");
    assert!(
        text.contains("Failed 2026-03-01 10:00 (TIMEOUT): no answer in time"),
        "{text}"
    );
    let one = asked(&threads, json!({"action": "show", "id": "id-2", "turn": 1}));
    assert!(one.await.unwrap().contains(&"word ".repeat(899)));
    let none = asked(&threads, json!({"action": "show", "id": "id-2", "turn": 9}));
    assert!(none.await.unwrap_err().message.contains("it has 4"));
    let file = asked(&threads, json!({"action": "export", "id": "id-1"}));
    assert!(file.await.unwrap().starts_with("# A leak\n"));
}

#[tokio::test]
async fn renaming_and_deleting_say_what_they_did() {
    let threads = stage();
    let renamed = json!({"action": "rename", "id": "id-1", "text": "Better"});
    assert_eq!(asked(&threads, renamed).await.unwrap(), "Renamed: Better");
    assert!(asked(&threads, json!({})).await.unwrap().contains("Better"));
    let deleted = json!({"action": "delete", "id": "id-1"});
    assert_eq!(
        asked(&threads, deleted.clone()).await.unwrap(),
        "Deleted: id-1"
    );
    let again = asked(&threads, deleted).await.unwrap_err();
    assert_eq!(again.code, Code::InvalidArgument);
    assert!(again.metadata.unwrap().get().contains("thread_unknown"));
    for (arguments, field) in [
        (json!({"action": "show"}), "'continuation_id'"),
        (json!({"action": "search"}), "'text'"),
        (json!({"action": "rename", "id": "id-2"}), "'text'"),
        (json!({"action": "burn"}), "'action'"),
        (json!({"limit": 0}), "'limit'"),
    ] {
        let why = asked(&threads, arguments).await.unwrap_err().message;
        assert!(why.contains(field), "{why}");
    }
}
