//! Which tools exist. Readers take an immutable snapshot; a source replaces its own part and
//! the snapshot is swapped whole, so a list is never seen half-changed.

use crate::{
    surface::{BUILTIN, Rules},
    tool::{Tool, raw},
};
use exai_protocol::{RawValue, event::ToolDiscovered, names, tool::ToolEntry};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

/// The owner of the snapshot.
pub struct Registry {
    snapshot: RwLock<Arc<Snapshot>>,
    sources: Mutex<BTreeMap<String, Vec<Arc<dyn Tool>>>>,
}

/// One consistent list of tools.
pub struct Snapshot {
    tools: BTreeMap<Arc<str>, Arc<dyn Tool>>,
    /// Those that did not come with exai.
    others: BTreeSet<Arc<str>>,
    list: Arc<RawValue>,
    hash: Arc<str>,
    /// One for each set of rules that was asked for; there are as many as settings name.
    views: Mutex<BTreeMap<Arc<Rules>, Arc<View>>>,
}

/// The list of tools as some clients see it.
pub struct View {
    list: Arc<RawValue>,
    hash: Arc<str>,
}

impl View {
    fn of(entries: &[&ToolEntry]) -> Self {
        let list = raw(serde_json::to_string(entries).unwrap_or_else(|_| "[]".to_owned()));
        let hash = hex(&Sha256::digest(list.get().as_bytes())[..16]).into();
        Self { list, hash }
    }

    /// The entries, sorted by name.
    #[must_use]
    pub fn list(&self) -> &Arc<RawValue> {
        &self.list
    }

    /// The hash of [`Self::list`].
    #[must_use]
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }
}

impl Default for Registry {
    fn default() -> Self {
        let empty = Arc::new(Snapshot::of(BTreeMap::new(), BTreeSet::new()));
        Self {
            snapshot: RwLock::new(empty),
            sources: Mutex::default(),
        }
    }
}

impl Registry {
    /// The current list.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets go of all tools. They know the process around them, which knows the engine; at the
    /// end of a life somebody has to open that ring.
    pub fn clear(&self) {
        self.sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let empty = Arc::new(Snapshot::of(BTreeMap::new(), BTreeSet::new()));
        *self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = empty;
    }

    /// Replaces one source's tools; tells what changed, or nothing if the list is the same.
    /// Where two sources name a tool alike, the source first in the alphabet keeps the name.
    pub fn replace(&self, source: &str, tools: Vec<Arc<dyn Tool>>) -> Option<ToolDiscovered> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.insert(source.to_owned(), tools);
        let mut merged: BTreeMap<Arc<str>, Arc<dyn Tool>> = BTreeMap::new();
        let mut others = BTreeSet::new();
        for (owner, tool) in sources
            .iter()
            .flat_map(|(owner, tools)| tools.iter().map(move |t| (owner, t)))
        {
            match merged.entry(Arc::from(tool.spec().name())) {
                Entry::Vacant(free) => {
                    if owner != BUILTIN {
                        others.insert(Arc::clone(free.key()));
                    }
                    free.insert(Arc::clone(tool));
                }
                Entry::Occupied(taken) => {
                    let tool = &**taken.key();
                    tracing::warn!(
                        source = owner.as_str(),
                        tool,
                        "name is taken; tool left out"
                    );
                }
            }
        }
        let next = Arc::new(Snapshot::of(merged, others));
        let mut current = self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let change = difference(source, &current, &next);
        *current = next;
        change
    }
}

impl Snapshot {
    fn of(tools: BTreeMap<Arc<str>, Arc<dyn Tool>>, others: BTreeSet<Arc<str>>) -> Self {
        let entries: Vec<&ToolEntry> = listed(&tools).map(|tool| &tool.spec().entry).collect();
        let View { list, hash } = View::of(&entries);
        Self {
            tools,
            others,
            list,
            hash,
            views: Mutex::default(),
        }
    }

    /// The list as it is under these rules; the same bytes for the same rules.
    #[must_use]
    pub fn view(&self, rules: &Arc<Rules>) -> Arc<View> {
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let view = views.entry(Arc::clone(rules)).or_insert_with(|| {
            let shown = |e: &&ToolEntry| rules.lists(e, !self.others.contains(&*e.name));
            let entries: Vec<&ToolEntry> = self.entries().filter(shown).collect();
            Arc::new(View::of(&entries))
        });
        Arc::clone(view)
    }

    /// The tool a client means by a name, decorated or not, with the tool's own name; operator
    /// tools only for an `operator`.
    #[must_use]
    pub fn find(&self, asked: &str, operator: bool) -> Option<(&Arc<str>, &Arc<dyn Tool>)> {
        let seen = |name: &str| {
            let tool = self.tools.get(name);
            tool.is_some_and(|tool| operator || !tool.spec().operator)
        };
        let name = names::resolve(asked, seen)?;
        self.tools.get_key_value(name)
    }

    /// The names nearest to a wrong one, among those a client may call.
    #[must_use]
    pub fn closest(&self, asked: &str, rules: &Rules) -> Vec<&str> {
        let all = self.entries().filter(|entry| rules.permits(entry));
        names::closest(asked, all.map(|entry| &*entry.name))
    }

    /// All entries that anybody may see, sorted by name.
    #[must_use]
    pub fn list(&self) -> &Arc<RawValue> {
        &self.list
    }

    /// The hash of [`Self::list`].
    #[must_use]
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// The entries, sorted by name.
    pub fn entries(&self) -> impl Iterator<Item = &ToolEntry> {
        listed(&self.tools).map(|tool| &tool.spec().entry)
    }

    /// How many tools are listed.
    #[must_use]
    pub fn len(&self) -> usize {
        listed(&self.tools).count()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Those everybody sees.
fn listed(tools: &BTreeMap<Arc<str>, Arc<dyn Tool>>) -> impl Iterator<Item = &Arc<dyn Tool>> {
    tools.values().filter(|tool| !tool.spec().operator)
}

fn difference(source: &str, old: &Snapshot, new: &Snapshot) -> Option<ToolDiscovered> {
    if old.hash == new.hash {
        return None;
    }
    let entry = |snapshot: &Snapshot, name: &str| {
        snapshot
            .tools
            .get(name)
            .and_then(|tool| serde_json::to_string(&tool.spec().entry).ok())
    };
    let only_in = |a: &Snapshot, b: &Snapshot| {
        a.tools
            .keys()
            .filter(|name| !b.tools.contains_key(*name))
            .map(ToString::to_string)
            .collect()
    };
    let changed = new
        .tools
        .keys()
        .filter(|name| old.tools.contains_key(*name) && entry(old, name) != entry(new, name))
        .map(ToString::to_string)
        .collect();
    Some(ToolDiscovered {
        source: source.to_owned(),
        added: only_in(new, old),
        removed: only_in(old, new),
        changed,
        tools_hash: new.hash.to_string(),
    })
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('?');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
