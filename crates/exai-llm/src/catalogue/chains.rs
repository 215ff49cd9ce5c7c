//! Who stands in for whom: the only ways from one model to another. A chain is written as a
//! list of names, best first; a list inside it is a group of equals, among which health, room
//! and price decide.

use exai_engine::ports::models::Category;
use std::collections::BTreeMap;
use toml::Value;

/// Names in order of preference; those of one group are equals.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain(pub Vec<Vec<String>>);

/// All chains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chains {
    by_category: BTreeMap<&'static str, Chain>,
    by_model: BTreeMap<String, Chain>,
}

/// A category's word in `[chains]`.
pub(crate) fn word(category: Category) -> &'static str {
    match category {
        Category::Fast => "fast",
        Category::Balanced => "balanced",
        Category::Deep => "deep",
        Category::Vision => "vision",
    }
}

const CATEGORIES: [Category; 4] = [
    Category::Fast,
    Category::Balanced,
    Category::Deep,
    Category::Vision,
];

impl Chains {
    /// The models `auto` takes for this kind of work.
    #[must_use]
    pub fn of_category(&self, category: Category) -> &[Vec<String>] {
        self.by_category
            .get(word(category))
            .map_or(&[], |chain| &chain.0)
    }

    /// What may stand in for a model somebody asked for by name; `is_it` tells whether a name
    /// of the file means that model.
    #[must_use]
    pub fn of_model(&self, is_it: &dyn Fn(&str) -> bool) -> &[Vec<String>] {
        let found = self.by_model.iter().find(|(name, _)| is_it(name));
        found.map_or(&[], |(_, chain)| &chain.0)
    }

    /// Every name in a chain, with the chain's.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        let categories = self.by_category.iter().map(|(key, chain)| (*key, chain));
        let models = self.by_model.iter().map(|(key, chain)| (&**key, chain));
        categories.chain(models).flat_map(|(key, chain)| {
            let names = chain.0.iter().flatten();
            names.map(move |name| (key, name.as_str()))
        })
    }

    /// Takes `[chains]` of a later file: each chain it names replaces the earlier one whole.
    pub(super) fn take(&mut self, value: Value) -> Vec<String> {
        let Value::Table(table) = value else {
            return vec!["'chains' must be a table: [chains]".to_owned()];
        };
        let mut faults = Vec::new();
        for (key, value) in table {
            let Some(chain) = read(&value) else {
                faults.push(format!(
                    "chains.{key} must be a list of names, or of lists of names that are equals"
                ));
                continue;
            };
            match CATEGORIES.into_iter().map(word).find(|word| *word == key) {
                Some(word) => _ = self.by_category.insert(word, chain),
                None => _ = self.by_model.insert(key, chain),
            }
        }
        faults
    }
}

fn read(value: &Value) -> Option<Chain> {
    let steps = value.as_array()?.iter().map(|step| match step {
        Value::String(name) => Some(vec![name.clone()]),
        Value::Array(names) => names
            .iter()
            .map(|name| name.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    });
    steps.collect::<Option<Vec<_>>>().map(Chain)
}
