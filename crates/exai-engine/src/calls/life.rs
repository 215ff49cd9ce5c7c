//! The life of a call, top to bottom as in the design: accepted, queued, permitted, started,
//! run, finished. Every tool takes this path.

use super::{
    Update,
    asked::{self, Question, Way, enter},
    backlog, beside,
    call::{Call, Stop},
    door, elsewhere, follow,
    guard::Guard,
    outcome::End,
    run,
};
use crate::{
    admission::{Admitted, Permit, Seat, Waiting},
    engine::Engine,
    events::Happening,
    folders::Folders,
    handing_over::OnItsWay,
    ports::{ledger::LedgerError, recorder::Reserved},
    progress::Said,
    tool::{Tool, ToolCall},
};
use exai_protocol::{
    Code, RawValue, WireError,
    error::Ran,
    record::{ProgressRecord, Record},
};
use std::{future::Future, sync::Arc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// From this size on a result is work for the ledger, and whoever makes many waits for it.
const LARGE: usize = 64 * 1024;

pub(super) async fn live(
    engine: Arc<Engine>,
    call: Arc<Call>,
    tool: Option<Arc<dyn Tool>>,
    asked_name: String,
    question: Question,
    on_its_way: OnItsWay,
) {
    let received = Record::Received(Arc::clone(&call.facts));
    let reserved = match engine.recorder().try_receive(received) {
        Ok(reserved) => Some(reserved),
        Err(received) => {
            let place = engine.backlog().enter(call.facts.args_bytes);
            room(&engine, &call, received, place).await
        }
    };
    let Some(reserved) = reserved else {
        // The writer of records is gone: the process is past its flush and about to end.
        return engine.abandon(&call);
    };
    let mut guard = Guard::new(&engine, &call, reserved, true);
    let (end, seat) = match tool {
        None => (
            End::Refused(unknown_tool(&engine, &call, &asked_name)),
            None,
        ),
        Some(tool) => through(&engine, &call, tool, (question, on_its_way), &mut guard)
            .await
            .unwrap_or_else(|end| (end, None)),
    };
    guard.finish(end).await;
    if let Some(seat) = seat {
        seat.leave();
    }
}

/// Waits for room in the record. Nothing is promised meanwhile, but the call is not silent.
pub(super) async fn room(
    engine: &Engine,
    call: &Call,
    received: Record,
    _place: backlog::Place,
) -> Option<Reserved> {
    let reserved = engine.recorder().receive(received);
    tokio::pin!(reserved);
    let mut heartbeat = engine.heartbeat();
    heartbeat.reset();
    loop {
        tokio::select! {
            biased;
            reserved = &mut reserved => return reserved,
            _ = heartbeat.tick() => beat(engine, call, "queued", ""),
        }
    }
}

/// The way of a call whose tool exists; every early end is an `Err`. The seat of one that
/// returned much is kept until that is out of the way.
async fn through(
    engine: &Arc<Engine>,
    call: &Arc<Call>,
    tool: Arc<dyn Tool>,
    (question, on_its_way): (Question, OnItsWay),
    guard: &mut Guard,
) -> Result<(End, Option<Seat>), End> {
    if let Some(seat) = beside::seat(engine, tool.spec(), &question) {
        drop(on_its_way);
        return beside::run(engine, call, tool, question.arguments, seat, guard).await;
    }
    if engine.is_draining()
        && let Some(end) = asked::too_late(engine, call).await
    {
        return Err(end);
    }
    let bytes = question.arguments.get().len();
    // What this life has forgotten must not run: the ledger says so, and no limit.
    let mut promised = question.promised || question.expired;
    door::pass(engine, call, tool.spec(), &mut promised).await?;
    let arguments = Arc::clone(&question.arguments);
    // Where the permit is free, entering and starting are one step of the ledger.
    // What its client left behind may be at its end before this one could begin.
    let left = engine.calls().left_behind(call);
    let mut place = match &call.share {
        None if left.is_none() => {
            Some(door::claim(engine, call, tool.spec(), bytes, &mut promised).await?)
        }
        _ => None,
    };
    let mut starts = matches!(place, Some(Admitted::Now(_)));
    let mut entered = enter(engine, call, &question, starts, guard).await?;
    drop(on_its_way);
    call.tell(&Update::Accepted);
    loop {
        let end = match &entered {
            Way::Here => break,
            Way::Elsewhere { runs } => elsewhere::end_of(engine, call, &call.key, *runs).await,
            Way::Behind(other) => elsewhere::end_of(engine, call, other, false).await,
        };
        if let Some(end) = end {
            return Err(end);
        }
        // It needed no place here, unless its daemon died.
        (place, starts) = (None, false);
        entered = enter(engine, call, &question, starts, guard).await?;
    }
    if let Some(left) = left
        && let Some(end) = follow::left(engine, call, &left).await
    {
        return Err(end);
    }
    if let Some(end) = follow::leader(engine, call).await {
        return Err(end);
    }
    let place = match place {
        Some(place) => place,
        None => door::claim(engine, call, tool.spec(), bytes, &mut promised).await?,
    };
    let permit = match place {
        Admitted::Now(permit) => permit,
        Admitted::Queued(waiting) => in_line(engine, call, waiting).await?,
        // The door has answered that.
        Admitted::Full(_) => return Err(End::Lost),
    };
    if !starts && let Some(entry) = guard.entry_to_start() {
        patiently(engine, call, entry.start()).await?;
    }
    if let Some(end) = unwanted(engine, call) {
        return Err(end);
    }
    guard.started();
    announce_start(engine, call);
    let seat = Seat::new(permit);
    let input = ToolCall {
        seat: seat.clone(),
        ..tool_call(engine, call, arguments)
    };
    let end = run::run(engine, call, tool, input).await;
    let is_large = end
        .outputs()
        .is_some_and(|output| output.outputs.get().len() > LARGE);
    if is_large {
        return Ok((end, Some(seat)));
    }
    seat.leave();
    Ok((end, None))
}

/// Waits for a step of the ledger, not in silence, and not beyond the call's deadline.
pub(super) async fn patiently<T>(
    engine: &Engine,
    call: &Call,
    step: impl Future<Output = Result<T, LedgerError>>,
) -> Result<T, End> {
    let mut heartbeat = engine.heartbeat();
    heartbeat.reset();
    let deadline = tokio::time::sleep_until(call.deadline());
    tokio::pin!(deadline, step);
    loop {
        tokio::select! {
            biased;
            done = &mut step => return done.map_err(|error| {
                End::Refused(WireError::new(Code::Unavailable, error.to_string()).ran(Ran::No))
            }),
            () = &mut deadline => return Err(call.out_of_time(false)),
            _ = heartbeat.tick() => beat(engine, call, "queued", "waiting for the call journal"),
        }
    }
}

pub(super) fn announce_start(engine: &Engine, call: &Call) {
    call.now_running();
    call.tell(&Update::Acknowledged {
        limit: call.limit.after,
        at_once: false,
    });
    let waited = u64::try_from(call.accepted_at.elapsed().as_micros()).unwrap_or(u64::MAX);
    engine.bus().publish(
        engine.now(),
        Happening::Started(Arc::clone(&call.facts), waited),
    );
}

/// Waits for the turn.
async fn in_line(engine: &Engine, call: &Call, mut waiting: Waiting) -> Result<Permit, End> {
    let mut heartbeat = engine.heartbeat();
    let deadline = tokio::time::sleep_until(call.deadline());
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            biased;
            permit = waiting.granted() => return permit.ok_or(End::Lost),
            () = call.wake.notified() => {
                if let Some(end) = wish_of(engine, call, false) {
                    return Err(end);
                }
            }
            () = &mut deadline => return Err(call.out_of_time(false)),
            _ = heartbeat.tick() => {
                if let Some(end) = wish_of(engine, call, false) {
                    return Err(end);
                }
                beat(engine, call, "queued", &waits_for(engine, call, &waiting));
            }
        }
    }
}

