//! Steps against a conversation and a model made of values: what is answered, kept and sent.

mod orders;

use super::{envelope, kinds};
use crate::fakes::{FakeLogs, call, ports, threads::FakeThreads};
use exai_engine::{
    ports::{
        models::{
            Answer, Applied, AssistantTurn, DoneReason, Listing, Message, ModelFuture, Models,
            Part, Price, SearchReport, Spent, Usage, Wish,
        },
        threads::Threads,
    },
    tool::{ToolCall, ToolError, ToolOutput},
};
use exai_protocol::Code;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

/// Answers what it was told to, in order, and remembers what it was asked.
#[derive(Default)]
pub(super) struct Script {
    answers: Mutex<VecDeque<Result<String, String>>>,
    asked: Mutex<Vec<Wish>>,
}

impl Script {
    fn say(&self, text: &str) {
        self.answers.lock().unwrap().push_back(Ok(text.to_owned()));
    }

    fn fail(&self, why: &str) {
        self.answers.lock().unwrap().push_back(Err(why.to_owned()));
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The whole last request, its turns between lines.
    fn last(&self) -> String {
        let asked = self.asked.lock().unwrap();
        let wish = asked.last().expect("a request");
        let turns = wish.chat.messages.iter().map(words);
        turns.collect::<Vec<_>>().join("\n----\n")
    }
}

fn words(message: &Message) -> String {
    let parts = |parts: &[Part]| {
        let texts = parts.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Image(_) => "(picture)".to_owned(),
        });
        texts.collect::<Vec<_>>().join("\n\n")
    };
    match message {
        Message::System(text) => format!("SYSTEM {text}"),
        Message::User(user) => format!("USER {}", parts(user)),
        Message::Assistant(turn) => format!("MODEL {}", turn.text),
        Message::Tool(result) => format!("TOOL {}", result.content),
    }
}

impl Models for Script {
    fn ask<'a>(
        &'a self,
        _: &'a ToolCall,
        wish: Wish,
    ) -> ModelFuture<'a, Result<Answer, ToolError>> {
        self.asked.lock().unwrap().push(wish);
        let next = self.answers.lock().unwrap().pop_front();
        Box::pin(async move {
            match next {
                Some(Ok(text)) => Ok(answer(&text)),
                Some(Err(why)) => Err(ToolError::new(Code::Unavailable, why)),
                None => Err(ToolError::failed("nothing is left in the script")),
            }
        })
    }

    fn listing(&self) -> Arc<Listing> {
        Arc::default()
    }

    fn refresh<'a>(
        &'a self,
        _: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Vec<String>, ToolError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

fn answer(text: &str) -> Answer {
    Answer {
        endpoint: "nest".to_owned(),
        model: "owl".to_owned(),
        chosen: String::new(),
        turn: AssistantTurn {
            text: text.to_owned(),
            ..AssistantTurn::default()
        },
        reason: DoneReason::Stop,
        session: None,
        applied: Applied::default(),
        search: SearchReport::default(),
        spent: Spent {
            endpoint: "nest".to_owned(),
            model: "owl".to_owned(),
            tokens: Some(Usage {
                input: Some(100),
                output: Some(20),
                ..Usage::default()
            }),
            price: Price {
                usd: Some(0.01),
                ..Price::default()
            },
            ..Spent::default()
        },
        warnings: Vec::new(),
    }
}

/// The tools around one script and one set of conversations.
#[derive(Default)]
pub(super) struct Stage {
    script: Arc<Script>,
    threads: Arc<FakeThreads>,
    roots: Vec<String>,
}

impl Stage {
    async fn try_run(&self, tool: &str, arguments: Value) -> Result<ToolOutput, ToolError> {
        let mut ports = ports(FakeLogs::default());
        ports.models = Arc::clone(&self.script) as _;
        ports.threads = Arc::clone(&self.threads) as Arc<dyn Threads>;
        let tools = crate::builtin(&ports);
        let found = tools.iter().find(|one| one.spec().name() == tool);
        let mut call = call(&arguments.to_string());
        call.roots = self.roots.clone().into();
        found.expect("a tool of that name").run(call).await
    }

