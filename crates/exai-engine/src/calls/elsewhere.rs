//! A call that a daemon of this home took and still has at work, although it has given its
//! home away: whoever asks for it here hears of it as if it ran here, and it runs nowhere twice.

use super::{
    CallKey, Update,
    call::{Call, Stop},
    life::{beat, pass_on, record, wish_of},
    outcome::{End, Finished},
    submit::expired,
};
use crate::{
    engine::Engine,
    ports::ledger::{News, Recalled},
    progress::Said,
};
use std::{future::pending, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::Receiver,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until},
};

/// Between two looks into the ledger, should no news come: the news may be lost, the row is not.
const LOOK: Duration = Duration::from_millis(250);

/// What the ledger says now.
enum Now {
    Ended(End),
    Goes,
    /// That daemon is gone, and the call has no end: it is to be entered anew.
    Orphaned,
}

/// Waits for the end of the call under `key`: the one asked for, or one before it. `None`: its
/// daemon died first, or it was the one before, so that the call is to be entered again.
pub(super) async fn end_of(engine: &Engine, call: &Call, key: &CallKey, runs: bool) -> Option<End> {
    if runs {
        call.now_running();
        call.tell(&Update::Acknowledged {
            limit: call.limit.after,
            at_once: false,
        });
    }
    let mut news = engine.ledger().follow(key);
    let mut heartbeat = engine.heartbeat();
    heartbeat.reset();
    let mut look = looks();
    let mut passed_on = false;
    loop {
        let due = tokio::select! {
            biased;
            () = call.wake.notified() => {
                if let Some(end) = heed(engine, call, key, &mut passed_on) {
                    return Some(end);
                }
                false
            }
            heard = next(&mut news) => tell(engine, call, heard),
            _ = look.tick() => true,
            () = sleep_until(call.deadline()) => {
                return Some(call.out_of_time(may_have_begun(call, key)));
            }
            _ = heartbeat.tick() => {
                beat(engine, call, if runs { "running" } else { "queued" }, "");
                false
            }
        };
        if !due {
            continue;
        }
        match state(engine, key).await {
            Now::Ended(_) if *key != call.key => {
                // What it left is this one's.
                engine.ledger().left(key);
                return None;
            }
            Now::Ended(end) => return Some(end),
            Now::Orphaned => return None,
            Now::Goes => {}
        }
    }
}

/// One that waits for another has not.
fn may_have_begun(call: &Call, key: &CallKey) -> bool {
    *key == call.key
}

fn looks() -> Interval {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// Passes a wish on, once: its end comes from where the call is. Ours alone is the wish of a
/// daemon that ends, or one that reaches nobody.
fn heed(engine: &Engine, call: &Call, key: &CallKey, passed_on: &mut bool) -> Option<End> {
    let end = wish_of(engine, call, may_have_begun(call, key))?;
    if *passed_on {
        return None;
    }
    let reason = match (&end, call.wish().0) {
        (End::Drained { .. }, _) => return Some(end),
        (_, Some(Stop::Asked(reason))) => reason,
        _ => "nobody waits for it".to_owned(),
    };
    *passed_on = engine.ledger().stop_elsewhere(key, &reason);
    (!*passed_on).then_some(end)
}

/// News of it; without any, those who look have to.
async fn next(news: &mut Option<Receiver<News>>) -> News {
    let Some(receiver) = news else {
        return pending().await;
    };
    match receiver.recv().await {
        Some(heard) => heard,
        None => {
            *news = None;
            News::Ended
        }
    }
}

/// Tells what was heard; whether it is time for a look.
fn tell(engine: &Engine, call: &Call, heard: News) -> bool {
    match heard {
        News::Ended => return true,
        News::Text(text) => call.tell(&Update::Partial(&text)),
        News::Progress { stage, message } if message.is_empty() => {
            beat(engine, call, &stage, "");
        }
        News::Progress { stage, message } => {
            let said = Said {
                at: Instant::now(),
                stage: Arc::from(stage),
                message: Arc::from(message),
            };
            if let Some(progress) = record(engine, call, &said) {
                pass_on(engine, call, progress);
            }
        }
    }
    false
}

async fn state(engine: &Engine, key: &CallKey) -> Now {
    match engine.ledger().recall(key).await {
        Ok(Some(Recalled::Finished(kept))) => {
            Now::Ended(End::Recalled(Arc::new(Finished::here(&kept))))
        }
        Ok(Some(Recalled::Expired)) => Now::Ended(End::Refused(expired())),
        Ok(Some(Recalled::Elsewhere { .. })) => Now::Goes,
        Ok(Some(Recalled::Open(_)) | None) => Now::Orphaned,
        Err(error) => {
            tracing::warn!(id = %key.request_id, %error, "a call elsewhere cannot be looked up");
            Now::Goes
        }
    }
}
