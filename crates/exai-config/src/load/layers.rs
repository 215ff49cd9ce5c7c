//! The layers, one after the other, onto one set of settings.

use super::{Loaded, Origin, Source, check, default_origins, lines, unknown};
use crate::{
    Faults, Settings, Strings, Variables, dotenv,
    faults::{Fault, short},
    file,
    keys::{self, Key, Kind},
};
use std::path::{Path, PathBuf};

/// Larger files are no settings.
const MAX_BYTES: u64 = 1 << 20;
const PROVIDERS: &str = "limits.providers.";

/// The settings as far as the layers have been read.
pub(super) struct Layering {
    pub(super) settings: Settings,
    pub(super) origins: Vec<Origin>,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<String>,
    files: Vec<PathBuf>,
    variables: Variables,
}

impl Layering {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings::defaults(),
            origins: default_origins(),
            faults: Vec::new(),
            warnings: Vec::new(),
            files: Vec::new(),
            variables: Variables::default(),
        }
    }

    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Reads a TOML file; whether it was there.
    pub(super) fn toml_file(&mut self, path: &Path) -> bool {
        let place = || path.display().to_string();
        let text = match file::read_settings(path, MAX_BYTES) {
            Ok(Some(text)) => text,
            Ok(None) => return false,
            Err(error) => {
                let expected = format!("cannot be read: {error}");
                self.fault(Fault {
                    place: place(),
                    value: String::new(),
                    expected,
                });
                return true;
            }
        };
        self.files.push(path.to_owned());
        match text.parse::<toml::Table>() {
            Ok(table) => self.table((path, &text), "", table),
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let line = text
                    .bytes()
                    .take(start)
                    .filter(|byte| *byte == b'\n')
                    .count()
                    + 1;
                self.fault(Fault {
                    place: format!("{}:{line}", place()),
                    value: String::new(),
                    expected: format!("is not TOML: {}", error.message().replace('\n', " ")),
                });
            }
        }
        true
    }

    /// `file`: its path and its text.
    fn table(&mut self, file: (&Path, &str), prefix: &str, table: toml::Table) {
        for (name, value) in table {
            let full = format!("{prefix}{name}");
            match value {
                toml::Value::Table(inner) if keys::find(&full).is_none() => {
                    self.table(file, &format!("{full}."), inner);
                }
                value => self.toml_value(file, &full, &value),
            }
        }
    }

    fn toml_value(&mut self, (path, text): (&Path, &str), full: &str, value: &toml::Value) {
        let place = match lines::of_key(text, full) {
            Some(line) => format!("{}:{line}: {full}", path.display()),
            None => format!("{}: {full}", path.display()),
        };
        let Some(key) = keys::all().find(|key| key.path == full) else {
            if !self.provider_limit(&place, full, value, path) {
                self.warn(unknown::key(&path.display().to_string(), full));
            }
            return;
        };
        if key.env_only {
            let name = key.env[0];
            let expected = format!("does not belong in a TOML file; set {name} instead");
            return self.fault(Fault {
                place,
                value: String::new(),
                expected,
            });
        }
        match text_of(value, &key.kind) {
            Some(text) => self.apply(key, &text, &place, Source::File(path.to_owned())),
            None => self.fault(Fault {
                place,
                value: short(&value.to_string()),
                expected: key.kind.allowed(),
            }),
        }
    }

    /// Providers beyond the table's own: their names are the owner's.
    fn provider_limit(
        &mut self,
        place: &str,
        full: &str,
        value: &toml::Value,
        path: &Path,
    ) -> bool {
        let Some(name) = full.strip_prefix(PROVIDERS) else {
            return false;
        };
        match value
            .as_integer()
            .and_then(|n| u64::try_from(n).ok())
            .filter(|n| *n > 0)
        {
            Some(limit) => {
                self.settings.limits.set_provider(name, limit);
                self.origins.retain(|origin| origin.key != full);
                self.origins.push(Origin {
                    key: full.to_owned(),
                    value_shown: limit.to_string(),
                    origin: Source::File(path.to_owned()),
                });
            }
            None => self.fault(Fault {
                place: place.to_owned(),
                value: short(&value.to_string()),
                expected: "a whole number from 1 up".to_owned(),
            }),
        }
        true
    }

    /// Reads a `.env` file; whether it was there.
    pub(super) fn env_file(&mut self, path: &Path) -> bool {
        let before = self.faults.len();
        let Some(dotenv::Read { strings, text }) = dotenv::read(path, &mut self.faults) else {
            return self.faults.len() > before;
        };
        self.files.push(path.to_owned());
        let shown = path.display().to_string();
        if strings
            .get("EXAI_WS_TOKEN")
            .is_some_and(|token| !token.is_empty())
            && file::readable_by_others(path)
        {
            self.warn(format!(
                "{shown} holds a token and others can read it; chmod 600 it"
            ));
        }
        self.strings(
            &strings,
            |name| match dotenv::line_of_name(&text, name) {
                Some(line) => format!("{shown}:{line}: {name}"),
                None => format!("{shown}: {name}"),
            },
            |name| Source::DotEnv(path.to_owned(), name.to_owned()),
        );
        for (name, _) in keys::OTHER_NAMES {
            if strings.contains_key(*name) {
                self.warn(format!(
                    "{shown}: {name} has no effect in a file; set it in the environment"
                ));
            }
        }
        self.variables.beneath(strings);
        true
    }

    pub(super) fn environment(&mut self, env: &dyn Strings) {
        self.strings(env, str::to_owned, |name| Source::Env(name.to_owned()));
    }

    fn strings(
        &mut self,
        strings: &dyn Strings,
        place: impl Fn(&str) -> String,
        source: impl Fn(&str) -> Source,
    ) {
        for key in keys::all() {
            let Some((name, text)) = first_set(key, strings) else {
                continue;
            };
            if text.trim().is_empty() {
                self.empty(key, &place(name), source(name));
            } else {
                self.apply(key, &text, &place(name), source(name));
            }
        }
        for name in strings.names() {
            self.warnings
                .extend(unknown::variable(&place(&name), &name));
        }
    }

    /// MCP configurations are full of `"NAME": ""`: that is nobody's wish, except for a list.
    fn empty(&mut self, key: &Key, place: &str, source: Source) {
        if matches!(key.kind, Kind::Secret { .. }) {
            self.warn(format!(
                "{place} is set but empty; it counts as unset, not as no token"
            ));
        }
        if matches!(key.kind, Kind::Names { .. } | Kind::Rates { .. }) {
            self.apply(key, "", place, source);
        }
    }

    pub(super) fn flags(&mut self, overrides: &[(String, String)]) {
        for (name, text) in overrides {
            match keys::find(name) {
                Some(key) if matches!(key.kind, Kind::Secret { .. }) => self.fault(Fault {
                    place: format!("flag {name}"),
                    value: String::new(),
                    expected: format!(
                        "does not belong on a command line, which every user of this machine can \
                         read; set {} instead",
                        key.env[0]
                    ),
                }),
                Some(key) => self.apply(key, text, &format!("flag {name}"), Source::Flag),
                None => self.fault(Fault {
                    place: format!("flag {name}"),
                    value: String::new(),
                    expected: unknown::key("flags", name),
                }),
            }
        }
    }

    fn apply(&mut self, key: &Key, text: &str, place: &str, origin: Source) {
        if let Err(refused) = key.apply(&mut self.settings, text) {
            let secret = matches!(key.kind, Kind::Secret { .. });
            let value = if secret { key.shown(text) } else { short(text) };
            return self.fault(Fault {
                place: place.to_owned(),
                value,
                expected: refused.0,
            });
        }
        let value_shown = short(&key.shown(text.trim()));
        if let Some(slot) = self
            .origins
            .iter_mut()
            .find(|origin| origin.key == key.path)
        {
            slot.origin = origin;
            slot.value_shown = value_shown;
        }
    }

    pub(super) fn source(&self, key: &str) -> &Source {
        self.origins
            .iter()
            .find(|origin| origin.key == key)
            .map_or(&Source::Default, |origin| &origin.origin)
    }

    /// The value as it may be shown to anyone.
    pub(super) fn shown(&self, key: &str) -> String {
        let origin = self.origins.iter().find(|origin| origin.key == key);
        origin.map_or_else(String::new, |origin| origin.value_shown.clone())
    }

    pub(super) fn finish(mut self, test_tools: bool) -> Result<Loaded, Faults> {
        let own = |key| matches!(self.source(key), Source::Env(_) | Source::Flag);
        let by_address = ["network.host", "network.port", "auth.token"]
            .into_iter()
            .all(own);
        self.settings.settle(by_address);
        check::together(&mut self);
        self.note_autostart();
        let Self {
            settings,
            origins,
            faults,
            warnings,
            files,
            variables,
        } = self;
        let loaded = Loaded {
            settings,
            origins,
            warnings,
            files,
            variables,
            test_tools,
        };
        if faults.is_empty() {
            return Ok(loaded);
        }
        Err(Faults {
            faults,
            rest: Box::new(loaded),
        })
    }

    fn note_autostart(&mut self) {
        let decided = if self.settings.shim.autostart {
            "true"
        } else {
            "false"
        };
        if self.settings.shim.autostart_asked.is_none()
            && let Some(slot) = self
                .origins
                .iter_mut()
                .find(|origin| origin.key == "shim.autostart")
        {
            slot.value_shown = format!("auto ({decided})");
        }
    }
}

fn first_set<'k>(key: &'k Key, strings: &dyn Strings) -> Option<(&'k str, String)> {
    let set = |name: &&'k str| Some((*name, strings.get(name)?));
    let mut all = key.env.iter().filter_map(set);
    let first = all.next()?;
    if first.1.trim().is_empty() {
        return all
            .find(|(_, text)| !text.trim().is_empty())
            .or(Some(first));
    }
    Some(first)
}

/// A TOML value as the text the key's own parser reads; `None` when it is of another type.
fn text_of(value: &toml::Value, kind: &Kind) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Table(rates) if matches!(kind, Kind::Rates { .. }) => {
            let row =
                |(name, rate): (&String, &toml::Value)| Some(format!("{name}={}", rate.as_str()?));
            let rows: Option<Vec<String>> = rates.iter().map(row).collect();
            rows.map(|rows| rows.join(","))
        }
        toml::Value::Array(items) if matches!(kind, Kind::Names { .. } | Kind::Rates { .. }) => {
            let names: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            names.map(|names| names.join(","))
        }
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_)
            if !kind.is_text() =>
        {
            Some(value.to_string())
        }
        _ => None,
    }
}
