//! A call in the journal, from its entry to its end; it holds the room its end will take.

use super::{Journal, refused};
use crate::{
    calls::{
        Held,
        finish::{Body, Finish},
        result::Spill,
        stroke::{Stroke, Which},
    },
    error::StoreError,
    job::Task,
    money,
    receipt::Receipt,
};
use exai_engine::ports::ledger::{Ended, Entry, LedgerFuture};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// See the module.
pub(super) struct Standing {
    journal: Journal,
    room: OwnedSemaphorePermit,
    held: Held,
    begun_before: bool,
}

impl Standing {
    pub(super) fn new(journal: &Journal, room: OwnedSemaphorePermit, held: Held) -> Self {
        Self {
            journal: journal.clone(),
            room,
            held,
            begun_before: false,
        }
    }

    pub(super) fn begun_before(self, begun_before: bool) -> Self {
        Self {
            begun_before,
            ..self
        }
    }

    /// For a call that was entered as one that does not run, and runs.
    pub(super) async fn start_if_it_must(&self) -> Result<(), StoreError> {
        if self.held.entering.starts {
            self.started().await?;
        }
        Ok(())
    }

    async fn started(&self) -> Result<(), StoreError> {
        let desk = &self.journal.desk;
        let at = money::sum_column(desk.now().0);
        let row = Which::of(&self.held);
        if self
            .journal
            .kin
            .written_by_heir(&Stroke::Start { row, at })
            .await
        {
            return Ok(());
        }
        let pass = desk.ask_room().await?;
        let held = self.held.clone();
        let work = move |db: &Connection| {
            let row = Which::of(&held);
            Stroke::Start { row, at }.write(db).map(|_| ())
        };
        let (sender, answer) = oneshot::channel();
        let tell = move |done| {
            let _ = sender.send(done);
        };
        desk.submit(Task::asked_in_one_step(work, tell), pass);
        answer.await.map_err(|_| StoreError::closed())?
    }

    /// Handed in before anybody waits for it, whoever that is and however long.
    fn hand_in(self, end: Ended, body: Body, unwritten: bool) -> Receipt<()> {
        let Self {
            journal,
            room,
            held,
            ..
        } = self;
        journal.growth.by(match &body {
            Body::Row(text) => text.len() as u64,
            Body::File(file) => file.bytes,
            Body::Nothing | Body::TooLarge => 0,
        });
        let (told, receipt) = Receipt::new();
        let finish = Finish {
            held,
            end,
            body,
            unwritten,
            told: Some(told),
        };
        journal.desk.submit(Box::new(finish), room);
        receipt
    }

    /// The next daemon writes it; where that one is gone, it is ours to write again.
    async fn tell_heir(self, end: Ended, body: Body) -> Result<(), StoreError> {
        let spilled = match &body {
            Body::File(file) => {
                let file = file.clone();
                let written = tokio::task::spawn_blocking(move || file.write()).await;
                matches!(written, Ok(Ok(())))
            }
            _ => true,
        };
        let finish = Finish {
            held: self.held.clone(),
            end,
            body,
            unwritten: !spilled,
            told: None,
        };
        let step = Stroke::End(finish.columns());
        if spilled && self.journal.kin.written_by_heir(&step).await {
            return Ok(());
        }
        let Finish { end, body, .. } = finish;
        self.hand_in(end, body, !spilled).await
    }

    /// A large result is written beside the writer, for whom it would be long; a few at a time,
    /// so that those who wait for them do not get all of them at once.
    async fn spill(self, end: Ended, file: Spill) -> Result<(), StoreError> {
        let journal = self.journal.clone();
        let _place = journal.spills.acquire().await;
        let to_write = file.clone();
        let written = tokio::task::spawn_blocking(move || to_write.write()).await;
        if let Ok(Err(error)) = &written {
            tracing::error!(%error, "a result could not be kept yet");
        }
        let written = matches!(written, Ok(Ok(())));
        let kept = self.hand_in(end, Body::File(file.clone()), !written).await;
        if written && !file.sync {
            journal.tasks.spawn_blocking(move || {
                if let Err(error) = file.sync_later() {
                    tracing::warn!(%error, "a kept result is not safe from power loss");
                }
            });
        }
        kept
    }
}

impl Entry for Standing {
    fn begun_before(&self) -> bool {
        self.begun_before
    }

    fn start(&mut self) -> LedgerFuture<'_, ()> {
        Box::pin(async { self.started().await.map_err(|error| refused(&error)) })
    }

    fn finish(self: Box<Self>, end: Ended) -> LedgerFuture<'static, ()> {
        let body = Body::of(&end, &self.held, &self.journal.place);
        if self.journal.kin.has_heir() {
            let tasks = self.journal.tasks.clone();
            let told = tasks.spawn(self.tell_heir(end, body));
            return Box::pin(async move {
                let told = told.await.map_err(|_| StoreError::closed());
                told.and_then(|told| told).map_err(|error| refused(&error))
            });
        }
        let Body::File(file) = body else {
            let receipt = self.hand_in(end, body, false);
            return Box::pin(async move { receipt.await.map_err(|error| refused(&error)) });
        };
        let tasks = self.journal.tasks.clone();
        let spilled = tasks.spawn(self.spill(end, file));
        Box::pin(async move {
            let spilled = spilled.await.map_err(|_| StoreError::closed());
            spilled
                .and_then(|kept| kept)
                .map_err(|error| refused(&error))
        })
    }

    fn withdraw(self: Box<Self>) {
        let Self {
            journal,
            room,
            held,
            ..
        } = *self;
        // One that the next daemon does not get to hear of waits there for whoever asks.
        let row = Which::of(&held);
        if journal
            .kin
            .given_to_heir(&Stroke::Withdraw { row })
            .is_some()
        {
            return;
        }
        let work = move |db: &Connection| {
            let row = Which::of(&held);
            Stroke::Withdraw { row }.write(db).map(|_| ())
        };
        journal.desk.submit(Task::told(work, |_| {}), room);
    }
}
