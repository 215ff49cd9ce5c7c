//! Keys with names: one file each in the home's run directory, for clients that are not to have
//! the owner's token. Whoever proves one is the principal of that name and nobody else. They have
//! a form that no token of the owner may have, so that a key never becomes a token: not by an
//! environment that a daemon inherits, and not after it was revoked.

use crate::{Home, HomeError, atomic, atomic::WriteError, file, owner, token};
use exai_protocol::Secret;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

/// Most keys of a home: each is tried at every handshake that proves one.
pub const MOST_KEYS: usize = 32;
/// Longest name.
pub const MOST_LETTERS: usize = 32;
/// What every key begins with.
const MARK: &str = "exai-key-";
const MAX_FILE: u64 = 256;
/// More entries than this are not even named.
const MOST_ENTRIES: usize = 1_000;

/// A key. No `Debug`, as its secret has none.
#[derive(Clone, PartialEq, Eq)]
pub struct NamedKey {
    /// Whom it stands for.
    pub name: String,
    /// What is proven.
    pub secret: Secret,
}

/// What the folder holds.
#[derive(Default)]
pub struct Found {
    /// By name.
    pub keys: Vec<NamedKey>,
    /// What is ignored, and why; no word of any content.
    pub faults: Vec<String>,
}

/// A key that could not be made or taken away; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The name is none.
    #[error(
        "NAME: {0:?} cannot name a key; take 1 to {MOST_LETTERS} letters (a-z, A-Z), digits, - or \
         _, and not `owner`"
    )]
    Name(String),
    /// It is there.
    #[error(
        "there is a key named {0:?} already; nothing was changed: `exai-daemon token revoke {0}` \
         takes it away first"
    )]
    Taken(String),
    /// It is not there.
    #[error("there is no key named {0:?}; `exai-daemon token list` names them")]
    Unknown(String),
    /// No more fit.
    #[error("there are {MOST_KEYS} keys, which is the most; `exai-daemon token revoke` one first")]
    Full,
    /// The folder is not as it must be.
    #[error(transparent)]
    Folder(#[from] HomeError),
    /// The folder cannot be read.
    #[error("cannot read the keys in {}: {source}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system gives no random bytes.
    #[error("no key was made: {0}")]
    NoRandomness(token::TokenError),
    /// The file cannot be written.
    #[error("the key was not kept: {0}; free space or make the home writable, and try again")]
    Unwritable(#[from] WriteError),
    /// The file cannot be removed.
    #[error("the key still stands: {} cannot be removed: {source}", path.display())]
    Unremovable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Whether a token has the form of a named key: such a one is never the owner's.
#[must_use]
pub fn is_key(token: &Secret) -> bool {
    token.expose().starts_with(MARK)
}

/// The keys of a home.
#[derive(Debug, Clone)]
pub struct KeyFolder {
    dir: PathBuf,
}

impl KeyFolder {
    /// That of a home, whose directories are prepared.
    #[must_use]
    pub fn new(home: &Home) -> Self {
        Self {
            dir: home.keys_dir(),
        }
    }

    /// The file of a key.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Makes a key; never over one that is there.
    ///
    /// # Errors
    /// [`KeyError`]; then nothing was made.
    pub fn add(&self, name: &str) -> Result<PathBuf, KeyError> {
        fit(name)?;
        crate::home::make_private(&self.dir)?;
        if self.read()?.keys.len() >= MOST_KEYS {
            return Err(KeyError::Full);
        }
        let random = token::random().map_err(KeyError::NoRandomness)?;
        let text = format!("{MARK}{}\n", random.expose());
        let path = self.file(name);
        match atomic::create(&path, text.as_bytes(), atomic::PRIVATE) {
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
                Err(KeyError::Taken(name.to_owned()))
            }
            other => Ok(other.map(|()| path)?),
        }
    }

    /// Takes a key away, usable or not.
    ///
    /// # Errors
    /// [`KeyError`]; then it still stands, or there was none.
    pub fn revoke(&self, name: &str) -> Result<(), KeyError> {
        fit(name)?;
        let path = self.file(name);
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(atomic::sync_directory(&path).map_err(|source| {
                let doing = "sync the directory of";
                WriteError {
                    path,
                    doing,
                    source,
                }
            })?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(KeyError::Unknown(name.to_owned()))
            }
            Err(source) => Err(KeyError::Unremovable { path, source }),
        }
    }

    /// What is there now. A folder that is not there holds none.
    ///
    /// # Errors
    /// [`KeyError`], when nobody can say what is there.
    pub fn read(&self) -> Result<Found, KeyError> {
        let unreadable = |source| KeyError::Unreadable {
            path: self.dir.clone(),
            source,
        };
        let mut names = match self.names() {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::default()),
            Err(error) => return Err(unreadable(error)),
        };
        names.sort();
        let mut found = Found::default();
        for name in names {
            match self.one(&name) {
                Ok(Some(secret)) if found.keys.len() < MOST_KEYS => {
                    found.keys.push(NamedKey { name, secret });
                }
                Ok(Some(_)) => found.fault(&self.dir, &name, "there are too many keys"),
                Ok(None) => {}
                Err(why) => found.fault(&self.dir, &name, &why),
            }
        }
        found.alone(&self.dir);
        Ok(found)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let meta = self.dir.symlink_metadata()?;
        if !meta.is_dir() {
            return Err(io::Error::other("it is not a directory; remove it"));
        }
        if owner::foreign(&meta).is_some() || owner::open_to_others(&meta) {
            let why = "other users may enter it; make it yours alone (chmod 700)";
            return Err(io::Error::other(why));
        }
        let entries = std::fs::read_dir(&self.dir)?.take(MOST_ENTRIES);
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        // What begins with a dot is an unfinished file of ours, or an editor's.
        let names = names.filter(|name| !name.as_ref().is_ok_and(|name| name.starts_with('.')));
        names.collect()
    }

    /// The key of this name; `None` when it went away meanwhile.
    fn one(&self, name: &str) -> Result<Option<Secret>, String> {
        fit(name).map_err(|_| "its name cannot be a key's".to_owned())?;
        let text = file::read_private(&self.file(name), MAX_FILE);
        let Some(text) = text.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let secret = text.trim();
        let hex = secret.strip_prefix(MARK).unwrap_or_default();
        let is_whole = hex.len() == 2 * token::RANDOM_BYTES;
        match is_whole && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => Ok(Some(Secret::new(secret))),
            false => Err("it holds no key".to_owned()),
        }
    }
}

