//! What can be asked, as lists for people, models and scripts. What is not known is `None`,
//! never a guess.

use serde::{Deserialize, Serialize};

/// Everything that is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// Where models are served, by name.
    pub endpoints: Vec<EndpointRow>,
    /// In the catalogue's order; those only a provider's list knows come last.
    pub models: Vec<ModelRow>,
    /// What to do when nothing can be used: sentences, the most promising first.
    pub advice: Vec<String>,
}

/// One endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointRow {
    /// Its name.
    pub name: String,
    /// For people.
    pub title: String,
    /// How it is spoken to.
    pub dialect: String,
    /// Where requests go.
    pub base_url: Option<String>,
    /// Whether it can be used now.
    pub ready: bool,
    /// What to set, or who said no, when it cannot.
    pub lacks: Option<String>,
    /// What holds the key, never the key.
    pub key_from: Option<String>,
    /// `closed`, `open` or `half_open`.
    pub breaker: String,
    /// Why the breaker is not closed.
    pub breaker_cause: Option<String>,
    /// The model's name under which it works in a folder by itself; absent where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Requests under way, and how many there may be.
    pub in_flight: u32,
    /// How many there may be.
    pub concurrency: u32,
}

/// One model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelRow {
    /// The name its endpoint knows.
    pub id: String,
    /// Its endpoint's name.
    pub endpoint: String,
    /// Other names people use.
    pub aliases: Vec<String>,
    /// Tokens it can read.
    pub context: Option<u64>,
    /// Tokens it can write.
    pub output: Option<u64>,
    /// `thinking`, `vision`, `tools`, `search`, `streaming`, `files`; empty is unknown.
    pub abilities: Vec<String>,
    /// Effort words of our scale that mean something to it.
    pub efforts: Vec<String>,
    /// What it costs.
    pub price: Option<PriceRow>,
    /// Whether it can be asked now.
    pub ready: bool,
    /// Whether the catalogue describes it, or only a provider's list names it.
    pub described: bool,
}

/// US dollars: for a million tokens, and for one search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PriceRow {
    /// Read.
    #[serde(rename = "in")]
    pub input: Option<f64>,
    /// Written.
    #[serde(rename = "out")]
    pub output: Option<f64>,
    /// Read from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<f64>,
    /// One search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<f64>,
    /// When this was true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
}
