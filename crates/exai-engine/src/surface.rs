//! What of the tools a client is shown, and what it may call: two things. A profile decides
//! what stands in its list, which every turn of its model pays for; what is not listed is found
//! with `tools_search` and called by its name or with [`INVOKE`]. Allow and deny lists decide
//! what there is at all: what they exclude is neither listed nor found nor run.

use crate::{
    engine::Engine,
    registry::{Snapshot, View},
    sessions::{Push, Session},
};
use exai_protocol::{Principal, tool::ToolEntry};
use std::sync::{Arc, PoisonError};

/// Calls another tool by its name. The engine unwraps it at the door, so that the call is that
/// tool's in every respect: its deadline, its permits, its record.
pub const INVOKE: &str = "tool_invoke";
/// The tool that finds those a list leaves out.
pub const FIND: &str = "tools_search";
/// The source of the tools exai comes with.
pub const BUILTIN: &str = "builtin";

/// How much a client's calls may do, by what a tool's annotations say of it. Where they say
/// nothing, the worst is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Anything.
    #[default]
    All,
    /// What destroys nothing.
    Write,
    /// What changes nothing.
    Read,
}

impl Reach {
    fn covers(self, entry: &ToolEntry) -> bool {
        let hints = entry.annotations.unwrap_or_default();
        let destroys = hints.destructive_hint;
        let reads = hints.read_only_hint == Some(true) && destroys != Some(true);
        match self {
            Self::All => true,
            // A call that names another tool is that tool's, and judged as such.
            _ if entry.name == INVOKE => true,
            Self::Write => reads || destroys == Some(false),
            Self::Read => reads,
        }
    }
}

/// What one client sees and may call. Names of tools may end in `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rules {
    /// The profile's name, for people.
    pub profile: String,
    /// What is listed of the tools exai comes with.
    pub tools: Vec<String>,
    /// Whether all others are listed: the user's own and those of mounted servers.
    pub others: bool,
    /// If any are named, there are only these.
    pub allow: Vec<String>,
    /// The same, of the key that the client proved: there is only what both name.
    pub within: Vec<String>,
    /// These there are not.
    pub deny: Vec<String>,
    /// How much those may do that are left.
    pub reach: Reach,
    /// Of the client's folders its calls read only what is below one of these; `None`: all.
    pub roots: Option<Arc<[String]>>,
}

impl Rules {
    /// Every tool, listed and allowed.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            tools: vec!["*".to_owned()],
            others: true,
            ..Self::default()
        }
    }

    /// Whether a tool exists for the client.
    #[must_use]
    pub fn permits(&self, entry: &ToolEntry) -> bool {
        let named = |list: &[String]| list.is_empty() || names(list, &entry.name);
        named(&self.allow)
            && named(&self.within)
            && !names(&self.deny, &entry.name)
            && self.reach.covers(entry)
    }

    /// Whether it stands in the client's list.
    #[must_use]
    pub fn lists(&self, entry: &ToolEntry, is_builtin: bool) -> bool {
        let shown = names(&self.tools, &entry.name) || (self.others && !is_builtin);
        shown && self.permits(entry)
    }
}

fn names(patterns: &[String], name: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => pattern == name,
        })
}

/// Who decides which rules are a client's.
pub trait Surfaces: Send + Sync + 'static {
    /// The rules of a client that proved to be this principal, calls itself so and wishes for this
    /// profile (empty: for none).
    fn rules(&self, who: &Principal, client: &str, profile: &str) -> Arc<Rules>;
}

/// Where nobody decided: everything for everybody.
pub(crate) struct Open;

impl Surfaces for Open {
    fn rules(&self, _: &Principal, _: &str, _: &str) -> Arc<Rules> {
        Arc::new(Rules::everything())
    }
}

impl Engine {
    /// From now on these rules hold; every client whose list they change is told.
    pub fn set_surfaces(&self, surfaces: Arc<dyn Surfaces>) {
        *self
            .surfaces
            .write()
            .unwrap_or_else(PoisonError::into_inner) = surfaces;
        let snapshot = self.registry().snapshot();
        for session in self.sessions().all() {
            let before = session.take_rules();
            let before = before.map(|rules| snapshot.view(&rules));
            let now = snapshot.view(&self.rules(&session));
            if before.is_some_and(|before| before.hash() != now.hash()) {
                session.push(&Push::ToolsChanged { hash: now.hash() });
            }
        }
    }