impl Found {
    fn fault(&mut self, dir: &Path, name: &str, why: &str) {
        let name: String = name.chars().take(2 * MOST_LETTERS).collect();
        let dir = dir.display();
        self.faults.push(format!(
            "the key {name:?} in {dir} is ignored: {why}; mend it or `exai-daemon token revoke` it"
        ));
    }

    /// Of one secret under two names nobody could say whose it is.
    fn alone(&mut self, dir: &Path) {
        let mut holders: BTreeMap<String, usize> = BTreeMap::new();
        for key in &self.keys {
            *holders.entry(key.secret.expose().to_owned()).or_default() += 1;
        }
        let shared = |key: &NamedKey| holders.get(key.secret.expose()).is_some_and(|n| *n > 1);
        let (twice, alone) = self.keys.drain(..).partition(shared);
        self.keys = alone;
        let twice: Vec<NamedKey> = twice;
        for key in twice {
            self.fault(dir, &key.name, "another name has the same key");
        }
    }
}

fn fit(name: &str) -> Result<(), KeyError> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_fit = (1..=MOST_LETTERS).contains(&name.len())
        && name.bytes().all(letter)
        && !name.starts_with('-')
        && !name.eq_ignore_ascii_case("owner");
    is_fit
        .then_some(())
        .ok_or_else(|| KeyError::Name(name.chars().take(2 * MOST_LETTERS).collect()))
}

#[cfg(test)]
#[path = "named_tests.rs"]
mod tests;
