//! `kimi_chat_with_tools`: one request in the form of OpenAI's chat, with tools the caller runs
//! itself: what the model says, or which of them it wants called.

use super::model_at;
use crate::{
    Ports,
    args::Args,
    chat::report,
    kind,
    spec::{self, Effect, Words},
    wish,
};
use exai_engine::{
    ports::models::{
        Answer, AssistantTurn, CallKind, Message, Models, ToolCall as Wanted, ToolChoice,
        ToolResult, ToolSpec as Offered, Watch,
    },
    tool::{Tool, ToolCall, ToolError, ToolOutput, ToolSpec},
};
use serde_json::{Value, json};
use std::sync::Arc;

const NAME: &str = "kimi_chat_with_tools";
/// What the caller does where the model wants tools.
const NEXT: &str = "Nothing was run. Run these calls yourself, then send the same messages again, \
     with this answer after them and for each call a message {\"role\": \"tool\", \
     \"tool_call_id\": its id, \"content\": what came of it}.";

pub(super) fn spec() -> ToolSpec {
    let words = Words {
        name: NAME,
        title: "Chat with tools (Kimi)",
        description: "One request with messages and tools in OpenAI's form, to a Kimi model; tools \
             it wants called are returned, not run. Costs money.",
        schema: r#"{"type":"object","required":["messages"],"properties":{"messages":{"type":"array","items":{"type":"object"}},"tools":{"type":"array","items":{"type":"object"}},"tool_choice":{"type":"string","description":"auto, none, required, or a tool's name."},"model":{"type":"string"},"temperature":{"type":"number","minimum":0,"maximum":2},"max_output":{"type":"integer","minimum":1},"use_websearch":{"type":"boolean"},"confirm_cost":{"type":"boolean"}}}"#,
    };
    let mut spec = spec::spec(&words, Effect::Asks);
    spec.waits = true;
    spec
}

pub(super) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let models = Arc::clone(&ports.models);
    kind::with(spec(), models, async move |models, call| {
        answer(&*models, &call).await
    })
}

async fn answer(models: &dyn Models, call: &ToolCall) -> Result<ToolOutput, ToolError> {
    let args = Args::of(call)?;
    let mut wish = wish::of(&args, NAME)?;
    wish.watch = Watch::Silent;
    let messages = args.list("messages")?.iter().enumerate();
    wish.chat.messages = messages
        .map(|(at, message)| said(at, message))
        .collect::<Result<_, _>>()?;
    if wish.chat.messages.is_empty() {
        return Err(ToolError::invalid("'messages' is empty; send at least one"));
    }
    let tools = args.list("tools")?.iter().enumerate();
    wish.chat.tools = tools
        .map(|(at, tool)| offered(at, tool))
        .collect::<Result<_, _>>()?;
    wish.chat.tool_choice = match args.text("tool_choice")?.unwrap_or("auto") {
        "auto" | "" => ToolChoice::Auto,
        "none" => ToolChoice::Never,
        "required" => ToolChoice::Required,
        name => ToolChoice::Named(name.to_owned()),
    };
    let (model, chosen) = model_at(models, "kimi", args.text("model")?)?;
    (wish.model, wish.chosen) = (Some(model), chosen);
    told(&models.ask(call, wish).await?)
}

fn told(answer: &Answer) -> Result<ToolOutput, ToolError> {
    let calls = answer.turn.tool_calls.iter().map(|call| {
        json!({
            "id": call.id,
            "type": "function",
            "function": { "name": call.name, "arguments": call.arguments },
        })
    });
    let mut told = json!({
        "role": "assistant",
        "content": answer.turn.text,
        "tool_calls": calls.collect::<Vec<Value>>(),
        "finish_reason": answer.reason,
        "model": answer.model,
    });
    if answer.search.requested {
        told["search"] = json!(answer.search);
    }
    if !answer.turn.tool_calls.is_empty() {
        told["next"] = json!(NEXT);
    }
    let mut output = ToolOutput::json(&told)?;
    output.usage = Some(report::raw(&answer.spent)?);
    Ok(output)
}

/// A message of OpenAI's form.
fn said(at: usize, message: &Value) -> Result<Message, ToolError> {
    let field = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    let content = content(at, &message["content"])?;
    match message["role"].as_str() {
        Some("system" | "developer") => Ok(Message::System(content)),
        Some("user") => Ok(Message::user(content)),
        Some("assistant") => Ok(Message::Assistant(AssistantTurn {
            text: content,
            tool_calls: calls(&message["tool_calls"]),
            ..AssistantTurn::default()
        })),
        Some("tool") => Ok(Message::Tool(ToolResult {
            call_id: field("tool_call_id"),
            name: field("name"),
            content,
            is_error: false,
        })),
        _ => Err(ToolError::invalid(format!(
            "'messages[{at}].role' must be system, user, assistant or tool"
        ))),
    }
}

/// Text, or parts that are all text; nothing where only tools are called.
fn content(at: usize, content: &Value) -> Result<String, ToolError> {
    let texts = match content {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => parts
            .iter()
            .map(|part| part["text"].as_str())
            .collect::<Option<Vec<&str>>>()
            .map(|texts| texts.join("\n")),
        _ => None,
    };
    texts.ok_or_else(|| {
        ToolError::invalid(format!(
            "'messages[{at}].content' must be a string or a list of text parts; files and \
             pictures go along with chat"
        ))
    })
}

fn calls(calls: &Value) -> Vec<Wanted> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let calls = calls.as_array().into_iter().flatten();
    let calls = calls.map(|call| Wanted {
        id: text(&call["id"]),
        name: text(&call["function"]["name"]),
        arguments: match &call["function"]["arguments"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
        kind: CallKind::Function,
    });
    calls.collect()
}

fn offered(at: usize, tool: &Value) -> Result<Offered, ToolError> {
    let function = tool.get("function").unwrap_or(tool);
    match function["name"].as_str() {
        Some(name) if !name.is_empty() => Ok(Offered {
            name: name.to_owned(),
            description: function["description"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            parameters: function
                .get("parameters")
                .cloned()
                .unwrap_or_else(|| json!({ "type": "object", "properties": {} })),
        }),
        _ => Err(ToolError::invalid(format!(
            "'tools[{at}].function.name' is missing"
        ))),
    }
}
