//! The tool list the shim answers with, daemon or no daemon: the last good one of this home,
//! else the one generated into the binary. A good list is never replaced by an empty one, and
//! "changed" means that its bytes did.

use exai_config::atomic;
use exai_protocol::{RawValue, names, tool::Annotations};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, PoisonError, RwLock},
};
use tokio::sync::watch;

/// Written by `cargo xtask`, from the tools themselves.
const BUILTIN: &str = include_str!("builtin_tools.json");
/// A file larger than this is no tool list of ours.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// The list as it is kept on disk and in the binary.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Snapshot {
    #[serde(default)]
    tools_hash: String,
    #[serde(default)]
    instructions: Option<String>,
    tools: Box<RawValue>,
}

/// What retry decisions need of a tool.
#[derive(Deserialize)]
struct Traits {
    name: String,
    #[serde(default)]
    annotations: Option<Annotations>,
}

/// One list.
#[derive(Debug)]
pub(crate) struct List {
    snapshot: Snapshot,
    repeatable: HashMap<String, bool>,
    /// Counts changes in this process; the first list is 1.
    pub(crate) version: u64,
}

impl List {
    pub(crate) fn tools(&self) -> &RawValue {
        &self.snapshot.tools
    }

    pub(crate) fn hash(&self) -> &str {
        &self.snapshot.tools_hash
    }

    pub(crate) fn instructions(&self) -> Option<&str> {
        self.snapshot.instructions.as_deref()
    }

    /// Whether a tool, by whatever name a client knows it, may run again when nobody knows if
    /// it ran. What is not listed may not.
    pub(crate) fn is_repeatable(&self, name: &str) -> bool {
        let found = names::resolve(name, |name| self.repeatable.contains_key(name));
        found
            .and_then(|name| self.repeatable.get(name))
            .copied()
            .unwrap_or(false)
    }

    /// All tools.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.repeatable.keys().map(String::as_str)
    }

    fn is_empty(&self) -> bool {
        self.repeatable.is_empty()
    }

    fn read(text: &str, version: u64) -> Result<Self, serde_json::Error> {
        let snapshot = if text.trim_start().starts_with('[') {
            let tools = serde_json::from_str(text)?;
            Snapshot {
                tools_hash: String::new(),
                instructions: None,
                tools,
            }
        } else {
            serde_json::from_str(text)?
        };
        Self::new(snapshot, version)
    }

    fn new(mut snapshot: Snapshot, version: u64) -> Result<Self, serde_json::Error> {
        // The list in the binary has a line a tool; where lines end says nothing of the tools.
        if snapshot.tools.get().contains(['\n', '\r']) {
            let one_line = snapshot.tools.get().replace(['\n', '\r'], "");
            snapshot.tools = RawValue::from_string(one_line)?;
        }
        let traits: Vec<Traits> = serde_json::from_str(snapshot.tools.get())?;
        let repeatable = traits.into_iter().map(|tool| {
            (
                tool.name,
                tool.annotations.is_some_and(|hints| hints.repeatable()),
            )
        });
        Ok(Self {
            repeatable: repeatable.collect(),
            snapshot,
            version,
        })
    }
}

/// The present list, and where it is kept.
pub(crate) struct Catalog {
    list: RwLock<Arc<List>>,
    file: Option<PathBuf>,
    /// The file of this client's own list, because what clients see differs, and the one for
    /// clients that come with the same wish for the first time.
    own: OnceLock<(PathBuf, PathBuf)>,
    version: watch::Sender<u64>,
}

impl Catalog {
    /// Takes the best list there is; `file` is absent where the shim may keep no files.
    pub(crate) fn open(file: Option<PathBuf>) -> Self {
        let kept = file.as_ref().and_then(|path| {
            let text = read_bounded(path)?;
            List::read(&text, 1)
                .inspect_err(|error| tracing::warn!(%error, path = %path.display(), "bad list"))
                .ok()
                .filter(|list| !list.is_empty())
        });
        let list = kept
            .or_else(|| List::read(BUILTIN, 1).ok())
            .unwrap_or_else(empty);
        Self {
            list: RwLock::new(Arc::new(list)),
            file,
            own: OnceLock::new(),
            version: watch::Sender::new(1),
        }
    }

    /// A list without tools that stays so.
    pub(crate) fn none() -> Self {
        Self {
            list: RwLock::new(Arc::new(empty())),
            file: None,
            own: OnceLock::new(),
            version: watch::Sender::new(1),
        }
    }

    /// The list is this client's: the last one it saw, where there is one, so that what it is
    /// shown at its next start is what it will be told is true. To be said before anybody has
    /// seen a list.
    pub(crate) fn belongs_to(&self, client: &str, profile: &str) {
        let Some(file) = &self.file else {
            return;
        };
        let Some(own) = own_file(file, client, profile) else {
            return;
        };
        // Whoever wishes for nothing is not shown what another wished for.
        let alike = own_file(file, "", profile).unwrap_or_else(|| file.clone());
        let read = |path: &PathBuf| {
            let kept = read_bounded(path).and_then(|text| List::read(&text, 1).ok());
            kept.filter(|list| !list.is_empty())
        };
        let kept = read(&own).or_else(|| read(&alike));
        if self.own.set((own, alike)).is_ok()
            && let Some(kept) = kept
        {
            *self.list.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(kept);
        }
    }

