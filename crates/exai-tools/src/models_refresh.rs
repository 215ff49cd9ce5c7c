//! `models_refresh` and `models_list`: the command line's doors to the list of models. Not for
//! a model: its own door is `listmodels`.

use crate::{
    args::Args,
    kind,
    spec::{self, Effect, Words},
};
use exai_engine::{
    ports::models::Models,
    tool::{Tool, ToolOutput, ToolSpec},
};
use std::sync::Arc;

/// All that is known, as JSON.
pub(crate) fn list(models: &Arc<dyn Models>) -> Arc<dyn Tool> {
    let models = Arc::clone(models);
    let spec = operator(
        &Words {
            name: "models_list",
            title: "List of models",
            description: "Endpoints and models with all that is known of them, as JSON.",
            schema: r#"{"type":"object","properties":{}}"#,
        },
        Effect::Reads,
    );
    kind::from_memory(spec, move |_| ToolOutput::json(&*models.listing()))
}

/// Asks the providers.
pub(crate) fn refresh(models: &Arc<dyn Models>) -> Arc<dyn Tool> {
    let spec = operator(
        &Words {
            name: "models_refresh",
            title: "Refresh models",
            description: "Asks providers which models they serve.",
            schema: r#"{"type":"object","properties":{"endpoint":{"type":"string"}}}"#,
        },
        Effect::Acts,
    );
    kind::with(spec, Arc::clone(models), async move |models, call| {
        let args = Args::of(&call)?;
        let endpoint = args.text("endpoint")?.filter(|name| !name.is_empty());
        call.progress
            .say("refresh", endpoint.unwrap_or("all endpoints"));
        let found = models.refresh(endpoint).await?;
        Ok(ToolOutput::text(&found.join("\n")))
    })
}

fn operator(words: &Words<'_>, effect: Effect) -> ToolSpec {
    let mut spec = spec::spec(words, effect);
    spec.operator = true;
    spec
}
