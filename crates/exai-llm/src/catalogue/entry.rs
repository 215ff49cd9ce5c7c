//! An entry of `[[models]]` as it is written, where everything may be left out: a person's
//! entry says only what differs.

use super::Model;
use crate::{
    chat::{ModelTraits, TemperatureRule, ThinkingStyle},
    price::Price,
};
use serde::Deserialize;

/// Words an ability may be.
const ABILITIES: [&str; 6] = [
    "thinking",
    "vision",
    "tools",
    "search",
    "streaming",
    "files",
];

/// One `[[models]]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) endpoint: String,
    /// Served there too, at the same price.
    #[serde(default)]
    pub(super) also: Vec<String>,
    /// Served there too, at a price nobody wrote down.
    #[serde(default)]
    pub(super) also_unpriced: Vec<String>,
    aliases: Option<Vec<String>>,
    context: Option<u64>,
    output: Option<u64>,
    abilities: Option<Vec<String>>,
    efforts: Option<Vec<String>>,
    thinking: Option<ThinkingStyle>,
    temperature: Option<TemperatureRule>,
    price: Option<Price>,
    hidden: Option<bool>,
    #[serde(skip)]
    pub(super) alternate: bool,
}

impl Entry {
    pub(super) fn place(&self) -> (String, String) {
        (self.id.clone(), self.endpoint.clone())
    }

    pub(super) fn hidden(&self) -> bool {
        self.hidden == Some(true)
    }

    /// The entries of the other endpoints that serve it.
    pub(super) fn alternates(&self) -> Vec<Self> {
        let there = |endpoint: &String, price: Option<Price>| Self {
            endpoint: endpoint.clone(),
            also: Vec::new(),
            also_unpriced: Vec::new(),
            price,
            hidden: None,
            alternate: true,
            ..self.clone()
        };
        let same = self.also.iter().map(|at| there(at, self.price.clone()));
        let other = self.also_unpriced.iter().map(|at| there(at, None));
        same.chain(other).collect()
    }

    /// This entry with a later one over it, field by field. A price is replaced whole: half
    /// of an old one beside half of a new one is no price.
    pub(super) fn under(self, over: Self) -> Self {
        Self {
            also: or(over.also, self.also),
            also_unpriced: or(over.also_unpriced, self.also_unpriced),
            aliases: over.aliases.or(self.aliases),
            context: over.context.or(self.context),
            output: over.output.or(self.output),
            abilities: over.abilities.or(self.abilities),
            efforts: over.efforts.or(self.efforts),
            thinking: over.thinking.or(self.thinking),
            temperature: over.temperature.or(self.temperature),
            price: over.price.or(self.price),
            hidden: over.hidden.or(self.hidden),
            alternate: self.alternate || over.alternate,
            id: over.id,
            endpoint: over.endpoint,
        }
    }

    pub(super) fn model(self) -> Model {
        let abilities = self.abilities.unwrap_or_default();
        let traits = ModelTraits {
            efforts: self.efforts,
            thinking_style: self.thinking,
            temperature: self.temperature.unwrap_or_default(),
            ..ModelTraits::from_abilities(&abilities, self.context, self.output)
        };
        Model {
            id: self.id,
            endpoint: self.endpoint,
            aliases: self.aliases.unwrap_or_default(),
            abilities,
            traits,
            price: self.price,
            alternate: self.alternate,
            described: true,
        }
    }

    /// Every fault that needs no other entry to be seen.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let names = self.aliases.iter().flatten().chain([&self.id]);
        for name in names {
            if name.trim().is_empty() || name.trim() != name || name.chars().any(char::is_control) {
                faults.push(format!(
                    "'{name}' is no name: empty, or with space around it"
                ));
            } else if name.eq_ignore_ascii_case("auto") {
                faults
                    .push("'auto' means \"choose for me\" and cannot be a model's name".to_owned());
            }
        }
        for word in self.abilities.iter().flatten() {
            if !ABILITIES.contains(&word.as_str()) {
                let known = ABILITIES.join(", ");
                faults.push(format!("'{word}' is no ability; known are {known}"));
            }
        }
        for (field, tokens) in [("context", self.context), ("output", self.output)] {
            if tokens == Some(0) {
                faults.push(format!("{field} is 0; leave it out if it is not known"));
            }
        }
        if let Some(price) = &self.price {
            faults.extend(price_faults(price));
        }
        faults
    }
}

fn or(over: Vec<String>, under: Vec<String>) -> Vec<String> {
    if over.is_empty() { under } else { over }
}

fn price_faults(price: &Price) -> Vec<String> {
    let amounts = [
        ("in", price.input),
        ("out", price.output),
        ("cached", price.cached),
        ("cache_write", price.cache_write),
        ("search", price.search),
    ];
    let wrong = amounts.into_iter().filter_map(|(field, amount)| {
        let amount = amount?;
        let good = amount.is_finite() && (0.0..=100_000.0).contains(&amount);
        (!good).then(|| format!("price.{field} = {amount} is no price in US dollars"))
    });
    let mut faults: Vec<String> = wrong.collect();
    if let Some(date) = &price.date
        && !is_date(date)
    {
        faults.push(format!("price.date = '{date}' is no day like 2026-11-21"));
    }
    faults
}

fn is_date(date: &str) -> bool {
    date.len() == 10
        && date.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}