    async fn run(&self, tool: &str, arguments: Value) -> Value {
        let output = self.try_run(tool, arguments).await.expect("an answer");
        envelope_of(&output)
    }

    async fn refused(&self, tool: &str, arguments: Value) -> ToolError {
        let refused = self.try_run(tool, arguments).await;
        refused.expect_err("a refusal")
    }

    fn turns(&self) -> usize {
        let all = self.threads.all.lock().unwrap();
        all.iter().map(|thread| thread.turns.len()).sum()
    }
}

fn envelope_of(output: &ToolOutput) -> Value {
    serde_json::from_str(&crate::fakes::text(output)).expect("an envelope")
}

/// Each call is the one the answer before it proposed.
fn next(envelope: &Value) -> Value {
    envelope["next_call"]["arguments"].clone()
}

#[tokio::test]
async fn the_next_call_is_valid_as_it_stands_for_every_tool_to_its_end() {
    for kind in kinds::ALL {
        let stage = Stage::default();
        stage.script.say("The verdict.");
        let mut envelope = stage
            .run(
                kind.name,
                json!({"step": "Begin", "step_number": 1, "total_steps": 3,
                "next_step_required": true, "findings": "a finding"}),
            )
            .await;
        let id = envelope["continuation_id"].clone();
        for number in 1..3 {
            assert_eq!(envelope["status"], "working", "{}: {envelope}", kind.name);
            assert_eq!(envelope["step"], number);
            assert_eq!(envelope["tool"], kind.name);
            assert_eq!(next(&envelope)["continuation_id"], id, "{}", kind.name);
            assert!(!envelope["required_actions"].as_array().unwrap().is_empty());
            envelope = stage.run(kind.name, next(&envelope)).await;
        }
        assert_eq!(envelope["status"], "done", "{}: {envelope}", kind.name);
        assert_eq!(envelope["next_call"], Value::Null);
        assert_eq!(envelope[kind.names.as_ref().unwrap().flag], true);
        assert_eq!(envelope["continuation_id"], id);
        let ran = envelope["expert"]["ran"] == true;
        assert_eq!(ran, stage.script.asked() == 1, "{}", kind.name);
        assert_eq!(stage.turns(), 3);
    }
}

#[tokio::test]
async fn p20_no_model_is_asked_where_the_caller_wants_none() {
    for kind in kinds::ALL {
        let stage = Stage::default();
        let envelope = stage
            .run(
                kind.name,
                json!({"step": "All of it", "step_number": 1, "total_steps": 1,
                "next_step_required": false, "findings": "much", "relevant_files": ["a.rs"],
                "issues_found": [{"severity": "high", "description": "bad"}],
                "use_assistant_model": false}),
            )
            .await;
        assert_eq!(envelope["status"], "done", "{}", kind.name);
        assert_eq!(envelope["expert"]["ran"], false);
        assert_eq!(stage.script.asked(), 0, "{}", kind.name);
        assert_eq!(envelope["skip_expert_analysis"], true);
    }
}

#[tokio::test]
async fn whoever_is_entirely_sure_may_do_without_an_expert_but_not_everywhere() {
    for (tool, word, asked) in [
        ("debug", "certain", 0),
        ("thinkdeep", "certain", 0),
        ("analyze", "certain", 1),
        ("refactor", "complete", 0),
        ("debug", "almost_certain", 1),
    ] {
        let stage = Stage::default();
        stage.script.say("Agreed.");
        let envelope = stage
            .run(
                tool,
                json!({"step": "s", "step_number": 1, "total_steps": 1,
                "next_step_required": false, "findings": "f", "issues_found": ["i"],
                "confidence": word}),
            )
            .await;
        assert_eq!(stage.script.asked(), asked, "{tool} {word}");
        assert_eq!(envelope["status"], "done");
        assert_eq!(envelope["expert"]["ran"], asked == 1);
    }
}