/// Why a call in line has not begun.
fn waits_for(engine: &Engine, call: &Call, waiting: &Waiting) -> String {
    let account = &call.session.account;
    if account.reads_behind(engine.config().limits.client_bytes) {
        let unread = account.unread();
        return format!("waiting for its client to read {unread} bytes of earlier results");
    }
    let (ahead, all) = waiting.position();
    format!("waiting for capacity: position {} of {all}", ahead + 1)
}

/// The last look before the tool starts: what was asked, or ran out, on the way here.
pub(super) fn unwanted(engine: &Engine, call: &Call) -> Option<End> {
    wish_of(engine, call, false)
        .or_else(|| (Instant::now() >= call.deadline()).then(|| call.out_of_time(false)))
}

/// What others have asked of the call meanwhile.
pub(super) fn wish_of(engine: &Engine, call: &Call, started: bool) -> Option<End> {
    let (stop, unwatched_since) = call.wish();
    match stop {
        Some(Stop::Asked(reason)) => return Some(End::Stopped { reason, started }),
        Some(Stop::Drain) => return Some(End::Drained { started }),
        None => {}
    }
    let after = engine.config().unwatched;
    unwatched_since
        .filter(|since| since.elapsed() >= after)
        .map(|_| End::Unwatched { after, started })
}

