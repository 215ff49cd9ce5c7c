//! Money held for one request, until it is known what it cost. It ends in exactly one way:
//! settled, released, or, if its holder goes away without a word, counted as all it may have
//! cost.

use crate::{
    budget::{
        Ask, Standing,
        settle::{self, Open},
    },
    day::Day,
    error::StoreError,
    job::Task,
    money::MicroUsd,
    queue::Desk,
    receipt::Receipt,
    usage::{Usage, rows::Ended},
};
use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Permission to send one request.
#[derive(Debug)]
pub struct Grant {
    /// Keep it while the request is under way.
    pub reservation: Reservation,
    /// Ceilings that are nearly reached, this request included.
    pub warnings: Vec<Standing>,
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// What budgets were charged.
    pub counted: MicroUsd,
    /// What had been held; less than `counted` if the provider went past its ceiling.
    pub held: MicroUsd,
}

/// Money held for one request.
#[must_use = "dropping it counts the request as all it may have cost"]
pub struct Reservation {
    /// Taken by whichever end comes first.
    open: Option<Held>,
    held: MicroUsd,
}

struct Held {
    desk: Arc<Desk>,
    room: OwnedSemaphorePermit,
    number: u64,
    day: Day,
    held: MicroUsd,
    ask: Ask,
}

/// Room and number of a reservation that is being made.
pub(crate) struct Blank {
    pub(crate) desk: Arc<Desk>,
    pub(crate) room: OwnedSemaphorePermit,
    pub(crate) number: u64,
    pub(crate) ask: Ask,
}

impl Blank {
    pub(crate) fn fill(self, day: Day, held: MicroUsd) -> Reservation {
        let Self {
            desk,
            room,
            number,
            ask,
        } = self;
        Reservation {
            open: Some(Held {
                desk,
                room,
                number,
                day,
                held,
                ask,
            }),
            held,
        }
    }
}

impl Reservation {
    /// What is held; nothing where the price is unknown.
    #[must_use]
    pub fn held(&self) -> MicroUsd {
        self.held
    }

    /// The request is over and used this. Taken in at once; the receipt tells when it is in
    /// the file. An unknown cost counts as what was held.
    pub fn settle(mut self, usage: Usage) -> Receipt<Settled> {
        let (sender, receipt) = Receipt::new();
        if let Some(open) = self.open.take() {
            open.settle(usage, Ended::Reported, move |settled| {
                let _ = sender.send(settled);
            });
        }
        receipt
    }

    /// Nothing was sent: what is held is free again.
    pub fn release(mut self) -> Receipt<()> {
        let (sender, receipt) = Receipt::new();
        if let Some(open) = self.open.take() {
            open.release(move |released| {
                let _ = sender.send(released);
            });
        }
        receipt
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            let usage = settle::at_most(&open.ask.expected);
            open.settle(usage, Ended::Abandoned, |_| {});
        }
    }
}

impl std::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reservation")
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl Held {
    fn settle(
        self,
        usage: Usage,
        ended: Ended,
        tell: impl FnOnce(Result<Settled, StoreError>) + Send + 'static,
    ) {
        let held = self.held;
        self.end(
            move |db, open, at| {
                let counted = settle::settle(db, open, &usage, ended, at)?;
                Ok(Settled { counted, held })
            },
            tell,
        );
    }

    fn release(self, tell: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        self.end(settle::release, tell);
    }

    fn end<T: Send + 'static>(
        self,
        mut step: impl FnMut(&Connection, &Open<'_>, exai_protocol::UnixMillis) -> rusqlite::Result<T>
        + Send
        + 'static,
        tell: impl FnOnce(Result<T, StoreError>) + Send + 'static,
    ) {
        let Self {
            desk,
            room,
            number,
            day,
            held,
            ask,
        } = self;
        let (at, boot) = (desk.now(), desk.boot.clone());
        let work = move |db: &Connection| {
            let open = Open {
                boot: boot.as_str(),
                number,
                day,
                held,
                call: &ask.call,
            };
            step(db, &open, at)
        };
        desk.submit(Task::told(work, tell), room);
    }
}

/// A grant that nobody has seen yet: should whoever asked be gone, nothing was sent, and it
/// frees what it holds.
pub(crate) struct Unseen(Option<Grant>);

impl Unseen {
    pub(crate) fn new(reservation: Reservation, warnings: Vec<Standing>) -> Self {
        Self(Some(Grant {
            reservation,
            warnings,
        }))
    }

    pub(crate) fn seen(mut self) -> Option<Grant> {
        self.0.take()
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if let Some(grant) = self.0.take() {
            drop(grant.reservation.release());
        }
    }
}
