//! How a tool's file states its entry: a name, a title, a sentence and a schema written as
//! plain JSON text. Hints are chosen, not defaulted, because retries rest on them.

use exai_engine::tool::ToolSpec;
use exai_protocol::{
    RawValue,
    tool::{Annotations, ToolEntry},
};

/// The words of an entry.
pub(crate) struct Words<'a> {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    /// A JSON object; a unit test reads every one of them.
    pub(crate) schema: &'a str,
}

/// What running a tool does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Looks, and changes nothing.
    Reads,
    /// May change something each time it runs.
    Acts,
    /// Asks somebody outside, who is paid each time.
    Asks,
    /// May remove something of ours, for good; doing it again changes nothing more.
    Removes,
    /// Whatever another tool does.
    Anything,
}

/// A spec whose answer takes time: it queues for a permit and its result is retained.
pub(crate) fn spec(words: &Words<'_>, effect: Effect) -> ToolSpec {
    ToolSpec::new(ToolEntry {
        name: words.name.to_owned(),
        description: words.description.to_owned(),
        input_schema: json(words.schema),
        title: Some(words.title.to_owned()),
        annotations: Some(hints(effect)),
        meta: None,
    })
}

/// A spec of a tool that only looks, and answers from memory at once.
pub(crate) fn instant(words: &Words<'_>) -> ToolSpec {
    let mut spec = spec(words, Effect::Reads);
    spec.entry.meta = Some(json(r#"{"exai/instant":true}"#));
    spec.instant = true;
    spec
}

/// The same for one that looks at files of the daemon's own: its answer needs a thread, and
/// nothing else that has to be waited for.
pub(crate) fn glance(words: &Words<'_>) -> ToolSpec {
    let mut spec = instant(words);
    spec.glances = true;
    spec
}

/// For a tool that only looks, the other two hints mean nothing, and every entry is read by
/// models that pay for it.
fn hints(effect: Effect) -> Annotations {
    match effect {
        Effect::Reads => Annotations {
            read_only_hint: Some(true),
            open_world_hint: Some(false),
            ..Annotations::default()
        },
        Effect::Acts | Effect::Asks => Annotations {
            read_only_hint: Some(false),
            destructive_hint: Some(false),
            idempotent_hint: Some(false),
            open_world_hint: Some(effect == Effect::Asks),
        },
        Effect::Removes | Effect::Anything => Annotations {
            read_only_hint: Some(false),
            destructive_hint: Some(true),
            idempotent_hint: Some(effect == Effect::Removes),
            open_world_hint: Some(effect == Effect::Anything),
        },
    }
}

/// Text of ours that is JSON; were it not, the list would still go out, with a null there.
fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
