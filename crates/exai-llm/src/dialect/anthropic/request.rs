//! Writes Messages.

use super::super::{
    CacheStyle, SchemaStyle, SearchStyle, Target, ToolChoiceStyle, WireRequest, effort,
    ending::carried,
    json::object,
    plan::{Plan, instructions},
};
use crate::{
    chat::{
        AssistantTurn, ChatRequest, Image, Message, Part, Shape, ThinkingStyle, ToolChoice,
        WebSearch,
    },
    fault::Fault,
};
use serde_json::{Map, Value, json};

/// The version of the API these bytes are written for.
const VERSION: &str = "2023-06-01";
/// The web search tool where no other is named.
const SEARCH: &str = "web_search_20250305";

pub(in crate::dialect) fn write(
    target: &Target<'_>,
    request: &ChatRequest,
    mut plan: Plan,
) -> Result<WireRequest, Fault> {
    let mark = target.quirks.cache == CacheStyle::Marks && request.cache.stable_messages > 0;
    let mut body = Map::new();
    body.insert("model".into(), json!(request.model));
    body.insert("max_tokens".into(), json!(plan.max_output));
    let standing = instructions(&request.messages, plan.postscript.as_deref());
    if !standing.is_empty() {
        let mut block = json!({"type": "text", "text": standing});
        if mark {
            block["cache_control"] = ephemeral();
        }
        body.insert("system".into(), json!([block]));
    }
    let mut messages = messages(target, request, mark);
    if messages.is_empty() {
        return Err(Fault::unsupported(
            "the request has nothing but instructions",
        ));
    }
    join_turns(&mut messages);
    body.insert("messages".into(), Value::Array(messages));
    body.insert("stream".into(), json!(true));
    thinking(&mut plan, &mut body);
    if let Some(temperature) = plan.temperature {
        body.insert("temperature".into(), json!(temperature));
    }
    tools(target, request, &plan, &mut body);
    shape(request, &plan, &mut body);
    plan.applied.cache = mark.then(|| "cache_control".to_owned());
    Ok(WireRequest {
        path: "/v1/messages".into(),
        headers: vec![("anthropic-version".into(), VERSION.into())],
        body: Value::Object(body),
        applied: plan.applied,
    })
}

fn ephemeral() -> Value {
    json!({"type": "ephemeral"})
}

fn messages(target: &Target<'_>, request: &ChatRequest, mark: bool) -> Vec<Value> {
    let mut list = Vec::new();
    for (at, message) in request.messages.iter().enumerate() {
        let (role, mut blocks) = match message {
            Message::System(_) => continue,
            Message::User(parts) => ("user", parts.iter().map(part).collect()),
            Message::Assistant(turn) => (
                "assistant",
                match carried(target, &request.model, turn.carry.as_ref()) {
                    Some(Value::Array(kept)) => kept.clone(),
                    _ => rebuilt(turn),
                },
            ),
            Message::Tool(result) => {
                let mut block = json!({
                    "type": "tool_result",
                    "tool_use_id": result.call_id,
                    "content": result.content,
                });
                if result.is_error {
                    block["is_error"] = json!(true);
                }
                ("user", vec![block])
            }
        };
        // Thoughts and empty blocks take no mark.
        if mark
            && at + 1 == request.cache.stable_messages
            && let Some(last) = blocks.last_mut()
            && last["type"] != "thinking"
        {
            last["cache_control"] = ephemeral();
        }
        if !blocks.is_empty() {
            list.push(json!({"role": role, "content": blocks}));
        }
    }
    list
}

/// Results of calls made together must come in one turn; neighbours of one role are joined.
fn join_turns(list: &mut Vec<Value>) {
    let mut joined: Vec<Value> = Vec::with_capacity(list.len());
    for turn in list.drain(..) {
        match joined.last_mut() {
            Some(before) if before["role"] == turn["role"] => {
                if let (Value::Array(all), Value::Array(more)) =
                    (&mut before["content"], &turn["content"])
                {
                    all.extend(more.iter().cloned());
                }
            }
            _ => joined.push(turn),
        }
    }
    *list = joined;
}

fn part(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image(Image::Inline { media_type, base64 }) => json!({
            "type": "image",
            "source": {"type": "base64", "media_type": media_type, "data": base64},
        }),
        Part::Image(Image::Url(url)) => json!({
            "type": "image",
            "source": {"type": "url", "url": url},
        }),
    }
}

/// A turn of another model or endpoint: its words and calls, not its thoughts, whose
/// signatures nobody else accepts.
fn rebuilt(turn: &AssistantTurn) -> Vec<Value> {
    let mut blocks = Vec::new();
    if !turn.text.is_empty() {
        blocks.push(json!({"type": "text", "text": turn.text}));
    }
    blocks.extend(turn.tool_calls.iter().map(|call| {
        json!({
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": object(&call.arguments),
        })
    }));
    blocks
}

fn thinking(plan: &mut Plan, body: &mut Map<String, Value>) {
    let Some(word) = plan.effort.clone() else {
        return;
    };
    if effort::is_off(&word) {
        body.insert("thinking".into(), json!({"type": "disabled"}));
        return;
    }
    match plan.thinking {
        ThinkingStyle::Adaptive => {
            // Without `display` newer models think unseen.
            let how = json!({"type": "adaptive", "display": "summarized"});
            body.insert("thinking".into(), how);
            body.insert("output_config".into(), json!({"effort": word}));
        }
        ThinkingStyle::Budget => {
            let Some(budget) = super::super::effort::budget(&word, plan.max_output) else {
                plan.effort = None;
                plan.applied.effort = None;
                let why = "the output ceiling leaves no room to think";
                plan.applied.change("effort", word, "not sent", why);
                return;
            };
            let how = json!({"type": "enabled", "budget_tokens": budget});
            body.insert("thinking".into(), how);
        }
        _ => return,
    }
    if let Some(wish) = plan.temperature.take() {
        plan.applied.temperature = None;
        let why = "the model sets its own temperature while thinking";
        plan.applied.change("temperature", wish, "not sent", why);
    }
}

fn tools(target: &Target<'_>, request: &ChatRequest, plan: &Plan, body: &mut Map<String, Value>) {
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({
                "name": tool.name,
                "description": tool.description,
                "input_schema": tool.parameters,
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
    body.insert("tools".into(), Value::Array(tools));
    if !named || target.quirks.tool_choice == ToolChoiceStyle::Absent {
        return;
    }
    let choice = match &plan.choice {
        ToolChoice::Auto => return,
        ToolChoice::Never => json!({"type": "none"}),
        ToolChoice::Required => json!({"type": "any"}),
        ToolChoice::Named(name) => json!({"type": "tool", "name": name}),
    };
    body.insert("tool_choice".into(), choice);
}

fn search_tool(target: &Target<'_>, wish: &WebSearch) -> Value {
    let kind = target.quirks.search_engine.as_deref().unwrap_or(SEARCH);
    // Each search costs money of its own, so their number is bounded.
    let mut tool = json!({"type": kind, "name": "web_search", "max_uses": 5});
    if !wish.domains.is_empty() {
        tool["allowed_domains"] = json!(wish.domains);
    }
    tool
}

fn shape(request: &ChatRequest, plan: &Plan, body: &mut Map<String, Value>) {
    if let (Shape::Schema { schema, .. }, SchemaStyle::JsonSchema) = (&request.shape, plan.schema) {
        let format = json!({"type": "json_schema", "schema": schema});
        let config = body.entry("output_config").or_insert_with(|| json!({}));
        config["format"] = format;
    }
}
