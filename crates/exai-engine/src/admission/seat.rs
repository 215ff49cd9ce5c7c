//! A running call's permit, which its tool may lay down. A tool that waits for somebody else's
//! capacity (a provider that takes six requests and no more) uses none of ours meanwhile, so
//! that calls to other providers are not kept waiting by those that wait themselves.

use super::{Admission, Claim, Permit};
use std::{
    future::{Future, poll_fn},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};
use tokio::sync::OwnedSemaphorePermit;

/// A permit that can be laid down and taken up again.
#[derive(Clone, Default)]
pub struct Seat {
    permit: Arc<Mutex<Option<Permit>>>,
    /// Of a call beside the line: the place is free when nothing of its tool is at work any more,
    /// be it a thread that a disk keeps waiting after the call's end.
    _beside: Option<Arc<OwnedSemaphorePermit>>,
}

impl Seat {
    /// The seat of a call that has its permit.
    pub(crate) fn new(permit: Permit) -> Self {
        Self {
            permit: Arc::new(Mutex::new(Some(permit))),
            _beside: None,
        }
    }

    /// The seat of a call that needs no permit.
    pub(crate) fn beside(place: OwnedSemaphorePermit) -> Self {
        Self {
            permit: Arc::default(),
            _beside: Some(Arc::new(place)),
        }
    }

    /// Lays the permit down for as long as `wait` takes, and waits in turn to have it back.
    /// Dropping the future on the way leaves the call without, as its end does.
    pub async fn without<T>(&self, wait: impl Future<Output = T>) -> T {
        tokio::pin!(wait);
        // What need not be waited for costs no turn.
        let at_once = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await;
        if let Poll::Ready(out) = at_once {
            return out;
        }
        let claim = self.take().map(Permit::into_claim);
        let out = wait.await;
        if let Some((admission, claim)) = claim {
            let permit = admission.again(claim).await;
            *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = permit;
        }
        out
    }

    /// The call is over.
    pub(crate) fn leave(&self) {
        drop(self.take());
    }

    fn take(&self) -> Option<Permit> {
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        permit.take()
    }
}

impl Permit {
    fn into_claim(self) -> (Arc<Admission>, Claim) {
        // Dropping it afterwards is what gives it back. Its call has had its turn: that its client
        // reads slowly is no reason to let it wait for the end.
        let claim = Claim {
            account: None,
            ..self.claim.clone()
        };
        (Arc::clone(&self.admission), claim)
    }
}

impl Admission {
    /// Waits for a permit that was held before.
    async fn again(self: Arc<Self>, claim: Claim) -> Option<Permit> {
        let mut waiting = match self.claim_promised(claim) {
            super::Admitted::Now(permit) => return Some(permit),
            super::Admitted::Queued(waiting) => waiting,
            super::Admitted::Full(_) => return None,
        };
        waiting.granted().await
    }
}
