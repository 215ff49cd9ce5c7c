//! Which tools a client is shown and may call, as data: `config/profiles.toml` as shipped, and a
//! person's own laid over it key by key.

use serde::Deserialize;
use std::{collections::BTreeMap, path::Path};

/// The file as shipped.
pub const SHIPPED: &str = include_str!("../../../config/profiles.toml");

/// More names than this are a mistake.
const MOST_NAMES: usize = 1_000;

/// More folders than this a key is not narrowed to.
const MOST_ROOTS: usize = 100;

/// What is wrong with a file of profiles.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{name}: {what}")]
pub struct ProfilesError {
    name: String,
    what: String,
}

/// All of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profiles {
    default: Option<String>,
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
    #[serde(default)]
    clients: BTreeMap<String, Client>,
    #[serde(default)]
    keys: BTreeMap<String, Key>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    tools: Vec<String>,
    #[serde(default)]
    others: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    profile: Option<String>,
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
}

/// What a named key lets its client do, whatever that calls itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    profile: Option<String>,
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
    #[serde(default)]
    scope: Scope,
    roots: Option<Vec<String>>,
}

/// How much the tools may do that are left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Anything.
    #[default]
    All,
    /// What destroys nothing.
    Write,
    /// What changes nothing.
    Read,
}

/// What holds for one client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The profile's name.
    pub profile: String,
    /// What is listed of the tools exai comes with.
    pub tools: Vec<String>,
    /// Whether all others are listed too.
    pub others: bool,
    /// If any are named, there are only these.
    pub allow: Vec<String>,
    /// The same of the client's key: there is only what both name.
    pub within: Vec<String>,
    /// These there are not.
    pub deny: Vec<String>,
    /// How much those may do that are left.
    pub scope: Scope,
    /// Of the client's folders only what is below one of these may be read; `None`: all.
    pub roots: Option<Vec<String>>,
}

impl Profiles {
    /// What exai comes with.
    ///
    /// # Errors
    /// Never, as a test proves.
    pub fn shipped() -> Result<Self, ProfilesError> {
        Self::default().and("the shipped profiles.toml", SHIPPED)
    }

    /// The shipped ones with a file of this name over them.
    ///
    /// # Errors
    /// What is wrong with the file; then nothing of it counts.
    pub fn with(name: &str, text: &str) -> Result<Self, ProfilesError> {
        Self::shipped()?.and(name, text)
    }

    /// What holds for a client that proved this key (the owner's clients none) and calls itself so.
    /// `wished` is the profile it asked for, or its window's owner did; one that there is none of
    /// counts as no wish. What the key says is no wish, and is laid over all else.
    #[must_use]
    pub fn of(&self, key: Option<&str>, client: &str, wished: &str) -> Chosen {
        let row = self.row(client);
        let key = key.and_then(|key| self.keys.get(key));
        let named = [
            key.and_then(|key| key.profile.as_deref()),
            Some(wished),
            row.and_then(|row| row.profile.as_deref()),
            self.default.as_deref(),
        ];
        let found = named
            .into_iter()
            .flatten()
            .find_map(|name| self.profiles.get_key_value(name));
        let list = |list: Option<&Vec<String>>| list.cloned().unwrap_or_default();
        // Whom a client may not call is nothing the client's own row takes back.
        let mut deny = list(self.deny.as_ref());
        deny.extend(list(row.and_then(|row| row.deny.as_ref())));
        deny.extend(list(key.and_then(|key| key.deny.as_ref())));
        let allow = row
            .and_then(|row| row.allow.as_ref())
            .or(self.allow.as_ref());
        Chosen {
            profile: found.map(|(name, _)| name.clone()).unwrap_or_default(),
            tools: found
                .map(|(_, found)| found.tools.clone())
                .unwrap_or_default(),
            others: found.is_some_and(|(_, found)| found.others),
            allow: list(allow),
            within: list(key.and_then(|key| key.allow.as_ref())),
            deny,
            scope: key.map_or(Scope::All, |key| key.scope),
            roots: key.and_then(|key| key.roots.clone()),
        }
    }

    /// The names of all profiles.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    fn row(&self, client: &str) -> Option<&Client> {
        let fitting = self.clients.iter().filter_map(|(pattern, row)| {
            let says = fit(pattern, client)?;
            Some((says, row))
        });
        fitting.max_by_key(|(says, _)| *says).map(|(_, row)| row)
    }

    fn and(mut self, name: &str, text: &str) -> Result<Self, ProfilesError> {
        let wrong = |what: String| ProfilesError {
            name: name.to_owned(),
            what,
        };
        let read: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        self.default = read.default.or(self.default);
        self.allow = read.allow.or(self.allow);
        self.deny = read.deny.or(self.deny);
        self.profiles.extend(read.profiles);
        self.clients.extend(read.clients);
        self.keys.extend(read.keys);
        self.check().map_err(wrong)?;
        Ok(self)
    }

    fn check(&self) -> Result<(), String> {
        let named = self.clients.iter().filter_map(|(client, row)| {
            let profile = row.profile.as_ref()?;
            Some((format!("[clients.\"{client}\"] profile"), profile))
        });
        let keys = self.keys.iter().filter_map(|(key, row)| {
            let profile = row.profile.as_ref()?;
            Some((format!("[keys.{key}] profile"), profile))
        });
        let named = named.chain(keys);
        let default = self.default.iter().map(|name| ("default".to_owned(), name));
        for (key, profile) in named.chain(default) {
            if !self.profiles.contains_key(profile) {
                let known: Vec<&str> = self.names().collect();
                let known = known.join(", ");
                return Err(format!(
                    "{key}: there is no profile '{profile}'; known: {known}"
                ));
            }
        }
        for (key, row) in &self.keys {
            check_roots(key, row.roots.as_deref().unwrap_or_default())?;
        }
        let lists = self.profiles.values().map(|profile| &profile.tools);
        let rows = self.clients.values();
        let lists = lists
            .chain(self.allow.iter().chain(&self.deny))
            .chain(rows.flat_map(|row| row.allow.iter().chain(&row.deny)));
        let keys = self.keys.values();
        let lists = lists.chain(keys.flat_map(|key| key.allow.iter().chain(&key.deny)));
        match lists.map(Vec::len).max() {
            Some(most) if most > MOST_NAMES => {
                Err(format!("a list of {most} tools; {MOST_NAMES} is the most"))
            }
            _ => Ok(()),
        }
    }
}

