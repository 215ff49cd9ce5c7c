//! Who is let in. A new call may be too much: too many in a time, too many bytes under way, no
//! place in line. It is refused with the limit, its reach and the time to come back; it has not
//! run, and its id may knock again. A call that an earlier daemon accepted is never refused here:
//! it was promised an answer.

use super::{call::Call, life::patiently, outcome::End};
use crate::{
    admission::{Admitted, Claim, Depth, Full},
    engine::Engine,
    quotas::{self, seconds},
    tool::ToolSpec,
};
use exai_protocol::{Code, WireError, error::Ran, event::LimitKind};
use std::{sync::Arc, time::Duration};

/// A limit that stands in a call's way.
struct Reached {
    limit: LimitKind,
    /// Whom it counts for.
    subject: Arc<str>,
    /// The limit, for the event.
    bound: String,
    /// What is wrong, for the answer.
    words: String,
    /// Until it may fit.
    wait: Option<Duration>,
}

/// Counts the call against its limits. `promised` becomes true for one that was accepted before.
pub(super) async fn pass(
    engine: &Engine,
    call: &Call,
    spec: &ToolSpec,
    promised: &mut bool,
) -> Result<(), End> {
    if *promised {
        return Ok(());
    }
    match check(engine, call, spec) {
        Ok(()) => Ok(()),
        Err(reached) => {
            *promised = is_known(engine, call).await?;
            if *promised {
                return Ok(());
            }
            Err(refuse(engine, reached))
        }
    }
}

/// The same for a call that no ledger remembers.
pub(super) fn pass_at_once(engine: &Engine, call: &Call, spec: &ToolSpec) -> Result<(), End> {
    check(engine, call, spec).map_err(|reached| refuse(engine, reached))
}

/// The call's permit, or its place in line.
pub(super) async fn claim(
    engine: &Engine,
    call: &Call,
    spec: &ToolSpec,
    bytes: usize,
    promised: &mut bool,
) -> Result<Admitted, End> {
    let admission = engine.admission();
    let claim = Claim {
        client: Arc::clone(&call.session.scope),
        provider: spec.provider.clone(),
        bytes,
        account: Some(Arc::clone(&call.session.account)),
    };
    if *promised {
        return Ok(admission.claim_promised(claim));
    }
    let full = match admission.claim(claim.clone()) {
        Admitted::Full(full) => full,
        admitted => return Ok(admitted),
    };
    *promised = is_known(engine, call).await?;
    if *promised {
        return Ok(admission.claim_promised(claim));
    }
    Err(refuse(engine, no_place(engine, call, full)))
}

/// Whether the ledger has the call already: then it decides, and no limit does. The look takes a
/// place among those who wait for the record, so that a flood of refusals cannot pile up.
async fn is_known(engine: &Engine, call: &Call) -> Result<bool, End> {
    if !engine.remembers() {
        return Ok(false);
    }
    let _place = engine.backlog().enter(call.facts.args_bytes);
    let recalled = patiently(engine, call, engine.ledger().recall(&call.key)).await?;
    Ok(recalled.is_some())
}

fn check(engine: &Engine, call: &Call, spec: &ToolSpec) -> Result<(), Reached> {
    if let Some(reached) = too_many_bytes(engine, call) {
        return Err(reached);
    }
    let works = !spec.operator && !spec.runs_at_once();
    let facts = &call.facts;
    engine
        .rates()
        .count(&facts.principal, &facts.tool, works)
        .map_err(
            |quotas::TooMany {
                 limit,
                 subject,
                 rate,
                 wait,
             }| {
                let whose = match limit {
                    LimitKind::ToolRate => format!("{subject} may be called"),
                    _ => "this token's clients together may call".to_owned(),
                };
                Reached {
                    limit,
                    words: format!("too many calls: {whose} {rate}"),
                    bound: rate.to_string(),
                    subject,
                    wait: Some(wait),
                }
            },
        )
}

/// A client that is served nothing else may always call, however large its arguments are.
fn too_many_bytes(engine: &Engine, call: &Call) -> Option<Reached> {
    let limit = engine.config().limits.client_bytes;
    let own = usize::try_from(call.facts.args_bytes).unwrap_or(usize::MAX);
    let account = &call.session.account;
    let (arguments, unread) = (account.arguments(), account.unread());
    let others = (arguments.saturating_add(unread)).saturating_sub(own);
    if others == 0 || others.saturating_add(own) <= limit {
        return None;
    }
    let words = format!(
        "this client has too much under way: {unread} bytes of results it has not read yet and \
         {arguments} bytes of arguments, this call's {own} among them, of {limit}; read what \
         waits"
    );
    Some(Reached {
        limit: LimitKind::ClientBytes,
        subject: name_of(call),
        bound: format!("{limit} bytes"),
        words,
        wait: account.relief(limit.saturating_sub(arguments)),
    })
}

fn no_place(engine: &Engine, call: &Call, full: Full) -> Reached {
    let limits = engine.admission().limits();
    let Full {
        limit,
        depth: Depth {
            running,
            queued,
            queued_bytes,
        },
        of_client,
        relief,
    } = full;
    let (subject, bound) = match limit {
        LimitKind::ClientQueue => (name_of(call), format!("{} calls", limits.client_queue)),
        LimitKind::QueueBytes => (Arc::default(), format!("{} bytes", limits.queue_bytes)),
        _ => (Arc::default(), format!("{} calls", limits.queue_calls)),
    };
    let words = match limit {
        LimitKind::ClientQueue => format!(
            "this client's part of the queue is full ({of_client} of {} calls waiting)",
            limits.client_queue
        ),
        _ => format!(
            "the queue is full ({queued} of {} calls, {queued_bytes} of {} bytes waiting, {running} running)",
            limits.queue_calls, limits.queue_bytes
        ),
    };
    Reached {
        limit,
        subject,
        bound,
        words,
        wait: relief,
    }
}

/// A client as people tell it from others.
fn name_of(call: &Call) -> Arc<str> {
    let facts = &call.facts;
    Arc::from(format!("{} {}", facts.client_name, facts.session_id))
}

fn refuse(engine: &Engine, reached: Reached) -> End {
    let Reached {
        limit,
        subject,
        bound,
        words,
        wait,
    } = reached;
    let retry_after = seconds(wait, engine.config().retry_after);
    engine.note_refused(limit, &subject, || bound, retry_after);
    let message = format!("{words}; it did not run: retry in {retry_after}s");
    End::Refused(
        WireError::new(Code::OverCapacity, message)
            .retry_after(retry_after)
            .ran(Ran::No),
    )
}
