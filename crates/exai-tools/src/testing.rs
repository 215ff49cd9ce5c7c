//! Scripted tools for the tests of the whole product: each does one thing that real tools do
//! to a daemon (wait, panic, hog a thread, chatter, answer at length, leave a trace). Every
//! one has a twin, `…_once`, that declares itself not repeatable, because that declaration
//! decides what happens to a call whose daemon died.

mod block;
mod bulk;
mod count;
mod flood;
mod panic;
mod sleep;
mod stall;
mod stream;
mod wait;

use crate::spec::{self, Effect, Words};
use exai_engine::tool::{Tool, ToolSpec};
use std::sync::Arc;

/// Longest wait a test may ask for, in milliseconds: an hour.
const MAX_MS: u64 = 3_600_000;

/// All of them, sorted by name.
pub(crate) fn all() -> Vec<Arc<dyn Tool>> {
    vec![
        block::tool(Twin::Repeatable),
        block::tool(Twin::Once),
        bulk::tool(Twin::Repeatable),
        bulk::tool(Twin::Once),
        count::tool(Twin::Repeatable),
        count::tool(Twin::Once),
        flood::tool(Twin::Repeatable),
        flood::tool(Twin::Once),
        panic::tool(Twin::Repeatable),
        panic::tool(Twin::Once),
        sleep::tool(Twin::Repeatable),
        sleep::tool(Twin::Once),
        stall::tool(Twin::Repeatable),
        stall::tool(Twin::Once),
        stream::tool(Twin::Repeatable),
        stream::tool(Twin::Once),
    ]
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Twin {
    Repeatable,
    Once,
}

impl Twin {
    /// The twin's spec; `names` are the two names, the plain one first.
    fn spec(
        self,
        names: [&'static str; 2],
        description: &'static str,
        schema: &'static str,
    ) -> ToolSpec {
        let (name, effect) = match self {
            Self::Repeatable => (names[0], Effect::Reads),
            Self::Once => (names[1], Effect::Acts),
        };
        spec::spec(
            &Words {
                name,
                title: name,
                description,
                schema,
            },
            effect,
        )
    }
}