#[tokio::test]
async fn p13_an_expert_who_cannot_be_asked_is_no_success_and_the_step_is_kept() {
    let stage = Stage::default();
    stage.script.fail("nobody is there.");
    let last = json!({"step": "s", "step_number": 1, "total_steps": 1,
        "next_step_required": false, "findings": "f", "issues_found": ["i"]});
    let error = stage.refused("debug", last).await;
    assert_eq!(error.code, Code::Unavailable);
    assert!(
        error
            .message
            .contains("nobody is there. The step itself is kept"),
        "{error}"
    );
    let metadata: Value = serde_json::from_str(error.metadata.unwrap().get()).unwrap();
    assert_eq!(metadata["workflow"]["status"], "failed");
    let again = metadata["workflow"]["next_call"]["arguments"].clone();
    stage.script.say("It holds.");
    let envelope = stage.run("debug", again).await;
    assert_eq!(envelope["status"], "done", "{envelope}");
    assert_eq!(envelope["expert"]["status"], "answered");
    assert_eq!(envelope["expert_analysis"]["raw_analysis"], "It holds.");
    let told = stage.script.last();
    assert_eq!(told.matches("Findings:\nf").count(), 1, "{told}");
}

#[tokio::test]
async fn an_expert_may_want_files_or_a_person() {
    let stage = Stage::default();
    stage.script.say(r#"{"status":"files_required_to_continue","mandatory_instructions":"to see","files_needed":["b.rs"]}"#);
    let last = json!({"step": "s", "step_number": 2, "total_steps": 2,
        "next_step_required": false, "findings": "f", "issues_found": ["i"]});
    let envelope = stage.run("debug", last).await;
    assert_eq!(envelope["status"], "needs_files");
    assert_eq!(envelope["files_needed"], json!(["b.rs"]));
    assert_eq!(envelope["expert"]["status"], "needs_files");
    assert_eq!(next(&envelope)["relevant_files"], json!(["b.rs"]));
    assert_eq!(stage.script.asked(), 1, "nothing goes on by itself");
    stage
        .script
        .say(r#"{"status":"needs_user","question":"Which?"}"#);
    let envelope = stage.run("debug", next(&envelope)).await;
    assert_eq!(envelope["status"], "needs_user");
    assert_eq!(envelope["required_actions"], json!(["Which?"]));
    assert_eq!(envelope["order"], "takes the place of step 2");
    stage.script.say("Fine.");
    let envelope = stage.run("debug", next(&envelope)).await;
    assert_eq!(envelope["status"], "done");
}

#[tokio::test]
async fn docgen_ends_when_all_is_counted_and_tracer_asks_which() {
    let stage = Stage::default();
    let count = |done: u32| {
        json!({"step": "s", "step_number": 2, "total_steps": 2,
        "next_step_required": false, "num_files_documented": done, "total_files_to_document": 3})
    };
    let envelope = stage.run("docgen", count(2)).await;
    assert_eq!(envelope["status"], "working");
    assert_eq!(envelope["v1_status"], "documentation_analysis_required");
    let mut arguments = next(&envelope);
    assert_eq!(arguments["total_files_to_document"], 3);
    arguments["num_files_documented"] = json!(3);
    arguments["next_step_required"] = json!(false);
    assert_eq!(stage.run("docgen", arguments).await["status"], "done");

    let asked = json!({"step": "s", "step_number": 1, "total_steps": 2,
        "next_step_required": true, "trace_mode": "ask", "target_description": "main"});
    let envelope = stage.run("tracer", asked).await;
    assert_eq!(envelope["status"], "needs_user");
    assert_eq!(envelope["v1_status"], "mode_selection_required");
    let mut arguments = next(&envelope);
    arguments["trace_mode"] = json!("precision");
    let envelope = stage.run("tracer", arguments).await;
    assert_eq!(envelope["status"], "working");
    assert_eq!(next(&envelope)["target_description"], "main");
}

#[tokio::test]
async fn a_plan_is_revised_gone_back_on_and_branched_and_nothing_is_lost() {
    let stage = Stage::default();
    let step = |number: u32, text: &str| {
        json!({"step": text, "step_number": number,
        "total_steps": 4, "next_step_required": true, "continuation_id": "id-1"})
    };
    let mut first = step(1, "one");
    first.as_object_mut().unwrap().remove("continuation_id");
    stage.run("planner", first).await;
    stage.run("planner", step(2, "two")).await;
    stage.run("planner", step(3, "three")).await;
    let mut revision = step(4, "two, better");
    revision["is_step_revision"] = json!(true);
    revision["revises_step_number"] = json!(2);
    let envelope = stage.run("planner", revision).await;
    assert_eq!(envelope["step"], 2);
    assert_eq!(envelope["order"], "takes the place of step 2");
    assert_eq!(next(&envelope)["step_number"], 4);
    let mut branch = step(3, "three, otherwise");
    branch["is_branch_point"] = json!(true);
    branch["branch_from_step"] = json!(2);
    branch["branch_id"] = json!("other");
    let envelope = stage.run("planner", branch).await;
    assert_eq!(envelope["branch_id"], "other");
    assert_eq!(next(&envelope)["branch_id"], "other");
    let mut back = step(2, "two, once more");
    back["backtrack_from_step"] = json!(2);
    let envelope = stage.run("planner", back).await;
    assert_eq!(envelope["order"], "goes back to before step 2");
    let all = stage.threads.all.lock().unwrap();
    let parents: Vec<Option<u32>> = all[0].turns.iter().map(|turn| turn.parent).collect();
    assert_eq!(parents, [None, Some(1), Some(2), Some(3), Some(4), Some(1)]);
}

#[tokio::test]
async fn what_is_not_there_is_refused_by_name() {
    let stage = Stage::default();
    for (arguments, words) in [
        (json!({}), "'step' is missing"),
        (
            json!({"step": "s", "step_number": 0}),
            "'step_number' must be a whole number from 1",
        ),
        (
            json!({"step": "s", "confidence": "sure"}),
            "'confidence' must be one of 'exploring'",
        ),
        (
            json!({"step": "s", "backtrack_from_step": 2}),
            "'backtrack_from_step' names step 2",
        ),
        (
            json!({"step": "s", "relevant_files": 7}),
            "'relevant_files' must be a list of strings",
        ),
        (
            json!({"step": "s", "issues_found": [7]}),
            "'issues_found' must be a list of objects",
        ),
        (
            json!({"step": "s", "findings": "x".repeat(400_001)}),
            "'findings' has 400001 bytes",
        ),
    ] {
        let error = stage.refused("debug", arguments).await;
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(error.message.contains(words), "{error}");
    }
    assert_eq!(stage.turns(), 0);
    stage.run("planner", json!({"step": "s"})).await;
    let back = json!({"step": "s", "continuation_id": "id-1", "backtrack_from_step": 7});
    let error = stage.refused("planner", back).await;
    assert!(
        error
            .message
            .contains("names step 7; the steps there are: 1"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_cited_is_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.rs");
    std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), b"1\n2\n3\n").unwrap();
    let stage = Stage {
        roots: vec![folder.path().to_string_lossy().into_owned()],
        ..Stage::default()
    };
    stage.script.say("See a.rs:1 and a.rs:99.");
    let envelope = stage
        .run(
            "debug",
            json!({"step": "s", "step_number": 1, "total_steps": 1,
            "next_step_required": false, "findings": "At a.rs:2, a.rs:4 and gone.rs:1.",
            "relevant_files": ["a.rs"]}),
        )
        .await;
    assert_eq!(envelope["evidence"]["checked"], 4);
    let wrong = envelope["evidence"]["wrong"].to_string();
    assert!(
        wrong.contains("a.rs:4") && wrong.contains("it has 3 lines"),
        "{wrong}"
    );
    assert!(
        wrong.contains("gone.rs:1") && wrong.contains("no such file"),
        "{wrong}"
    );
    let wrong = envelope["expert_evidence"]["wrong"].to_string();
    assert!(wrong.contains("a.rs:99"), "{envelope}");
    assert!(stage.script.last().contains("- a.rs:4: it has 3 lines"));
    assert!(stage.script.last().contains("1| 1"), "the file goes along");
}

#[tokio::test]
async fn p24_a_file_that_cannot_be_read_is_named_to_the_caller_and_to_the_expert() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.rs");
    std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), b"1\n").unwrap();
    let stage = Stage {
        roots: vec![folder.path().to_string_lossy().into_owned()],
        ..Stage::default()
    };
    stage.script.say("Fine.");
    let review = json!({"step": "s", "relevant_files": ["a.rs", "gone.rs"]});
    let envelope = stage.run("codereview", review).await;
    let files = envelope["file_context"]["files"].to_string();
    assert!(
        files.contains("a.rs: whole") && files.contains("gone.rs: NOT SENT"),
        "{files}"
    );
    assert_eq!(envelope["file_context"]["files_embedded"], 1);
    assert!(stage.script.last().contains("gone.rs: NOT INCLUDED"));
    // Of which nothing can be read, nothing is judged, and nothing is paid.
    let gone = json!({"step": "s", "relevant_files": ["gone.rs"]});
    let error = stage.refused("codereview", gone).await;
    assert!(
        error.message.contains("none of the files could be read"),
        "{error}"
    );
    assert_eq!(stage.script.asked(), 1);
}

