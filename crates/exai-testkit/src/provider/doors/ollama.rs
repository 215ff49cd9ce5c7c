//! What a machine with Ollama knows: what its library offers, what is installed, what is
//! loaded, and how far an interrupted download came.
//!
//! Written on 2026-11-21 from <https://docs.ollama.com/api/tags>, `…/api/ps`, `…/api/pull`,
//! `…/api/delete`, `…/api/generate` (load, unload), `…/api-reference/show-model-details`,
//! `…/api/errors` and
//! <https://github.com/ollama/ollama/blob/main/docs/api.md>.

mod model;
mod pull;

pub use model::OllamaModel;

use crate::provider::{Reply, Request, Route, clock, event::Mark};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

const KEPT_LOADED: Duration = Duration::from_secs(300);
const USUAL_CONTEXT: u64 = 4096;

struct Loaded {
    name: String,
    context: u64,
    until: SystemTime,
}

/// One machine's Ollama.
pub struct Ollama {
    version: String,
    offered: Vec<OllamaModel>,
    installed: Vec<OllamaModel>,
    loaded: Vec<Loaded>,
    /// Bytes of downloads that were not finished.
    partial: BTreeMap<String, u64>,
    /// Between two lines of a download.
    pace: Duration,
}

impl Default for Ollama {
    fn default() -> Self {
        Self {
            version: "0.32.0".to_owned(),
            offered: Vec::new(),
            installed: Vec::new(),
            loaded: Vec::new(),
            partial: BTreeMap::new(),
            pace: Duration::ZERO,
        }
    }
}

impl Ollama {
    /// The version it says it is.
    pub fn version(&mut self, version: &str) {
        self.version = version.to_owned();
    }

    /// Can be pulled.
    pub fn offer(&mut self, model: OllamaModel) {
        self.offered.push(model);
    }

    /// Is here; one of the same name is replaced, as a new digest would.
    pub fn install(&mut self, model: OllamaModel) {
        self.installed.retain(|known| known.name != model.name);
        self.installed.push(model);
    }

    /// The time between two lines of a download.
    pub fn pull_pace(&mut self, pace: Duration) {
        self.pace = pace;
    }

    /// The names of what is installed.
    #[must_use]
    pub fn installed(&self) -> Vec<String> {
        self.installed
            .iter()
            .map(|model| model.name.clone())
            .collect()
    }

    /// The names of what is loaded.
    #[must_use]
    pub fn loaded(&self) -> Vec<String> {
        self.loaded.iter().map(|model| model.name.clone()).collect()
    }

    /// How much of a model has come so far.
    #[must_use]
    pub fn pulled(&self, name: &str) -> u64 {
        self.partial.get(&tagged(name)).copied().unwrap_or(0)
    }

    pub(in crate::provider) fn remember(&mut self, mark: &Mark) {
        match mark {
            Mark::Pulled { name, bytes } => {
                self.partial.insert(name.clone(), *bytes);
            }
            Mark::Installed { name } => {
                self.partial.remove(name);
                if let Some(model) = self.offered.iter().find(|model| model.name == *name) {
                    self.install(model.clone());
                }
            }
        }
    }

    pub(super) fn load(&mut self, name: &str, context: Option<&Value>) {
        let name = tagged(name);
        if self.known(&name).is_none() {
            return;
        }
        self.loaded.retain(|model| model.name != name);
        self.loaded.push(Loaded {
            name,
            context: context.and_then(Value::as_u64).unwrap_or(USUAL_CONTEXT),
            until: SystemTime::now() + KEPT_LOADED,
        });
    }

    pub(super) fn reply(&mut self, request: &Request) -> Reply {
        let name = tagged(request.model().unwrap_or_default());
        match request.route {
            Route::Version => Reply::json(json!({"version": self.version})),
            Route::Tags => Reply::json(json!({"models": self.tags()})),
            Route::Ps => Reply::json(json!({"models": self.ps()})),
            Route::Pull => self.pull(&name, request),
            Route::Show => match self.known(&name) {
                Some(model) => Reply::json(model.show()),
                None => missing(&name),
            },
            Route::Generate => self.generate(&name, request),
            Route::Delete => self.delete(&name),
            _ => Reply::status(404).message("404 page not found"),
        }
    }

    fn known(&self, name: &str) -> Option<&OllamaModel> {
        self.installed.iter().find(|model| model.name == name)
    }

    fn tags(&self) -> Vec<Value> {
        self.installed.iter().map(OllamaModel::tag).collect()
    }

    fn ps(&self) -> Vec<Value> {
        let here = self.loaded.iter();
        here.filter_map(|loaded| {
            let mut entry = self.known(&loaded.name)?.running();
            entry["expires_at"] = json!(clock::timestamp(loaded.until));
            entry["context_length"] = json!(loaded.context);
            Some(entry)
        })
        .collect()
    }

    /// Without a prompt it only loads, or unloads with a `keep_alive` of 0.
    fn generate(&mut self, name: &str, request: &Request) -> Reply {
        if self.known(name).is_none() {
            return missing(name);
        }
        let prompt = request.json("/prompt").and_then(Value::as_str);
        if prompt.is_some_and(|prompt| !prompt.is_empty()) {
            return Reply::status(501).message("only loading and unloading is scripted here");
        }
        let unload = match request.json("/keep_alive") {
            Some(Value::Number(time)) => time.as_f64() == Some(0.0),
            Some(Value::String(time)) => time == "0" || time == "0s",
            _ => false,
        };
        if unload {
            self.loaded.retain(|model| model.name != name);
        } else {
            self.load(name, request.json("/options/num_ctx"));
        }
        Reply::json(json!({
            "model": request.model(),
            "created_at": "2026-11-21T00:00:00Z",
            "response": "",
            "done": true,
            "done_reason": if unload { "unload" } else { "load" },
        }))
    }

    fn delete(&mut self, name: &str) -> Reply {
        if self.known(name).is_none() {
            return missing(name);
        }
        self.installed.retain(|model| model.name != name);
        self.loaded.retain(|model| model.name != name);
        Reply::status(200)
    }
}

fn missing(name: &str) -> Reply {
    Reply::status(404).message(&format!("model '{name}' not found"))
}

/// A name without a tag means the latest.
fn tagged(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or_default();
    match last.contains(':') {
        true => name.to_owned(),
        false => format!("{name}:latest"),
    }
}
