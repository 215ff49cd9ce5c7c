//! The table as a long-lived process reads it: the home's file is looked at again when it
//! changed, and one with a fault leaves the last good table in force.

use super::{Clients, Profile};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// Between two looks at the file.
const LOOK: Duration = Duration::from_secs(1);
/// A larger file is no table of clients.
const MOST_BYTES: u64 = 256 * 1024;

/// The shipped table with the home's over it. Nothing is read before somebody asks.
pub struct Watched {
    file: Option<PathBuf>,
    tell: fn(&str),
    state: Mutex<Option<State>>,
}

struct State {
    clients: Arc<Clients>,
    looked: Instant,
    /// What the file looked like when it was last read.
    stamp: Option<(SystemTime, u64)>,
    last: Option<(String, String, Arc<Profile>)>,
}

impl Watched {
    /// `tell` hears once of each fault of the file.
    #[must_use]
    pub fn new(file: Option<PathBuf>, tell: fn(&str)) -> Self {
        Self {
            file,
            tell,
            state: Mutex::new(None),
        }
    }

    /// What is known of a client that introduces itself so.
    #[must_use]
    pub fn of(&self, name: &str, version: &str) -> Arc<Profile> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = state.get_or_insert_with(|| self.first());
        if state.looked.elapsed() >= LOOK {
            self.look_again(state);
        }
        if let Some((known, of, profile)) = &state.last
            && known == name
            && of == version
        {
            return Arc::clone(profile);
        }
        let profile = Arc::new(state.clients.of(name, version));
        state.last = Some((name.to_owned(), version.to_owned(), Arc::clone(&profile)));
        profile
    }

    #[cfg(test)]
    pub(super) fn forget_look(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = state.as_mut() {
            state.looked = state.looked.checked_sub(LOOK).unwrap_or(state.looked);
        }
    }

    fn first(&self) -> State {
        let shipped = Clients::shipped().unwrap_or_else(|error| {
            (self.tell)(&format!("{error}; please report it"));
            Clients::default()
        });
        let mut state = State {
            clients: Arc::new(shipped),
            looked: Instant::now(),
            stamp: None,
            last: None,
        };
        self.look_again(&mut state);
        state
    }

    fn look_again(&self, state: &mut State) {
        state.looked = Instant::now();
        let Some(file) = &self.file else { return };
        let stamp = stamp(file);
        if stamp == state.stamp {
            return;
        }
        state.stamp = stamp;
        match read(file) {
            Ok(clients) => {
                state.clients = Arc::new(clients);
                state.last = None;
            }
            Err(fault) => (self.tell)(&format!(
                "{fault}; nothing of it is used, and what was known before stays in force"
            )),
        }
    }
}

/// The shipped table with this file over it.
///
/// # Errors
/// What is wrong with the file, with its name.
pub fn read(file: &Path) -> Result<Clients, String> {
    let name = file.display().to_string();
    let read = match fs::metadata(file) {
        Ok(meta) if meta.len() > MOST_BYTES => Err(io::Error::other(format!(
            "it is {} bytes; a table of clients is {MOST_BYTES} at most",
            meta.len()
        ))),
        Ok(_) => fs::read_to_string(file),
        Err(error) => Err(error),
    };
    match read {
        Ok(text) => Clients::with(&name, &text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Clients::shipped().map_err(|error| error.to_string())
        }
        Err(error) => Err(format!("{name}: {error}")),
    }
}

fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let meta = fs::metadata(file).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}
