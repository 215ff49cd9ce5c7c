//! Writes Responses.

use super::super::{
    CacheStyle, SchemaStyle, SearchStyle, Target, WireRequest,
    ending::carried,
    openai_chat::request::address,
    plan::{Plan, instructions},
};
use crate::{
    chat::{AssistantTurn, ChatRequest, Message, Part, Shape, ToolChoice, WebSearch},
    fault::Fault,
    search,
};
use serde_json::{Map, Value, json};

pub(in crate::dialect) fn write(
    target: &Target<'_>,
    request: &ChatRequest,
    mut plan: Plan,
) -> Result<WireRequest, Fault> {
    let mut body = Map::new();
    body.insert("model".into(), json!(request.model));
    let standing = instructions(&request.messages, plan.postscript.as_deref());
    if !standing.is_empty() {
        body.insert("instructions".into(), json!(standing));
    }
    body.insert("input".into(), Value::Array(input(target, request)));
    body.insert("stream".into(), json!(true));
    // Nothing stays at the provider; what it must see again travels with the turns.
    body.insert("store".into(), json!(false));
    body.insert("max_output_tokens".into(), json!(plan.max_output));
    if let Some(temperature) = plan.temperature {
        body.insert("temperature".into(), json!(temperature));
    }
    let mut include = Vec::new();
    if let Some(word) = &plan.effort {
        body.insert(
            "reasoning".into(),
            json!({"effort": word, "summary": "auto"}),
        );
    }
    if target.traits.thinking == Some(true) {
        include.push("reasoning.encrypted_content");
    }
    tools(target, request, &plan, &mut body);
    if plan.search {
        include.push("web_search_call.action.sources");
    }
    if !include.is_empty() {
        body.insert("include".into(), json!(include));
    }
    shape(request, &plan, &mut body);
    if let Some(key) = &request.cache.key
        && target.quirks.cache == CacheStyle::Key
    {
        body.insert("prompt_cache_key".into(), json!(search::short_key(key)));
        plan.applied.cache = Some("prompt_cache_key".into());
    }
    Ok(WireRequest {
        path: "/responses".into(),
        headers: Vec::new(),
        body: Value::Object(body),
        applied: plan.applied,
    })
}

fn input(target: &Target<'_>, request: &ChatRequest) -> Vec<Value> {
    let mut items = Vec::new();
    for message in &request.messages {
        match message {
            Message::System(_) => {}
            Message::User(parts) => {
                let content: Vec<Value> = parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(text) => json!({"type": "input_text", "text": text}),
                        Part::Image(image) => {
                            json!({"type": "input_image", "image_url": address(image)})
                        }
                    })
                    .collect();
                items.push(json!({"role": "user", "content": content}));
            }
            Message::Assistant(turn) => {
                match carried(target, &request.model, turn.carry.as_ref()) {
                    Some(Value::Array(kept)) => items.extend(kept.iter().cloned()),
                    _ => rebuilt(turn, &mut items),
                }
            }
            Message::Tool(result) => items.push(json!({
                "type": "function_call_output",
                "call_id": result.call_id,
                "output": result.content,
            })),
        }
    }
    items
}

/// A turn of another model or endpoint: its words and calls, not its thoughts.
fn rebuilt(turn: &AssistantTurn, items: &mut Vec<Value>) {
    if !turn.text.is_empty() {
        let content = json!([{"type": "output_text", "text": turn.text}]);
        items.push(json!({"role": "assistant", "content": content}));
    }
    items.extend(turn.tool_calls.iter().map(|call| {
        json!({
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        })
    }));
}

fn tools(target: &Target<'_>, request: &ChatRequest, plan: &Plan, body: &mut Map<String, Value>) {
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": false,
            })
        })
        .collect();
    let named = !tools.is_empty();
    if plan.search
        && target.quirks.search == SearchStyle::Builtin
        && let Some(wish) = &request.search
    {
        tools.push(search_tool(target, wish));
    }
    if tools.is_empty() {
        return;
    }
    let choice = match &plan.choice {
        ToolChoice::Never if named => json!("none"),
        ToolChoice::Auto | ToolChoice::Never => json!("auto"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({"type": "function", "name": name}),
    };
    body.insert("tools".into(), Value::Array(tools));
    body.insert("tool_choice".into(), choice);
}

fn search_tool(target: &Target<'_>, wish: &WebSearch) -> Value {
    let kind = target
        .quirks
        .search_engine
        .as_deref()
        .unwrap_or("web_search");
    let mut tool = json!({"type": kind});
    if !wish.domains.is_empty() {
        tool["filters"] = json!({"allowed_domains": wish.domains});
    }
    tool
}

fn shape(request: &ChatRequest, plan: &Plan, body: &mut Map<String, Value>) {
    let format = match (&request.shape, plan.schema) {
        (Shape::Text, _) | (_, SchemaStyle::Prompt) => return,
        (Shape::Schema { name, schema }, SchemaStyle::JsonSchema) => json!({
            "type": "json_schema",
            "name": name,
            "strict": true,
            "schema": schema,
        }),
        _ => json!({"type": "json_object"}),
    };
    body.insert("text".into(), json!({"format": format}));
}
