//! Reads keys, at the last moment before a request. From a variable, from a file that only
//! its owner can read, or from a command's output; what was read is kept for a short while
//! and dropped when a provider refuses it, so that a person can replace a key without a
//! restart.

mod command;
mod file;

use crate::{
    fault::{Fault, FaultClass},
    provider::KeyState,
};
use exai_protocol::Secret;
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The environment, with what `.env` adds to it.
pub type Env = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// How long a file's key is believed.
const FILE_FOR: Duration = Duration::from_secs(10);
/// How long a command's key is believed: it may ask a person, or cost a second.
const COMMAND_FOR: Duration = Duration::from_secs(300);

/// Where keys are read.
pub struct Keys {
    home: PathBuf,
    env: Env,
    /// One slot a place, locked while it is read: a command runs once, however many wait.
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

type Slot = tokio::sync::Mutex<Option<(Secret, Instant)>>;

impl Keys {
    /// Reads files relative to `home` and variables through `env`.
    #[must_use]
    pub fn new(home: PathBuf, env: Env) -> Self {
        Self {
            home,
            env,
            slots: Mutex::default(),
        }
    }

    /// The key, or `None` where none is needed.
    ///
    /// # Errors
    /// [`FaultClass::Auth`] when there should be one: what is missing or wrong, never a value.
    pub async fn read(&self, state: &KeyState) -> Result<Option<Secret>, Fault> {
        let (name, lasts) = match state {
            KeyState::NotNeeded => return Ok(None),
            KeyState::Env(variable) => return self.variable(std::slice::from_ref(variable)),
            KeyState::Missing(variables) => return self.variable(variables),
            KeyState::File(path) => (format!("file {path}"), FILE_FOR),
            KeyState::Command(words) => (format!("command {words:?}"), COMMAND_FOR),
        };
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(name).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some((key, until)) = &*slot
            && Instant::now() < *until
        {
            return Ok(Some(key.clone()));
        }
        let read = match state {
            KeyState::File(path) => file::read(self.home.join(path)).await,
            KeyState::Command(words) => command::run(words, &self.env).await,
            _ => return Ok(None),
        };
        let key = read.map_err(|what| Fault::new(FaultClass::Auth, what))?;
        *slot = Some((key.clone(), Instant::now() + lasts));
        Ok(Some(key))
    }

    /// Why the key in a file would be refused, as far as a look at the file tells.
    #[must_use]
    pub fn trouble(&self, state: &KeyState) -> Option<String> {
        file_trouble(&self.home, state)
    }

    /// A provider refused it: the next request reads it again.
    pub fn drop_cached(&self, state: &KeyState) {
        let name = match state {
            KeyState::File(path) => format!("file {path}"),
            KeyState::Command(words) => format!("command {words:?}"),
            _ => return,
        };
        // A reader that is at it keeps its own slot.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.remove(&name);
    }

    fn variable(&self, names: &[String]) -> Result<Option<Secret>, Fault> {
        let found = names.iter().find_map(|name| {
            let value = (self.env)(name)?;
            let key = value.trim();
            (!key.is_empty()).then(|| Secret::new(key))
        });
        match found {
            Some(key) => Ok(Some(key)),
            None => Err(Fault::new(
                FaultClass::Auth,
                format!("{} is not set", names.join(" or ")),
            )),
        }
    }
}

/// Why the key in a file would be refused; `home` is what relative names are relative to.
#[must_use]
pub fn file_trouble(home: &std::path::Path, state: &KeyState) -> Option<String> {
    match state {
        KeyState::File(path) => file::look(&home.join(path)),
        _ => None,
    }
}

/// A key out of what a file holds or a command prints: its first line.
fn first_line(bytes: &[u8], from: &str) -> Result<Secret, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| format!("{from} holds no text"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let key = text.lines().map(str::trim).find(|line| !line.is_empty());
    key.map(Secret::new)
        .ok_or_else(|| format!("{from} holds no key"))
}

#[cfg(test)]
mod tests;