    pub(crate) fn list(&self) -> Arc<List> {
        Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The version of the list, to watch.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Takes a daemon's list over, if it is a good one and not the same.
    pub(crate) fn offer(&self, tools: Box<RawValue>, hash: Option<String>) {
        let old = self.list();
        let snapshot = Snapshot {
            tools_hash: hash.unwrap_or_default(),
            instructions: old.snapshot.instructions.clone(),
            tools,
        };
        let same_bytes = old.tools().get() == snapshot.tools.get();
        if same_bytes && old.hash() == snapshot.tools_hash {
            return;
        }
        let version = old.version + u64::from(!same_bytes);
        let new = match List::new(snapshot, version) {
            Ok(new) if new.is_empty() && !old.is_empty() => {
                tracing::warn!("the daemon lists no tools; the last good list stays");
                return;
            }
            Ok(new) => new,
            Err(error) => {
                tracing::warn!(%error, "the daemon's tool list cannot be used");
                return;
            }
        };
        self.keep(&new.snapshot);
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        if !same_bytes {
            tracing::info!(version, "the tool list changed");
            self.version.send_replace(version);
        }
    }

    fn keep(&self, snapshot: &Snapshot) {
        let Ok(text) = serde_json::to_string(snapshot) else {
            return;
        };
        match self.own.get() {
            Some((own, alike)) => [own, alike].into_iter().for_each(|path| keep(path, &text)),
            None => self.file.iter().for_each(|path| keep(path, &text)),
        }
    }
}

/// Many shims share a file: the same list is not written again.
fn keep(path: &PathBuf, text: &str) {
    if read_bounded(path).is_some_and(|kept| kept == text) {
        return;
    }
    if let Err(error) = atomic::write(path, text.as_bytes(), atomic::PRIVATE) {
        tracing::warn!(%error, "the tool list is not kept for the next start");
    }
}

/// Beside the home's list, named after the client and the profile it wishes for.
fn own_file(file: &Path, client: &str, profile: &str) -> Option<PathBuf> {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = [client, profile]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| part.chars().take(40).map(safe).collect::<String>())
        .collect::<Vec<_>>()
        .join(".");
    let stem = file.file_stem()?.to_str()?;
    (!name.is_empty()).then(|| file.with_file_name(format!("{stem}.{name}.json")))
}

fn empty() -> List {
    let tools =
        RawValue::from_string("[]".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned());
    let snapshot = Snapshot {
        tools_hash: String::new(),
        instructions: None,
        tools,
    };
    List {
        snapshot,
        repeatable: HashMap::new(),
        version: 1,
    }
}

fn read_bounded(path: &PathBuf) -> Option<String> {
    let meta = std::fs::metadata(path).ok()?;
    if !meta.is_file() || meta.len() > MAX_FILE {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    const ONE: &str = r#"[{"name":"one","annotations":{"readOnlyHint":true}},{"name":"two"}]"#;

    #[test]
    fn the_list_in_the_binary_can_be_read() {
        List::read(BUILTIN, 1).unwrap();
    }

    #[test]
    fn r03_only_other_bytes_are_a_change_and_nothing_is_no_list() {
        let catalog = Catalog::open(None);
        let mut changes = catalog.changes();
        changes.mark_unchanged();
        catalog.offer(raw(ONE), Some("h1".to_owned()));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        catalog.offer(raw(ONE), Some("h2".to_owned()));
        assert_eq!(catalog.list().hash(), "h2");
        assert!(!changes.has_changed().unwrap());
        catalog.offer(raw("[]"), Some("h3".to_owned()));
        catalog.offer(raw("[1]"), Some("h4".to_owned()));
        assert_eq!(catalog.list().tools().get(), ONE);
        assert!(!changes.has_changed().unwrap());
    }

    #[test]
    fn r03_the_same_tools_from_a_daemon_are_no_change() {
        let catalog = Catalog::open(None);
        let mut changes = catalog.changes();
        changes.mark_unchanged();
        let tools: Vec<Box<RawValue>> = serde_json::from_str(BUILTIN).unwrap();
        let theirs = serde_json::to_string(&tools).unwrap();
        catalog.offer(raw(&theirs), Some("h".to_owned()));
        assert!(!changes.has_changed().unwrap());
        assert_eq!(catalog.list().hash(), "h");
    }

    #[test]
    fn the_next_process_starts_with_the_last_good_list() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tools.json");
        Catalog::open(Some(path.clone())).offer(raw(ONE), Some("h".to_owned()));
        let list = Catalog::open(Some(path.clone())).list();
        assert_eq!((list.tools().get(), list.hash()), (ONE, "h"));
        for garbage in ["", "{", r#"{"tools":[]}"#, r#"{"tools":7}"#, "[]"] {
            atomic::write(&path, garbage.as_bytes(), atomic::PRIVATE).unwrap();
            let list = Catalog::open(Some(path.clone())).list();
            assert_eq!(
                list.tools().get(),
                List::read(BUILTIN, 1).unwrap().tools().get()
            );
        }
    }

    #[test]
    fn decorated_names_have_their_tools_traits() {
        let catalog = Catalog::open(None);
        catalog.offer(raw(ONE), None);
        let list = catalog.list();
        assert!(list.is_repeatable("one") && list.is_repeatable("mcp__exai__one"));
        assert!(!list.is_repeatable("two") && !list.is_repeatable("three"));
    }
}
