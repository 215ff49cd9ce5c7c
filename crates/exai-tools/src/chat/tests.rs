//! `chat` against models made of values: what reaches the port, what comes back, and what is
//! refused before anything is paid.

mod conversations;

use crate::fakes::{FakeLogs, call, ports};
use exai_engine::{
    ports::models::{
        Answer, Applied, AssistantTurn, Attempt, Category, Change, DoneReason, Effort, Image,
        Listing, Message, ModelFuture, ModelRow, Models, Part, Price, SearchReport, Source, Spent,
        Usage, Wish,
    },
    tool::{Tool, ToolCall, ToolError, ToolOutput},
};
use exai_protocol::Code;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Answers everything with one answer, and remembers what was wished.
struct FakeModels {
    answer: Result<Answer, ToolError>,
    wishes: Mutex<Vec<Wish>>,
    stuck: bool,
}

impl FakeModels {
    fn new(answer: Result<Answer, ToolError>) -> Arc<Self> {
        Arc::new(Self {
            answer,
            wishes: Mutex::default(),
            stuck: false,
        })
    }

    fn wish(&self) -> Wish {
        self.wishes.lock().unwrap().last().expect("a wish").clone()
    }

    fn asked(&self) -> usize {
        self.wishes.lock().unwrap().len()
    }
}

impl Models for FakeModels {
    fn ask<'a>(
        &'a self,
        call: &'a ToolCall,
        wish: Wish,
    ) -> ModelFuture<'a, Result<Answer, ToolError>> {
        self.wishes.lock().unwrap().push(wish);
        Box::pin(async move {
            if self.stuck {
                std::future::pending::<()>().await;
            }
            call.progress.stream("text");
            self.answer.clone()
        })
    }

    fn listing(&self) -> Arc<Listing> {
        let small = ModelRow {
            id: "small".to_owned(),
            endpoint: "nest".to_owned(),
            aliases: vec!["tiny".to_owned()],
            context: Some(1000),
            ..ModelRow::default()
        };
        Arc::new(Listing {
            models: vec![small],
            ..Listing::default()
        })
    }

    fn refresh<'a>(
        &'a self,
        endpoint: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Vec<String>, ToolError>> {
        Box::pin(async move { Ok(vec![format!("{endpoint:?}: 2 models"), "done".to_owned()]) })
    }
}

fn answer(text: &str) -> Answer {
    Answer {
        endpoint: "glm".to_owned(),
        model: "glm-4.6".to_owned(),
        chosen: "named by you".to_owned(),
        turn: AssistantTurn {
            text: text.to_owned(),
            ..AssistantTurn::default()
        },
        reason: DoneReason::Stop,
        session: None,
        applied: Applied {
            max_output: 8192,
            ..Applied::default()
        },
        search: SearchReport::default(),
        spent: Spent {
            endpoint: "glm".to_owned(),
            model: "glm-4.6".to_owned(),
            tokens: Some(Usage {
                input: Some(10),
                output: Some(5),
                ..Usage::default()
            }),
            price: Price {
                usd: Some(0.0012),
                ..Price::default()
            },
            total_ms: 1500,
            ..Spent::default()
        },
        warnings: Vec::new(),
    }
}

fn tool(models: &Arc<FakeModels>, name: &str) -> Arc<dyn Tool> {
    let mut ports = ports(FakeLogs::default());
    ports.models = Arc::clone(models) as _;
    let tools = crate::builtin(&ports);
    let found = tools.iter().find(|tool| tool.spec().name() == name);
    Arc::clone(found.expect("a tool of that name"))
}

async fn chat(models: &Arc<FakeModels>, arguments: &str) -> Result<ToolOutput, ToolError> {
    tool(models, "chat").run(call(arguments)).await
}

fn blocks(output: &ToolOutput) -> Vec<Value> {
    serde_json::from_str(output.outputs.get()).unwrap()
}

/// The one block, and what follows the answer in it.
fn told(output: &ToolOutput) -> String {
    let blocks = blocks(output);
    assert_eq!(blocks.len(), 1);
    let answer = blocks[0]["_meta"]["exai/answer"]["answer_bytes"].as_u64();
    let text = blocks[0]["text"].as_str().unwrap();
    text[answer.unwrap() as usize..].to_owned()
}

