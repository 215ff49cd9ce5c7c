//! Searches from the first wish to the last answer, request by request: the contracts that
//! were broken for weeks in the predecessor because each half looked right alone.

use crate::fixture::Scene;
use exai_llm::{
    chat::{ChatRequest, Collector, Message, SearchReport, StreamItem, ToolResult, WebSearch},
    dialect::{StreamReader, write},
    search::{Echo, echo, glm_answer, glm_search},
};
use serde_json::{Value, json};

fn wish(model: &str) -> ChatRequest {
    ChatRequest {
        model: model.to_owned(),
        messages: vec![Message::user("What is new in Rust?")],
        search: Some(WebSearch::default()),
        ..ChatRequest::default()
    }
}

fn answer(scene: &Scene, request: &ChatRequest, chunks: &[Value]) -> Collector {
    let mut reader = StreamReader::new(&scene.target(), request);
    let mut items = Vec::new();
    for chunk in chunks {
        let event = format!("data: {chunk}\n\n");
        reader.push(event.as_bytes(), &mut items).unwrap();
    }
    reader.push(b"data: [DONE]\n\n", &mut items).unwrap();
    reader.finish(&mut items).unwrap();
    assert!(matches!(items.last(), Some(StreamItem::Done(_))));
    let mut collected = Collector::default();
    items.into_iter().for_each(|item| collected.take(item));
    collected
}

fn chunk(delta: &Value, finish: Option<&str>) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

/// After Kimi's guide to `$web_search` (reference wire.md 6.2): every request has the tool,
/// the turn goes back unchanged, the result is the arguments to the byte.
#[test]
fn kimis_search_is_echoed_until_it_answers() {
    let scene = Scene::of(&json!({"endpoint": "kimi", "traits": {"thinking": true}}));
    let mut request = wish("kimi-k2.6");
    let first = write(&scene.target(), &request).unwrap();
    let arguments = "{ \"search_result\":{\"search_id\": \"s\"},\n\"usage\":{\"total_tokens\":9}}";
    for round in 0..2 {
        let id = format!("$web_search:{round}");
        let function = json!({"name": "$web_search", "arguments": arguments});
        let call =
            json!([{"index": 0, "id": id, "type": "builtin_function", "function": function}]);
        let chunks = [chunk(
            &json!({"content": "Hm.", "tool_calls": call}),
            Some("tool_calls"),
        )];
        let said = answer(&scene, &request, &chunks);
        assert!(said.searched.is_some());
        let Echo::Again(more) = echo(&said.turn, said.reason.as_ref().unwrap()) else {
            panic!("no echo");
        };
        request.messages.extend(more);
        let wire = write(&scene.target(), &request).unwrap();
        for field in [
            "tools",
            "tool_choice",
            "thinking",
            "model",
            "max_completion_tokens",
        ] {
            assert_eq!(
                wire.body[field], first.body[field],
                "{field} in round {round}"
            );
        }
        let sent = wire.body["messages"].as_array().unwrap();
        let [.., turn, result] = sent.as_slice() else {
            panic!("no turns");
        };
        assert_eq!(turn["content"], "Hm.");
        assert_eq!(turn["tool_calls"][0]["type"], "builtin_function");
        assert_eq!(turn["tool_calls"][0]["function"]["arguments"], arguments);
        assert_eq!(result["role"], "tool");
        assert_eq!(result["tool_call_id"], id);
        assert_eq!(result["content"], arguments);
    }
    let said = answer(
        &scene,
        &request,
        &[chunk(&json!({"content": "1.95."}), Some("stop"))],
    );
    assert_eq!(
        echo(&said.turn, said.reason.as_ref().unwrap()),
        Echo::Nothing
    );
}

/// GLM writes the call into the text instead of searching (P21): nobody sees the tags, the
/// report says that nothing ran, and the search can still be run at GLM's own door.
#[test]
fn glms_written_search_is_run_for_it() {
    let scene = Scene::of(&json!({"endpoint": "glm"}));
    let mut request = wish("glm-4.6");
    let wire = write(&scene.target(), &request).unwrap();
    let text =
        "<tool_call>web_search\n<arg_key>query</arg_key><arg_value>rust</arg_value></tool_call>";
    let said = answer(
        &scene,
        &request,
        &[chunk(&json!({"content": text}), Some("stop"))],
    );
    assert_eq!(said.turn.text, "");
    let report = SearchReport::of(&request, &wire.applied, &said);
    assert!(report.only_written && !report.ran);

    let call = said.turn.tool_calls[0].clone();
    let search = glm_search(&call.arguments, &WebSearch::default(), None).unwrap();
    assert_eq!(search.body["search_query"], "rust");
    let found = json!({"search_result": [{"title": "T", "link": "https://a.example"}]});
    let (searched, told) = glm_answer(&search.query, &found).unwrap();
    request.messages.push(Message::Assistant(said.turn.clone()));
    request.messages.push(Message::Tool(ToolResult {
        call_id: call.id,
        name: call.name,
        content: told,
        is_error: false,
    }));
    let wire = write(&scene.target(), &request).unwrap();
    let sent = &wire.body["messages"];
    assert_eq!(sent[1]["tool_calls"][0]["id"], sent[2]["tool_call_id"]);
    assert!(
        sent[2]["content"]
            .as_str()
            .unwrap()
            .contains("https://a.example")
    );

    let mut last = answer(
        &scene,
        &request,
        &[chunk(&json!({"content": "See."}), Some("stop"))],
    );
    last.take(StreamItem::Search(searched));
    let report = SearchReport::of(&request, &wire.applied, &last);
    assert!(report.ran && report.sources[0].url == "https://a.example");
}
