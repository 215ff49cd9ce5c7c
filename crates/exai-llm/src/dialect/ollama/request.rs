//! Writes `/api/chat`. The context is pinned: what does not fit a smaller one is cut by the
//! server without a word, and a changing one reloads the model.

use super::super::{
    Quirks, SchemaStyle, Target, ToolChoiceStyle, WireRequest, effort,
    ending::carried,
    json::object,
    plan::{Plan, instructions, replays},
};
use crate::{
    chat::{AssistantTurn, ChatRequest, Image, Message, Part, Shape, ThinkingStyle, ToolChoice},
    fault::Fault,
};
use serde_json::{Map, Value, json};

/// The context where neither the endpoint nor the catalogue says.
const NUM_CTX: u64 = 8192;

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
    let options = options(target, &mut plan);
    body.insert("options".into(), options);
    if let Some(time) = &quirks.keep_alive {
        body.insert("keep_alive".into(), json!(time));
    }
    think(&plan, &mut body);
    tools(target, request, &plan, &mut body);
    match (&request.shape, plan.schema) {
        (Shape::Text, _) | (_, SchemaStyle::Prompt) => {}
        (Shape::Schema { schema, .. }, SchemaStyle::JsonSchema) => {
            body.insert("format".into(), schema.clone());
        }
        _ => {
            body.insert("format".into(), json!("json"));
        }
    }
    Ok(WireRequest {
        path: "/api/chat".into(),
        headers: Vec::new(),
        body: Value::Object(body),
        applied: plan.applied,
    })
}

/// The context every request to an endpoint has: a server loads a model again for another.
pub(crate) fn context(quirks: &Quirks) -> u64 {
    quirks.num_ctx.unwrap_or(NUM_CTX)
}

fn options(target: &Target<'_>, plan: &mut Plan) -> Value {
    let pinned = context(target.quirks);
    let context = target
        .traits
        .context
        .map_or(pinned, |most| most.min(pinned));
    if plan.max_output >= context {
        let fits = (context / 2).max(1);
        let why = format!("the context is pinned at {context} tokens");
        plan.applied
            .change("max_output", plan.max_output, fits, why);
        plan.applied.max_output = fits;
        plan.max_output = fits;
    }
    let mut options = json!({"num_ctx": context, "num_predict": plan.max_output});
    if let Some(temperature) = plan.temperature {
        options["temperature"] = json!(temperature);
    }
    options
}

fn think(plan: &Plan, body: &mut Map<String, Value>) {
    if plan.thinking == ThinkingStyle::Think
        && let Some(word) = &plan.effort
    {
        let think = match word.as_str() {
            "true" | "enabled" => json!(true),
            word if effort::is_off(word) => json!(false),
            word => json!(word),
        };
        body.insert("think".into(), think);
    }
}

fn messages(target: &Target<'_>, request: &ChatRequest, plan: &Plan) -> Value {
    let mut list = Vec::new();
    let standing = instructions(&request.messages, plan.postscript.as_deref());
    if !standing.is_empty() {
        list.push(json!({"role": "system", "content": standing}));
    }
    for (at, message) in request.messages.iter().enumerate() {
        match message {
            Message::System(_) => {}
            Message::User(parts) => list.push(user(parts)),
            Message::Assistant(turn) => {
                let kept = carried(target, &request.model, turn.carry.as_ref());
                let replay = replays(target, &request.messages, at);
                list.push(assistant(turn, kept.filter(|_| replay)));
            }
            Message::Tool(result) => list.push(json!({
                "role": "tool",
                "tool_name": result.name,
                "content": result.content,
            })),
        }
    }
    Value::Array(list)
}

fn user(parts: &[Part]) -> Value {
    let texts: Vec<&str> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Image(_) => None,
        })
        .collect();
    // Pictures by address were refused before: the endpoint fetches none.
    let images: Vec<&str> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Image(Image::Inline { base64, .. }) => Some(base64.as_str()),
            _ => None,
        })
        .collect();
    let mut message = json!({"role": "user", "content": texts.join("\n\n")});
    if !images.is_empty() {
        message["images"] = json!(images);
    }
    message
}

fn assistant(turn: &AssistantTurn, kept: Option<&Value>) -> Value {
    let mut message = json!({"role": "assistant", "content": turn.text});
    if let Some(thoughts) = kept.and_then(|kept| kept.get("thinking")) {
        message["thinking"] = thoughts.clone();
    }
    if !turn.tool_calls.is_empty() {
        let calls = turn.tool_calls.iter().map(
            |call| json!({"function": {"name": call.name, "arguments": object(&call.arguments)}}),
        );
        message["tool_calls"] = calls.collect();
    }
    message
}

fn tools(target: &Target<'_>, request: &ChatRequest, plan: &Plan, body: &mut Map<String, Value>) {
    let hidden = plan.choice == ToolChoice::Never
        && matches!(
            target.quirks.tool_choice,
            ToolChoiceStyle::AutoOnly | ToolChoiceStyle::Absent
        );
    if request.tools.is_empty() || hidden {
        return;
    }
    let tools = request.tools.iter().map(|tool| {
        json!({"type": "function", "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        }})
    });
    body.insert("tools".into(), tools.collect());
}
