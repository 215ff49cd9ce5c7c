//! What is told of an Ollama server, and the rows its lists are made of.

use serde::{Deserialize, Serialize};

/// A server answers, stopped answering, or is of another version. Ordered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OllamaStatus {
    /// The endpoint's name.
    pub endpoint: String,
    /// Where it is.
    pub url: String,
    /// Whether it answers.
    pub reachable: bool,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why it does not answer, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Models came, went, changed, were loaded or unloaded (ordered), or are on their way (state:
/// only the newest of a model is delivered, until the pull is done).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OllamaModelUpdate {
    /// The endpoint's name.
    pub endpoint: String,
    /// Newly installed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<OllamaModel>,
    /// No longer installed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Installed under the same name with another digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<OllamaModel>,
    /// All that are loaded now, when that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded: Option<Vec<OllamaLoaded>>,
    /// How far a download is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<OllamaPull>,
}

/// An installed model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct OllamaModel {
    /// Its name with its tag.
    pub name: String,
    /// Bytes on disk.
    pub size: u64,
    /// What tells two builds of a name apart.
    pub digest: String,
    /// When it came, as the server writes it.
    pub modified_at: String,
    /// `gguf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// `llama`, `qwen3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// `8.0B`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter_size: Option<String>,
    /// `Q4_K_M`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantization_level: Option<String>,
}

/// A loaded model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct OllamaLoaded {
    /// Its name with its tag.
    pub name: String,
    /// Bytes of memory.
    pub size: u64,
    /// Of these, in video memory.
    pub size_vram: u64,
    /// The share of it in video memory; null where the size is not known.
    pub gpu_percent: Option<f64>,
    /// Its build.
    pub digest: String,
    /// When it is unloaded if nobody asks, as the server writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Tokens it can read, as it was loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_length: Option<u64>,
}

/// How far a download is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct OllamaPull {
    /// The model.
    pub model: String,
    /// What is being done, in the server's words.
    pub status: String,
    /// Bytes that are here, of all layers known so far.
    pub completed: u64,
    /// Bytes of all layers known so far; null before the first is known.
    pub total: Option<u64>,
    /// Whether it is over.
    pub done: bool,
    /// Why it ended early. What came is kept, and a next pull goes on there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the last answer of a model took, measured by the daemon: the server keeps no numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct OllamaMetrics {
    /// The endpoint's name.
    pub endpoint: String,
    /// The model.
    pub model: String,
    /// Answers since the daemon's start.
    pub requests: u64,
    /// Written a second.
    pub tokens_per_s: Option<f64>,
    /// Read a second.
    pub prompt_tokens_per_s: Option<f64>,
    /// Loading the model; near nothing when it was loaded.
    pub load_ms: Option<f64>,
    /// Waited for a place at the endpoint.
    pub queue_ms: f64,
    /// From the request to its end.
    pub total_ms: f64,
}

/// Something failed at an Ollama server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OllamaError {
    /// The endpoint's name.
    pub endpoint: String,
    /// What was tried: `chat`, `pull`, `load`, …
    pub op: String,
    /// With which model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `unreachable`, `missing_model`, `oom`, `busy`, `timeout`, `truncated` or `failed`.
    pub kind: String,
    /// What happened.
    pub message: String,
}

impl OllamaModelUpdate {
    /// Whether it only says how far a download is.
    pub(super) fn under_way(&self) -> bool {
        self.pull.as_ref().is_some_and(|pull| !pull.done)
    }
}
