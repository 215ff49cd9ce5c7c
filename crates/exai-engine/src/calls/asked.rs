//! A call meets the ledger: it is entered, or what the ledger knows of it is its end.

use super::{
    call::Call,
    guard::Guard,
    interrupted,
    life::patiently,
    outcome::End,
    submit::{expired, reused},
};
use crate::{
    engine::Engine,
    ports::ledger::{Entered, Entering},
};
use exai_protocol::RawValue;
use std::{sync::Arc, time::Duration};

/// What a call asks for, beyond its tool.
pub(super) struct Question {
    pub(super) arguments: Arc<RawValue>,
    pub(super) operator: bool,
    pub(super) timeout: Option<Duration>,
    /// This life knew its result and has forgotten it: it must not run, whatever happens.
    pub(super) expired: bool,
    /// It was accepted before, by a daemon that is gone: no limit stands in its way.
    pub(super) promised: bool,
}

/// Enters the call, which may end it.
pub(super) async fn enter(
    engine: &Engine,
    call: &Call,
    question: Question,
    starts: bool,
    guard: &mut Guard,
) -> Result<(), End> {
    let forgotten = question.expired;
    let entering = Entering {
        key: call.key.clone(),
        facts: Arc::clone(&call.facts),
        args_hash: call.asked.arguments,
        arguments: question.arguments,
        repeatable: call.repeatable,
        operator: question.operator,
        timeout: question.timeout,
        starts,
    };
    let id = &call.key.request_id;
    match patiently(engine, call, engine.ledger().enter(entering)).await? {
        Entered::New(entry) if forgotten => {
            entry.withdraw();
            Err(End::Refused(expired()))
        }
        Entered::New(entry) => {
            guard.entered(entry);
            Ok(())
        }
        Entered::Finished(kept) => Err(End::Recalled(kept)),
        Entered::Left(kept, entry) => {
            guard.entered(entry);
            Err(End::Recalled(kept))
        }
        Entered::Expired => Err(End::Refused(expired())),
        Entered::Other(tool) => Err(End::Refused(reused(id, &tool))),
        Entered::Interrupted(evidence, entry) => {
            guard.entered(entry);
            let now = engine.now();
            Err(End::Interrupted(interrupted::error(
                &call.facts.tool,
                &evidence,
                now,
            )))
        }
    }
}
