//! Writes chat completions.

use super::super::{
    CacheStyle, MaxTokensField, SchemaStyle, SearchStyle, Target, ToolChoiceStyle, WireRequest,
    effort,
    ending::carried,
    plan::{Plan, instructions, replays},
};
use crate::{
    chat::{
        AssistantTurn, CallKind, ChatRequest, Image, Message, Part, Shape, ThinkingStyle,
        ToolChoice,
    },
    fault::Fault,
    search,
};
use serde_json::{Map, Value, json};

pub(in crate::dialect) fn write(
    target: &Target<'_>,
    request: &ChatRequest,
    mut plan: Plan,
) -> Result<WireRequest, Fault> {
    let quirks = target.quirks;
    let mut body = Map::new();
    body.insert("model".into(), json!(request.model));
    body.insert("messages".into(), messages(target, request, &plan));
    body.insert("stream".into(), json!(true));
    if quirks.stream_usage {
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    let ceiling = match quirks.max_tokens_field {
        MaxTokensField::MaxTokens => "max_tokens",
        MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
    };
    body.insert(ceiling.into(), json!(plan.max_output));
    if let Some(temperature) = plan.temperature {
        body.insert("temperature".into(), json!(temperature));
    }
    thinking(&plan, &mut body);
    tools(target, request, &plan, &mut body);
    shape(request, &plan, &mut body);
    let headers = cache(target, request, &mut plan, &mut body);
    Ok(WireRequest {
        path: "/chat/completions".into(),
        headers,
        body: Value::Object(body),
        applied: plan.applied,
    })
}

fn messages(target: &Target<'_>, request: &ChatRequest, plan: &Plan) -> Value {
    let role = if target.quirks.developer_role {
        "developer"
    } else {
        "system"
    };
    let mut list = Vec::with_capacity(request.messages.len() + 1);
    let standing = instructions(&request.messages, plan.postscript.as_deref());
    if !standing.is_empty() {
        list.push(json!({"role": role, "content": standing}));
    }
    for (at, message) in request.messages.iter().enumerate() {
        match message {
            Message::System(_) => {}
            Message::User(parts) => list.push(json!({"role": "user", "content": content(parts)})),
            Message::Assistant(turn) => {
                list.push(assistant(
                    target,
                    request,
                    turn,
                    replays(target, &request.messages, at),
                ));
            }
            Message::Tool(result) => list.push(json!({
                "role": "tool",
                "tool_call_id": result.call_id,
                "name": result.name,
                "content": result.content,
            })),
        }
    }
    if target.quirks.cache == CacheStyle::Marks {
        mark_system(request, &mut list);
    }
    Value::Array(list)
}

/// Plain text stays a string: not every server takes a list.
fn content(parts: &[Part]) -> Value {
    if let [Part::Text(text)] = parts {
        return json!(text);
    }
    let parts = parts.iter().map(|part| match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Image(image) => json!({"type": "image_url", "image_url": {"url": address(image)}}),
    });
    parts.collect()
}

/// A picture as an address, its bytes included if need be.
pub(in crate::dialect) fn address(image: &Image) -> String {
    match image {
        Image::Inline { media_type, base64 } => format!("data:{media_type};base64,{base64}"),
        Image::Url(url) => url.clone(),
    }
}

fn assistant(
    target: &Target<'_>,
    request: &ChatRequest,
    turn: &AssistantTurn,
    replay: bool,
) -> Value {
    let mut message = Map::new();
    message.insert("role".into(), json!("assistant"));
    message.insert("content".into(), json!(turn.text));
    let calls: Vec<Value> = turn
        .tool_calls
        .iter()
        .map(|call| {
            let kind = match call.kind {
                CallKind::Builtin => "builtin_function",
                CallKind::Function | CallKind::Textual => "function",
            };
            json!({
                "id": call.id,
                "type": kind,
                "function": {"name": call.name, "arguments": call.arguments},
            })
        })
        .collect();
    if !calls.is_empty() {
        message.insert("tool_calls".into(), Value::Array(calls));
    }
    // What this endpoint gave for exactly this model goes back beside the turn.
    if let Some(Value::Object(fields)) = carried(target, &request.model, turn.carry.as_ref()) {
        let wanted = |field: &str| field != "reasoning_content" || replay;
        let fields = fields.iter().filter(|(field, _)| wanted(field));
        message.extend(fields.map(|(field, value)| (field.clone(), value.clone())));
    }
    Value::Object(message)
}

