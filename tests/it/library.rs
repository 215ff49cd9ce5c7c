//! Prompts, resources and completion through the real shim, in both eras of MCP.

use crate::editor::{by_hand, connected, error_code, names, reached};
use exai_testkit::{
    Must as _, Sandbox, Shim,
    provider::{Dialect, Provider, Reply},
};
use serde_json::{Value, json};

#[tokio::test]
async fn slash_commands_with_arguments_for_every_tool_and_to_continue() {
    let (_sandbox, _daemon, mut shim) = connected().await;
    let list = shim.ask("prompts/list", json!({})).await;
    let prompts = list["result"]["prompts"].as_array().must("have prompts");
    let names: Vec<&str> = prompts
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    for name in ["chat", "consensus", "continue", "debug", "self-check"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    let params = json!({ "name": "chat", "arguments": { "prompt": "Why?" } });
    let got = shim.ask("prompts/get", params).await;
    let words = got["result"]["messages"][0]["content"]["text"].as_str();
    assert!(words.is_some_and(|words| words.contains("Why?")), "{got}");
    let got = shim.ask("prompts/get", json!({ "name": "chat" })).await;
    assert_eq!(error_code(&got), -32602);
    assert!(
        got["error"]["message"].to_string().contains("'prompt'"),
        "{got}"
    );
    // The other era says who answered, and that the answer is whole.
    let (_again, _other, mut shim) = connected().await;
    let list = shim.modern_ask("prompts/list", json!({})).await;
    assert_eq!(list["result"]["resultType"], "complete", "{list}");
    assert!(list["result"]["ttlMs"].is_u64() && list["result"]["prompts"].is_array());
    let who = &list["result"]["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(who["name"], "exai");
}

/// What each tool's prompt needs, and no more.
fn needed(prompt: &Value) -> Value {
    let arguments = prompt["arguments"].as_array().cloned().unwrap_or_default();
    let needed = arguments.iter().filter(|one| one["required"] == true);
    let words = needed.filter_map(|one| Some((one["name"].as_str()?.to_owned(), json!("canary"))));
    Value::Object(words.collect())
}

#[tokio::test]
async fn every_tool_of_every_profile_is_a_slash_command() {
    let mut sandbox = by_hand();
    sandbox.unset("EXAI_TEST_TOOLS");
    let tool = "description = \"x\"\nprompt = \"Explain {{topic}}.\"\n[input]\n\
         required = [\"topic\"]\n[input.properties.topic]\ntype = \"string\"\n";
    sandbox.write("config/tools/mine.toml", tool);
    let _daemon = sandbox.daemon().await;
    let mut bytes = Vec::new();
    for profile in ["lean", "standard", "full"] {
        sandbox.set("EXAI_TOOL_PROFILE", profile);
        let mut shim = sandbox.shim();
        shim.initialize("2025-11-25").await;
        reached(&mut shim).await;
        let tools = names(&shim.ask("tools/list", json!({})).await);
        let list = shim.ask("prompts/list", json!({})).await;
        let prompts = list["result"]["prompts"].as_array().must("have prompts");
        for tool in tools.iter().map(String::as_str).chain(["continue", "mine"]) {
            let prompt = prompts.iter().find(|one| one["name"] == tool);
            let prompt = prompt.unwrap_or_else(|| panic!("{profile}: no prompt '{tool}'"));
            let params = json!({ "name": tool, "arguments": needed(prompt) });
            let got = shim.ask("prompts/get", params).await;
            let words = got["result"]["messages"][0]["content"]["text"].as_str();
            let names_it = |words: &str| tool == "continue" || words.contains(tool);
            assert!(words.is_some_and(names_it), "{profile}, {tool}: {got}");
        }
        bytes.push(list["result"].to_string());
    }
    bytes.dedup();
    assert_eq!(bytes.len(), 1, "the same bytes for every profile");
}

#[tokio::test]
async fn all_slash_commands_together_are_8_kb() {
    let mut sandbox = by_hand();
    sandbox.unset("EXAI_TEST_TOOLS");
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    reached(&mut shim).await;
    let list = shim.ask("prompts/list", json!({})).await;
    let prompts = list["result"]["prompts"].as_array().must("have prompts");
    assert!(prompts.len() > 30, "for every tool, listed or not: {list}");
    let bytes = list["result"].to_string().len();
    assert!(bytes <= 8 * 1024, "{bytes} bytes");
}

#[tokio::test]
async fn models_conversations_and_results_can_be_read() {
    let provider = Provider::start().await;
    let mut sandbox = Sandbox::new();
    let url = provider.url_under("custom", Dialect::OpenAiChat);
    sandbox.set("CUSTOM_API_URL", url);
    let long = format!("BEGIN {} END", "word ".repeat(30_000));
    provider.otherwise(Reply::text(&long));
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    let call = json!({ "prompt": "CANARY", "model": "parrot@custom" });
    let result = shim.call_tool("chat", call).await;
    let id = result["_meta"]["exai/request_id"]
        .as_str()
        .must("name its call")
        .to_owned();
    // The whole text of a result, page after page.
    let whole = read(&mut shim, &format!("exai://answers/{id}")).await;
    assert!(whole.contains(long.trim()), "{} bytes", whole.len());
    let facts = &result["content"][0]["_meta"]["exai/answer"];
    let thread = facts["continuation_id"]
        .as_str()
        .must("have a thread")
        .to_owned();
    let list = shim.ask("resources/list", json!({})).await;
    let uris = list["result"]["resources"].to_string();
    assert!(
        uris.contains("exai://models") && uris.contains(&thread),
        "{uris}"
    );
    let text = read(&mut shim, &format!("exai://threads/{thread}")).await;
    assert!(text.contains("CANARY") && text.contains("END"));
    // JSON is of use as a whole only, however many models are known.
    let got = shim
        .ask("resources/read", json!({ "uri": "exai://models" }))
        .await;
    let text = got["result"]["contents"][0]["text"].as_str();
    let models: Value = serde_json::from_str(text.must("be text")).must("be JSON");
    assert!(models["endpoints"].is_array() && models["models"].is_array());
    let templates = shim.ask("resources/templates/list", json!({})).await;
    let all = templates["result"]["resourceTemplates"].to_string();
    assert!(all.contains("exai://answers/{id}"), "{all}");
    // Another window has other results.
    let mut other = sandbox.shim();
    other.initialize("2025-11-25").await;
    let uri = format!("exai://answers/{id}");
    let none = other.ask("resources/read", json!({ "uri": uri })).await;
    assert_eq!(error_code(&none), -32602, "{none}");
    let complete = json!({
        "ref": { "type": "ref/prompt", "name": "continue" },
        "argument": { "name": "continuation_id", "value": "" },
    });
    let got = shim.ask("completion/complete", complete).await;
    assert!(
        got["result"]["completion"]["values"]
            .to_string()
            .contains(&thread),
        "{got}"
    );
}

async fn read(shim: &mut Shim, uri: &str) -> String {
    let (mut uri, mut whole) = (uri.to_owned(), String::new());
    for _ in 0..100 {
        let got = shim.ask("resources/read", json!({ "uri": uri })).await;
        let contents = &got["result"]["contents"];
        whole.push_str(
            contents[0]["text"]
                .as_str()
                .unwrap_or_else(|| panic!("{got}")),
        );
        match contents[1]["uri"].as_str() {
            Some(next) => uri = next.to_owned(),
            None => return whole,
        }
    }
    panic!("no end of {uri}");
}

/// Whether this was said since it was last asked; an answer to a question shows that all before it
/// was heard.
async fn told(shim: &mut Shim) -> usize {
    shim.ask("ping", json!({})).await;
    let heard = shim.take_aside();
    let is_it = |message: &&Value| message["method"] == "notifications/resources/list_changed";
    heard.iter().filter(is_it).count()
}

#[tokio::test]
async fn r03_a_client_hears_when_what_it_may_read_changed_and_only_then() {
    let provider = Provider::start().await;
    let mut sandbox = Sandbox::new();
    let url = provider.url_under("custom", Dialect::OpenAiChat);
    sandbox.set("CUSTOM_API_URL", url);
    provider.otherwise(Reply::text("Yes."));
    let mut daemon = sandbox.daemon().await;
    let (mut reads, mut deaf) = (sandbox.shim(), sandbox.shim());
    let answer = reads.initialize("2025-11-25").await;
    let abilities = &answer["result"]["capabilities"];
    assert_eq!(abilities["resources"]["listChanged"], true, "{answer}");
    deaf.initialize("2025-11-25").await;
    reads.ask("resources/list", json!({})).await;
    let changed = |message: &Value| message["method"] == "notifications/resources/list_changed";
    // Another window's conversation is one of this project too.
    let call = json!({ "prompt": "First?", "model": "parrot@custom" });
    let result = deaf.call_tool("chat", call).await;
    reads.recv_where(changed).await;
    let list = reads.ask("resources/list", json!({})).await;
    let id = result["content"][0]["_meta"]["exai/answer"]["continuation_id"].as_str();
    let id = id.must("have a thread").to_owned();
    assert!(list.to_string().contains(&id), "{list}");
    // One more turn changes nothing of what there is, nor does a new daemon.
    let more = json!({ "prompt": "Second?", "continuation_id": id });
    deaf.call_tool("chat", more).await;
    daemon.kill().await;
    let _daemon = sandbox.daemon().await;
    reached(&mut reads).await;
    reached(&mut deaf).await;
    assert_eq!(told(&mut reads).await, 0);
    for action in [
        json!({ "action": "rename", "id": id, "text": "Another name" }),
        json!({ "action": "delete", "id": id }),
    ] {
        deaf.call_tool("threads", action).await;
        reads.recv_where(changed).await;
    }
    assert_eq!(told(&mut reads).await, 0, "once for each");
    // Who never asked for the list is told nothing of it.
    assert_eq!(told(&mut deaf).await, 0);
    // In the other era a subscription hears of it.
    let mut modern = sandbox.shim();
    let filter = json!({ "notifications": { "resourcesListChanged": true } });
    modern.modern_request("subscriptions/listen", filter).await;
    modern.modern_ask("resources/list", json!({})).await;
    let call = json!({ "prompt": "Third?", "model": "parrot@custom" });
    deaf.call_tool("chat", call).await;
    modern.recv_where(changed).await;
}

#[tokio::test]
async fn without_a_daemon_the_abilities_are_declared_and_a_request_says_what_is_missing() {
    let mut sandbox = by_hand();
    sandbox.set("EXAI_SHIM_CONNECT_WAIT", "0.2");
    let mut shim = sandbox.shim();
    let answer = shim.initialize("2025-11-25").await;
    let abilities = &answer["result"]["capabilities"];
    for ability in ["tools", "prompts", "resources", "completions"] {
        assert!(abilities[ability].is_object(), "{ability}: {answer}");
    }
    let list: Value = shim.ask("prompts/list", json!({})).await;
    assert_eq!(error_code(&list), -32603, "{list}");
    assert!(
        list["error"]["message"]
            .to_string()
            .contains("needs the exai daemon")
    );
    let _daemon = sandbox.daemon().await;
    reached(&mut shim).await;
    let list = shim.ask("prompts/list", json!({})).await;
    assert!(list["result"]["prompts"].is_array(), "{list}");
    let odd = shim
        .ask("resources/subscribe", json!({ "uri": "exai://models" }))
        .await;
    assert_eq!(error_code(&odd), -32601);
}
