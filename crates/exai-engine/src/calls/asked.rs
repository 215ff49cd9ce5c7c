//! A call meets the ledger: it is entered, or what the ledger knows of it is its end.

use super::{
    CallKey,
    call::Call,
    guard::Guard,
    interrupted,
    life::patiently,
    outcome::End,
    submit::{expired, reused},
};
use crate::{
    engine::Engine,
    ports::ledger::{Entered, Entering, Open, Recalled},
};
use exai_protocol::{RawValue, WireError, error::Ran};
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

/// Where a call goes on that was entered.
pub(super) enum Way {
    Here,
    Elsewhere {
        runs: bool,
    },
    /// After another one, which goes on elsewhere.
    Behind(CallKey),
}

/// Enters the call, which may end it.
pub(super) async fn enter(
    engine: &Engine,
    call: &Call,
    question: &Question,
    starts: bool,
    guard: &mut Guard,
) -> Result<Way, End> {
    let forgotten = question.expired;
    let entering = Entering {
        key: call.key.clone(),
        facts: Arc::clone(&call.facts),
        args_hash: call.asked.arguments,
        arguments: Arc::clone(&question.arguments),
        repeatable: call.repeatable,
        operator: question.operator,
        timeout: question.timeout,
        starts,
    };
    let id = &call.key.request_id;
    let entered = match patiently(engine, call, engine.ledger().enter(entering)).await {
        Err(End::Refused(error)) => return refused(engine, call, error).await,
        other => other?,
    };
    match entered {
        Entered::New(entry) if forgotten => {
            entry.withdraw();
            Err(End::Refused(expired()))
        }
        Entered::New(entry) => {
            guard.entered(entry, starts);
            Ok(Way::Here)
        }
        Entered::Elsewhere { runs } => Ok(Way::Elsewhere { runs }),
        Entered::Behind(key, entry) => {
            guard.entered(entry, false);
            Ok(Way::Behind(key))
        }
        Entered::Finished(kept) => Err(End::Recalled(kept)),
        Entered::Left(kept, entry) => {
            guard.entered(entry, true);
            Err(End::Recalled(kept))
        }
        Entered::Expired => Err(End::Refused(expired())),
        Entered::Other(tool) => Err(End::Refused(reused(id, &tool))),
        Entered::Interrupted(evidence, entry) => {
            guard.entered(entry, true);
            let now = engine.now();
            Err(End::Interrupted(interrupted::error(
                &call.facts.tool,
                &evidence,
                now,
            )))
        }
    }
}

/// The ledger cannot take the call. It may still know it: what has run is never said not to
/// have, and what has ended is told as it ended.
async fn refused(engine: &Engine, call: &Call, error: WireError) -> Result<Way, End> {
    let known = patiently(engine, call, engine.ledger().recall(&call.key)).await;
    Err(match known {
        Ok(Some(Recalled::Finished(kept))) if kept.asked == call.asked => End::Recalled(kept),
        // Who has it in hand sees to its end, and here it only has to be waited for.
        Ok(Some(Recalled::Elsewhere { open, runs })) if is_asked(&open, call) => {
            return Ok(Way::Elsewhere { runs });
        }
        Ok(Some(Recalled::Open(open))) if open.evidence.runs > 0 && is_asked(&open, call) => {
            ran_before(engine, call, &open, error)
        }
        _ => End::Refused(error),
    })
}

fn is_asked(open: &Open, call: &Call) -> bool {
    open.tool == call.asked.tool && open.args_hash == call.asked.arguments
}

/// The end of a call that comes while the daemon is going down: it begins nothing, but what has
/// begun before is never said not to have. `None`: it goes on elsewhere, and is waited for.
pub(super) async fn too_late(engine: &Engine, call: &Call) -> Option<End> {
    let plain = End::Drained { started: false };
    if !engine.remembers() {
        return Some(plain);
    }
    let known = patiently(engine, call, engine.ledger().recall(&call.key)).await;
    Some(match known {
        Ok(Some(Recalled::Finished(kept))) if kept.asked == call.asked => End::Recalled(kept),
        Ok(Some(Recalled::Elsewhere { open, .. })) if is_asked(&open, call) => return None,
        Ok(Some(Recalled::Open(open))) if open.evidence.runs > 0 && is_asked(&open, call) => {
            match call.repeatable {
                true => End::DrainedAgain,
                false => End::Interrupted(interrupted::error(
                    &call.facts.tool,
                    &open.evidence,
                    engine.now(),
                )),
            }
        }
        _ => plain,
    })
}

/// A daemon that died had begun it, and nothing of what becomes of it now could be written.
fn ran_before(engine: &Engine, call: &Call, open: &Open, error: WireError) -> End {
    if call.repeatable {
        let words = format!(
            "{}. It had begun before, under a daemon that died; it is safe to run it again",
            error.message
        );
        return End::Refused(WireError::new(error.code, words).ran(Ran::Unknown));
    }
    let mut unknown = interrupted::error(&call.facts.tool, &open.evidence, engine.now());
    unknown.message = format!("{} ({})", unknown.message, error.message);
    End::Interrupted(unknown)
}