fn mark_system(request: &ChatRequest, list: &mut [Value]) {
    if request.cache.stable_messages == 0 {
        return;
    }
    if let Some(first) = list.first_mut()
        && let Some(text) = first["content"].as_str().map(str::to_owned)
    {
        first["content"] =
            json!([{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]);
    }
}

fn thinking(plan: &Plan, body: &mut Map<String, Value>) {
    let Some(word) = &plan.effort else { return };
    let switch = if effort::is_off(word) {
        "disabled"
    } else {
        "enabled"
    };
    let (field, value) = match plan.thinking {
        ThinkingStyle::ReasoningEffort => ("reasoning_effort", json!(word)),
        ThinkingStyle::ThinkingType => ("thinking", json!({"type": switch})),
        ThinkingStyle::ReasoningObject => ("reasoning", json!({"effort": word})),
        ThinkingStyle::ChatTemplate => (
            "chat_template_kwargs",
            json!({"enable_thinking": plan.thinks()}),
        ),
        _ => return,
    };
    body.insert(field.into(), value);
}

fn tools(target: &Target<'_>, request: &ChatRequest, plan: &Plan, body: &mut Map<String, Value>) {
    let style = target.quirks.tool_choice;
    let mut tools = Vec::new();
    let hidden = plan.choice == ToolChoice::Never
        && matches!(style, ToolChoiceStyle::AutoOnly | ToolChoiceStyle::Absent);
    if !hidden {
        tools.extend(request.tools.iter().map(|tool| {
            json!({"type": "function", "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            }})
        }));
    }
    let named = !tools.is_empty();
    search_tools(target, request, plan, &mut tools, body);
    if tools.is_empty() {
        return;
    }
    let any = if style == ToolChoiceStyle::Any {
        "any"
    } else {
        "required"
    };
    let choice = match &plan.choice {
        ToolChoice::Never if named => json!("none"),
        ToolChoice::Auto | ToolChoice::Never => json!("auto"),
        ToolChoice::Required => json!(any),
        ToolChoice::Named(name) => json!({"type": "function", "function": {"name": name}}),
    };
    body.insert("tools".into(), Value::Array(tools));
    if style != ToolChoiceStyle::Absent {
        body.insert("tool_choice".into(), choice);
    }
}

/// Asks for the provider's own search, as a tool or beside the tools.
fn search_tools(
    target: &Target<'_>,
    request: &ChatRequest,
    plan: &Plan,
    tools: &mut Vec<Value>,
    body: &mut Map<String, Value>,
) {
    if plan.search
        && let Some(wish) = &request.search
    {
        match target.quirks.search {
            SearchStyle::KimiBuiltin => tools.push(search::kimi_tool()),
            SearchStyle::Glm => {
                tools.push(search::glm_tool(
                    wish,
                    target.quirks.search_engine.as_deref(),
                ));
            }
            SearchStyle::OpenrouterPlugin => {
                body.insert("plugins".into(), search::openrouter_plugins(wish));
            }
            SearchStyle::OpenaiOptions => {
                body.insert("web_search_options".into(), json!({}));
            }
            SearchStyle::None | SearchStyle::Builtin => {}
        }
    }
}

fn shape(request: &ChatRequest, plan: &Plan, body: &mut Map<String, Value>) {
    let format = match (&request.shape, plan.schema) {
        (Shape::Text, _) | (_, SchemaStyle::Prompt) => return,
        (Shape::Schema { name, schema }, SchemaStyle::JsonSchema) => json!({
            "type": "json_schema",
            "json_schema": {"name": name, "strict": true, "schema": schema},
        }),
        _ => json!({"type": "json_object"}),
    };
    body.insert("response_format".into(), format);
}

/// Asks for caching; gives the headers that takes.
fn cache(
    target: &Target<'_>,
    request: &ChatRequest,
    plan: &mut Plan,
    body: &mut Map<String, Value>,
) -> Vec<(String, String)> {
    let hint = &request.cache;
    let style = target.quirks.cache;
    let mut headers = Vec::new();
    let mut asked = Vec::new();
    if let Some(key) = &hint.key
        && matches!(style, CacheStyle::Key | CacheStyle::Kimi)
    {
        body.insert("prompt_cache_key".into(), json!(search::short_key(key)));
        asked.push("prompt_cache_key");
    }
    if let Some(token) = &hint.token
        && style == CacheStyle::Kimi
        && search::fits_header(token)
    {
        headers.push(("Msh-Context-Cache-Token".into(), token.clone()));
        headers.push(("X-Msh-Context-Cache-Reset-TTL".into(), "3600".into()));
        asked.push("context_cache_token");
    }
    if style == CacheStyle::Marks && hint.stable_messages > 0 {
        asked.push("cache_control");
    }
    plan.applied.cache = (!asked.is_empty()).then(|| asked.join("+"));
    headers
}