#[tokio::test]
async fn p11_an_unrelated_investigation_sees_nothing_of_another() {
    let stage = Stage::default();
    stage.script.say("A.");
    stage.script.say("B.");
    for secret in ["alpha", "beta"] {
        let findings = format!("the {secret} finding");
        let begun = stage.run(
            "debug",
            json!({"step": secret, "step_number": 1, "total_steps": 2,
            "next_step_required": true, "findings": findings, "relevant_files": [secret]}),
        );
        let begun = begun.await;
        assert_eq!(begun["investigation_status"]["relevant_files"], 1);
        stage.run("debug", next(&begun)).await;
    }
    let last = stage.script.last();
    assert!(last.contains("beta") && !last.contains("alpha"), "{last}");
}

#[tokio::test]
async fn a_review_that_finds_nothing_to_read_says_so_and_one_that_was_named_fails() {
    let stage = Stage::default();
    let error = stage
        .refused("precommit", json!({"step": "Check it"}))
        .await;
    assert!(
        error.message.contains("named none that can be read"),
        "{error}"
    );
    let named = json!({"step": "s", "range": "HEAD", "findings": "f", "step_number": 1});
    let error = stage.refused("codereview", named).await;
    assert_eq!(error.code, Code::InvalidArgument);
    let told = json!({"step": "s", "step_number": 1, "total_steps": 2, "findings": "f"});
    let envelope = stage.run("precommit", told).await;
    assert_eq!(envelope["status"], "working");
    assert!(
        envelope["notes"][0]
            .as_str()
            .unwrap()
            .starts_with("git was not read: ")
    );
    assert_eq!(stage.script.asked(), 0);
}

#[test]
fn every_name_of_the_predecessor_is_there_once() {
    let statuses = kinds::ALL
        .iter()
        .map(|kind| kind.names.as_ref().unwrap().pause);
    let once: std::collections::BTreeSet<&str> = statuses.collect();
    assert_eq!(once.len(), kinds::ALL.len());
    assert!(envelope::judged_words().contains("may be wrong"));
}
