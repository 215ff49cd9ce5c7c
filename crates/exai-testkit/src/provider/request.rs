//! What the server received, for assertions.

use super::{
    Dialect, Route, dialect,
    incoming::{Incoming, find},
};
use serde_json::Value;
use std::time::Instant;

/// The headers in which a provider's key may be.
const KEY_HEADERS: [&str; 3] = ["authorization", "x-api-key", "x-goog-api-key"];

/// A request, and what became of it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its place among all requests of this server, from 0.
    pub index: usize,
    /// The connection it came over, from 0: equal numbers mean a kept connection.
    pub connection: usize,
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// What stood after the question mark.
    pub query: Option<String>,
    /// Its headers, in order, as written.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub raw: Vec<u8>,
    /// Its body as JSON; null if it is none.
    pub body: Value,
    /// How it speaks.
    pub dialect: Dialect,
    /// What it is for.
    pub route: Route,
    /// When it had been read.
    pub at: Instant,
    /// When the first byte of the answer was given to the system.
    pub first_byte: Option<Instant>,
    /// When the answer was over, whole or as broken as the script wanted.
    pub ended: Option<Instant>,
    /// When the caller hung up before that.
    pub hung_up: Option<Instant>,
}

impl Request {
    pub(super) fn of(incoming: Incoming, index: usize, connection: usize) -> Self {
        let (dialect, route) = dialect::route(&incoming);
        let (path, query) = match incoming.target.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (incoming.target, None),
        };
        Self {
            index,
            connection,
            method: incoming.method,
            path,
            query,
            headers: incoming.headers,
            body: serde_json::from_slice(&incoming.body).unwrap_or(Value::Null),
            raw: incoming.body,
            dialect,
            route,
            at: Instant::now(),
            first_byte: None,
            ended: None,
            hung_up: None,
        }
    }

    /// A header, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// A part of the body, by JSON pointer.
    #[must_use]
    pub fn json(&self, pointer: &str) -> Option<&Value> {
        self.body.pointer(pointer)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// The model asked for: Gemini has it in the path (as it is written there), Ollama's
    /// older requests under `name`.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        if self.dialect == Dialect::Gemini {
            let (_, rest) = self.path.rsplit_once("models/")?;
            return rest.rsplit_once(':').map(|(model, _)| model);
        }
        let named = self.body.get("model").or_else(|| self.body.get("name"));
        named.and_then(Value::as_str)
    }

    /// Whether a stream was asked for.
    #[must_use]
    pub fn wants_stream(&self) -> bool {
        dialect::wants_stream(self.dialect, &self.path, &self.body)
    }

    /// The key it carries, without the word before it.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        let value = KEY_HEADERS.iter().find_map(|name| self.header(name))?;
        Some(value.strip_prefix("Bearer ").unwrap_or(value))
    }

    /// Where these words occur outside the headers made for keys.
    #[must_use]
    pub fn leaks(&self, key: &str) -> Vec<String> {
        let mut places = Vec::new();
        for (name, value) in &self.headers {
            let made_for_it = KEY_HEADERS.contains(&name.to_ascii_lowercase().as_str());
            if !made_for_it && (value.contains(key) || name.contains(key)) {
                places.push(format!("the header {name}"));
            }
        }
        if self.path.contains(key) {
            places.push("the path".to_owned());
        }
        if self.query.as_ref().is_some_and(|query| query.contains(key)) {
            places.push("the query".to_owned());
        }
        if self.text().contains(key) {
            places.push("the body".to_owned());
        }
        places
    }

    /// Whether it was being answered at this instant.
    pub(super) fn was_open_at(&self, at: Instant) -> bool {
        let over = self.ended.or(self.hung_up);
        self.at <= at && over.is_none_or(|over| over > at)
    }
}
