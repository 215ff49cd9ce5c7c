//! What the owner left of a client's folders for the key it came in by (`[keys.NAME] roots`). Both
//! sides are compared without links, so that no link and no `..` leads around them.

use super::plain;
use exai_engine::Folders;
use std::path::{Path, PathBuf};

/// Nothing is narrowed where there are none.
pub(crate) struct Bounds {
    within: Option<Vec<PathBuf>>,
    told: String,
}

impl Bounds {
    pub(crate) fn of(folders: &Folders) -> Self {
        let named = folders.within.as_deref().unwrap_or_default();
        // One that is not there holds nothing.
        let real = named
            .iter()
            .filter_map(|at| Path::new(at).canonicalize().ok());
        let told: Vec<String> = named.iter().map(|at| plain(at)).collect();
        Self {
            within: folders.within.as_ref().map(|_| real.collect()),
            told: match told.is_empty() {
                true => "no folder".to_owned(),
                false => told.join(", "),
            },
        }
    }

    /// What of a folder without links may be read: all of it, parts of it, nothing.
    pub(crate) fn narrow(&self, folder: &Path) -> Vec<PathBuf> {
        let Some(within) = &self.within else {
            return vec![folder.to_owned()];
        };
        if within.iter().any(|at| folder.starts_with(at)) {
            return vec![folder.to_owned()];
        }
        let inside = within.iter().filter(|at| at.starts_with(folder));
        inside.cloned().collect()
    }

    /// That the owner narrowed what may be read, and to what.
    pub(crate) fn told(&self) -> Option<String> {
        self.within.as_ref().map(|_| {
            format!(
                "its key may read only what is below {} ('roots' of the key in the daemon's \
                 config/profiles.toml)",
                self.told
            )
        })
    }
}
