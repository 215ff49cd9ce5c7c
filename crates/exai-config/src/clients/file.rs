//! Reads `config/clients.toml`: typed rows in which everything may be left out, so that a
//! person's file says only what differs, and its faults are told with their line.

use super::{Profile, pattern::fit};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// The file as shipped.
pub const SHIPPED: &str = include_str!("../../../../config/clients.toml");

/// Longest time anybody means.
const MOST_SECS: f64 = 30.0 * 86_400.0;
/// Less than this cannot even say that the work goes on.
const LEAST_OUTPUT: u64 = 1_000;
/// More rows than this are a mistake.
const MOST_ROWS: usize = 500;

/// What is wrong with a file of clients.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{name}: {what}")]
pub struct ClientsError {
    name: String,
    what: String,
}

/// All rows.
#[derive(Debug, Clone)]
pub struct Clients {
    default: Row,
    rows: BTreeMap<String, Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(default)]
    default: Row,
    #[serde(default)]
    clients: BTreeMap<String, Row>,
}

/// One row as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    title: Option<String>,
    name: Option<Vec<String>>,
    version: Option<Vec<String>>,
    start_secs: Option<f64>,
    call_secs: Option<Limit<f64>>,
    resets: Option<bool>,
    total_secs: Option<Limit<f64>>,
    list_changed: Option<bool>,
    tool_form: Option<String>,
    tool_most: Option<Limit<u64>>,
    output_bytes: Option<Limit<u64>>,
    source: Option<String>,
    date: Option<String>,
}

/// A number, or `"never"`: no limit, said aloud, so that it can take another file's back.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "a number, or \"never\"")]
enum Limit<T> {
    At(T),
    Never(Never),
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum Never {
    #[serde(rename = "never")]
    Never,
}

impl<T: Copy> Limit<T> {
    fn at(self) -> Option<T> {
        match self {
            Self::At(value) => Some(value),
            Self::Never(Never::Never) => None,
        }
    }
}

impl Clients {
    /// The rows exai comes with.
    ///
    /// # Errors
    /// Never, as a test proves.
    pub fn shipped() -> Result<Self, ClientsError> {
        Self::default().and("the shipped clients.toml", SHIPPED)
    }

    /// The shipped rows with a file of this name over them.
    ///
    /// # Errors
    /// What is wrong with the file; then nothing of it counts.
    pub fn with(name: &str, text: &str) -> Result<Self, ClientsError> {
        Self::shipped()?.and(name, text)
    }

    /// What is known of a client that introduces itself so.
    #[must_use]
    pub fn of(&self, name: &str, version: &str) -> Profile {
        let found = self
            .rows
            .iter()
            .filter_map(|(key, row)| Some((row.fit(name, version)?, key, row)))
            // Of equals the first by key, so that the order of files never matters.
            .max_by(|(a, a_key, _), (b, b_key, _)| a.cmp(b).then(b_key.cmp(a_key)));
        match found {
            Some((_, key, row)) => row.over(&self.default).profile(key),
            None => self.default.profile("default"),
        }
    }

    /// The keys of all rows.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// A row's profile.
    #[must_use]
    pub fn row(&self, key: &str) -> Option<Profile> {
        let row = self.rows.get(key)?;
        Some(row.over(&self.default).profile(key))
    }

    fn and(mut self, name: &str, text: &str) -> Result<Self, ClientsError> {
        let wrong = |what: String| ClientsError {
            name: name.to_owned(),
            what,
        };
        let read: Read = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if read.clients.len() > MOST_ROWS {
            return Err(wrong(format!("more than {MOST_ROWS} clients")));
        }
        let rows = read.clients.iter().map(|(key, row)| (key.as_str(), row));
        for (key, row) in rows.chain([("default", &read.default)]) {
            row.check()
                .map_err(|what| wrong(format!("[{key}]: {what}")))?;
        }
        self.default = read.default.over(&self.default);
        for (key, row) in read.clients {
            let under = self.rows.remove(&key).unwrap_or_default();
            let row = row.over(&under);
            if row.name.as_ref().is_none_or(Vec::is_empty) {
                let what =
                    "name is missing: what the client calls itself, such as [\"my-editor*\"]";
                return Err(wrong(format!("[clients.{key}]: {what}")));
            }
            self.rows.insert(key, row);
        }
        Ok(self)
    }
}

impl Default for Clients {
    /// No row at all; whoever asks gets the numbers that are safe for everybody.
    fn default() -> Self {
        Self {
            default: Row::default(),
            rows: BTreeMap::new(),
        }
    }
}

impl Row {
    fn fit(&self, name: &str, version: &str) -> Option<(usize, usize)> {
        let best = |patterns: &[String], text: &str| {
            let fits = patterns.iter().filter_map(|pattern| fit(pattern, text));
            fits.max()
        };
        let version = match &self.version {
            Some(patterns) => best(patterns, version)?,
            None => 0,
        };
        Some((best(self.name.as_deref()?, name)?, version))
    }

    /// This row where it says something, the other elsewhere.
    fn over(&self, under: &Self) -> Self {
        macro_rules! either {
            ($($field:ident),* $(,)?) => {
                Self { $($field: self.$field.clone().or_else(|| under.$field.clone()),)* }
            };
        }
        either!(
            title,
            name,
            version,
            start_secs,
            call_secs,
            resets,
            total_secs,
            list_changed,
            tool_form,
            tool_most,
            output_bytes,
            source,
            date
        )
    }

    fn check(&self) -> Result<(), String> {
        let secs = [
            ("start_secs", self.start_secs),
            ("call_secs", self.call_secs.and_then(Limit::at)),
            ("total_secs", self.total_secs.and_then(Limit::at)),
        ];
        for (field, secs) in secs {
            if secs.is_some_and(|secs| !(0.1..=MOST_SECS).contains(&secs)) {
                return Err(format!("{field} must be from 0.1 to {MOST_SECS} seconds"));
            }
        }
        let output = self.output_bytes.and_then(Limit::at);
        if output.is_some_and(|bytes| bytes < LEAST_OUTPUT) {
            return Err(format!("output_bytes must be {LEAST_OUTPUT} or more"));
        }
        let form = self.tool_form.as_deref();
        if form.is_some_and(|form| !form.contains("{tool}")) {
            return Err("tool_form must contain {tool}".to_owned());
        }
        Ok(())
    }

    fn profile(&self, key: &str) -> Profile {
        let time = |secs: Option<Limit<f64>>, otherwise: Option<f64>| {
            let secs = secs.map_or(otherwise, Limit::at);
            secs.map(Duration::from_secs_f64)
        };
        let size = |most: Option<Limit<u64>>| {
            let most = most.and_then(Limit::at);
            most.map(|most| usize::try_from(most).unwrap_or(usize::MAX))
        };
        Profile {
            key: key.to_owned(),
            title: self.title.clone().unwrap_or_else(|| key.to_owned()),
            start: Duration::from_secs_f64(self.start_secs.unwrap_or(10.0)),
            call: time(self.call_secs, Some(60.0)),
            resets: self.resets.unwrap_or(false),
            total: time(self.total_secs, None),
            list_changed: self.list_changed.unwrap_or(true),
            tool_form: self
                .tool_form
                .clone()
                .unwrap_or_else(|| "{tool}".to_owned()),
            tool_most: size(self.tool_most),
            output: size(self.output_bytes),
            source: self.source.clone().unwrap_or_default(),
            date: self.date.clone().unwrap_or_default(),
        }
    }
}
