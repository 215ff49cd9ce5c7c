//! Prompts, resources and completion, over fakes.

use super::{Library, Reader};
use crate::fakes::{FakeLogs, ports};
use exai_engine::ports::models::ModelFuture;
use exai_protocol::{Principal, tool::ToolEntry};
use serde_json::{Value, json};

struct Me(Principal);

impl Reader for Me {
    fn principal(&self) -> &Principal {
        &self.0
    }
    fn roots(&self) -> Vec<String> {
        Vec::new()
    }
    fn tools(&self) -> Vec<(ToolEntry, bool)> {
        let all = crate::entries().into_iter();
        all.map(|entry| {
            let listed = entry.name != "activity";
            (entry, listed)
        })
        .collect()
    }
    fn result<'a>(&'a self, id: &'a str) -> ModelFuture<'a, Result<String, String>> {
        Box::pin(async move {
            match id {
                "long" => Ok("é".repeat(40_000)),
                _ => Err("no such result".to_owned()),
            }
        })
    }
}

async fn ask(method: &str, params: Value) -> Result<Value, (i32, String)> {
    let ports = ports(FakeLogs::default());
    let library = Library::new(ports.models, ports.threads);
    let me = Me(Principal::new("owner"));
    let answer = library.answer(&me, method, &params).await;
    answer.map_err(|error| (error.code, error.message))
}

#[tokio::test]
async fn every_tool_is_a_prompt_and_so_is_going_on() {
    let list = ask("prompts/list", json!({})).await.unwrap();
    let prompts = list["prompts"].as_array().unwrap();
    // With the shim's own tool, and the way to go on.
    assert_eq!(prompts.len(), crate::entries().len() + 2);
    let chat = prompts.iter().find(|one| one["name"] == "chat").unwrap();
    assert_eq!(
        chat["arguments"][0],
        json!({ "name": "prompt", "required": true })
    );
    let names: Vec<&str> = prompts
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert!(
        names.is_sorted() && names.contains(&"continue"),
        "{names:?}"
    );
    for prompt in prompts {
        assert!(prompt["description"].is_string(), "{prompt}");
        for argument in prompt["arguments"].as_array().into_iter().flatten() {
            assert!(
                argument["name"]
                    .as_str()
                    .is_some_and(|name| name != "step_number")
            );
        }
    }
}

#[tokio::test]
async fn a_prompt_is_a_task_with_what_was_given() {
    let get = async |name: &str, arguments: Value| {
        let params = json!({ "name": name, "arguments": arguments });
        let got = ask("prompts/get", params).await?;
        let text = got["messages"][0]["content"]["text"].as_str();
        Ok::<String, (i32, String)>(text.unwrap().to_owned())
    };
    let chat = get(
        "chat",
        json!({ "prompt": "Why?", "model": "glm", "odd": "x" }),
    )
    .await
    .unwrap();
    assert!(
        chat.contains("`chat`") && chat.contains("- `prompt`: Why?"),
        "{chat}"
    );
    assert!(
        chat.contains("- `model`: glm") && !chat.contains("tool_invoke"),
        "{chat}"
    );
    let door = get(
        "tool_invoke",
        json!({ "name": "status", "arguments": "{}" }),
    );
    let door = door.await.unwrap();
    assert!(door.contains("- `arguments` (an object): {}"), "{door}");
    let again = get("exai_continue", json!({ "handle": "ab-7" }))
        .await
        .unwrap();
    assert!(
        again.contains("`exai_continue`") && again.contains("ab-7"),
        "{again}"
    );
    let hidden = get("activity", json!({})).await.unwrap();
    assert!(hidden.contains("`tool_invoke`"), "{hidden}");
    let on = get(
        "continue",
        json!({ "continuation_id": "c-7", "prompt": "And?" }),
    )
    .await
    .unwrap();
    assert!(on.contains("`c-7`") && on.contains("And?"), "{on}");
    let (code, words) = get("chat", json!({})).await.unwrap_err();
    assert!(code == -32602 && words.contains("'prompt'"), "{words}");
    let (code, words) = get("nobody", json!({})).await.unwrap_err();
    assert!(
        code == -32602 && words.contains("no prompt 'nobody'"),
        "{words}"
    );
}

#[tokio::test]
async fn a_long_answer_comes_in_pages_that_add_up() {
    let mut uri = "exai://answers/long?limit=30001".to_owned();
    let mut whole = String::new();
    let mut pages = 0;
    loop {
        let read = ask("resources/read", json!({ "uri": uri })).await.unwrap();
        whole.push_str(read["contents"][0]["text"].as_str().unwrap());
        pages += 1;
        match read["contents"][1]["uri"].as_str() {
            Some(next) => uri = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(whole, "é".repeat(40_000));
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn what_there_is_not_is_said_with_what_there_is() {
    for (method, params, code, expected) in [
        (
            "resources/read",
            json!({ "uri": "file:///etc/passwd" }),
            -32602,
            "exai://models",
        ),
        (
            "resources/read",
            json!({ "uri": "exai://answers/gone" }),
            -32602,
            "no such result",
        ),
        (
            "resources/read",
            json!({ "uri": "exai://answers/long?offset=x" }),
            -32602,
            "offset",
        ),
        (
            "resources/read",
            json!({ "uri": "exai://answers/long?limit=1023" }),
            -32602,
            "limit must be from 1024 to 1048576 bytes; got '1023'",
        ),
        (
            "resources/read",
            json!({ "uri": "exai://answers/long?limit=2000000" }),
            -32602,
            "limit must be from 1024",
        ),
        (
            "resources/read",
            json!({ "uri": "exai://models?page=2" }),
            -32602,
            "'page=2'",
        ),
        ("resources/read", json!({}), -32602, "params.uri"),
        ("prompts/list", json!({ "cursor": "x" }), -32602, "one page"),
        (
            "resources/subscribe",
            json!({}),
            -32601,
            "resources/subscribe",
        ),
    ] {
        let (got, words) = ask(method, params).await.unwrap_err();
        assert!(got == code && words.contains(expected), "{method}: {words}");
    }
    let models = ask("resources/read", json!({ "uri": "exai://models" }))
        .await
        .unwrap();
    let text = models["contents"][0]["text"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(text).unwrap()["models"].is_array());
}

#[tokio::test]
async fn completion_knows_models_and_words() {
    let complete = async |reference: Value, name: &str, value: &str| {
        let params = json!({ "ref": reference, "argument": { "name": name, "value": value } });
        let got = ask("completion/complete", params).await.unwrap();
        got["completion"]["values"].clone()
    };
    let chat = json!({ "type": "ref/prompt", "name": "chat" });
    assert_eq!(
        complete(chat.clone(), "effort", "hi").await,
        json!(["high"])
    );
    let models = complete(chat.clone(), "model", "").await;
    assert!(
        models.as_array().is_some_and(|all| !all.is_empty()),
        "{models}"
    );
    assert_eq!(complete(chat, "prompt", "x").await, json!([]));
    let invoke = json!({ "type": "ref/prompt", "name": "tool_invoke" });
    assert_eq!(
        complete(invoke, "name", "self").await,
        json!(["self-check"])
    );
}
