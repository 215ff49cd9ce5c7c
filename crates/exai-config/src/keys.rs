//! The one table of settings. Parsing of every layer, origins, warnings about unknown names,
//! `.env.example`, `config/exai.toml` and the table in `config/README.md` are drawn from it, so
//! that a setting cannot be documented and unread, or read and undocumented.

mod answers;
mod budgets;
mod daemon;
mod files;
mod journal;
mod kind;
mod names;
mod rate;
mod shim;
mod threads;
mod tools;
mod watchdog;

pub use kind::Refused;
pub(crate) use kind::{Kind, parse_switch};
pub use names::{OTHER_NAMES, RETIRED};

use crate::Settings;
use std::fmt;

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;
const DAY: f64 = 86_400.0;

/// Every setting there is, in the order of the generated files.
pub fn all() -> impl Iterator<Item = &'static Key> + Clone {
    daemon::KEYS
        .iter()
        .chain(budgets::KEYS)
        .chain(journal::KEYS)
        .chain(threads::KEYS)
        .chain(watchdog::KEYS)
        .chain(files::KEYS)
        .chain(tools::KEYS)
        .chain(answers::KEYS)
        .chain(shim::KEYS)
}

/// Which process a setting is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The daemon.
    Daemon,
    /// The shim.
    Shim,
    /// Both, and they should agree.
    Both,
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Daemon => "daemon",
            Self::Shim => "shim",
            Self::Both => "both",
        })
    }
}

/// One setting.
pub struct Key {
    /// `section.name`, as in the TOML files and for flags.
    pub path: &'static str,
    /// Environment names: today's first, old ones after it.
    pub env: &'static [&'static str],
    /// As text; empty: not set.
    pub default: &'static str,
    /// Who reads it.
    pub reader: Reader,
    /// What it holds, and where that goes.
    pub(crate) kind: Kind,
    /// Secret, or different for each process: not accepted from TOML files.
    pub env_only: bool,
    /// One plain sentence.
    pub doc: &'static str,
}

impl Key {
    /// Parses a value and puts it in its place.
    ///
    /// # Errors
    /// [`Refused`], with what is allowed; the settings are unchanged.
    pub fn apply(&self, settings: &mut Settings, text: &str) -> Result<(), Refused> {
        self.kind.apply(settings, text)
    }

    /// What may stand here, to finish "expected …".
    #[must_use]
    pub fn allowed(&self) -> String {
        self.kind.allowed()
    }

    /// The value as it may be shown to anyone.
    #[must_use]
    pub fn shown(&self, text: &str) -> String {
        match &self.kind {
            Kind::Secret { .. } if text.is_empty() => "not set".to_owned(),
            Kind::Secret { .. } => match text.chars().count() {
                1 => "set (1 character)".to_owned(),
                count => format!("set ({count} characters)"),
            },
            _ => text.to_owned(),
        }
    }

    /// The section and the name within it.
    #[must_use]
    pub fn split(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }
}

const fn key(
    path: &'static str,
    env: &'static [&'static str],
    default: &'static str,
    reader: Reader,
    kind: Kind,
    doc: &'static str,
) -> Key {
    Key {
        path,
        env,
        default,
        reader,
        kind,
        env_only: false,
        doc,
    }
}

const fn env_only(key: Key) -> Key {
    Key {
        env_only: true,
        ..key
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The key of that TOML path or environment name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    all().find(|key| key.path == name || key.env.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_default_is_one_its_own_key_accepts() {
        for key in all() {
            let mut settings = Settings::default();
            assert!(
                key.apply(&mut settings, key.default).is_ok(),
                "{}",
                key.path
            );
        }
    }

    #[test]
    fn no_name_stands_for_two_settings() {
        let mut seen = BTreeSet::new();
        for key in all() {
            assert!(!key.doc.is_empty() && !key.env.is_empty(), "{}", key.path);
            for name in key.env.iter().chain([&key.path]) {
                assert!(seen.insert(*name), "{name} stands twice");
            }
        }
        for (name, _) in OTHER_NAMES.iter().chain(RETIRED) {
            assert!(seen.insert(*name), "{name} stands twice");
        }
    }

    /// Two rows that wrote the same field would leave one of them without effect.
    #[test]
    fn p20_every_setting_changes_something_and_something_of_its_own() {
        let defaults = Settings::defaults();
        let mut seen: Vec<(&str, Settings)> = Vec::new();
        for key in all() {
            let mut settings = Settings::defaults();
            key.apply(&mut settings, key.kind.another(key.default))
                .unwrap();
            assert!(settings != defaults, "{} has no effect", key.path);
            for (other, changed) in &seen {
                let mut back = changed.clone();
                key.apply(&mut back, key.kind.another(key.default)).unwrap();
                assert!(
                    &back != changed,
                    "{} and {other} write the same field",
                    key.path
                );
            }
            seen.push((key.path, settings));
        }
    }
}
