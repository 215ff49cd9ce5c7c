//! The models exai knows, read from `config/models.toml`. Data, not code: models come and go
//! faster than releases. What the file does not say is unknown, never guessed.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The file as shipped.
const SHIPPED: &str = include_str!("../../../config/models.toml");

/// Known endpoints and models.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// By short name.
    #[serde(default)]
    pub endpoints: BTreeMap<String, Endpoint>,
    /// In the file's order.
    #[serde(default)]
    pub models: Vec<Model>,
}

/// Where models are served.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// For people.
    pub name: String,
    /// Absent where only the environment can say.
    pub base_url: Option<String>,
    /// How requests are written.
    pub dialect: String,
    /// Environment variables that may hold the key, best first.
    #[serde(default)]
    pub key_env: Vec<String>,
    /// Calls that may be under way there at once.
    pub max_inflight: Option<u32>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The name its endpoint knows.
    pub id: String,
    /// Key into [`Catalogue::endpoints`].
    pub endpoint: String,
    /// Other names people use.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Tokens it can read.
    pub context: Option<u64>,
    /// Tokens it can write.
    pub output: Option<u64>,
    /// `thinking`, `vision`, `tools`, `search`, `streaming`, `files`.
    #[serde(default)]
    pub abilities: Vec<String>,
    /// What it costs.
    pub price: Option<Price>,
}

/// USD per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Read.
    #[serde(rename = "in")]
    pub input: f64,
    /// Written.
    #[serde(rename = "out")]
    pub output: f64,
}

/// Why a catalogue is refused.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// No TOML, or a field that does not fit.
    #[error("the model catalogue cannot be read: {0}")]
    Unreadable(#[from] toml::de::Error),
    /// A model at an endpoint nobody described.
    #[error(
        "model '{model}' names the endpoint '{endpoint}', which the catalogue does not describe"
    )]
    NoEndpoint {
        /// The model.
        model: String,
        /// What it names.
        endpoint: String,
    },
    /// One name for two models.
    #[error("the name '{name}' stands for both '{first}' and '{second}'; a name means one model")]
    Ambiguous {
        /// The name, in lower case.
        name: String,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
}

impl Catalogue {
    /// Reads a catalogue.
    ///
    /// # Errors
    /// [`CatalogueError`], naming what is wrong.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let catalogue: Self = toml::from_str(text)?;
        let mut names: BTreeMap<String, &str> = BTreeMap::new();
        for model in &catalogue.models {
            if !catalogue.endpoints.contains_key(&model.endpoint) {
                let (model, endpoint) = (model.id.clone(), model.endpoint.clone());
                return Err(CatalogueError::NoEndpoint { model, endpoint });
            }
            for name in std::iter::once(&model.id).chain(&model.aliases) {
                let name = name.to_lowercase();
                match names.insert(name.clone(), &model.id) {
                    Some(first) if first != model.id => {
                        let (first, second) = (first.to_owned(), model.id.clone());
                        return Err(CatalogueError::Ambiguous {
                            name,
                            first,
                            second,
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(catalogue)
    }

    /// The catalogue shipped with this build.
    ///
    /// # Errors
    /// Never in a build whose tests passed.
    pub fn shipped() -> Result<Self, CatalogueError> {
        Self::parse(SHIPPED)
    }

    /// The model a name means, whatever its case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Model> {
        let means = |known: &String| known.to_lowercase() == name.to_lowercase();
        self.models
            .iter()
            .find(|model| means(&model.id) || model.aliases.iter().any(means))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_catalogue_is_good() {
        let catalogue = Catalogue::shipped().unwrap();
        assert!(catalogue.models.len() > 10);
        let glm = catalogue.find("GLM-4.6").unwrap();
        assert_eq!(
            glm.price,
            Some(Price {
                input: 0.60,
                output: 2.20
            })
        );
        assert_eq!(
            catalogue.find("kimi-k2").unwrap().id,
            "kimi-k2-0905-preview"
        );
        assert_eq!(catalogue.find("kimi-k2").unwrap().price, None);
    }

    #[test]
    fn a_model_without_an_endpoint_is_refused() {
        let error = Catalogue::parse("[[models]]\nid='a'\nendpoint='b'").unwrap_err();
        assert!(error.to_string().contains("'b'"), "{error}");
    }

    #[test]
    fn one_name_for_two_models_is_refused() {
        let text = "[endpoints.e]\nname='e'\ndialect='openai-chat'\n\
             [[models]]\nid='a'\nendpoint='e'\naliases=['x']\n\
             [[models]]\nid='X'\nendpoint='e'";
        let error = Catalogue::parse(text).unwrap_err();
        assert!(matches!(error, CatalogueError::Ambiguous { .. }), "{error}");
    }

    #[test]
    fn a_misspelt_field_is_refused_by_name() {
        let text = "[endpoints.e]\nname='e'\ndialect='openai-chat'\n\
             [[models]]\nid='a'\nendpoint='e'\ncontex=1";
        let error = Catalogue::parse(text).unwrap_err().to_string();
        assert!(error.contains("contex"), "{error}");
    }
}
