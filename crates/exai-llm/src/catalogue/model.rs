//! One model at one endpoint.

use crate::{chat::ModelTraits, price::Price};
use exai_engine::ports::models::Pin;

/// One model at one endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    /// The name its endpoint knows; opaque, sent unchanged.
    pub id: String,
    /// Its endpoint's name.
    pub endpoint: String,
    /// Other names people use, found whatever their case.
    pub aliases: Vec<String>,
    /// `thinking`, `vision`, `tools`, `search`, `streaming`, `files`; empty is unknown.
    pub abilities: Vec<String>,
    /// What the dialects need to know.
    pub traits: ModelTraits,
    /// What it costs.
    pub price: Option<Price>,
    /// Served here too, while another endpoint is its home: a name without an endpoint means
    /// the home, as long as that can be used.
    pub alternate: bool,
    /// A file describes it; otherwise only a provider's list names it, or only the caller.
    pub described: bool,
}

impl Model {
    /// A model nobody described, with safe defaults: nothing is promised, nothing forbidden.
    #[must_use]
    pub fn undescribed(endpoint: &str, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            endpoint: endpoint.to_owned(),
            ..Self::default()
        }
    }

    /// What a conversation remembers of it.
    #[must_use]
    pub fn pin(&self) -> Pin {
        Pin {
            endpoint: self.endpoint.clone(),
            model: self.id.clone(),
        }
    }

    /// `id@endpoint`, which means this model and no other.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}@{}", self.id, self.endpoint)
    }
}
