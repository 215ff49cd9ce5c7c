//! What an endpoint may look like. The messages name fields, never values: a value may be a
//! key that was pasted into the wrong place.

use super::Endpoint;
use crate::dialect::Dialect;
use toml::Value;

/// Headers that carry keys.
const KEY_HEADERS: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
];

/// A key where its place should be named.
pub(super) fn pasted_key(entry: &Value) -> Option<String> {
    let by_name = ["key", "api_key", "apikey", "token", "secret"];
    let fields = entry.as_table()?;
    by_name
        .iter()
        .find(|field| fields.get(**field).is_some_and(Value::is_str))
        .map(|field| {
            format!(
                "'{field}' holds text; a key is never written here. Write what holds it: \
                 key = {{ env = [\"NAME\"] }}, key = {{ file = \"PATH\" }} or \
                 key = {{ command = [\"PROGRAM\"] }}, and replace the key if it was shared"
            )
        })
}

/// The parser's sentence without what it quotes from the file.
pub(super) fn without_values(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    // "invalid type: string "sk-…", expected …": what is expected and field names help, the
    // value does not.
    match (first.find(": string \""), first.rfind("\", expected")) {
        (Some(start), Some(end)) if start < end => {
            format!("{}: a string{}", &first[..start], &first[end + 1..])
        }
        _ => crate::fault::scrub(first, &[]),
    }
}

/// Every fault of an endpoint.
pub(super) fn check(name: &str, endpoint: &Endpoint) -> Vec<String> {
    let mut faults = Vec::new();
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(good) {
        faults.push("a name is lower-case letters, digits, - and _".to_owned());
    }
    if let Some(key) = &endpoint.key {
        let ways = key.ways();
        if ways != 1 {
            faults.push(format!(
                "key names {ways} places; one of env, file, command is right"
            ));
        }
        let odd = |name: &&String| !is_variable(name);
        if let Some(_bad) = key.env.iter().find(odd) {
            faults.push("key.env holds something that is no variable's name".to_owned());
        }
    }
    if let Some(url) = &endpoint.base_url
        && let Err(what) = url_fault(url, endpoint.allow_http)
    {
        faults.push(format!("base_url {what}"));
    }
    for header in endpoint.headers.keys().chain(endpoint.header_env.keys()) {
        faults.extend(header_fault(header));
    }
    if endpoint
        .headers
        .values()
        .any(|value| !is_header_value(value))
    {
        faults.push("a header's value has characters a header cannot have".to_owned());
    }
    for (field, value) in [
        ("limits.concurrency", u64::from(endpoint.limits.concurrency)),
        ("timeouts.connect_ms", endpoint.timeouts.connect_ms),
        ("timeouts.first_event_ms", endpoint.timeouts.first_event_ms),
        ("timeouts.idle_ms", endpoint.timeouts.idle_ms),
    ] {
        if value == 0 {
            faults.push(format!("{field} is 0; nothing could ever be sent"));
        }
    }
    faults.extend(command_faults(endpoint));
    let most = endpoint.quirks.temperature_max;
    if !(most.is_finite() && most > 0.0) {
        faults.push("quirks.temperature_max must be above 0".to_owned());
    }
    faults
}

/// What a command line needs, and what only it has.
fn command_faults(endpoint: &Endpoint) -> Vec<String> {
    let mut faults = Vec::new();
    match (&endpoint.command, endpoint.dialect == Dialect::Cli) {
        (None, true) => faults.push("the dialect cli needs command.program".to_owned()),
        (Some(_), false) => faults.push("command is for the dialect cli only".to_owned()),
        (Some(command), true) => {
            faults.extend(command.faults().into_iter().map(str::to_owned));
            if endpoint.key.is_some() || endpoint.base_url.is_some() {
                let what = "a command line has its own login and address; no key, no base_url";
                faults.push(what.to_owned());
            }
        }
        (None, false) => {}
    }
    faults
}

pub(super) fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn is_header_value(value: &str) -> bool {
    value.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

fn header_fault(header: &str) -> Option<String> {
    let lower = header.to_ascii_lowercase();
    if KEY_HEADERS.contains(&lower.as_str()) {
        return Some(format!(
            "the header '{lower}' carries keys; name the key's place in `key`"
        ));
    }
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (header.is_empty() || !header.chars().all(good))
        .then(|| "a header's name has characters a header cannot have".to_owned())
}

/// What is wrong with a base URL, in words that follow its name.
pub(super) fn url_fault(url: &str, allow_http: bool) -> Result<(), &'static str> {
    let (scheme, rest) = url
        .split_once("://")
        .ok_or("is no address: write https://…")?;
    let host = rest.split('/').next().unwrap_or_default();
    if !matches!(scheme, "http" | "https") {
        return Err("must begin with https:// or http://");
    }
    if host.contains('@') {
        return Err("holds a user or password; name the key's place in `key`");
    }
    if host.is_empty() || url.contains(['?', '#', ' ']) || url.chars().any(char::is_control) {
        return Err("must be a scheme, a host and a path, nothing else");
    }
    if scheme == "http" && !allow_http && !is_near(host) {
        return Err(
            "is not encrypted and leaves this machine: write https://, or set \
             allow_http = true",
        );
    }
    Ok(())
}

/// This machine, by name or address; in a container, the machine around it.
pub(crate) fn is_near(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    match name.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => matches!(name, "localhost" | "host.docker.internal"),
    }
}
