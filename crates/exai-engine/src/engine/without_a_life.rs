//! Answers to what never becomes a call that lives: recorded like any other, and no more.

use super::Engine;
use crate::{
    calls::{Call, Finished, Leaves, Update, Watcher},
    events::Happening,
};
use exai_protocol::{
    Code, WireError,
    error::Ran,
    record::{CallFacts, FinishedRecord, Record},
};
use std::sync::Arc;

impl Engine {
    /// Ends a call that cannot even be recorded any more.
    pub(crate) fn abandon(&self, call: &Call) {
        let error = WireError::new(Code::ShuttingDown, "the daemon is going away").retry_after(1);
        let finished = Arc::new(Finished::refused(call, error.ran(Ran::No)));
        call.session.call_ended(call.facts.args_bytes, self.now());
        self.calls.retire(call, &finished, Leaves::Nothing);
        call.finish(&finished);
    }

    /// Answers a frame that does not become a call of its own; recorded like any other.
    pub(crate) fn answer(&self, facts: &Arc<CallFacts>, error: WireError, watcher: &dyn Watcher) {
        self.record_answer(facts, error.clone());
        watcher.update(
            facts,
            &Update::Finished {
                end: &Arc::new(Finished::answer(facts, error)),
                attached: false,
                replayed: false,
            },
        );
    }

    /// The record of what was answered without becoming a call. Callers have seen that there
    /// is room in the backlog.
    pub(crate) fn record_answer(&self, facts: &Arc<CallFacts>, error: WireError) {
        let record = Arc::new(FinishedRecord {
            call: Arc::clone(facts),
            outcome: error.code.outcome(),
            error: Some(error),
            usage: None,
            finished_at: self.now(),
            queue_us: 0,
            run_us: None,
            result_bytes: 0,
            late_progress: Vec::new(),
            progress_left_out: 0,
            progress: 0,
            watchers: 1,
        });
        self.count(record.outcome);
        self.bus
            .publish(record.finished_at, Happening::Finished(Arc::clone(&record)));
        let recorder = self.ports.recorder.clone();
        let received = Record::Received(Arc::clone(facts));
        match recorder.try_receive(received) {
            Ok(reserved) => reserved.finish(Record::Finished(record)),
            Err(received) => {
                let place = self.backlog.enter(facts.args_bytes);
                self.spawn(async move {
                    let _place = place;
                    if let Some(reserved) = recorder.receive(received).await {
                        reserved.finish(Record::Finished(record));
                    }
                });
            }
        }
    }
}
