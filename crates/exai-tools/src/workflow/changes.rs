//! When the repository is read: at the first step, so that the caller sees what it is about, and
//! at the last, for whoever judges. What was asked for by name and cannot be had is an error;
//! what a tool would have read by itself is a note, as long as there is something else to judge.

use super::{ladder, place::Place, run::Ports, step::Step};
use crate::{
    change::{self, Change},
    wish,
};
use exai_engine::{ports::models::Wish, tool::ToolError};

/// A diff longer than this is no reading matter.
const MOST_BYTES: u64 = 600_000;
/// Bytes a token has, about; and the share of a model's context that a diff may take.
const SHARE: (u64, u64) = (3, 2);

/// What was read, and what is to be said of it.
#[derive(Default)]
pub(super) struct Read {
    pub(super) change: Option<Change>,
    pub(super) note: Option<String>,
}

impl Read {
    /// Whether there is anything in it.
    pub(super) fn any(&self) -> bool {
        self.change
            .as_ref()
            .is_some_and(|change| !change.is_empty())
    }
}

/// Reads what the tool wants of it.
pub(super) async fn read(
    kind: &super::kind::Kind,
    ports: &Ports<'_>,
    (place, step): (&Place, &Step),
    wish: &Wish,
) -> Result<Read, ToolError> {
    let wanted = kind.change.and_then(|wanted| wanted(&place.all));
    let Some(mut wanted) = wanted.filter(|_| step.number == 1 || !step.more) else {
        return Ok(Read::default());
    };
    let pin = place.open.pin();
    let context = wish::context(ports.models, wish.model.as_deref(), pin.as_ref());
    let room = (context * SHARE.0 / SHARE.1 / 2).min(MOST_BYTES);
    wanted.room = usize::try_from(room).unwrap_or(usize::MAX);
    wanted.roots = ports.call.roots.clone();
    ports.call.progress.say("git", "reading the change");
    let named = wanted.path.is_some() || wanted.range.is_some() || wanted.since.is_some();
    match change::read(&wanted).await {
        Ok(change) => {
            let note = change.is_empty().then(|| change.emptiness());
            let change = Some(change);
            Ok(Read { change, note })
        }
        Err(error) if named || !(step.more || ladder::any(&place.all)) => Err(error),
        Err(error) => Ok(Read {
            change: None,
            note: Some(format!("git was not read: {}", error.message)),
        }),
    }
}
