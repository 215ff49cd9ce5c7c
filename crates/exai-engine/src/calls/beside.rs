//! Instant tools that look at files of the daemon's own (`status`, its log) run beside the line:
//! no permit and no entry in the ledger, so that they answer while every permit is taken, and
//! while the ledger takes nothing. Otherwise their calls are like any other: in the table, with
//! their record, under their rates.
//!
//! What bounds them: how long (`ToolSpec::limit`) and how many at a time. Where too many are under
//! way, as on a disk that stands still, the next ones stand in line like everybody.

use super::{asked::Question, call::Call, door, guard::Guard, life, outcome::End, run};
use crate::{
    admission::Seat,
    engine::Engine,
    tool::{Tool, ToolCall, ToolSpec},
};
use exai_protocol::RawValue;
use std::sync::Arc;

/// A place beside the line, for a call that may have one.
pub(super) fn seat(engine: &Engine, spec: &ToolSpec, question: &Question) -> Option<Seat> {
    // What a ledger may have promised, it decides.
    if !spec.runs_beside() || question.promised || question.expired {
        return None;
    }
    let place = Arc::clone(engine.glances()).try_acquire_owned().ok()?;
    Some(Seat::beside(place))
}

pub(super) async fn run(
    engine: &Engine,
    call: &Call,
    tool: Arc<dyn Tool>,
    arguments: Arc<RawValue>,
    seat: Seat,
    guard: &mut Guard,
) -> Result<(End, Option<Seat>), End> {
    if engine.is_draining() {
        return Err(End::Drained { started: false });
    }
    door::pass_at_once(engine, call, tool.spec())?;
    call.tell(&super::Update::Accepted);
    if let Some(end) = life::unwanted(engine, call) {
        return Err(end);
    }
    guard.started();
    life::announce_start(engine, call);
    let input = ToolCall {
        seat,
        ..life::tool_call(engine, call, arguments)
    };
    Ok((run::run(engine, call, tool, input).await, None))
}
