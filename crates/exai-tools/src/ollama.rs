//! What the command line does with Ollama servers, as tools for whoever runs the daemon: with
//! progress, cancel and a record like any other. Not for a model.

mod pull;

use crate::{
    args::Args,
    kind::{self, Answer},
    spec::{self, Effect, Words},
};
use exai_engine::{
    ports::{
        models::ModelFuture,
        ollama::{At, Ollama},
    },
    tool::{Tool, ToolCall, ToolError, ToolOutput, ToolSpec},
};
use exai_protocol::Code;
use std::{sync::Arc, time::Duration};

/// Of any server.
const ANY: &str = r#"{"type":"object","properties":{"endpoint":{"type":"string"}}}"#;
/// Of one model.
const ONE: &str = r#"{"type":"object","required":["model"],"properties":{"model":{"type":"string"},"endpoint":{"type":"string"}}}"#;
/// A large model comes for hours; whoever started it can stop it.
const DOWNLOAD: Duration = Duration::from_secs(24 * 3600);
/// Reading a large model from a slow disk.
const LOADING: Duration = Duration::from_secs(1800);

/// All of them.
pub(crate) fn tools(ollama: &Arc<dyn Ollama>) -> Vec<Arc<dyn Tool>> {
    vec![
        tool(ollama, status(), |ollama, args, _| {
            Box::pin(async move { json(&ollama.status(endpoint(args)?).await?) })
        }),
        tool(ollama, models(), |ollama, args, _| {
            Box::pin(async move { json(&ollama.installed(endpoint(args)?).await?) })
        }),
        tool(ollama, ps(), |ollama, args, _| {
            Box::pin(async move { json(&ollama.loaded(endpoint(args)?).await?) })
        }),
        tool(ollama, show(), |ollama, args, _| {
            Box::pin(async move { json(&ollama.show(at(args)?).await?) })
        }),
        tool(ollama, pull(), |ollama, args, call| {
            Box::pin(pull::run(ollama, args, call))
        }),
        tool(ollama, delete(), |ollama, args, _| {
            Box::pin(async move {
                let at = at(args)?;
                ollama.delete(at).await?;
                Ok(ToolOutput::text(&format!("deleted {}", at.model)))
            })
        }),
        tool(ollama, load(), |ollama, args, call| {
            Box::pin(async move {
                let at = at(args)?;
                call.progress.say("loading", at.model);
                json(&ollama.load(at).await?)
            })
        }),
        tool(ollama, unload(), |ollama, args, _| {
            Box::pin(async move { json(&ollama.unload(at(args)?).await?) })
        }),
    ]
}

/// One run, over borrowed things.
type Run = for<'a> fn(&'a dyn Ollama, &'a Args, &'a ToolCall) -> ModelFuture<'a, Answer>;

fn tool(ollama: &Arc<dyn Ollama>, spec: ToolSpec, run: Run) -> Arc<dyn Tool> {
    let given = (run, Arc::clone(ollama));
    kind::with(spec, given, async move |(run, ollama), call| {
        let args = Args::of(&call)?;
        tokio::select! {
            answer = run(&*ollama, &args, &call) => answer,
            // Dropping the run closes its connection, and the server stops too.
            () = call.cancelled.cancelled() => {
                Err(ToolError::new(Code::Cancelled, "stopped; what has been done stays"))
            }
        }
    })
}

fn endpoint(args: &Args) -> Result<Option<&str>, ToolError> {
    args.text("endpoint")
}

fn at(args: &Args) -> Result<At<'_>, ToolError> {
    Ok(At {
        endpoint: endpoint(args)?,
        model: args.required_text("model")?.trim(),
    })
}

fn json(value: &impl serde::Serialize) -> Answer {
    ToolOutput::json(value)
}

fn operator(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    schema: &'static str,
    effect: Effect,
) -> ToolSpec {
    let words = Words {
        name,
        title,
        description,
        schema,
    };
    let mut spec = spec::spec(&words, effect);
    spec.operator = true;
    spec
}

fn status() -> ToolSpec {
    let about = "Whether Ollama servers answer, and their versions.";
    operator("ollama_status", "Ollama status", about, ANY, Effect::Reads)
}

fn models() -> ToolSpec {
    let about = "Models installed at an Ollama server.";
    operator("ollama_models", "Ollama models", about, ANY, Effect::Reads)
}

fn ps() -> ToolSpec {
    let about = "Models loaded at an Ollama server, and the share of each in video memory.";
    operator(
        "ollama_ps",
        "Ollama loaded models",
        about,
        ANY,
        Effect::Reads,
    )
}

fn show() -> ToolSpec {
    let about = "All an Ollama server knows of a model.";
    operator("ollama_show", "Ollama model", about, ONE, Effect::Reads)
}

fn pull() -> ToolSpec {
    let about = "Downloads a model; one that was stopped goes on where it was.";
    let mut spec = operator("ollama_pull", "Ollama pull", about, ONE, Effect::Acts);
    // Two who want the same model watch one download.
    spec.coalesce = true;
    spec.deadline = Some(DOWNLOAD);
    spec
}

fn delete() -> ToolSpec {
    let about = "Removes a model from an Ollama server's disk.";
    operator("ollama_delete", "Ollama delete", about, ONE, Effect::Acts)
}

fn load() -> ToolSpec {
    let about = "Loads a model, as the daemon will ask it.";
    let mut spec = operator("ollama_load", "Ollama load", about, ONE, Effect::Acts);
    spec.deadline = Some(LOADING);
    spec
}

fn unload() -> ToolSpec {
    let about = "Frees the memory of a loaded model.";
    operator("ollama_unload", "Ollama unload", about, ONE, Effect::Acts)
}
