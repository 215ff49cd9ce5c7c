//! Tools that are chat by another name: their arguments are put into chat's words.

use super::model_at;
use crate::{
    Ports,
    args::Args,
    chat, kind,
    spec::{self, Effect, Words},
};
use exai_engine::{
    ports::models::Models,
    tool::{Tool, ToolCall, ToolError, ToolSpec},
};
use exai_protocol::RawValue;
use serde_json::json;
use std::sync::Arc;

const KIMI: &str = "kimi_multi_file_chat";
const SMART: &str = "smart_file_query";

pub(super) fn specs() -> Vec<ToolSpec> {
    let kimi = Words {
        name: KIMI,
        title: "Files to Kimi",
        description: "A question about files, to a Kimi model. The same as chat with files.",
        schema: r#"{"type":"object","required":["files","prompt"],"properties":{"files":{"type":"array","items":{"type":"string"}},"prompt":{"type":"string"},"model":{"type":"string"},"temperature":{"type":"number","minimum":0,"maximum":2},"continuation_id":{"type":"string"},"confirm_cost":{"type":"boolean"}}}"#,
    };
    let smart = Words {
        name: SMART,
        title: "Ask about a file",
        description: "A question about one file. The same as chat with that file.",
        schema: r#"{"type":"object","required":["file_path","question"],"properties":{"file_path":{"type":"string"},"question":{"type":"string"},"provider":{"type":"string","enum":["auto","kimi","glm"],"default":"auto"},"model":{"type":"string"},"continuation_id":{"type":"string"},"confirm_cost":{"type":"boolean"}}}"#,
    };
    [kimi, smart]
        .iter()
        .map(|words| {
            let mut spec = spec::spec(words, Effect::Asks);
            spec.waits = true;
            spec
        })
        .collect()
}

pub(super) fn tools(ports: &Ports) -> Vec<Arc<dyn Tool>> {
    let all = specs().into_iter().map(|spec| {
        let is_kimi = spec.name() == KIMI;
        let given = (
            is_kimi,
            Arc::clone(&ports.models),
            Arc::clone(&ports.threads),
        );
        kind::with(
            spec,
            given,
            async move |(is_kimi, models, threads), call| {
                let (call, chosen) = if is_kimi {
                    kimi(&*models, call)?
                } else {
                    smart(&*models, call)?
                };
                chat::answer_of(&*models, &*threads, &call, chosen).await
            },
        )
    });
    all.collect()
}

/// A call in chat's words, and why its model is this one.
type Put = (ToolCall, Option<String>);

fn kimi(models: &dyn Models, call: ToolCall) -> Result<Put, ToolError> {
    let args = Args::of(&call)?;
    let files = args.texts("files")?;
    if files.is_empty() {
        return Err(ToolError::invalid("'files' is empty; name at least one"));
    }
    let (model, chosen) = model_at(models, "kimi", args.text("model")?)?;
    let arguments = json!({
        "prompt": args.required_text("prompt")?,
        "files": files,
        "model": model,
        "temperature": args.decimal("temperature", 0.0..=2.0)?,
        "continuation_id": args.text("continuation_id")?,
        "confirm_cost": args.flag("confirm_cost", false)?,
    });
    Ok((with(call, &arguments)?, chosen))
}

fn smart(models: &dyn Models, call: ToolCall) -> Result<Put, ToolError> {
    let args = Args::of(&call)?;
    let (model, chosen) = match args.choice("provider", &["auto", "kimi", "glm"], "auto")? {
        "auto" => (args.text("model")?.map(str::to_owned), None),
        endpoint => {
            let (model, chosen) = model_at(models, endpoint, args.text("model")?)?;
            (Some(model), chosen)
        }
    };
    let arguments = json!({
        "prompt": args.required_text("question")?,
        "files": [args.required_text("file_path")?],
        "model": model,
        "continuation_id": args.text("continuation_id")?,
        "confirm_cost": args.flag("confirm_cost", false)?,
    });
    Ok((with(call, &arguments)?, chosen))
}

fn with(call: ToolCall, arguments: &serde_json::Value) -> Result<ToolCall, ToolError> {
    let arguments = RawValue::from_string(arguments.to_string())
        .map_err(|error| ToolError::invalid(error.to_string()))?;
    Ok(ToolCall {
        arguments: Arc::from(arguments),
        ..call
    })
}
