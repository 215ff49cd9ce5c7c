//! Coalescing: an equal call of a tool that allows it is already at work, so this one waits
//! for its end and shares it. If that end is no answer (stopped, out of time), the next in
//! line runs for itself.

use super::{
    Finished, Update, Watcher,
    call::{Call, Stop},
    life::{beat, wish_of},
    outcome::End,
};
use crate::{
    engine::Engine,
    tool::{ToolError, ToolOutput},
};
use exai_protocol::{Code, record::CallFacts};
use std::sync::Arc;
use tokio::time::{Interval, sleep_until};

const WORDS: &str = "an equal call is at work; its answer will be this one's too";

/// `None`: there is nobody to follow, so this call runs.
pub(super) async fn leader(engine: &Engine, call: &Arc<Call>) -> Option<End> {
    let share = call.share.as_ref()?;
    let mut heartbeat = engine.heartbeat();
    loop {
        let leader = engine.calls().leader(share, call);
        if Arc::ptr_eq(&leader, call) {
            return None;
        }
        match end_of(&leader, engine, call, &mut heartbeat).await {
            Err(own_end) => return Some(own_end),
            Ok(finished) => {
                if let Some(result) = answer_in(&finished) {
                    return Some(End::Returned(result));
                }
            }
        }
        // The leader retires before it ends, so the next look finds another or ourselves.
    }
}

/// Waits for a call that this one's client left behind and now makes again. `None`: it came to
/// no answer, so this call runs.
pub(super) async fn left(engine: &Engine, call: &Call, left: &Arc<Call>) -> Option<End> {
    let stand_in = Arc::new(StandIn(u64::MAX - call.facts.number));
    left.attach(&(Arc::clone(&stand_in) as Arc<dyn Watcher>));
    let ended = end_of(left, engine, call, &mut engine.heartbeat()).await;
    match ended {
        Ok(finished) => {
            engine.ledger().taken(&left.key);
            answer_in(&finished).map(End::Returned)
        }
        Err(own_end) => {
            if let End::Stopped { reason, .. } = &own_end {
                left.stop(Stop::Asked(reason.clone()));
            }
            left.detach(stand_in.0);
            Some(own_end)
        }
    }
}

/// Waits with a call in another's name, so that it is not taken for one nobody waits for.
struct StandIn(u64);

impl Watcher for StandIn {
    fn peer(&self) -> u64 {
        self.0
    }

    fn update(&self, _: &CallFacts, _: &Update<'_>) {}
}

/// Waits for the leader's end, unless this call's own comes first.
async fn end_of(
    leader: &Call,
    engine: &Engine,
    call: &Call,
    heartbeat: &mut Interval,
) -> Result<Arc<Finished>, End> {
    loop {
        let ended = leader.ended.notified();
        tokio::pin!(ended);
        ended.as_mut().enable();
        if let Some(finished) = leader.finished() {
            return Ok(finished);
        }
        tokio::select! {
            biased;
            () = &mut ended => {}
            () = call.wake.notified() => {}
            () = sleep_until(call.deadline()) => return Err(call.out_of_time(false)),
            _ = heartbeat.tick() => beat(engine, call, "queued", WORDS),
        }
        if let Some(end) = wish_of(engine, call, false) {
            return Err(end);
        }
    }
}

/// What the tool itself answered; anything else befell only the leader.
fn answer_in(finished: &Finished) -> Option<Result<ToolOutput, ToolError>> {
    if let Some(outputs) = &finished.outputs {
        let (structured, usage) = (finished.structured.clone(), finished.usage.clone());
        return Some(Ok(ToolOutput {
            outputs: Arc::clone(outputs),
            structured,
            usage,
        }));
    }
    let error = finished.error.as_ref()?;
    matches!(error.code, Code::ExecError | Code::InvalidArgument).then(|| {
        Err(ToolError {
            code: error.code,
            message: error.message.clone(),
            retry_after: error.retry_after,
            metadata: error.metadata.clone().map(Arc::from),
        })
    })
}