/// Records one message, if there is room: what is said is recorded, so at the record's bound
/// it is not said either.
pub(super) fn record(engine: &Engine, call: &Call, said: &Said) -> Option<Arc<ProgressRecord>> {
    let mut recorded = None;
    let make = || {
        Record::Progress(Arc::clone(
            recorded.insert(call.progress_record(said, engine.now())),
        ))
    };
    engine.recorder().try_record(make);
    recorded
}

/// Tells a message that was recorded to everyone attached and to the bus.
pub(super) fn pass_on(engine: &Engine, call: &Call, progress: Arc<ProgressRecord>) {
    if call.is_running() && call.is_worth_a_note() {
        engine.ledger().said(&call.key, &progress);
    }
    call.tell(&Update::Progress {
        seq: progress.seq,
        stage: &progress.stage,
        message: &progress.message,
    });
    engine
        .bus()
        .publish(progress.at, Happening::Progress(progress));
}

/// A sign of life, with words where there are any and room to record them.
pub(super) fn beat(engine: &Engine, call: &Call, stage: &str, message: &str) {
    let said = || Said {
        at: Instant::now(),
        stage: Arc::from(stage),
        message: Arc::from(message),
    };
    if !message.is_empty()
        && let Some(progress) = record(engine, call, &said())
    {
        return pass_on(engine, call, progress);
    }
    call.tell(&Update::Progress {
        seq: call.next_seq(),
        stage,
        message: "",
    });
}

pub(super) fn tool_call(engine: &Engine, call: &Call, arguments: Arc<RawValue>) -> ToolCall {
    ToolCall {
        principal: call.key.principal.clone(),
        session_id: call.session.id.clone(),
        client_id: call.facts.client_id.clone(),
        request_id: call.key.request_id.clone(),
        arguments,
        roots: folders(engine, call),
        progress: call.progress.clone(),
        cancelled: CancellationToken::new(),
        deadline: call.deadline(),
        seat: Seat::default(),
    }
}

/// The client's, then those that are open for everybody; of both what its key may read.
fn folders(engine: &Engine, call: &Call) -> Folders {
    let (own, more) = (call.session.roots(), &engine.config().open_folders);
    let named = match more.is_empty() {
        true => own,
        false => own.iter().chain(more).cloned().collect(),
    };
    let within = engine.rules(&call.session).roots.clone();
    Folders { named, within }
}

fn unknown_tool(engine: &Engine, call: &Call, asked: &str) -> WireError {
    let snapshot = engine.registry().snapshot();
    let rules = engine.rules(&call.session);
    if let Some((name, tool)) = snapshot.find(asked, false)
        && !rules.permits(&tool.spec().entry)
    {
        let message = format!(
            "Unknown tool: {asked}; {name} is switched off for this client by the allow and deny \
             lists or the key's rights in the daemon's config/profiles.toml. It did not run"
        );
        return WireError::new(Code::ToolNotFound, message).ran(Ran::No);
    }
    let near = snapshot.closest(asked, &rules);
    let hint = match near.as_slice() {
        [] => "tools_search names all there are".to_owned(),
        near => format!("did you mean {}?", near.join(", ")),
    };
    WireError::new(Code::ToolNotFound, format!("Unknown tool: {asked}; {hint}")).ran(Ran::No)
}
