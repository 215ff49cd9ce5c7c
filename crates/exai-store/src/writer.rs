//! The one thread that writes. It takes all work that waits into one transaction, answers
//! after the commit, and keeps what was told to it while the file cannot be written.

mod batch;
mod file;
mod place;

use crate::{
    error::StoreError,
    queue::{Envelope, Event},
};
pub(crate) use file::File;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};
use tokio::sync::oneshot;

/// Work of one transaction.
const BATCH: usize = 256;

pub(crate) struct Writer {
    events: Receiver<Event>,
    file: File,
    /// Told while the file could not be written; bounded by the room each holds.
    kept: Vec<Envelope>,
    retry: Duration,
    /// Up at the begin and up at the end of each turn: an odd number that stays is one that does
    /// not end.
    headway: Arc<AtomicU64>,
}

/// What one turn of the loop is to do.
#[derive(Default)]
struct Turn {
    work: Vec<Envelope>,
    verify: bool,
    close: Option<oneshot::Sender<()>>,
}

impl Writer {
    pub(crate) fn new(
        events: Receiver<Event>,
        file: File,
        retry: Duration,
        headway: Arc<AtomicU64>,
    ) -> Self {
        Self {
            events,
            file,
            kept: Vec::new(),
            retry,
            headway,
        }
    }

    /// Until it is closed, or nobody is left who could ask.
    pub(crate) fn run(mut self) {
        let closing = loop {
            let Some(turn) = self.gather() else {
                break None;
            };
            self.mark(true);
            if turn.verify {
                self.file.verify();
            }
            self.work(turn.work);
            self.file.sync_if_due();
            self.mark(!self.kept.is_empty());
            if turn.close.is_some() {
                break turn.close;
            }
        };
        self.end(closing);
    }

    /// What is kept is work that is not done.
    fn mark(&self, works: bool) {
        if (self.headway.load(Relaxed) % 2 == 1) != works {
            self.headway.fetch_add(1, Relaxed);
        }
    }

    /// Waits for the first event and takes what else is there. `None` at the end.
    fn gather(&mut self) -> Option<Turn> {
        let mut turn = Turn::default();
        let waiting = !self.kept.is_empty() || !self.file.is_open();
        let unsynced = self.file.sync_in();
        if waiting || unsynced.is_some() {
            let retry = waiting.then_some(self.retry);
            let patience = retry.into_iter().chain(unsynced).min();
            match self.events.recv_timeout(patience.unwrap_or(self.retry)) {
                Ok(first) => turn.add(first),
                // Nothing asked: the file is tried again, or synced, all the same.
                Err(RecvTimeoutError::Timeout) => return Some(turn),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        } else {
            turn.add(self.events.recv().ok()?);
        }
        // Once it is to close, all that was handed in before is taken.
        while turn.work.len() < BATCH || turn.close.is_some() {
            let Ok(next) = self.events.try_recv() else {
                break;
            };
            turn.add(next);
        }
        Some(turn)
    }

    fn work(&mut self, new: Vec<Envelope>) {
        let mut work = std::mem::take(&mut self.kept);
        work.extend(new);
        match self.file.write(&mut work) {
            Ok(outcomes) => {
                for (envelope, outcome) in work.into_iter().zip(outcomes) {
                    envelope.job.done(outcome);
                }
            }
            Err(state) => {
                let (kept, refused): (Vec<_>, Vec<_>) = work
                    .into_iter()
                    .map(|mut envelope| (envelope.job.keep(&state), envelope))
                    .partition(|(keep, _)| *keep);
                let (kept, refused) = (second(kept), second(refused));
                self.kept = kept;
                for envelope in refused {
                    envelope
                        .job
                        .done(Err(StoreError::Unavailable(state.clone())));
                }
            }
        }
    }

    /// What could not be written is told so. Its reservations stand in the file and count as
    /// all they may have cost when it is next opened.
    fn end(mut self, closing: Option<oneshot::Sender<()>>) {
        if !self.kept.is_empty() {
            self.file.urge();
            self.work(Vec::new());
        }
        if !self.kept.is_empty() {
            tracing::error!(
                entries = self.kept.len(),
                "what could not be written is lost: ends of calls, usage; budgets count what was held for it"
            );
        }
        for envelope in self.kept.drain(..) {
            envelope.job.done(Err(StoreError::closed()));
        }
        // Whoever still hands in is told that it is closed, by the channel being gone.
        drop(self.events);
        self.file.close();
        if let Some(closing) = closing {
            let _ = closing.send(());
        }
    }
}

fn second(pairs: Vec<(bool, Envelope)>) -> Vec<Envelope> {
    pairs.into_iter().map(|(_, envelope)| envelope).collect()
}

impl Turn {
    fn add(&mut self, event: Event) {
        match event {
            Event::Work(envelope) => self.work.push(envelope),
            Event::Verify => self.verify = true,
            Event::Close(done) => self.close = Some(done),
        }
    }
}
