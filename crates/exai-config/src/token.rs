//! The home's token: made by the daemon at its first start, read by everyone else who may enter
//! the run directory, replaced by rotation with an overlap, so that no window is shut out while
//! it learns the new one. No copying by hand, no token in any client's configuration.

use crate::{Home, atomic, atomic::WriteError, file, named};
use exai_protocol::{Secret, UnixMillis};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

pub(crate) const RANDOM_BYTES: usize = 32;
/// Shorter ones can be guessed by a patient neighbour. A limit of what is chosen now; who has an
/// older, shorter one on this machine is warned and served.
pub const MIN_TOKEN: usize = 16;
const MAX_TOKEN: usize = 512;
const MAX_FILE: u64 = 4096;

/// The tokens that open the door. No `Debug`, as its parts have none.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyring {
    /// Today's.
    pub current: Secret,
    /// Yesterday's, and when it stops to open.
    pub previous: Option<(Secret, UnixMillis)>,
}

impl Keyring {
    /// A ring with one token, as given by the owner.
    #[must_use]
    pub fn only(current: Secret) -> Self {
        Self {
            current,
            previous: None,
        }
    }

    /// The tokens that open at that moment, to be compared in constant time.
    pub fn valid(&self, now: UnixMillis) -> impl Iterator<Item = &Secret> {
        let previous = self
            .previous
            .as_ref()
            .filter(move |(_, until)| now < *until);
        std::iter::once(&self.current).chain(previous.map(|(token, _)| token))
    }
}

/// A token file that cannot be used; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read, or is not ours alone.
    #[error(
        "cannot read the token in {}: {source}; make it a file only you can read, or remove it, \
         and restart the daemon, which makes a missing one", path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no token.
    #[error(
        "{} holds no token ({fault}); remove it and restart the daemon, which will make a new one",
        path.display()
    )]
    Garbage {
        /// The file.
        path: PathBuf,
        /// What it holds instead.
        fault: &'static str,
    },
    /// The new token cannot be one.
    #[error(
        "`new`: the token {0}; take {MIN_TOKEN} to {MAX_TOKEN} printable ASCII characters without \
         spaces, or let `exai-daemon token rotate` make one"
    )]
    Unfit(String),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes for a token: {0}; set EXAI_WS_TOKEN instead")]
    NoRandomness(getrandom::Error),
    /// The file cannot be written.
    #[error("the token was not kept: {0}; free space or make the home writable, and try again")]
    Unwritable(#[from] WriteError),
}

/// What was found.
pub struct Found {
    /// The tokens.
    pub keyring: Keyring,
    /// What the owner should look at.
    pub warnings: Vec<String>,
    /// Whether this call made the token.
    pub created: bool,
}

/// What is wrong with a token's length, if it is one that could be guessed.
#[must_use]
pub fn too_short(token: &Secret) -> Option<String> {
    let length = token.expose().chars().count();
    let plural = if length == 1 { "" } else { "s" };
    (length < MIN_TOKEN).then(|| format!("has only {length} character{plural}"))
}

/// The token files of a home.
#[derive(Debug, Clone)]
pub struct TokenStore {
    current: PathBuf,
    previous: PathBuf,
}

impl TokenStore {
    /// The store of a home, whose directories are prepared.
    #[must_use]
    pub fn new(home: &Home) -> Self {
        Self {
            current: home.token_file(),
            previous: home.previous_token_file(),
        }
    }

