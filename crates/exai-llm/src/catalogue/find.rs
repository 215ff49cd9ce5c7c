//! What a name means. `id@endpoint` means one model and no other; a bare id means the model
//! of exactly that id, wherever it is served; else an alias or an id is found whatever its
//! case. Nothing is ever cut off a name: `qwen3:32b` and `vendor/model:free` are ids.

use super::{Catalogue, Model, near};
use std::sync::Arc;

/// How a name was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As `id@endpoint`.
    Full,
    /// As the exact id.
    Id,
    /// As an alias, or an id in other case.
    Alias,
}

/// All models a name may mean.
#[derive(Debug, Clone)]
pub struct Matches<'a> {
    /// How it was understood.
    pub level: Level,
    /// The models, in the catalogue's order; none where nobody is called so.
    pub rows: Vec<&'a Arc<Model>>,
}

impl Catalogue {
    /// All models a name may mean, on the first level where there are any.
    #[must_use]
    pub fn matches(&self, name: &str) -> Matches<'_> {
        let rows = |test: &dyn Fn(&Model) -> bool| -> Vec<&Arc<Model>> {
            self.models.iter().filter(|model| test(model)).collect()
        };
        let split = self.split(name);
        if let Some((id, endpoint)) = split
            && let Some(row) = self.at(endpoint, id)
        {
            let rows = vec![row];
            return Matches {
                level: Level::Full,
                rows,
            };
        }
        let exact = rows(&|model| model.id == name);
        if !exact.is_empty() {
            return Matches {
                level: Level::Id,
                rows: exact,
            };
        }
        if let Some((id, endpoint)) = split {
            let there = rows(&|model| model.endpoint == endpoint && is_called(model, id));
            if !there.is_empty() {
                return Matches {
                    level: Level::Full,
                    rows: there,
                };
            }
        }
        let rows = rows(&|model| is_called(model, name));
        Matches {
            level: Level::Alias,
            rows,
        }
    }

    /// `id@endpoint` taken apart, where the last `@` is followed by an endpoint there is.
    #[must_use]
    pub fn split<'n>(&self, name: &'n str) -> Option<(&'n str, &'n str)> {
        let (id, endpoint) = name.rsplit_once('@')?;
        (!id.is_empty() && self.endpoints.contains(endpoint)).then_some((id, endpoint))
    }

    /// Names that are written much like this one, the nearest first.
    #[must_use]
    pub fn near(&self, name: &str, most: usize) -> Vec<String> {
        near::nearest(name, self.models.iter().map(|model| &**model), most)
    }

    /// `endpoint/id` and `endpoint:id`, as others write it, in our way.
    #[must_use]
    pub fn our_way(&self, name: &str) -> Option<String> {
        let at = name.find(['/', ':'])?;
        let (endpoint, id) = (&name[..at], &name[at + 1..]);
        (self.endpoints.contains(endpoint) && !id.is_empty()).then(|| format!("{id}@{endpoint}"))
    }
}

/// Whether the model goes by this name, whatever its case.
pub(crate) fn is_called(model: &Model, name: &str) -> bool {
    let wanted = name.to_lowercase();
    let means = |known: &String| known.to_lowercase() == wanted;
    means(&model.id) || model.aliases.iter().any(means)
}