/// The daemon is elsewhere than whoever writes them: only a whole path says where a folder is.
fn check_roots(key: &str, roots: &[String]) -> Result<(), String> {
    if roots.len() > MOST_ROOTS {
        let most = roots.len();
        return Err(format!(
            "[keys.{key}] roots: {most} folders; {MOST_ROOTS} are the most"
        ));
    }
    match roots.iter().find(|root| !Path::new(root).is_absolute()) {
        Some(root) => Err(format!(
            "[keys.{key}] roots: '{root}' is no absolute path; write the folder's whole path"
        )),
        None => Ok(()),
    }
}

/// How much of a client's name a pattern says, where it fits. Case does not matter.
fn fit(pattern: &str, client: &str) -> Option<usize> {
    let (pattern, client) = (pattern.to_lowercase(), client.to_lowercase());
    match pattern.strip_suffix('*') {
        Some(start) => client.starts_with(start).then_some(start.len()),
        None => (pattern == client).then_some(pattern.len() + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_profiles_hold_together() {
        let shipped = Profiles::shipped().unwrap();
        let names: Vec<&str> = shipped.names().collect();
        assert_eq!(names, ["full", "lean", "standard"]);
        let standard = shipped.of(None, "anybody", "");
        assert_eq!(standard.profile, "standard");
        let lean = shipped.of(None, "anybody", "lean");
        for tool in &lean.tools {
            assert!(standard.tools.contains(tool), "{tool}");
        }
        for tool in ["tools_search", "tool_invoke"] {
            assert!(lean.tools.iter().any(|known| known == tool));
        }
        assert_eq!(shipped.of(None, "anybody", "no such").profile, "standard");
    }

    #[test]
    fn a_persons_file_says_only_what_differs() {
        let own = r#"
            default = "mine"
            deny = ["clink"]
            [profiles.mine]
            tools = ["chat"]
            [clients."claude*"]
            profile = "lean"
            deny = ["threads"]
            [clients.claude-code]
            allow = ["chat"]
        "#;
        let own = Profiles::with("own", own).unwrap();
        let anybody = own.of(None, "codex", "");
        assert_eq!((&*anybody.profile, anybody.others), ("mine", false));
        assert_eq!(anybody.deny, ["clink"]);
        let desktop = own.of(None, "Claude-Desktop", "");
        assert_eq!(desktop.profile, "lean");
        assert_eq!(desktop.deny, ["clink", "threads"], "both hold");
        let code = own.of(None, "claude-code", "full");
        assert_eq!(
            (&*code.profile, &*code.allow),
            ("full", &["chat".to_owned()][..])
        );
    }

    #[test]
    fn s11_a_keys_rights_hold_whatever_its_client_calls_itself_or_wishes() {
        let own = r#"
            deny = ["clink"]
            [clients."big*"]
            allow = ["chat", "threads", "version"]
            [keys.ci]
            profile = "lean"
            allow = ["version", "chat"]
            deny = ["chat"]
            scope = "read"
        "#;
        let own = Profiles::with("own", own).unwrap();
        for (client, wished) in [("big-one", "full"), ("ci", ""), ("owner", "standard")] {
            let chosen = own.of(Some("ci"), client, wished);
            assert_eq!(chosen.profile, "lean");
            assert_eq!(chosen.within, ["version", "chat"]);
            assert_eq!(chosen.deny, ["clink", "chat"]);
            assert_eq!(chosen.scope, Scope::Read);
        }
        assert_eq!(
            own.of(Some("ci"), "big-one", "").allow.len(),
            3,
            "both hold"
        );
        // To be called like a key is nothing; a key without rights of its own has its client's.
        for key in [None, Some("other")] {
            let chosen = own.of(key, "ci", "full");
            assert_eq!((&*chosen.profile, chosen.scope), ("full", Scope::All));
            assert!(chosen.within.is_empty());
        }
    }

    #[test]
    fn faults_name_the_file_and_the_key() {
        for (text, expected) in [
            (
                "default = \"no\"",
                "default: there is no profile 'no'; known: full, lean",
            ),
            ("[clients.x]\nprofile = \"no\"", "[clients.\"x\"] profile"),
            ("[keys.x]\nprofile = \"no\"", "[keys.x] profile"),
            ("[keys.x]\nscope = \"some\"", "scope"),
            ("[keys.x]\nalow = []", "unknown field"),
            (
                "[keys.x]\nroots = [\"~/a\"]",
                "[keys.x] roots: '~/a' is no absolute path",
            ),
            ("[keys.x]\nroots = \"/a\"", "roots"),
            ("colour = 1", "unknown field"),
            ("[profiles.x]\ntools = 7", "tools"),
        ] {
            let error = Profiles::with("own.toml", text).unwrap_err().to_string();
            assert!(
                error.contains(expected) && error.contains("own.toml"),
                "{error}"
            );
        }
    }
}
