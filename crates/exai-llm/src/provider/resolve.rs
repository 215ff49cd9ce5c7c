//! Endpoints as they are in force: addresses from variables, keys by name, and for each one
//! that cannot be used, what to set. The environment is handed in; nothing is read here.

use super::{Endpoint, KeyRef, KeyState, Providers, check};
use crate::dialect::Dialect;

/// An endpoint in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// Its name.
    pub name: String,
    /// As described.
    pub endpoint: Endpoint,
    /// Where requests go, without a slash at the end.
    pub base_url: Option<String>,
    /// The variable the address came from.
    pub base_url_from: Option<String>,
    /// What holds the key.
    pub key: KeyState,
    /// Its headers, those from variables included.
    pub headers: Vec<(String, String)>,
    /// Whether it can be used.
    pub standing: Standing,
}

/// Whether an endpoint can be used, and what would make it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It can.
    Ready,
    /// It could; a person has to say so.
    Offered(String),
    /// It cannot; this is what to set.
    Lacks(String),
    /// It must not: `ALLOWED_PROVIDERS` or `DISABLED_PROVIDERS` says so.
    Barred(String),
}

impl Providers {
    /// All endpoints under this environment, by name.
    #[must_use]
    pub fn resolve(&self, env: &dyn Fn(&str) -> Option<String>) -> Vec<Resolved> {
        let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let names = |variable: &str| -> Vec<String> {
            let list = set(variable).unwrap_or_default();
            let words = list.split(',').map(|word| word.trim().to_lowercase());
            words.filter(|word| !word.is_empty()).collect()
        };
        let (allowed, barred) = (names("ALLOWED_PROVIDERS"), names("DISABLED_PROVIDERS"));
        self.endpoints
            .iter()
            .map(|(name, endpoint)| {
                let mut resolved = resolve(name, endpoint, &set);
                let why = if barred.contains(name) {
                    Some("DISABLED_PROVIDERS names it")
                } else if !allowed.is_empty() && !allowed.contains(name) {
                    Some("ALLOWED_PROVIDERS does not name it")
                } else {
                    None
                };
                if let Some(why) = why {
                    resolved.standing = Standing::Barred(why.to_owned());
                }
                resolved
            })
            .collect()
    }
}

fn resolve(name: &str, endpoint: &Endpoint, set: &dyn Fn(&str) -> Option<String>) -> Resolved {
    let found = endpoint
        .base_url_env
        .iter()
        .find_map(|variable| Some((variable.clone(), set(variable)?)));
    let (base_url_from, base_url) = match found {
        Some((variable, url)) => (Some(variable), Some(tidy_url(&url, endpoint))),
        None => (
            None,
            endpoint
                .base_url
                .as_ref()
                .map(|url| tidy_url(url, endpoint)),
        ),
    };
    let key = key_state(endpoint, set);
    let from_variables = endpoint
        .header_env
        .iter()
        .filter_map(|(header, variable)| Some((header.clone(), set(variable)?)));
    let written = endpoint.headers.clone().into_iter();
    let mut resolved = Resolved {
        name: name.to_owned(),
        endpoint: endpoint.clone(),
        base_url,
        base_url_from,
        key,
        headers: written.chain(from_variables).collect(),
        standing: Standing::Ready,
    };
    resolved.standing = standing(&resolved);
    resolved
}

fn key_state(endpoint: &Endpoint, set: &dyn Fn(&str) -> Option<String>) -> KeyState {
    let Some(KeyRef { env, file, command }) = &endpoint.key else {
        return KeyState::NotNeeded;
    };
    if let Some(file) = file {
        return KeyState::File(file.clone());
    }
    if !command.is_empty() {
        return KeyState::Command(command.clone());
    }
    match env.iter().find(|variable| set(variable).is_some()) {
        Some(variable) => KeyState::Env(variable.clone()),
        None if endpoint.key_optional => KeyState::NotNeeded,
        None => KeyState::Missing(env.clone()),
    }
}

