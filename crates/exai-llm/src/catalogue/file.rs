//! Reads `config/models.toml`: the file as shipped, and a person's own merged over it entry by
//! entry. All faults are told at once, each with its file and place.

use super::{Catalogue, Chains, entry::Entry};
use crate::provider::Providers;
use std::{collections::BTreeSet, sync::Arc};
use toml::{Table, Value};

/// The file as shipped.
pub const SHIPPED: &str = include_str!("../../../../config/models.toml");

/// Why a file is refused: every fault, each with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", faults.join("\n"))]
pub struct CatalogueError {
    /// One line each.
    pub faults: Vec<String>,
}

/// What reading gathers.
#[derive(Default)]
struct Reading {
    entries: Vec<Entry>,
    chains: Chains,
    notes: Vec<String>,
    faults: Vec<String>,
}

pub(super) fn read(
    files: &[(&str, &str)],
    providers: &Providers,
) -> Result<Catalogue, CatalogueError> {
    let mut reading = Reading::default();
    for (name, text) in files {
        match text.parse::<Table>() {
            Ok(table) => reading.file(name, table, providers),
            Err(error) => {
                let line = line_of(text, &error);
                let what = error.message().lines().next().unwrap_or_default();
                let fault = format!("{name}, line {line}: this is no TOML: {what}");
                reading.faults.push(fault);
            }
        }
    }
    reading.spread();
    let Reading {
        entries,
        chains,
        notes,
        faults,
    } = reading;
    if !faults.is_empty() {
        return Err(CatalogueError { faults });
    }
    let shown = entries.into_iter().filter(|entry| !entry.hidden());
    let mut catalogue = Catalogue {
        models: shown.map(|entry| Arc::new(entry.model())).collect(),
        chains,
        endpoints: providers.endpoints.keys().cloned().collect(),
        notes,
        ..Catalogue::default()
    };
    let lost = catalogue.chains.names().filter(|(_, name)| {
        let known = !catalogue.matches(name).rows.is_empty();
        !known && catalogue.split(name).is_none()
    });
    let lost: Vec<String> = lost
        .map(|(chain, name)| {
            format!("models.toml: chains.{chain} names '{name}', which no known model is called; it is passed over")
        })
        .collect();
    catalogue.notes.extend(lost);
    Ok(catalogue)
}

fn line_of(text: &str, error: &toml::de::Error) -> usize {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    text.as_bytes()[..at]
        .iter()
        .filter(|b| **b == b'\n')
        .count()
        + 1
}

impl Reading {
    fn file(&mut self, name: &str, table: Table, providers: &Providers) {
        for (field, value) in table {
            match (field.as_str(), value) {
                ("models", Value::Array(entries)) => self.models(name, entries, providers),
                ("models", _) => self.fault(name, "models are written as [[models]]"),
                ("chains", value) => {
                    for fault in self.chains.take(value) {
                        self.fault(name, &fault);
                    }
                }
                ("endpoints", _) => self.notes.push(format!(
                    "{name}: [endpoints] is not read any more. Endpoints are in \
                     config/providers.toml: write what differs from the shipped ones there, as \
                     [providers.NAME] (name is `title`, key_env = [..] is key = {{ env = [..] }}, \
                     max_inflight is limits.concurrency), and delete [endpoints] here"
                )),
                (field, _) => {
                    let known = "[[models]] and [chains] are known";
                    self.fault(name, &format!("'{field}' means nothing here; {known}"));
                }
            }
        }
    }

    fn fault(&mut self, file: &str, what: &str) {
        self.faults.push(format!("{file}: {what}"));
    }

    fn models(&mut self, file: &str, values: Vec<Value>, providers: &Providers) {
        let mut seen = BTreeSet::new();
        let mut read = Vec::new();
        for (at, value) in values.into_iter().enumerate() {
            let place = place(at, &value);
            match value.try_into::<Entry>() {
                Ok(entry) => {
                    let mut faults = entry.faults();
                    let endpoints = [&entry.endpoint].into_iter();
                    for name in endpoints.chain(&entry.also).chain(&entry.also_unpriced) {
                        if !providers.endpoints.contains_key(name) {
                            faults.push(format!("the endpoint '{name}' is not in providers.toml"));
                        }
                    }
                    if !seen.insert(entry.place()) {
                        faults.push("stands twice in this file".to_owned());
                    }
                    for fault in faults {
                        self.fault(file, &format!("{place}: {fault}"));
                    }
                    read.push(entry);
                }
                Err(error) => {
                    let what = error.message().lines().next().unwrap_or_default();
                    self.fault(file, &format!("{place}: {what}"));
                }
            }
        }
        read.into_iter().for_each(|entry| self.put(entry));
    }

    /// Adds the entries of the other endpoints that serve a model; what a file says of such a
    /// place itself goes over them.
    fn spread(&mut self) {
        let alternates: Vec<Entry> = self.entries.iter().flat_map(Entry::alternates).collect();
        for alternate in alternates {
            let place = alternate.place();
            match self.entries.iter_mut().find(|old| old.place() == place) {
                Some(old) => *old = alternate.under(std::mem::take(old)),
                None => self.entries.push(alternate),
            }
        }
    }

    fn put(&mut self, entry: Entry) {
        let place = entry.place();
        match self.entries.iter_mut().find(|old| old.place() == place) {
            Some(old) => *old = std::mem::take(old).under(entry),
            None => self.entries.push(entry),
        }
    }
}

/// How to call an entry that may lack its name.
fn place(at: usize, value: &Value) -> String {
    let word = |field| value.get(field).and_then(Value::as_str);
    match (word("id"), word("endpoint")) {
        (Some(id), Some(endpoint)) => format!("model '{id}' at '{endpoint}'"),
        (Some(id), None) => format!("model '{id}'"),
        (None, _) => format!("[[models]] number {}", at + 1),
    }
}
