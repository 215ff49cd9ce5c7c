//! Tools that compute their answer from memory end in the door's own step: no task, no permit,
//! no ledger, no retained result. Still one guard, one record, one terminal frame.

use super::{Update, call::Call, door, guard::Guard, life, outcome::End, run::contain};
use crate::{engine::Engine, events::Happening, ports::recorder::Reserved, tool::Tool};
use exai_protocol::{RawValue, record::Record};
use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// Runs the call here and now; only a full recorder makes it wait, in a task of its own.
pub(super) fn run(
    engine: &Arc<Engine>,
    call: Arc<Call>,
    tool: Arc<dyn Tool>,
    arguments: Arc<RawValue>,
) {
    let received = Record::Received(Arc::clone(&call.facts));
    match engine.recorder().try_receive(received) {
        Ok(reserved) => answer(engine, &call, tool, arguments, reserved),
        Err(received) => {
            let waiting = Arc::clone(engine);
            let place = engine.backlog().enter(call.facts.args_bytes);
            engine.spawn(async move {
                match life::room(&waiting, &call, received, place).await {
                    Some(reserved) => answer(&waiting, &call, tool, arguments, reserved),
                    None => waiting.abandon(&call),
                }
            });
        }
    }
}

fn answer(
    engine: &Arc<Engine>,
    call: &Arc<Call>,
    tool: Arc<dyn Tool>,
    arguments: Arc<RawValue>,
    reserved: Reserved,
) {
    let mut guard = Guard::new(engine, call, reserved, false);
    if engine.is_draining() {
        return guard.finish_at_once(End::Drained { started: false });
    }
    if let Err(end) = door::pass_at_once(engine, call, tool.spec()) {
        return guard.finish_at_once(end);
    }
    call.tell(&Update::Accepted);
    guard.started();
    call.tell(&Update::Acknowledged {
        limit: call.limit.after,
        at_once: true,
    });
    engine.bus().publish(
        call.facts.received_at,
        Happening::Started(Arc::clone(&call.facts), 0),
    );
    let running = pin!(contain(tool, life::tool_call(engine, call, arguments)));
    let end = match running.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(end) => end,
        // A tool that waits after all has lied in its spec, and is dropped with its future.
        Poll::Pending => End::Panicked("it declares itself instant, and waited".to_owned()),
    };
    guard.finish_at_once(end);
}
