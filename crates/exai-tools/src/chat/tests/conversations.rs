//! `chat` goes on where it was: what is sent, what is kept, and what is not.

use super::*;
use crate::fakes::threads::FakeThreads;
use exai_engine::ports::{
    models::{Carry, Pin},
    threads::ThreadError,
};

struct Stage {
    models: Arc<FakeModels>,
    threads: Arc<FakeThreads>,
}

impl Stage {
    fn new(answer: Result<Answer, ToolError>) -> Self {
        Self {
            models: FakeModels::new(answer),
            threads: Arc::default(),
        }
    }

    async fn chat(&self, arguments: Value) -> Result<ToolOutput, ToolError> {
        let mut ports = ports(FakeLogs::default());
        ports.models = Arc::clone(&self.models) as _;
        ports.threads = Arc::clone(&self.threads) as _;
        let tools = crate::builtin(&ports);
        let chat = tools.iter().find(|tool| tool.spec().name() == "chat");
        let call = call(&arguments.to_string());
        chat.expect("chat").run(call).await
    }

    fn turns(&self) -> Vec<(String, Option<String>)> {
        let all = self.threads.all.lock().unwrap();
        let turns = all.iter().flat_map(|thread| &thread.turns);
        let turns = turns.map(|turn| (turn.said.question.clone(), turn.said.answer.clone()));
        turns.collect()
    }
}

fn facts(output: &ToolOutput) -> Value {
    blocks(output)[0]["_meta"]["exai/answer"].clone()
}

#[tokio::test]
async fn p16_the_next_question_brings_the_turns_before_it_once_and_keeps_their_model() {
    let mut one = answer("It leaks.");
    one.turn.carry = Some(Carry {
        dialect: "d".to_owned(),
        endpoint: "glm".to_owned(),
        model: "glm-4.6".to_owned(),
        items: serde_json::json!([1]),
    });
    let stage = Stage::new(Ok(one));
    let first = stage.chat(json!({"prompt": "What is wrong?", "system": "Be brief."}));
    let first = facts(&first.await.unwrap());
    assert_eq!(
        (&first["continuation_id"], &first["turn"]),
        (&json!("id-1"), &json!(1))
    );
    let second = stage
        .chat(json!({"prompt": "Where?", "continuation_id": " id-1 "}))
        .await
        .unwrap();
    assert_eq!(facts(&second)["turn"], 2);
    let wish = stage.models.wish();
    let pin = Pin {
        endpoint: "glm".to_owned(),
        model: "glm-4.6".to_owned(),
    };
    assert_eq!((wish.pin, wish.model), (Some(pin), None));
    assert_eq!(wish.thread.as_deref(), Some("id-1"));
    let [
        Message::System(system),
        Message::User(asked),
        Message::Assistant(answered),
        Message::User(now),
    ] = wish.chat.messages.as_slice()
    else {
        panic!("{:?}", wish.chat.messages);
    };
    assert_eq!(system, "Be brief.", "standing instructions stand");
    assert_eq!(asked, &[Part::Text("What is wrong?".to_owned())]);
    assert_eq!(answered.text, "It leaks.");
    assert!(answered.carry.is_some());
    assert_eq!(now, &[Part::Text("Where?".to_owned())]);
    assert_eq!(wish.chat.cache.stable_messages, 3);
    assert_eq!(stage.turns().len(), 2, "each turn once");
    // Another model may go on: it is asked for by name.
    let third = json!({"prompt": "Sure?", "continuation_id": "id-1", "model": "kimi"});
    stage.chat(third).await.unwrap();
    assert_eq!(stage.models.wish().model.as_deref(), Some("kimi"));
    assert_eq!(stage.models.wish().chat.messages.len(), 6);
}

#[tokio::test]
async fn a_failed_question_leaves_the_fact_and_none_of_its_words() {
    let stage = Stage::new(Err(ToolError::new(
        Code::Unavailable,
        "the provider is down",
    )));
    stage.chat(json!({"prompt": "a secret"})).await.unwrap_err();
    stage.chat(json!({"prompt": " "})).await.unwrap_err();
    assert!(stage.turns().is_empty());
    let failures = stage.threads.failures.lock().unwrap().clone();
    assert_eq!(failures.len(), 1, "a question that was never asked is none");
    assert_eq!(failures[0].code, "UNAVAILABLE");
    assert!(!format!("{failures:?}").contains("secret"));
    let stage = Stage::new(Ok(answer("  ")));
    stage.chat(json!({"prompt": "p"})).await.unwrap_err();
    assert!(stage.turns().is_empty());
    assert_eq!(stage.threads.failures.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_question_that_is_stopped_leaves_the_fact_too() {
    let stage = Stage {
        models: Arc::new(FakeModels {
            answer: Ok(answer("x")),
            wishes: Mutex::default(),
            stuck: true,
        }),
        threads: Arc::default(),
    };
    {
        let mut run = std::pin::pin!(stage.chat(json!({"prompt": "p"})));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(run.as_mut().poll(&mut context).is_pending());
    }
    let failures = stage.threads.failures.lock().unwrap();
    assert_eq!(failures[0].code, "CANCELLED");
    assert!(stage.turns().is_empty());
}

#[tokio::test]
async fn an_answer_that_cannot_be_kept_is_given_and_says_so() {
    let mut stage = Stage::new(Ok(answer("Because.")));
    stage.threads = Arc::new(FakeThreads {
        broken: Some(ThreadError::Unavailable("no room".to_owned())),
        ..FakeThreads::default()
    });
    let output = stage.chat(json!({"prompt": "why?"})).await.unwrap();
    let text = blocks(&output)[0]["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("Because.\n\n---\n"), "{text}");
    let words = told(&output);
    assert!(
        words.contains("THIS TURN IS NOT KEPT") && words.contains("no room"),
        "{words}"
    );
    assert!(!words.contains("continuation_id:"), "{words}");
    assert_eq!(facts(&output)["continuation_id"], Value::Null);
}

#[tokio::test]
async fn what_there_is_no_room_for_is_told_to_the_caller_too() {
    let stage = Stage::new(Ok(answer(&"word ".repeat(200))));
    stage.chat(json!({"prompt": "one"})).await.unwrap();
    for prompt in ["two", "three"] {
        let small = json!({"prompt": prompt, "continuation_id": "id-1", "model": "small"});
        let output = stage.chat(small).await.unwrap();
        if prompt == "three" {
            let words = told(&output);
            assert!(
                words.contains("Earlier turns: the first 1 turn did not fit"),
                "{words}"
            );
        }
    }
    assert_eq!(stage.models.wish().chat.messages.len(), 3);
}
