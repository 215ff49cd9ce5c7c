//! Writes `streamGenerateContent`.

use super::super::{
    SchemaStyle, SearchStyle, Target, WireRequest, effort,
    ending::carried,
    json::object,
    plan::{Plan, instructions},
};
use crate::{
    chat::{
        AssistantTurn, ChatRequest, Image, Message, Part, Shape, ThinkingStyle, ToolChoice,
        ToolResult,
    },
    fault::Fault,
};
use serde_json::{Map, Value, json};

pub(in crate::dialect) fn write(
    target: &Target<'_>,
    request: &ChatRequest,
    mut plan: Plan,
) -> Result<WireRequest, Fault> {
    let mut body = Map::new();
    let standing = instructions(&request.messages, plan.postscript.as_deref());
    if !standing.is_empty() {
        body.insert(
            "systemInstruction".into(),
            json!({"parts": [{"text": standing}]}),
        );
    }
    let contents = contents(target, request, plan.thinking == ThinkingStyle::Level);
    if contents.is_empty() {
        return Err(Fault::unsupported(
            "the request has nothing but instructions",
        ));
    }
    body.insert("contents".into(), Value::Array(contents));
    tools(target, request, &plan, &mut body);
    body.insert("generationConfig".into(), config(request, &mut plan));
    Ok(WireRequest {
        path: path(&request.model),
        headers: Vec::new(),
        body: Value::Object(body),
        applied: plan.applied,
    })
}

/// The model's id is opaque; what an address cannot hold is written in its place.
fn path(model: &str) -> String {
    let mut written = String::new();
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            written.push(char::from(byte));
        } else {
            written.push_str(&format!("%{byte:02X}"));
        }
    }
    let whole = ["models/", "tunedModels/", "publishers/", "projects/"];
    let folder = if whole.iter().any(|start| written.starts_with(start)) {
        ""
    } else {
        "models/"
    };
    format!("/{folder}{written}:streamGenerateContent?alt=sse")
}

fn contents(target: &Target<'_>, request: &ChatRequest, signed: bool) -> Vec<Value> {
    let mut list: Vec<Value> = Vec::new();
    for message in &request.messages {
        let (role, parts) = match message {
            Message::System(_) => continue,
            Message::User(parts) => ("user", parts.iter().map(part).collect()),
            Message::Assistant(turn) => (
                "model",
                match carried(target, &request.model, turn.carry.as_ref()) {
                    Some(Value::Array(kept)) => kept.clone(),
                    _ => rebuilt(turn, signed),
                },
            ),
            Message::Tool(result) => ("user", vec![answer(result)]),
        };
        if parts.is_empty() {
            continue;
        }
        // Results of calls made together must come in one turn.
        match list.last_mut() {
            Some(before) if before["role"] == role => {
                if let Value::Array(all) = &mut before["parts"] {
                    all.extend(parts);
                }
            }
            _ => list.push(json!({"role": role, "parts": parts})),
        }
    }
    list
}

fn part(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({"text": text}),
        Part::Image(Image::Inline { media_type, base64 }) => {
            json!({"inlineData": {"mimeType": media_type, "data": base64}})
        }
        Part::Image(Image::Url(url)) => json!({"fileData": {"fileUri": url}}),
    }
}

fn answer(result: &ToolResult) -> Value {
    let field = if result.is_error { "error" } else { "output" };
    json!({"functionResponse": {"name": result.name, "response": {field: result.content}}})
}

/// A turn of another model or endpoint. Where calls must be signed, the documented word for
/// "not made by you" stands for the signature.
fn rebuilt(turn: &AssistantTurn, signed: bool) -> Vec<Value> {
    let mut parts = Vec::new();
    if !turn.text.is_empty() {
        parts.push(json!({"text": turn.text}));
    }
    for (at, call) in turn.tool_calls.iter().enumerate() {
        let args = object(&call.arguments);
        let mut part = json!({"functionCall": {"name": call.name, "args": args}});
        if signed && at == 0 {
            part["thoughtSignature"] = json!("skip_thought_signature_validator");
        }
        parts.push(part);
    }
    parts
}

fn tools(target: &Target<'_>, request: &ChatRequest, plan: &Plan, body: &mut Map<String, Value>) {
    let declared: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({
                "name": tool.name,
                "description": tool.description,
                "parametersJsonSchema": tool.parameters,
            })
        })
        .collect();
    let named = !declared.is_empty();
    let mut tools = Vec::new();
    if named {
        tools.push(json!({"functionDeclarations": declared}));
    }
    if plan.search && target.quirks.search == SearchStyle::Builtin {
        tools.push(json!({"googleSearch": {}}));
    }
    if tools.is_empty() {
        return;
    }
    body.insert("tools".into(), Value::Array(tools));
    let choice = match &plan.choice {
        ToolChoice::Auto => return,
        _ if !named => return,
        ToolChoice::Never => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Named(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
    };
    body.insert(
        "toolConfig".into(),
        json!({"functionCallingConfig": choice}),
    );
}

fn config(request: &ChatRequest, plan: &mut Plan) -> Value {
    let mut config = json!({"maxOutputTokens": plan.max_output});
    if let Some(temperature) = plan.temperature {
        config["temperature"] = json!(temperature);
    }
    if request.shape != Shape::Text && plan.schema != SchemaStyle::Prompt {
        config["responseMimeType"] = json!("application/json");
    }
    if let (Shape::Schema { schema, .. }, SchemaStyle::JsonSchema) = (&request.shape, plan.schema) {
        config["responseJsonSchema"] = schema.clone();
    }
    if let Some(thinking) = thinking(plan) {
        config["thinkingConfig"] = thinking;
    }
    config
}

fn thinking(plan: &mut Plan) -> Option<Value> {
    let word = plan.effort.clone()?;
    match plan.thinking {
        ThinkingStyle::Level => Some(json!({"thinkingLevel": word, "includeThoughts": true})),
        ThinkingStyle::Budget if effort::is_off(&word) => Some(json!({"thinkingBudget": 0})),
        ThinkingStyle::Budget => {
            let Some(budget) = effort::budget(&word, plan.max_output) else {
                plan.applied.effort = None;
                let why = "the output ceiling leaves no room to think";
                plan.applied.change("effort", word, "not sent", why);
                return None;
            };
            Some(json!({"thinkingBudget": budget, "includeThoughts": true}))
        }
        _ => None,
    }
}