fn standing(resolved: &Resolved) -> Standing {
    let endpoint = &resolved.endpoint;
    let name = &resolved.name;
    if endpoint.dialect == Dialect::Cli {
        return match endpoint.enabled {
            true => Standing::Ready,
            false => Standing::Offered(enabling(name)),
        };
    }
    let Some(url) = &resolved.base_url else {
        let what = endpoint.base_url_env.join(" or ");
        let how = if what.is_empty() {
            format!("set providers.{name}.base_url in config/providers.toml")
        } else {
            format!("set {what} to its address")
        };
        return Standing::Lacks(how);
    };
    if let Err(what) = check::url_fault(url, endpoint.allow_http) {
        let from = resolved.base_url_from.as_deref().unwrap_or("base_url");
        return Standing::Lacks(format!("{from} {what}"));
    }
    if let KeyState::Missing(variables) = &resolved.key {
        return Standing::Lacks(format!("set {}", variables.join(" or ")));
    }
    // An address somebody set for it is a person's word.
    if !endpoint.enabled && resolved.base_url_from.is_none() {
        return Standing::Offered(enabling(name));
    }
    Standing::Ready
}

fn enabling(name: &str) -> String {
    format!("set providers.{name}.enabled = true in config/providers.toml")
}

/// Addresses as people write them: `OLLAMA_HOST=:11434`, LM Studio's without `/v1`, a slash
/// too many, the whole path of a request.
fn tidy_url(url: &str, endpoint: &Endpoint) -> String {
    let mut url = url.trim().trim_end_matches('/').to_owned();
    if endpoint.dialect == Dialect::Ollama && !url.contains("://") {
        let (host, port) = url.rsplit_once(':').unwrap_or((&url, "11434"));
        // Where a server listens on all addresses, a client uses this machine's.
        let host = match host {
            "" | "0.0.0.0" | "[::]" => "127.0.0.1",
            host => host,
        };
        url = format!("http://{host}:{port}");
    }
    let tails: &[&str] = match endpoint.dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => {
            &["/chat/completions", "/completions", "/responses", "/models"]
        }
        Dialect::Anthropic => &["/v1/messages", "/messages", "/v1"],
        Dialect::Ollama => &["/api/chat", "/api", "/v1"],
        Dialect::Gemini => &["/models"],
        Dialect::Cli => &[],
    };
    for tail in tails {
        if let Some(shorter) = url.strip_suffix(tail) {
            url = shorter.to_owned();
            break;
        }
    }
    let bare = url
        .split_once("://")
        .is_some_and(|(_, rest)| !rest.contains('/'));
    let chat = matches!(
        endpoint.dialect,
        Dialect::OpenaiChat | Dialect::OpenaiResponses
    );
    if bare && chat {
        url.push_str("/v1");
    }
    url
}

impl Resolved {
    /// Whether it is on this machine.
    #[must_use]
    pub fn is_near(&self) -> bool {
        let url = self
            .base_url
            .as_deref()
            .and_then(|url| url.split_once("://"));
        let host = url.and_then(|(_, rest)| rest.split('/').next());
        host.is_some_and(check::is_near)
    }

    /// The name of the key that is used, never the key; `None` where none is.
    #[must_use]
    pub fn key_name(&self) -> Option<String> {
        match &self.key {
            KeyState::Env(variable) => Some(variable.clone()),
            KeyState::File(_) | KeyState::Command(_) => Some(self.key_from()),
            KeyState::NotNeeded | KeyState::Missing(_) => None,
        }
    }

    /// What holds the key, for messages; for a command line, `run` and what logs it in.
    #[must_use]
    pub fn key_from(&self) -> String {
        if let Some(command) = &self.endpoint.command {
            return format!("run `{}`", command.login());
        }
        match &self.key {
            KeyState::Env(variable) => variable.clone(),
            KeyState::Missing(variables) => variables.join(" or "),
            // One that needs no key may want one all the same: a proxy before a local server.
            KeyState::NotNeeded | KeyState::File(_) | KeyState::Command(_) => self
                .endpoint
                .key
                .as_ref()
                .map_or_else(|| "its settings".to_owned(), KeyRef::told),
        }
    }
}
