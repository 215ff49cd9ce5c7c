//! The models that are known, as data: what the shipped file says, what a person's own file
//! changes in it, and what the providers' own lists add. What none of them says is unknown,
//! never guessed. A model's id is opaque: it is compared, and sent, as it is written.

mod chains;
mod discovered;
mod entry;
mod file;
mod find;
mod model;
mod near;
#[cfg(test)]
mod tests;

pub(crate) use chains::word;
pub use chains::{Chain, Chains};
pub use discovered::{Discovered, Fetched};
pub use file::{CatalogueError, SHIPPED};
pub use find::{Level, Matches};
pub use model::Model;

use crate::provider::Providers;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// All models that are known, and in what order they stand in for each other.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    models: Vec<Arc<Model>>,
    chains: Chains,
    endpoints: BTreeSet<String>,
    /// When the endpoint's own list was fetched, in milliseconds of the Unix clock.
    lists: BTreeMap<String, u64>,
    notes: Vec<String>,
}

impl Catalogue {
    /// The models of this build.
    ///
    /// # Errors
    /// Never in a build whose tests passed.
    pub fn shipped(providers: &Providers) -> Result<Self, CatalogueError> {
        file::read(&[("the shipped models.toml", SHIPPED)], providers)
    }

    /// The shipped models with a person's file over them, entry by entry and field by field;
    /// `name` is what to call it.
    ///
    /// # Errors
    /// Every fault of the file, each with its place.
    pub fn with(name: &str, text: &str, providers: &Providers) -> Result<Self, CatalogueError> {
        let files = [("the shipped models.toml", SHIPPED), (name, text)];
        file::read(&files, providers)
    }

    /// The same with a provider's own list: what it says of a model that is described fills
    /// its gaps, and models it alone knows come last.
    #[must_use]
    pub fn and(mut self, fetched: &Fetched) -> Self {
        discovered::join(&mut self, fetched);
        self
    }

    /// All of them: the described ones in their files' order, then those only a list names.
    #[must_use]
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// Who stands in for whom.
    #[must_use]
    pub fn chains(&self) -> &Chains {
        &self.chains
    }

    /// The model of this id there.
    #[must_use]
    pub fn at(&self, endpoint: &str, id: &str) -> Option<&Arc<Model>> {
        let here = |model: &&Arc<Model>| model.endpoint == endpoint && model.id == id;
        self.models.iter().find(here)
    }

    /// When the endpoint's own list was fetched; `None` is never.
    #[must_use]
    pub fn list_of(&self, endpoint: &str) -> Option<u64> {
        self.lists.get(endpoint).copied()
    }

    /// What its reader should tell a person, though nothing is wrong enough to refuse.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}
