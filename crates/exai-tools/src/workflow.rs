//! Investigations in steps. The caller does the reading and the thinking, a step a call; the
//! daemon keeps the record, says what a good next step is, checks what is cited, and at the end
//! has one other model judge the whole. Each tool is data and a few pure functions ([`kind`]);
//! what it goes on from is in its conversation, so that a tool remembers nothing itself and the
//! daemon never takes a step of its own accord.

mod aliases;
mod changes;
mod envelope;
mod evidence;
mod expert;
mod fields;
mod guidance;
mod investigation;
mod kind;
mod kinds;
mod ladder;
mod next;
mod place;
mod run;
mod step;
mod verdict;
mod written;

#[cfg(test)]
mod tests;

use crate::{
    kind::with,
    spec::{self, Effect, Words},
};
use exai_engine::{
    ports::{models::Models, threads::Threads},
    tool::{Tool, ToolSpec},
};
use exai_protocol::tool::Annotations;
use kind::Kind;
use std::sync::Arc;
pub(crate) use step::ORDER;
pub(crate) use written::{Sent, Written, WrittenTool};

/// All of them.
pub(crate) fn tools(models: &Arc<dyn Models>, threads: &Arc<dyn Threads>) -> Vec<Arc<dyn Tool>> {
    kinds::ALL
        .iter()
        .map(|kind| tool(kind, models, threads))
        .collect()
}

/// Their names.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    kinds::ALL.iter().map(|kind| kind.name)
}

/// Their entries.
pub(crate) fn specs() -> Vec<ToolSpec> {
    kinds::ALL.iter().map(|kind| spec(kind)).collect()
}

fn spec(kind: &Kind) -> ToolSpec {
    let words = Words {
        name: kind.name,
        title: kind.title,
        description: kind.description,
        schema: &fields::schema(kind),
    };
    let mut spec = spec::spec(&words, Effect::Asks);
    // A dozen of them stand in one list: the name says what a title would, and a hint that is
    // what its absence means is not written.
    spec.entry.title = None;
    spec.entry.annotations = Some(Annotations {
        destructive_hint: Some(false),
        open_world_hint: kind.expert.is_none().then_some(false),
        ..Annotations::default()
    });
    spec
}

fn tool(
    kind: &'static Kind,
    models: &Arc<dyn Models>,
    threads: &Arc<dyn Threads>,
) -> Arc<dyn Tool> {
    let given = (kind, Arc::clone(models), Arc::clone(threads));
    let mut spec = spec(kind);
    spec.waits = true;
    with(spec, given, async move |(kind, models, threads), call| {
        run::step(kind, &*models, &*threads, &call).await
    })
}
