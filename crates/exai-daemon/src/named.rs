//! Named keys while the daemon lives: the folder is read whenever somebody is to be let in, so that
//! it alone says who may; and who is inside by a key that it holds no more, is put out. No list of
//! ours can say otherwise.

use exai_config::{KeyFolder, named::NamedKey};
use exai_protocol::{Principal, Secret};
use exai_server::Pass;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};
use tokio_util::sync::CancellationToken;

/// The principal of whoever has the home's token, or is its user.
pub(crate) fn owner() -> Principal {
    Principal::new("owner")
}

/// See the module.
pub(crate) struct NamedKeys {
    folder: KeyFolder,
    state: Mutex<State>,
    /// What else there is to do about a key that opens no more.
    gone: OnceLock<Gone>,
}

/// Told of whoever it let in.
type Gone = Box<dyn Fn(&Principal) + Send + Sync>;

#[derive(Default)]
struct State {
    /// Those somebody may be inside by: as many as there were keys at once.
    given: BTreeMap<String, (Secret, CancellationToken)>,
    /// What is wrong with the folder.
    faults: Vec<String>,
}

impl NamedKeys {
    pub(crate) fn new(folder: KeyFolder) -> Self {
        Self {
            folder,
            state: Mutex::default(),
            gone: OnceLock::new(),
        }
    }

    /// From now on this is done about whoever a key let in that opens no more.
    pub(crate) fn when_gone(&self, gone: impl Fn(&Principal) + Send + Sync + 'static) {
        // A daemon has one engine.
        let _ = self.gone.set(Box::new(gone));
    }

    /// What opens now; and puts out who is inside by what does not. May block: it reads files.
    pub(crate) fn passes(&self) -> Vec<Pass> {
        // Held while the folder is read: whoever was given a pass is known to the next look.
        let mut state = self.lock();
        let keys = match self.folder.read() {
            Ok(found) => {
                state.tell(found.faults);
                found.keys
            }
            // Nobody can say that a key is gone: nobody comes in, and nobody is put out.
            Err(error) => {
                state.tell(vec![error.to_string()]);
                return Vec::new();
            }
        };
        state.given.retain(|name, (secret, revoked)| {
            let stands = |key: &NamedKey| key.name == *name && key.secret == *secret;
            let stays = keys.iter().any(stands);
            if !stays {
                tracing::warn!(key = name, "the key opens no more");
                // In this order: who is put out begins nothing more.
                revoked.cancel();
                if let Some(gone) = self.gone.get() {
                    gone(&Principal::new(&**name));
                }
            }
            stays
        });
        keys.into_iter().map(|key| state.pass(key)).collect()
    }

    /// What is wrong with the folder, for people.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.lock().faults.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pass(&mut self, key: NamedKey) -> Pass {
        let principal = Principal::new(&*key.name);
        let entry = self.given.entry(key.name);
        let (_, revoked) = entry.or_insert_with(|| (key.secret.clone(), CancellationToken::new()));
        Pass {
            key: key.secret,
            principal,
            revoked: revoked.clone(),
        }
    }

    /// Each news once.
    fn tell(&mut self, faults: Vec<String>) {
        let news = faults.iter().filter(|fault| !self.faults.contains(*fault));
        news.for_each(|fault| tracing::warn!("{fault}"));
        self.faults = faults;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_config::Home;

    fn home() -> (tempfile::TempDir, KeyFolder) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        home.prepare().unwrap();
        (dir, KeyFolder::new(&home))
    }

    #[test]
    fn s12_a_key_that_goes_takes_its_passes_along_and_one_of_its_name_is_another() {
        let (_dir, folder) = home();
        let keys = NamedKeys::new(folder.clone());
        assert!(keys.passes().is_empty());
        folder.add("ci").unwrap();
        folder.add("other").unwrap();
        let (first, again) = (keys.passes(), keys.passes());
        assert_eq!(first[0].principal.as_str(), "ci");
        folder.revoke("ci").unwrap();
        folder.add("ci").unwrap();
        let next = keys.passes();
        assert!(first[0].revoked.is_cancelled() && again[0].revoked.is_cancelled());
        assert!(!first[1].revoked.is_cancelled() && !next[0].revoked.is_cancelled());
        assert!(next[0].key != first[0].key);
    }

    #[cfg(unix)]
    #[test]
    fn s12_a_folder_that_cannot_be_read_lets_nobody_in_and_puts_nobody_out() {
        let (dir, folder) = home();
        let keys = NamedKeys::new(folder.clone());
        let file = folder.add("ci").unwrap();
        let inside = keys.passes();
        let away = dir.path().join("away");
        std::fs::rename(file.parent().unwrap(), &away).unwrap();
        std::os::unix::fs::symlink(&away, file.parent().unwrap()).unwrap();
        assert!(keys.passes().is_empty() && !inside[0].revoked.is_cancelled());
        assert!(
            keys.faults()[0].contains("not a directory"),
            "{:?}",
            keys.faults()
        );
        std::fs::remove_file(file.parent().unwrap()).unwrap();
        assert!(keys.passes().is_empty());
        assert!(inside[0].revoked.is_cancelled() && keys.faults().is_empty());
    }
}
