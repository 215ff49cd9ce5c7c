//! A model of Ollama's, and its entries in three lists.

use super::tagged;
use serde_json::{Value, json};

/// A model that can be offered or installed.
#[derive(Debug, Clone)]
pub struct OllamaModel {
    pub(super) name: String,
    pub(super) size: u64,
    vram: u64,
    pub(super) digest: String,
    context: u64,
    capabilities: Vec<String>,
}

impl OllamaModel {
    /// A small one that can complete text, all of it in video memory.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let name = tagged(name);
        Self {
            digest: digest(&name),
            name,
            size: 4_000_000_000,
            vram: 4_000_000_000,
            context: 131_072,
            capabilities: vec!["completion".to_owned()],
        }
    }

    /// Bytes in all, and of these in video memory once it is loaded.
    #[must_use]
    pub fn size(mut self, bytes: u64, vram: u64) -> Self {
        self.size = bytes;
        self.vram = vram;
        self
    }

    /// Another build: the digest follows from this word.
    #[must_use]
    pub fn build(mut self, word: &str) -> Self {
        self.digest = digest(&format!("{} {word}", self.name));
        self
    }

    /// The most tokens it can read.
    #[must_use]
    pub fn context(mut self, tokens: u64) -> Self {
        self.context = tokens;
        self
    }

    /// `completion`, `tools`, `vision`, `thinking`, …
    #[must_use]
    pub fn able(mut self, abilities: &[&str]) -> Self {
        self.capabilities = abilities.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    fn details() -> Value {
        json!({
            "parent_model": "",
            "format": "gguf",
            "family": "scripted",
            "families": ["scripted"],
            "parameter_size": "8.0B",
            "quantization_level": "Q4_K_M",
        })
    }

    pub(super) fn tag(&self) -> Value {
        json!({
            "name": self.name,
            "model": self.name,
            "modified_at": "2026-11-20T10:00:00Z",
            "size": self.size,
            "digest": self.digest,
            "details": Self::details(),
        })
    }

    pub(super) fn running(&self) -> Value {
        json!({
            "name": self.name,
            "model": self.name,
            "size": self.size,
            "digest": self.digest,
            "details": Self::details(),
            "size_vram": self.vram,
        })
    }

    pub(super) fn show(&self) -> Value {
        json!({
            "modelfile": "FROM scripted",
            "parameters": "temperature 0.7",
            "template": "{{ .Prompt }}",
            "details": Self::details(),
            "model_info": {
                "general.architecture": "scripted",
                "general.parameter_count": 8_030_261_248_u64,
                "scripted.context_length": self.context,
            },
            "capabilities": self.capabilities,
            "modified_at": "2026-11-20T10:00:00Z",
        })
    }
}

/// 64 digits that follow from the words and are no real digest of anything.
fn digest(words: &str) -> String {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let mut digits = String::new();
    for round in 0..4_u8 {
        for byte in words.bytes().chain([round]) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        digits.push_str(&format!("{state:016x}"));
    }
    digits
}
