//! From many places to one value each: defaults, `config/exai.toml` of the home, the user's own
//! file, `.env`, the environment, flags; a later one wins, and every value remembers which.
//! Nothing is ever read from the working directory: a cloned repository must not be able to
//! send the shim elsewhere.

mod check;
mod layers;
mod lines;
mod unknown;

use crate::{Faults, Home, Settings, Strings, Variables, faults::Fault, keys};
use layers::Layering;
use std::{fmt, path::PathBuf};

/// The settings with their history.
#[derive(Clone)]
pub struct Loaded {
    /// The values.
    pub settings: Settings,
    /// Where each came from, in the table's order.
    pub origins: Vec<Origin>,
    /// What the owner should look at; nothing here stops a start.
    pub warnings: Vec<String>,
    /// The settings files that were there, in the order they were read.
    pub files: Vec<PathBuf>,
    /// What `.env` and the environment say, for names that are no settings of ours: providers'
    /// keys and addresses.
    pub variables: Variables,
    /// Whether the scripted tools were asked for, in the process environment.
    pub test_tools: bool,
}

/// One setting's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The setting.
    pub key: String,
    /// Its value, fit to be shown to anyone.
    pub value_shown: String,
    /// Where that came from.
    pub origin: Source,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// A TOML file.
    File(PathBuf),
    /// A variable in a `.env` file.
    DotEnv(PathBuf, String),
    /// An environment variable.
    Env(String),
    /// A flag.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::DotEnv(path, name) => write!(f, "{} ({name})", path.display()),
            Self::Env(name) => write!(f, "environment ({name})"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

impl Loaded {
    /// Where a setting's value came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.origins.iter().find(|origin| origin.key == key)
    }
}

/// Reads all layers. `overrides` are flags: a setting's path (`network.port`) and its value.
///
/// # Errors
/// [`Faults`]: every value that cannot be used, and the settings without them.
pub fn load(
    home: &Home,
    env: &dyn Strings,
    overrides: &[(String, String)],
) -> Result<Loaded, Faults> {
    let mut layering = Layering::new();
    layering.toml_file(&home.config_file());
    if let Some(path) = home.user_config_file(env) {
        let found = layering.toml_file(&path);
        if !found && let Some(name) = env.path("EXAI_CONFIG") {
            layering.warn(format!(
                "EXAI_CONFIG names {}, which does not exist",
                name.display()
            ));
        }
    }
    let env_file = home.env_file(env);
    let found = layering.env_file(&env_file);
    if !found && env.path("ENV_FILE").is_some() {
        layering.warn(format!(
            "ENV_FILE names {}, which does not exist",
            env_file.display()
        ));
    }
    layering.environment(env);
    layering.flags(overrides);
    let test_tools = test_tools(env, &mut layering);
    layering.finish(test_tools)
}

/// `EXAI_TEST_TOOLS`, from the process environment and nowhere else.
fn test_tools(env: &dyn Strings, layering: &mut Layering) -> bool {
    const NAME: &str = "EXAI_TEST_TOOLS";
    let Some(text) = env.get(NAME).filter(|text| !text.is_empty()) else {
        return false;
    };
    crate::keys::parse_switch(&text).unwrap_or_else(|| {
        let value = crate::faults::short(&text);
        layering.fault(Fault {
            place: NAME.to_owned(),
            value,
            expected: "true or false".to_owned(),
        });
        false
    })
}

/// The origins before anything was read.
fn default_origins() -> Vec<Origin> {
    let default = |key: &crate::keys::Key| Origin {
        key: key.path.to_owned(),
        value_shown: key.shown(key.default),
        origin: Source::Default,
    };
    keys::all().map(default).collect()
}

#[cfg(test)]
mod tests;
