//! What every dialect's reader gathers on the way and says at the end: sources, usage, why it
//! stopped.

use super::{Dialect, Target};
use crate::chat::{Carry, Done, DoneReason, Searched, Source, StreamItem, Usage};
use serde_json::Value;

/// Gathered while reading.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub(super) usage: Option<Usage>,
    searched: Option<Searched>,
    pub(super) done: bool,
    /// Whether anything at all came.
    pub(super) any: bool,
}

impl Ending {
    /// A search ran.
    pub(super) fn searched(&mut self) -> &mut Searched {
        self.searched.get_or_insert_default()
    }

    pub(super) fn source(&mut self, url: Option<&str>, title: Option<&str>) {
        let Some(url) = url.filter(|url| !url.is_empty()) else {
            return;
        };
        let sources = &mut self.searched().sources;
        match sources.iter_mut().find(|known| known.url == url) {
            Some(known) if known.title.is_empty() => {
                known.title = title.unwrap_or_default().to_owned();
            }
            Some(_) => {}
            None => sources.push(Source {
                title: title.unwrap_or_default().to_owned(),
                url: url.to_owned(),
            }),
        }
    }

    pub(super) fn query(&mut self, query: Option<&str>) {
        if let Some(query) = query.filter(|query| !query.is_empty()) {
            let queries = &mut self.searched().queries;
            if queries.iter().all(|known| known != query) {
                queries.push(query.to_owned());
            }
        }
    }

    /// The last items: what was searched, what it cost, why it stopped.
    pub(super) fn close(
        &mut self,
        reason: DoneReason,
        carry: Option<Carry>,
        out: &mut Vec<StreamItem>,
    ) {
        self.done = true;
        out.extend(self.searched.take().map(StreamItem::Search));
        out.extend(self.usage.take().map(StreamItem::Usage));
        out.push(StreamItem::Done(Done { reason, carry }));
    }
}

/// Where an answer comes from, for what must only go back there.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    dialect: Dialect,
    endpoint: String,
    model: String,
}

impl Origin {
    pub(super) fn of(target: &Target<'_>, model: &str) -> Self {
        Self {
            dialect: target.dialect,
            endpoint: target.endpoint.to_owned(),
            model: model.to_owned(),
        }
    }

    pub(super) fn carry(&self, items: Value) -> Carry {
        Carry {
            dialect: self.dialect.as_str().to_owned(),
            endpoint: self.endpoint.clone(),
            model: self.model.clone(),
            items,
        }
    }
}

/// What a turn carries, if it came from here: same dialect, endpoint and model.
pub(super) fn carried<'a>(
    target: &Target<'_>,
    model: &str,
    carry: Option<&'a Carry>,
) -> Option<&'a Value> {
    carry
        .filter(|carry| {
            carry.dialect == target.dialect.as_str()
                && carry.endpoint == target.endpoint
                && carry.model == model
        })
        .map(|carry| &carry.items)
}
