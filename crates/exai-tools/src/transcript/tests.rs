//! Out and back again.

use super::*;
use exai_engine::ports::{
    models::Pin,
    threads::{Said, Turn},
};
use exai_protocol::UnixMillis;

fn thread() -> Thread {
    let turn = |number: u32, parent: Option<u32>| Turn {
        number,
        parent,
        at: UnixMillis(1_772_359_200_000),
        said: Said {
            tool: "chat".to_owned(),
            question: format!("question {number}\nwith two lines"),
            answer: Some(format!("answer {number}")),
            pin: Some(Pin {
                endpoint: "glm".to_owned(),
                model: "glm-5".to_owned(),
            }),
            ..Said::default()
        },
    };
    Thread {
        id: "abc".to_owned(),
        title: "A title".to_owned(),
        workspace: "/work/a".to_owned(),
        turns: vec![turn(1, None), turn(2, Some(1)), turn(3, Some(1))],
        ..Thread::default()
    }
}

#[test]
fn what_goes_out_comes_back() {
    let thread = thread();
    let text = json_lines(&thread);
    assert_eq!(text.lines().count(), 4);
    let back = read("any.jsonl", &(text.clone() + &text.replace("abc", "def"))).unwrap();
    assert!(back.notes.is_empty(), "{:?}", back.notes);
    assert_eq!(back.threads.len(), 2);
    let one = &back.threads[0];
    assert_eq!((one.id.as_str(), one.title.as_str()), ("abc", "A title"));
    assert_eq!(
        (&one.workspace, &one.turns),
        (&thread.workspace, &thread.turns)
    );
    assert_eq!(back.threads[1].id, "def");
}

#[test]
fn people_read_markdown() {
    let text = markdown(&thread());
    for part in [
        "# A title\n",
        "## 1. chat, 2026-03-01 10:00:00 UTC\n",
        "**Answer** (glm-5 at glm)\n\nanswer 2\n",
        "## 3. chat, 2026-03-01 10:00:00 UTC, goes on from 1\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn p19_the_predecessors_lines_become_turns() {
    let text = r#"
        {"ts": 1760000000.5, "role": "system", "content": "rules"}
        {"ts": 1760000000.5, "role": "user", "content": "one"}
        {"ts": 1760000001, "role": "user", "content": "more of one"}
        {"ts": "2025-10-09T08:53:22+00:00", "role": "assistant", "content": "first"}
        not json
        {"ts": 1760000003000, "role": "user", "content": ["two"]}
        {"role": "assistant", "content": "second"}
        {"ts": 1760000005, "role": "user", "content": "unanswered"}
    "#;
    let id = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let read = read(&format!("logs/conversation/{id}.jsonl"), text).unwrap();
    assert_eq!(read.threads[0].id, id);
    let turns = &read.threads[0].turns;
    let said: Vec<_> = turns
        .iter()
        .map(|turn| (turn.said.question.as_str(), turn.said.answer.as_deref()))
        .collect();
    assert_eq!(
        said,
        [
            ("one\n\nmore of one", Some("first")),
            ("[\"two\"]", Some("second")),
            ("unanswered", None),
        ]
    );
    let times: Vec<u64> = turns.iter().map(|turn| turn.at.0).collect();
    assert_eq!(
        times,
        [1_760_000_002_000, 1_760_000_003_000, 1_760_000_005_000]
    );
    let parents: Vec<_> = turns.iter().map(|turn| turn.parent).collect();
    assert_eq!(parents, [None, Some(1), Some(2)]);
    assert_eq!(read.notes.len(), 2, "{:?}", read.notes);
}

#[test]
fn what_holds_no_conversation_is_refused_in_words() {
    for (name, text) in [
        ("a.jsonl", ""),
        ("a.jsonl", "{}\n[]\nx"),
        ("a.jsonl", "{\"exai_thread\":1,\"id\":\"a\"}"),
        ("a.jsonl", "{\"exai_thread\":7,\"id\":\"a\"}"),
        ("a b.jsonl", "{\"role\":\"user\",\"content\":\"x\"}"),
    ] {
        let why = read(name, text).unwrap_err();
        assert!(why.len() > 20, "{why}");
    }
}
