//! Who may run now. One lock decides over the global, the provider's and the client's
//! permit together, so there is no order to get wrong; a permit is owned and comes back by
//! drop alone. Who must wait stands in a bounded queue that serves clients in turn, so one
//! window's burst delays another window by one call, not by the burst.

mod queue;
mod seat;

pub use seat::Seat;

use queue::FairQueue;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// How much may run and wait.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Calls that run at once.
    pub global: usize,
    /// Of one client.
    pub client: usize,
    /// Of a provider, where it has a limit.
    pub providers: HashMap<Arc<str>, usize>,
    /// Calls that wait.
    pub queue_calls: usize,
    /// Bytes of arguments that wait.
    pub queue_bytes: usize,
}

/// The owner of all permits.
pub struct Admission {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    clients: HashMap<Arc<str>, usize>,
    providers: HashMap<Arc<str>, usize>,
    queue: FairQueue,
    tickets: u64,
}

/// What a call needs.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The client it counts for.
    pub client: Arc<str>,
    /// The provider it counts for.
    pub provider: Option<Arc<str>>,
    /// What it holds while it waits.
    pub bytes: usize,
}

/// The answer to a claim.
pub enum Admitted {
    /// Run.
    Now(Permit),
    /// Wait.
    Queued(Waiting),
    /// The queue is at its bound.
    Full(Depth),
}

/// How full it is, for messages and vital signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Calls running.
    pub running: usize,
    /// Calls waiting.
    pub queued: usize,
    /// Bytes waiting.
    pub queued_bytes: usize,
}

impl Admission {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            state: Mutex::default(),
        })
    }

    /// Asks for the permits of one call.
    pub fn claim(self: &Arc<Self>, claim: Claim) -> Admitted {
        self.claim_within(
            claim,
            Some((self.limits.queue_calls, self.limits.queue_bytes)),
        )
    }

    /// The same, with the bounds of the queue that hold for this claim.
    fn claim_within(self: &Arc<Self>, claim: Claim, bounds: Option<(usize, usize)>) -> Admitted {
        let mut state = self.lock();
        if !state.queue.has_waiting(&claim) && state.fits(&claim, &self.limits) {
            state.take(&claim);
            drop(state);
            return Admitted::Now(Permit {
                admission: Arc::clone(self),
                claim,
            });
        }
        let (calls, bytes) = (state.queue.len(), state.queue.bytes() + claim.bytes);
        if bounds.is_some_and(|(most, most_bytes)| calls >= most || bytes > most_bytes) {
            return Admitted::Full(state.depth());
        }
        let (sender, granted) = oneshot::channel();
        state.tickets += 1;
        let ticket = state.tickets;
        state.queue.push(ticket, claim.clone(), sender);
        Admitted::Queued(Waiting {
            admission: Arc::clone(self),
            ticket,
            claim,
            granted,
        })
    }

    /// How full it is.
    #[must_use]
    pub fn depth(&self) -> Depth {
        self.lock().depth()
    }

    /// The bounds it keeps.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    fn release(self: &Arc<Self>, claim: &Claim) {
        let mut state = self.lock();
        state.give_back(claim);
        let granted = state.grant(&self.limits);
        drop(state);
        for (claim, sender) in granted {
            // A waiter that is gone drops its permit here, which serves the next.
            let _ = sender.send(Permit {
                admission: Arc::clone(self),
                claim,
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fits(&self, claim: &Claim, limits: &Limits) -> bool {
        let used =
            |table: &HashMap<Arc<str>, usize>, key: &Arc<str>| table.get(key).copied().unwrap_or(0);
        let provider_fits = claim.provider.as_ref().is_none_or(|provider| {
            let limit = limits
                .providers
                .get(provider)
                .copied()
                .unwrap_or(usize::MAX);
            used(&self.providers, provider) < limit
        });
        self.running < limits.global
            && provider_fits
            && used(&self.clients, &claim.client) < limits.client
    }

    fn take(&mut self, claim: &Claim) {
        self.running += 1;
        *self.clients.entry(Arc::clone(&claim.client)).or_default() += 1;
        if let Some(provider) = &claim.provider {
            *self.providers.entry(Arc::clone(provider)).or_default() += 1;
        }
    }

    fn give_back(&mut self, claim: &Claim) {
        self.running -= 1;
        decrement(&mut self.clients, &claim.client);
        if let Some(provider) = &claim.provider {
            decrement(&mut self.providers, provider);
        }
    }

    /// Takes permits for as many waiting calls as fit, in turn.
    fn grant(&mut self, limits: &Limits) -> Vec<(Claim, oneshot::Sender<Permit>)> {
        let mut granted = Vec::new();
        while self.running < limits.global {
            let mut queue = std::mem::take(&mut self.queue);
            let next = queue.pop(|claim| self.fits(claim, limits));
            self.queue = queue;
            let Some((claim, sender)) = next else { break };
            self.take(&claim);
            granted.push((claim, sender));
        }
        granted
    }

    fn depth(&self) -> Depth {
        Depth {
            running: self.running,
            queued: self.queue.len(),
            queued_bytes: self.queue.bytes(),
        }
    }
}

fn decrement(table: &mut HashMap<Arc<str>, usize>, key: &Arc<str>) {
    if let Some(count) = table.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            table.remove(key);
        }
    }
}

/// The right to run; comes back by drop.
pub struct Permit {
    admission: Arc<Admission>,
    claim: Claim,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.release(&self.claim);
    }
}

/// A place in the queue; leaving is dropping it.
pub struct Waiting {
    admission: Arc<Admission>,
    ticket: u64,
    claim: Claim,
    granted: oneshot::Receiver<Permit>,
}

impl Waiting {
    /// Waits for the permit; cancel-safe. `None` never happens while the admission lives.
    pub async fn granted(&mut self) -> Option<Permit> {
        (&mut self.granted).await.ok()
    }

    /// How many calls start before this one, and how many wait in all.
    #[must_use]
    pub fn position(&self) -> (usize, usize) {
        let state = self.admission.lock();
        (
            state.queue.ahead_of(self.ticket, &self.claim),
            state.queue.len(),
        )
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.admission.lock().queue.remove(self.ticket, &self.claim);
    }
}

#[cfg(test)]
mod tests;
