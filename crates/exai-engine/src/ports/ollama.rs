//! The Ollama servers of this daemon, for whoever looks after models on his own machines.
//! Nothing here asks a model a question.

use crate::{ports::models::ModelFuture, tool::ToolError};
use exai_protocol::event::{OllamaLoaded, OllamaModel, OllamaPull, OllamaStatus};
use serde::{Deserialize, Serialize};

/// A model at a server; without an endpoint's name, at the first there is.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The endpoint's name.
    pub endpoint: Option<&'a str>,
    /// The model, with or without its tag.
    pub model: &'a str,
}

/// What a server knows of one model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// `completion`, `tools`, `vision`, `thinking`, …
    pub capabilities: Vec<String>,
    /// The most tokens it can read.
    pub context_length: Option<u64>,
    /// The tokens it is loaded for by this daemon, always the same: another number would load
    /// it again.
    pub num_ctx: Option<u64>,
    /// `llama`, `qwen3`.
    pub family: Option<String>,
    /// `8.0B`.
    pub parameter_size: Option<String>,
    /// `Q4_K_M`.
    pub quantization_level: Option<String>,
    /// Its own settings, as the server writes them.
    pub parameters: Option<String>,
    /// How it turns messages into a prompt.
    pub template: Option<String>,
}

/// Servers that hold models. Dropping a future ends its request at once. Every error says which
/// server, what happened, and the next step; its metadata holds `endpoint`, `op`, `model` and
/// `kind`.
pub trait Ollama: Send + Sync + 'static {
    /// Whether each server answers, or the named one.
    ///
    /// # Errors
    /// No such endpoint. That a server does not answer is a status.
    fn status<'a>(
        &'a self,
        endpoint: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Vec<OllamaStatus>, ToolError>>;

    /// What is installed.
    ///
    /// # Errors
    /// See the trait.
    fn installed<'a>(
        &'a self,
        endpoint: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Vec<OllamaModel>, ToolError>>;

    /// What is loaded.
    ///
    /// # Errors
    /// See the trait.
    fn loaded<'a>(
        &'a self,
        endpoint: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Vec<OllamaLoaded>, ToolError>>;

    /// All about one.
    ///
    /// # Errors
    /// See the trait.
    fn show<'a>(&'a self, at: At<'a>) -> ModelFuture<'a, Result<Shown, ToolError>>;

    /// Downloads one, telling how far it is. What has come when it is dropped is kept there,
    /// and a next pull goes on.
    ///
    /// # Errors
    /// See the trait.
    fn pull<'a>(
        &'a self,
        at: At<'a>,
        tell: &'a mut (dyn FnMut(&OllamaPull) + Send),
    ) -> ModelFuture<'a, Result<OllamaPull, ToolError>>;

    /// Removes one from the disk.
    ///
    /// # Errors
    /// See the trait.
    fn delete<'a>(&'a self, at: At<'a>) -> ModelFuture<'a, Result<(), ToolError>>;

    /// Loads one as this daemon will ask it, and gives what is loaded then.
    ///
    /// # Errors
    /// See the trait.
    fn load<'a>(&'a self, at: At<'a>) -> ModelFuture<'a, Result<Vec<OllamaLoaded>, ToolError>>;

    /// Frees its memory, and gives what is loaded then.
    ///
    /// # Errors
    /// See the trait.
    fn unload<'a>(&'a self, at: At<'a>) -> ModelFuture<'a, Result<Vec<OllamaLoaded>, ToolError>>;
}