fn refusal(result: Result<ToolOutput, ToolError>) -> String {
    let error = result.expect_err("a refusal");
    assert_eq!(error.code, Code::InvalidArgument, "{error}");
    error.message
}

#[tokio::test]
async fn the_answer_and_what_it_took_are_one_block_that_says_where_each_is() {
    let models = FakeModels::new(Ok(answer("Because.\n")));
    let output = chat(&models, r#"{"prompt":"Why?"}"#).await.unwrap();
    let blocks = blocks(&output);
    assert_eq!(blocks.len(), 1);
    assert_eq!(
        blocks[0]["text"],
        "Because.\n\n---\n[glm-4.6 at glm: named by you; 10 tokens in, 5 out; $0.001200; 1.5 s]\n\
         continuation_id: id-1 (turn 1)"
    );
    let facts = &blocks[0]["_meta"]["exai/answer"];
    assert_eq!(facts["complete"], true);
    assert_eq!(facts["answer_bytes"], "Because.\n".len());
    assert!(output.structured.is_none(), "clients would drop the text");
    let usage: Value = serde_json::from_str(output.usage.unwrap().get()).unwrap();
    assert_eq!(usage["tokens"]["output"], 5);
    assert_eq!(usage["model"], "glm-4.6");
}

#[tokio::test]
async fn every_argument_reaches_the_wish() {
    let models = FakeModels::new(Ok(answer("x")));
    let arguments = r#"{"prompt":"Why?","model":" qwen3:32b ","system":"Be brief.","effort":"high",
        "temperature":0.3,"max_output":77,"use_websearch":true,"confirm_cost":true,"stream":true}"#;
    chat(&models, arguments).await.unwrap();
    let wish = models.wish();
    assert_eq!(wish.model.as_deref(), Some("qwen3:32b"));
    assert_eq!(&*wish.tool, "chat");
    assert_eq!(wish.category, Category::Deep);
    assert!(wish.confirmed && wish.pin.is_none());
    assert_eq!(wish.thread.as_deref(), Some("id-1"));
    let chat = wish.chat;
    assert_eq!(chat.effort, Some(Effort::High));
    assert_eq!((chat.temperature, chat.max_output), (Some(0.3), 77));
    assert!(chat.search.is_some());
    assert_eq!(
        chat.messages,
        [
            Message::System("Be brief.".to_owned()),
            Message::user("Why?")
        ]
    );
}

#[tokio::test]
async fn p20_absent_means_absent() {
    let models = FakeModels::new(Ok(answer("x")));
    let arguments = r#"{"prompt":"p","model":"","thinking_mode":null,"use_websearch":false,"continuation_id":""}"#;
    chat(&models, arguments).await.unwrap();
    let wish = models.wish();
    assert_eq!((wish.model, wish.category), (None, Category::Balanced));
    assert_eq!((wish.chat.effort, wish.chat.temperature), (None, None));
    assert!(wish.chat.search.is_none() && !wish.confirmed);
    assert_eq!(wish.chat.max_output, 0, "left to whoever knows the model");
}

