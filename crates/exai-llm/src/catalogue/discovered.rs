//! What a provider's own list says. It is kept between runs as one small file an endpoint, so
//! that a model the catalogue never heard of is still found after a restart.

use super::{Catalogue, Model};
use crate::{chat::ModelTraits, price::Price};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A model as its provider's list describes it, which is often by name only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Discovered {
    /// The name to send.
    pub id: String,
    /// Tokens it can read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// Tokens it can write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Whether it sees pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vision: Option<bool>,
    /// Whether it calls tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<bool>,
    /// Whether it thinks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<bool>,
    /// What it costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// An endpoint's list, and when it was fetched. This is what is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fetched {
    /// The endpoint's name.
    pub endpoint: String,
    /// Milliseconds of the Unix clock.
    pub fetched_ms: u64,
    /// The models.
    pub models: Vec<Discovered>,
}

impl Fetched {
    /// As it is written to its file.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As it was written; a file that is damaged tells nothing.
    ///
    /// # Errors
    /// In words, why it tells nothing.
    pub fn from_json(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// What one line tells a person.
    #[must_use]
    pub fn told(&self, before: &Catalogue) -> String {
        let is_new = |found: &&Discovered| before.at(&self.endpoint, &found.id).is_none();
        let new: Vec<&str> = self.models.iter().filter(is_new).map(|m| &*m.id).collect();
        let count = self.models.len();
        let noun = if count == 1 { "model" } else { "models" };
        let shown = new.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        let more = if new.len() > 5 { ", …" } else { "" };
        match new.len() {
            0 => format!("{}: {count} {noun}, none new", self.endpoint),
            n => format!("{}: {count} {noun}, {n} new: {shown}{more}", self.endpoint),
        }
    }
}

impl Discovered {
    fn model(&self, endpoint: &str) -> Model {
        let known = [
            ("thinking", self.thinking),
            ("vision", self.vision),
            ("tools", self.tools),
        ];
        let has = known.iter().filter(|(_, has)| *has == Some(true));
        Model {
            abilities: has.map(|(word, _)| (*word).to_owned()).collect(),
            traits: ModelTraits {
                context: self.context,
                output: self.output,
                vision: self.vision,
                tools: self.tools,
                thinking: self.thinking,
                ..ModelTraits::default()
            },
            price: self.price.clone(),
            ..Model::undescribed(endpoint, &self.id)
        }
    }
}

pub(super) fn join(catalogue: &mut Catalogue, fetched: &Fetched) {
    let endpoint = &fetched.endpoint;
    if !catalogue.endpoints.contains(endpoint) {
        return;
    }
    catalogue.lists.insert(endpoint.clone(), fetched.fetched_ms);
    // An older list of the same endpoint is forgotten.
    catalogue
        .models
        .retain(|model| model.described || model.endpoint != *endpoint);
    for found in &fetched.models {
        let model = found.model(endpoint);
        let known = catalogue
            .models
            .iter_mut()
            .find(|known| known.id == model.id && known.endpoint == *endpoint);
        match known {
            Some(known) => fill(Arc::make_mut(known), model),
            None => catalogue.models.push(Arc::new(model)),
        }
    }
}

/// Gaps only: what a file says was written by somebody who knew both.
fn fill(known: &mut Model, found: Model) {
    let traits = &mut known.traits;
    traits.context = traits.context.or(found.traits.context);
    traits.output = traits.output.or(found.traits.output);
    traits.vision = traits.vision.or(found.traits.vision);
    traits.tools = traits.tools.or(found.traits.tools);
    traits.thinking = traits.thinking.or(found.traits.thinking);
    if known.abilities.is_empty() {
        known.abilities = found.abilities;
    }
    if known.price.is_none() {
        known.price = found.price;
    }
}