    /// Reads the token, or makes it. Two processes that do so at once end up with the same one.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn load_or_create(&self) -> Result<Found, TokenError> {
        if let Some(mut found) = self.read()? {
            let short = too_short(&found.keyring.current).map(|short| {
                let path = self.current.display();
                format!("the token in {path} {short}; replace it with `exai-daemon token rotate`")
            });
            found.warnings.extend(short);
            return Ok(found);
        }
        let token = random()?;
        match atomic::create(&self.current, token.expose().as_bytes(), atomic::PRIVATE) {
            Ok(()) => {
                let keyring = Keyring::only(token);
                Ok(Found {
                    keyring,
                    warnings: Vec::new(),
                    created: true,
                })
            }
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {
                let gone = || TokenError::Garbage {
                    path: self.current.clone(),
                    fault: "it came and went while it was read",
                };
                self.read()?.ok_or_else(gone)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the token; `None` when there is none yet.
    ///
    /// # Errors
    /// [`TokenError`], when there is something that is no token or is not ours.
    pub fn read(&self) -> Result<Option<Found>, TokenError> {
        let mut warnings = Vec::new();
        let Some(text) = self.text(&self.current, &mut warnings)? else {
            return Ok(None);
        };
        let token = text.trim();
        if let Some(fault) = unfit(token) {
            return Err(TokenError::Garbage {
                path: self.current.clone(),
                fault,
            });
        }
        let previous = match self.text(&self.previous, &mut warnings) {
            Ok(text) => text.as_deref().and_then(parse_previous),
            // The old token is a convenience; its loss must not keep anyone out.
            Err(error) => {
                warnings.push(format!(
                    "the token before the last rotation is ignored: {error}"
                ));
                None
            }
        };
        let keyring = Keyring {
            current: Secret::new(token),
            previous,
        };
        Ok(Some(Found {
            keyring,
            warnings,
            created: false,
        }))
    }

    /// Puts the token back if somebody removed its file; whether that was so. The old file is
    /// never written over: what stands there may be meant.
    ///
    /// # Errors
    /// [`TokenError::Unwritable`].
    pub fn keep(&self, current: &Secret) -> Result<bool, TokenError> {
        if self.current.exists() {
            return Ok(false);
        }
        match atomic::create(&self.current, current.expose().as_bytes(), atomic::PRIVATE) {
            Ok(()) => Ok(true),
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces the token by `new`, or by a random one; the old one opens until the overlap ends.
    ///
    /// # Errors
    /// [`TokenError`]; then the old token stands.
    pub fn rotate(
        &self,
        new: Option<Secret>,
        overlap: Duration,
        now: UnixMillis,
    ) -> Result<Keyring, TokenError> {
        let current = match new {
            Some(given) => {
                let fault = unfit(given.expose()).map(str::to_owned);
                match fault.or_else(|| too_short(&given)) {
                    Some(fault) => return Err(TokenError::Unfit(fault)),
                    None => given,
                }
            }
            None => random()?,
        };
        // A token file that cannot be read is what rotation repairs: it has no overlap then.
        let old = self
            .read()
            .ok()
            .flatten()
            .map(|found| found.keyring.current);
        let overlap = u64::try_from(overlap.as_millis()).unwrap_or(u64::MAX);
        let until = UnixMillis(now.0.saturating_add(overlap));
        let previous = old
            .filter(|old| overlap > 0 && *old != current)
            .map(|old| (old, until));
        // Written first: a crash in between leaves the old token current and previous at once.
        self.write_previous(previous.as_ref())?;
        atomic::write(&self.current, current.expose().as_bytes(), atomic::PRIVATE)?;
        Ok(Keyring { current, previous })
    }

    fn write_previous(&self, previous: Option<&(Secret, UnixMillis)>) -> Result<(), TokenError> {
        let text = previous.map_or_else(String::new, |(token, until)| {
            format!("{} {}\n", until.0, token.expose())
        });
        if text.is_empty() && !self.previous.exists() {
            return Ok(());
        }
        atomic::write(&self.previous, text.as_bytes(), atomic::PRIVATE)?;
        Ok(())
    }

    fn text(&self, path: &Path, warnings: &mut Vec<String>) -> Result<Option<String>, TokenError> {
        let found = file::read_own(path, MAX_FILE).map_err(|source| TokenError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Ok(found.map(|own| {
            if own.was_open {
                let path = path.display();
                warnings.push(format!(
                    "{path} could be read by other users; that is closed now, but replace the \
                     token with `exai-daemon token rotate`"
                ));
            }
            own.text
        }))
    }
}

fn unfit(token: &str) -> Option<&'static str> {
    if token.is_empty() {
        Some("is empty")
    } else if token.len() > MAX_TOKEN {
        Some("is too long")
    } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Some("has blanks or unprintable characters")
    } else if named::is_key(&Secret::new(token)) {
        Some("is a named key's")
    } else {
        None
    }
}

fn parse_previous(text: &str) -> Option<(Secret, UnixMillis)> {
    let (until, token) = text.trim().split_once(' ')?;
    let until = until.parse().ok()?;
    unfit(token)
        .is_none()
        .then(|| (Secret::new(token), UnixMillis(until)))
}

pub(crate) fn random() -> Result<Secret, TokenError> {
    let mut bytes = [0u8; RANDOM_BYTES];
    getrandom::fill(&mut bytes).map_err(TokenError::NoRandomness)?;
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let hex: String = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect();
    Ok(Secret::new(hex))
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
