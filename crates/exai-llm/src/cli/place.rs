//! An empty, private directory for each command line under way. The names are few and come
//! again: agents remember directories, and must not be taught a new one with every answer.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Hands directories out.
#[derive(Clone)]
pub(super) struct Places {
    root: PathBuf,
    taken: Arc<Mutex<BTreeSet<PathBuf>>>,
}

/// A directory for one run; emptied and given back by drop.
pub(super) struct Place {
    path: PathBuf,
    taken: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl Places {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            taken: Arc::default(),
        }
    }

    pub(super) fn take(&self, endpoint: &str) -> io::Result<Place> {
        let path = {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let mut number = 0;
            loop {
                let path = self.root.join(format!("{endpoint}-{number}"));
                if taken.insert(path.clone()) {
                    break path;
                }
                number += 1;
            }
        };
        // From here on drop gives the name back.
        let place = Place {
            path,
            taken: Arc::clone(&self.taken),
        };
        // Whatever an earlier run or a crash left behind.
        remove(&place.path)?;
        create(&place.path)?;
        Ok(place)
    }
}

impl Place {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "a directory stays");
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.path);
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
pub(super) fn create(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(not(unix))]
pub(super) fn create(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_again_and_are_empty() {
        let root = tempfile::tempdir().unwrap();
        let places = Places::new(root.path().join("cli"));
        let one = places.take("a").unwrap();
        let two = places.take("a").unwrap();
        assert_ne!(one.path(), two.path());
        let first = one.path().to_owned();
        std::fs::create_dir(first.join("left")).unwrap();
        drop(one);
        assert!(!first.exists());
        let again = places.take("a").unwrap();
        assert_eq!(again.path(), first);
        assert_eq!(std::fs::read_dir(&first).unwrap().count(), 0);
    }
}
