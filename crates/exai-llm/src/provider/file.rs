//! Reads `config/providers.toml`: the file as shipped, and a person's own merged over it field
//! by field, so that one line changes one thing. All faults are told at once.

use super::{Endpoint, check};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The file as shipped.
pub const SHIPPED: &str = include_str!("../../../../config/providers.toml");

/// All endpoints, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Providers {
    /// By the short name people write.
    pub endpoints: BTreeMap<String, Endpoint>,
}

/// Why a file is refused: every fault, each with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", faults.join("\n"))]
pub struct ProvidersError {
    /// One line each.
    pub faults: Vec<String>,
}

impl Providers {
    /// The endpoints of this build.
    ///
    /// # Errors
    /// Never in a build whose tests passed.
    pub fn shipped() -> Result<Self, ProvidersError> {
        Self::merged(&[("the shipped providers.toml", SHIPPED)])
    }

    /// The shipped endpoints with a person's file over them; `name` is what to call it.
    ///
    /// # Errors
    /// Every fault of the file, never with a value of it: it may hold a pasted key.
    pub fn with(name: &str, text: &str) -> Result<Self, ProvidersError> {
        Self::merged(&[("the shipped providers.toml", SHIPPED), (name, text)])
    }

    fn merged(files: &[(&str, &str)]) -> Result<Self, ProvidersError> {
        let mut all = Table::new();
        let mut faults = Vec::new();
        let mut last = "";
        for (name, text) in files {
            last = name;
            match text.parse::<Table>() {
                Ok(table) => merge(&mut all, table),
                Err(error) => faults.push(unreadable(name, text, &error)),
            }
        }
        for field in all.keys().filter(|field| *field != "providers") {
            let known = "only [providers.NAME] is known";
            faults.push(format!("{last}: '{field}' means nothing here; {known}"));
        }
        let mut endpoints = BTreeMap::new();
        if let Some(Value::Table(providers)) = all.remove("providers") {
            for (name, entry) in providers {
                match check::pasted_key(&entry).map_or_else(|| parse(entry), Err) {
                    Ok(endpoint) => {
                        let wrong = check::check(&name, &endpoint);
                        let place = |what| format!("{last}: providers.{name}: {what}");
                        faults.extend(wrong.into_iter().map(place));
                        endpoints.insert(name, endpoint);
                    }
                    Err(what) => faults.push(format!("{last}: providers.{name}: {what}")),
                }
            }
        }
        if faults.is_empty() {
            Ok(Self { endpoints })
        } else {
            Err(ProvidersError { faults })
        }
    }
}

fn parse(entry: Value) -> Result<Endpoint, String> {
    entry
        .try_into::<Endpoint>()
        .map_err(|error| check::without_values(error.message()))
}

/// The parser's own rendering shows the line, and the line may hold a key.
fn unreadable(name: &str, text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..at]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1;
    let what = check::without_values(error.message());
    format!("{name}, line {line}: this is no TOML: {what}")
}

fn merge(into: &mut Table, from: Table) {
    for (field, value) in from {
        match (into.get_mut(&field), value) {
            // A key's place is replaced whole: a file instead of a variable, not both.
            (Some(Value::Table(old)), Value::Table(new)) if field != "key" => merge(old, new),
            (_, value) => {
                into.insert(field, value);
            }
        }
    }
}
