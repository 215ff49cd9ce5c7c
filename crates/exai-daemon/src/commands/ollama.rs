//! `ollama`: what is installed, loaded and on its way at the Ollama servers. The daemon does
//! it, so that everybody sees the same and followers are told.

mod show;

use super::{
    Interrupts,
    call::{
        follow::{self, follow, spec},
        live::Live,
        show::{Progress, text},
    },
};
use crate::{
    cli::{Ollama, OllamaAction},
    context::Context,
    dial::Connection,
    exit::{self, Code},
    output,
};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

pub(super) async fn run(context: &Context, options: &Ollama) -> Result<Code> {
    let connection = Connection::named(context, "exai-daemon-ollama").await?;
    let (tool, shown, model) = operation(&options.action);
    let arguments = json!({"endpoint": options.endpoint, "model": model});
    let spec = spec(&connection.client, tool, &without_nulls(arguments))?;
    let stream = connection.client.operate(spec).await;
    // Those that answer at once need no clock beside them.
    let waits = matches!(
        options.action,
        OllamaAction::Pull { .. } | OllamaAction::Load { .. }
    );
    let (mut progress, mut live) = (Progress::new(shown, !waits), Live::new(false));
    let ended = follow(stream, &mut Interrupts::new(), &mut progress, &mut live).await;
    let result = match ended {
        Ok(Some(result)) => follow::whole(&connection.client, result).await,
        Ok(None) => {
            connection.close().await;
            return Ok(exit::CANCELLED);
        }
        Err(error) => {
            connection.close().await;
            return Err(error);
        }
    };
    connection.close().await;
    if result.error.is_some() {
        return Ok(follow::code(result.error.as_ref()));
    }
    let said = result
        .outputs
        .as_ref()
        .map(|raw| text(raw.get()))
        .unwrap_or_default();
    tell(options, model, &said)
}

/// The daemon's tool, what it is called here, and its model.
fn operation(action: &OllamaAction) -> (&'static str, &'static str, Option<&str>) {
    match action {
        OllamaAction::Status => ("ollama_status", "ollama status", None),
        OllamaAction::Models => ("ollama_models", "ollama models", None),
        OllamaAction::Ps => ("ollama_ps", "ollama ps", None),
        OllamaAction::Pull { model } => ("ollama_pull", "ollama pull", Some(model)),
        OllamaAction::Rm { model } => ("ollama_delete", "ollama rm", Some(model)),
        OllamaAction::Load { model } => ("ollama_load", "ollama load", Some(model)),
        OllamaAction::Unload { model } => ("ollama_unload", "ollama unload", Some(model)),
        OllamaAction::Show { model } => ("ollama_show", "ollama show", Some(model)),
    }
}

fn without_nulls(mut arguments: Value) -> Value {
    if let Value::Object(fields) = &mut arguments {
        fields.retain(|_, value| !value.is_null());
    }
    arguments
}

fn tell(options: &Ollama, model: Option<&str>, said: &str) -> Result<Code> {
    if matches!(options.action, OllamaAction::Rm { .. }) {
        match options.json {
            true => output::json(&json!({"deleted": model}))?,
            false => output::line(output::tame(said))?,
        }
        return Ok(exit::OK);
    }
    let value: Value = serde_json::from_str(said).context("the daemon's answer cannot be read")?;
    let down = matches!(options.action, OllamaAction::Status) && !show::any_reachable(&value);
    if options.json {
        output::json(&value)?;
    } else {
        for line in show::lines(&options.action, &value)? {
            output::line(output::tame(&line))?;
        }
    }
    Ok(if down { exit::FAILURE } else { exit::OK })
}
