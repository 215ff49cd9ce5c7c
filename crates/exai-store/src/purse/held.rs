//! The two kinds of held money: promised, because it is in the file, and not promised, because
//! the file could not take it.

use crate::{
    budget::{Ask, settle},
    reservation::Reservation,
    store::Store,
};
use exai_engine::ports::purse::{Held, Used};

/// In the file.
pub(super) struct Promised(pub(super) Reservation);

impl Held for Promised {
    fn settle(self: Box<Self>, used: Used) {
        // The receipt is for those who wait; it is written all the same.
        drop(self.0.settle(super::usage(used)));
    }

    fn release(self: Box<Self>) {
        drop(self.0.release());
    }
}

/// Nowhere: the file could not take it when it was asked. Its usage is handed in at its end,
/// and kept should the file be well again by then.
pub(super) struct Unpromised {
    open: Option<(Store, Ask)>,
}

impl Unpromised {
    pub(super) fn new(store: Store, ask: Ask) -> Self {
        Self {
            open: Some((store, ask)),
        }
    }

    fn record(&mut self, used: Option<Used>) {
        let Some((store, ask)) = self.open.take() else {
            return;
        };
        let usage = used.map_or_else(|| settle::at_most(&ask.expected), super::usage);
        if let Err(error) = store.record(ask.call, usage) {
            tracing::warn!(%error, "what a model used is not kept");
        }
    }
}

impl Held for Unpromised {
    fn settle(mut self: Box<Self>, used: Used) {
        self.record(Some(used));
    }

    fn release(mut self: Box<Self>) {
        self.open = None;
    }
}

impl Drop for Unpromised {
    fn drop(&mut self) {
        self.record(None);
    }
}