    /// The rules a client is under.
    #[must_use]
    pub fn rules(&self, session: &Session) -> Arc<Rules> {
        session.rules(|who, client, profile| {
            let surfaces = self.surfaces.read().unwrap_or_else(PoisonError::into_inner);
            surfaces.rules(who, client, profile)
        })
    }

    /// The list of tools as a client sees it.
    #[must_use]
    pub fn view(&self, session: &Session) -> Arc<View> {
        self.registry().snapshot().view(&self.rules(session))
    }

    /// Tells everybody whose list is another in the new snapshot.
    pub(crate) fn tell_lists(&self, before: &Snapshot, now: &Snapshot) {
        for session in self.sessions().all() {
            let rules = self.rules(&session);
            let (before, now) = (before.view(&rules), now.view(&rules));
            if before.hash() != now.hash() {
                session.push(&Push::ToolsChanged { hash: now.hash() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{INVOKE, Reach, Rules};
    use crate::tool::raw;
    use exai_protocol::tool::{Annotations, ToolEntry};

    fn tool(name: &str) -> ToolEntry {
        ToolEntry {
            name: name.to_owned(),
            description: String::new(),
            input_schema: (*raw("{}".to_owned())).to_owned(),
            title: None,
            annotations: None,
            meta: None,
        }
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_profile_lists_and_the_two_lists_decide_what_there_is() {
        let rules = Rules {
            tools: list(&["chat", "kimi_*"]),
            others: true,
            deny: list(&["kimi_upload*", "mine"]),
            ..Rules::default()
        };
        for (name, builtin, listed, permitted) in [
            ("chat", true, true, true),
            ("chats", true, false, true),
            ("kimi_intent_analysis", true, true, true),
            ("kimi_upload_and_extract", true, false, false),
            ("status", true, false, true),
            ("theirs", false, true, true),
            ("mine", false, false, false),
        ] {
            assert_eq!(rules.lists(&tool(name), builtin), listed, "{name}");
            assert_eq!(rules.permits(&tool(name)), permitted, "{name}");
        }
        let only = Rules {
            allow: list(&["chat", "thr*"]),
            ..Rules::everything()
        };
        assert!(only.lists(&tool("threads"), true) && !only.permits(&tool("status")));
        assert!(Rules::everything().lists(&tool("anything"), false));
    }

    #[test]
    fn s11_what_a_key_may_is_laid_over_what_its_client_may() {
        let rules = Rules {
            allow: list(&["chat", "threads"]),
            within: list(&["threads", "status"]),
            ..Rules::everything()
        };
        assert!(rules.permits(&tool("threads")));
        assert!(!rules.permits(&tool("chat")) && !rules.permits(&tool("status")));
    }

    #[test]
    fn s11_a_reach_goes_by_annotations_and_silence_means_the_worst() {
        let hints = |reads, destroys| Annotations {
            read_only_hint: reads,
            destructive_hint: destroys,
            ..Annotations::default()
        };
        for (hints, read, write) in [
            (None, false, false),
            (Some(hints(None, None)), false, false),
            (Some(hints(Some(false), None)), false, false),
            (Some(hints(Some(false), Some(true))), false, false),
            (Some(hints(Some(false), Some(false))), false, true),
            (Some(hints(Some(true), None)), true, true),
            (Some(hints(Some(true), Some(true))), false, false),
        ] {
            let entry = ToolEntry {
                annotations: hints,
                ..tool("x")
            };
            let may = |reach| {
                Rules {
                    reach,
                    ..Rules::everything()
                }
                .permits(&entry)
            };
            let told = (may(Reach::Read), may(Reach::Write), may(Reach::All));
            assert_eq!(told, (read, write, true), "{hints:?}");
        }
        assert!(Reach::Read.covers(&tool(INVOKE)));
    }
}
