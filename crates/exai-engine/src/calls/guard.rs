//! The promise made flesh: from acceptance on, a call has a guard, and the guard fires once.
//! Whatever path the call takes (return, error, panic, cancel, deadline, drain, a lost task),
//! it ends in one finished record and one terminal frame to everyone attached.

use super::{
    Leaves,
    call::Call,
    outcome::{End, Finished},
};
use crate::{
    engine::Engine,
    events::Happening,
    ports::{
        ledger::{Ended, Entry},
        recorder::Reserved,
    },
};
use exai_protocol::{
    Outcome,
    record::{FinishedRecord, Record},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// How long an answer waits for a disk that stands still. A disk that fails says so at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Fires once.
pub(crate) struct Guard {
    armed: Option<Armed>,
}

struct Armed {
    engine: Arc<Engine>,
    call: Arc<Call>,
    reserved: Reserved,
    started_at: Option<Instant>,
    remembered: bool,
    entry: Option<Box<dyn Entry>>,
    /// The ledger has it as one that was started.
    entered_started: bool,
    /// The ledger was told of its end, and that somebody waited for it.
    told_awaited: bool,
}

impl Guard {
    /// Takes responsibility for a call whose records have their room reserved; `remembered`
    /// calls are in the table, and leave their result there.
    pub(crate) fn new(
        engine: &Arc<Engine>,
        call: &Arc<Call>,
        reserved: Reserved,
        remembered: bool,
    ) -> Self {
        let (engine, call) = (Arc::clone(engine), Arc::clone(call));
        Self {
            armed: Some(Armed {
                engine,
                call,
                reserved,
                started_at: None,
                remembered,
                entry: None,
                entered_started: false,
                told_awaited: false,
            }),
        }
    }

    /// The ledger has heard of the call, so it must hear of its end.
    /// `started`: as one that runs at once.
    pub(crate) fn entered(&mut self, entry: Box<dyn Entry>, started: bool) {
        if let Some(armed) = &mut self.armed {
            (armed.entry, armed.entered_started) = (Some(entry), started);
        }
    }

    /// The call's place in the ledger, for the word that it starts.
    pub(crate) fn entry_to_start(&mut self) -> Option<&mut Box<dyn Entry>> {
        let armed = self.armed.as_mut()?;
        armed.entered_started = true;
        armed.entry.as_mut()
    }

    /// The tool runs from now on.
    pub(crate) fn started(&mut self) {
        if let Some(armed) = &mut self.armed {
            armed.started_at = Some(Instant::now());
        }
    }

    /// The ordinary end.
    pub(crate) async fn finish(mut self, end: End) {
        if let Some(armed) = self.armed.take() {
            armed.conclude(end).await;
        }
    }

    /// The ordinary end of a call that nothing remembers.
    pub(crate) fn finish_at_once(mut self, end: End) {
        if let Some(armed) = self.armed.take() {
            let (finished, record) = armed.settle(&end);
            armed.close(&finished, record, Leaves::Nothing);
        }
    }
}

impl Drop for Guard {
    /// The extraordinary end: the task was dropped or panicked; another task concludes.
    fn drop(&mut self) {
        if let Some(armed) = self.armed.take() {
            let engine = Arc::clone(&armed.engine);
            engine.spawn(async move { armed.conclude(End::Lost).await });
        }
    }
}

impl Armed {
    /// The way out of a call. Permits are already back.
    async fn conclude(mut self, end: End) {
        let begun_before = self.entry.as_deref().is_some_and(Entry::begun_before);
        let end = match end {
            End::Drained { started: false } if begun_before => End::DrainedAgain,
            end => end,
        };
        let (finished, record) = self.settle(&end);
        if let Some(entry) = self.entry.take() {
            self.tell_ledger(entry, &end, &finished, &record).await;
        }
        // What was refused at the door has not been, and the same id may knock again; but who was
        // told that the work goes on, and be it in this moment, asks for it and is owed the reason.
        let leaves = match end.is_refusal() {
            true => Leaves::Refusal,
            false => Leaves::Result,
        };
        self.close(&finished, record, leaves);
    }

    async fn tell_ledger(
        &mut self,
        entry: Box<dyn Entry>,
        end: &End,
        finished: &Arc<Finished>,
        record: &Arc<FinishedRecord>,
    ) {
        let is_left_open = match end {
            End::Drained { started: true } => self.call.repeatable,
            // Its client holds a handle, and sends nothing again: the next daemon owes it the run.
            End::Drained { started: false } => self.call.was_left() && !self.entered_started,
            End::DrainedAgain => true,
            _ => false,
        };
        if is_left_open {
            // So that whoever comes back has it run again by the next daemon.
            return;
        }
        if end.is_refusal() {
            return entry.withdraw();
        }
        let left = self.call.was_left();
        self.told_awaited = !left;
        let ended = Ended {
            record: Arc::clone(record),
            result: Arc::clone(finished),
            left,
        };
        let call = self.call.facts.number;
        match timeout(PATIENCE, entry.finish(ended)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(call, %error, "the end of a call is not in the ledger yet");
            }
            Err(_) => tracing::error!(call, "the ledger stands still; an answer waits no longer"),
        }
    }

    /// What the end is, in words and numbers.
    fn settle(&self, end: &End) -> (Arc<Finished>, Arc<FinishedRecord>) {
        let Self {
            engine,
            call,
            started_at,
            ..
        } = self;
        let now = Instant::now();
        let queue_us = micros(started_at.unwrap_or(now).duration_since(call.accepted_at));
        let run_us = started_at.map(|started| micros(now.duration_since(started)));
        let error = end.error(&call.facts.tool, call.facts.number);
        let output = end.outputs();
        let make = || {
            Arc::new(Finished {
                tool: Arc::clone(&call.facts.tool),
                outputs: output.map(|output| Arc::clone(&output.outputs)),
                structured: output.and_then(|output| output.structured.clone()),
                usage: output.and_then(|output| output.usage.clone()),
                error,
                queue_us,
                run_us,
                ended_at: engine.now(),
                recalled: false,
                asked: call.asked.clone(),
            })
        };
        // What was used was used once, by the call that ran.
        let (finished, usage) = match end {
            End::Recalled(kept) => (Arc::clone(kept), None),
            _ => {
                let finished = make();
                let usage = finished.usage.clone();
                (finished, usage)
            }
        };
        let (late, progress_left_out) = call.progress.last_take();
        let late_progress = late
            .iter()
            .map(|said| call.progress_record(said, engine.now()))
            .collect();
        let error = finished.told(engine.config().max_result_bytes);
        let record = Arc::new(FinishedRecord {
            call: Arc::clone(&call.facts),
            outcome: error
                .as_ref()
                .map_or(Outcome::Ok, |error| error.code.outcome()),
            error,
            usage,
            finished_at: engine.now(),
            queue_us,
            run_us,
            result_bytes: finished.result_bytes() as u64,
            late_progress,
            progress_left_out,
            progress: call.said(),
            watchers: call.watching(),
        });
        (finished, record)
    }

    /// Everyone is told: the record, the bus, the table, the watchers.
    fn close(self, finished: &Arc<Finished>, record: Arc<FinishedRecord>, leaves: Leaves) {
        let Self {
            engine,
            call,
            reserved,
            remembered,
            told_awaited,
            ..
        } = self;
        engine.count(record.outcome);
        reserved.finish(Record::Finished(Arc::clone(&record)));
        engine
            .bus()
            .publish(record.finished_at, Happening::Finished(record));
        call.session.call_ended(call.facts.args_bytes, engine.now());
        if remembered {
            engine.calls().retire(&call, finished, leaves);
            if call.was_left() && told_awaited {
                engine.ledger().left(&call.key);
            }
            engine.calls().forget_left(&call);
        }
        call.finish(finished);
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
