//! `glm_payload_preview`: the request that would be sent, without sending it.

use super::model_at;
use crate::{
    Ports,
    args::Args,
    kind::{self, Answer},
    spec::{self, Effect, Words},
    wish,
};
use exai_engine::{
    ports::models::{Message, Models},
    tool::{Tool, ToolCall, ToolOutput, ToolSpec},
};
use std::sync::Arc;

const NAME: &str = "glm_payload_preview";

pub(super) fn spec() -> ToolSpec {
    let words = Words {
        name: NAME,
        title: "Preview a request",
        description: "The body that would go to a provider (GLM, unless a model is named), and \
             what of the wish would change. Nothing is sent.",
        schema: r#"{"type":"object","required":["prompt"],"properties":{"prompt":{"type":"string"},"model":{"type":"string"},"system":{"type":"string"},"effort":{"type":"string","enum":["off","minimal","low","medium","high","max"]},"temperature":{"type":"number","minimum":0,"maximum":2},"max_output":{"type":"integer","minimum":1},"use_websearch":{"type":"boolean"}}}"#,
    };
    spec::spec(&words, Effect::Reads)
}

pub(super) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let models = Arc::clone(&ports.models);
    kind::from_memory(spec(), move |call| answer(&*models, call))
}

fn answer(models: &dyn Models, call: &ToolCall) -> Answer {
    let args = Args::of(call)?;
    let mut wish = wish::of(&args, NAME)?;
    let (model, chosen) = model_at(models, "glm", args.text("model")?)?;
    (wish.model, wish.chosen) = (Some(model), chosen);
    if let Some(system) = args.text("system")?.filter(|text| !text.is_empty()) {
        wish.chat.messages.push(Message::System(system.to_owned()));
    }
    let prompt = args.required_text("prompt")?;
    wish.chat.messages.push(Message::user(prompt));
    ToolOutput::json(&models.preview(wish)?)
}