#[tokio::test]
async fn the_predecessors_words_for_effort_are_understood() {
    let models = FakeModels::new(Ok(answer("x")));
    for (word, effort) in [
        ("minimal", Effort::Minimal),
        ("low", Effort::Low),
        ("medium", Effort::Medium),
        ("high", Effort::High),
        ("max", Effort::Max),
    ] {
        let arguments = format!(r#"{{"prompt":"p","thinking_mode":"{word}"}}"#);
        chat(&models, &arguments).await.unwrap();
        assert_eq!(models.wish().chat.effort, Some(effort));
    }
    let both = r#"{"prompt":"p","effort":"low","thinking_mode":"max"}"#;
    chat(&models, both).await.unwrap();
    assert_eq!(models.wish().chat.effort, Some(Effort::Low));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_is_paid() {
    let models = FakeModels::new(Ok(answer("x")));
    for (arguments, expected) in [
        ("{}", "'prompt' is missing"),
        (r#"{"prompt":" "}"#, "'prompt' is empty"),
        (
            r#"{"prompt":"p","effort":"huge"}"#,
            "'effort': 'huge' is no effort",
        ),
        (r#"{"prompt":"p","thinking_mode":"x"}"#, "'thinking_mode'"),
        (r#"{"prompt":"p","temperature":3}"#, "from 0 to 2"),
        (r#"{"prompt":"p","max_output":0}"#, "'max_output'"),
        (r#"{"prompt":"p","model":7}"#, "'model' must be a string"),
        (r#"{"prompt":"p","files":{}}"#, "a list of strings"),
        (
            r#"{"prompt":"p","continuation_id":"c-1"}"#,
            "there is no conversation 'c-1'",
        ),
        (
            r#"{"prompt":"p","files":["/etc/hostname"]}"#,
            "nothing was sent",
        ),
    ] {
        let words = refusal(chat(&models, arguments).await);
        assert!(words.contains(expected), "{arguments}: {words}");
    }
    assert_eq!(models.asked(), 0);
}

#[tokio::test]
async fn p13_an_answer_that_is_cut_says_so_and_an_empty_one_is_no_success() {
    let mut cut = answer("half of");
    cut.reason = DoneReason::Length;
    let output = chat(&FakeModels::new(Ok(cut.clone())), r#"{"prompt":"p"}"#)
        .await
        .unwrap();
    assert!(told(&output).contains("THE ANSWER IS CUT: it reached its ceiling of 8192"));
    let facts = &blocks(&output)[0]["_meta"]["exai/answer"];
    assert_eq!(
        (&facts["complete"], &facts["reason"]),
        (&false.into(), &"length".into())
    );

    cut.turn.text = "\n".to_owned();
    let error = chat(&FakeModels::new(Ok(cut)), r#"{"prompt":"p"}"#)
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::ExecError);
    for part in ["without any text", "'max_output'", "$0.001200", "glm-4.6"] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    assert!(
        error.metadata.unwrap().get().contains("\"tokens\""),
        "what it took is recorded"
    );
}

#[tokio::test]
async fn everything_out_of_the_ordinary_is_a_line() {
    let mut full = answer("text");
    full.applied.changes = vec![Change {
        field: "temperature".to_owned(),
        requested: "0.3".to_owned(),
        applied: "1".to_owned(),
        why: "this model takes no other".to_owned(),
    }];
    full.search = SearchReport {
        requested: true,
        offered: true,
        ran: true,
        queries: vec!["rust".to_owned()],
        sources: vec![Source {
            title: "T".to_owned(),
            url: "https://e.org".to_owned(),
        }],
        only_written: false,
    };
    full.spent.attempts = vec![Attempt {
        endpoint: "kimi".to_owned(),
        model: "k2".to_owned(),
        cause: Some("rate_limited".to_owned()),
        ..Attempt::default()
    }];
    full.spent.price = Price {
        unknown: Some("no price in the catalogue".to_owned()),
        ..Price::default()
    };
    full.warnings = vec!["80 % of the day's budget is used".to_owned()];
    let output = chat(&FakeModels::new(Ok(full.clone())), r#"{"prompt":"p"}"#)
        .await
        .unwrap();
    let words = told(&output);
    for part in [
        "Not as asked: temperature 0.3 became 1 (this model takes no other)",
        "A web search ran for: rust\n- T https://e.org",
        "Failed before: k2 at kimi (rate_limited)",
        "price unknown (no price in the catalogue)",
        "Budget: 80 % of the day's budget",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    for (offered, only_written, expected) in [
        (true, false, "did not"),
        (false, false, "cannot be asked"),
        (true, true, "only wrote"),
    ] {
        full.search = SearchReport {
            requested: true,
            offered,
            only_written,
            ..SearchReport::default()
        };
        let models = FakeModels::new(Ok(full.clone()));
        let words = told(&chat(&models, r#"{"prompt":"p"}"#).await.unwrap());
        assert!(
            words.contains("NO web search ran") && words.contains(expected),
            "{words}"
        );
    }
}

#[tokio::test]
async fn an_error_of_the_port_passes_unchanged() {
    let mut error = ToolError::new(Code::OverBudget, "the day's budget is used");
    error.retry_after = Some(60);
    error.metadata = Some(exai_engine::tool::no_arguments());
    let got = chat(&FakeModels::new(Err(error)), r#"{"prompt":"p"}"#)
        .await
        .unwrap_err();
    assert_eq!(got.code, Code::OverBudget);
    assert_eq!(got.message, "the day's budget is used");
    assert_eq!(
        (got.retry_after, got.metadata.unwrap().get()),
        (Some(60), "{}")
    );
}

#[tokio::test]
async fn p24_files_stand_before_the_request_and_each_is_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let mut file = std::fs::File::create(folder.path().join(name)).unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
    };
    write("a.rs", b"fn a() {}\n");
    write(".env", b"KEY=canary");
    write("p.png", b"\x89PNG\r\n\x1a\n");
    let models = FakeModels::new(Ok(answer("ok")));
    let with_roots = |arguments: &str| {
        let mut call = call(arguments);
        call.roots = vec![folder.path().to_string_lossy().into_owned()].into();
        call
    };
    let arguments = r#"{"prompt":"Review.","files":["a.rs",".env"],"images":["p.png"]}"#;
    let output = tool(&models, "chat")
        .run(with_roots(arguments))
        .await
        .unwrap();
    let wish = models.wish();
    assert_eq!(wish.category, Category::Vision);
    let [Message::User(parts)] = wish.chat.messages.as_slice() else {
        panic!("{:?}", wish.chat.messages);
    };
    let [
        Part::Text(text),
        Part::Image(Image::Inline { media_type, .. }),
    ] = parts.as_slice()
    else {
        panic!("{parts:?}");
    };
    assert_eq!(media_type, "image/png");
    assert!(
        text.contains("1| fn a() {}") && text.ends_with("the request>>\nReview."),
        "{text}"
    );
    assert!(!text.contains("canary") && text.contains("file 2: .env: NOT INCLUDED"));
    let words = told(&output);
    for part in [
        "File a.rs: whole, 1 line,",
        "File .env: NOT SENT, files of this name hold keys",
        "File p.png: image/png",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }

    // A model with little room gets what fits into it.
    write("long", "0123456789\n".repeat(1000).as_bytes());
    for model in ["TINY", "small@nest"] {
        let arguments = format!(r#"{{"prompt":"p","files":["long"],"model":"{model}"}}"#);
        let output = tool(&models, "chat").run(with_roots(&arguments));
        let words = told(&output.await.unwrap());
        assert!(words.contains("File long: CUT"), "{words}");
    }
    let arguments = r#"{"prompt":"p","files":["long"],"model":"small@elsewhere"}"#;
    let output = tool(&models, "chat").run(with_roots(arguments));
    assert!(told(&output.await.unwrap()).contains("File long: whole"));
}

#[tokio::test]
async fn dropping_the_call_drops_the_request() {
    let models = Arc::new(FakeModels {
        answer: Ok(answer("x")),
        wishes: Mutex::default(),
        stuck: true,
    });
    let mut run = chat_future(&models);
    assert!(futures_poll(&mut run).is_pending());
    let held = Arc::strong_count(&models);
    drop(run);
    assert!(Arc::strong_count(&models) < held);
}

fn chat_future(models: &Arc<FakeModels>) -> exai_engine::tool::ToolFuture {
    tool(models, "chat").run(call(r#"{"prompt":"p"}"#))
}

fn futures_poll(
    run: &mut exai_engine::tool::ToolFuture,
) -> std::task::Poll<Result<ToolOutput, ToolError>> {
    run.as_mut()
        .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
}

#[tokio::test]
async fn what_is_for_people_is_hidden() {
    let models = FakeModels::new(Ok(answer("x")));
    for (name, operator) in [
        ("chat", false),
        ("models_list", true),
        ("models_refresh", true),
        ("models_test", true),
        ("threads", false),
        ("threads_import", true),
    ] {
        let tool = tool(&models, name);
        assert_eq!(tool.spec().operator, operator, "{name}");
        assert_eq!(
            tool.spec().repeatable(),
            ["models_list", "threads"].contains(&name),
            "{name}"
        );
    }
    let output = tool(&models, "models_refresh").run(call(r#"{"endpoint":"glm"}"#));
    let output = crate::fakes::text(&output.await.unwrap());
    assert_eq!(output, "Some(\"glm\"): 2 models\ndone");
    let output = tool(&models, "models_list").run(call("{}")).await.unwrap();
    assert!(crate::fakes::text(&output).contains("\"small\""));
}
