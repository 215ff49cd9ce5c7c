//! Who may run now. One lock decides over the global, the provider's and the client's
//! permit together, so there is no order to get wrong; a permit is owned and comes back by
//! drop alone. Who must wait stands in a bounded queue that serves clients in turn, so one
//! window's burst delays another window by one call, not by the burst. A client that does not
//! read its results is passed over until it does.

mod queue;
mod seat;

pub use seat::Seat;

use crate::account::Account;
use exai_protocol::event::LimitKind;
use queue::FairQueue;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::oneshot, time::Instant};

/// A permit's time weighs this much in the average.
const RECENT: u32 = 8;

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
    /// Calls of one client that wait, so that none fills the queue alone.
    pub client_queue: usize,
    /// Bytes of arguments that wait.
    pub queue_bytes: usize,
    /// Bytes one client may have under way: arguments, and results it has not read.
    pub client_bytes: usize,
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
    /// How long permits were held lately.
    held: Option<Duration>,
}

/// What a call needs.
#[derive(Clone)]
pub struct Claim {
    /// The client it counts for.
    pub client: Arc<str>,
    /// The provider it counts for.
    pub provider: Option<Arc<str>>,
    /// What it holds while it waits.
    pub bytes: usize,
    /// What its client has under way; `None` for a call that had its turn.
    pub account: Option<Arc<Account>>,
}

/// The answer to a claim.
pub enum Admitted {
    /// Run.
    Now(Permit),
    /// Wait.
    Queued(Waiting),
    /// The queue is at a bound.
    Full(Full),
}

/// Why there is no place in the queue.
#[derive(Debug, Clone, Copy)]
pub struct Full {
    /// The bound.
    pub limit: LimitKind,
    /// How full it is.
    pub depth: Depth,
    /// Calls of this client that wait.
    pub of_client: usize,
    /// About how long until half of those in the way will have begun; `None` where no call has
    /// ended yet.
    pub relief: Option<Duration>,
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
        self.claim_within(claim, true)
    }

    /// The same for a call that was promised to run: the queue's bounds are for newcomers.
    pub fn claim_promised(self: &Arc<Self>, claim: Claim) -> Admitted {
        self.claim_within(claim, false)
    }

    fn claim_within(self: &Arc<Self>, claim: Claim, bounded: bool) -> Admitted {
        let mut state = self.lock();
        if !state.queue.has_waiting(&claim) && state.fits(&claim, &self.limits) {
            state.take(&claim);
            drop(state);
            return Admitted::Now(Permit::new(self, claim));
        }
        if bounded && let Some(full) = state.full_for(&claim, &self.limits) {
            return Admitted::Full(full);
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

    /// Somebody may run who could not: a client has read what it was sent.
    pub fn look_again(self: &Arc<Self>) {
        let granted = self.lock().grant(&self.limits);
        self.hand_out(granted);
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

    fn release(self: &Arc<Self>, claim: &Claim, held: Duration) {
        let mut state = self.lock();
        state.give_back(claim);
        state.note(held);
        let granted = state.grant(&self.limits);
        drop(state);
        self.hand_out(granted);
    }

    fn hand_out(self: &Arc<Self>, granted: Vec<(Claim, oneshot::Sender<Permit>)>) {
        for (claim, sender) in granted {
            // A waiter that is gone drops its permit here, which serves the next.
            let _ = sender.send(Permit::new(self, claim));
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
        let reads = claim
            .account
            .as_ref()
            .is_none_or(|account| !account.reads_behind(limits.client_bytes));
        self.running < limits.global
            && provider_fits
            && used(&self.clients, &claim.client) < limits.client
            && reads
    }

    /// The bound that keeps a call from waiting.
    fn full_for(&self, claim: &Claim, limits: &Limits) -> Option<Full> {
        let of_client = self.queue.waiting_of(&claim.client);
        let (limit, ahead, permits) = if self.queue.len() >= limits.queue_calls {
            (LimitKind::QueueCalls, self.queue.len(), limits.global)
        } else if self.queue.bytes() + claim.bytes > limits.queue_bytes {
            (LimitKind::QueueBytes, self.queue.len(), limits.global)
        } else if of_client >= limits.client_queue {
            let permits = limits.client.min(limits.global);
            (LimitKind::ClientQueue, of_client, permits)
        } else {
            return None;
        };
        let half = u32::try_from(ahead.div_ceil(2)).unwrap_or(u32::MAX);
        let permits = u32::try_from(permits).unwrap_or(u32::MAX).max(1);
        Some(Full {
            limit,
            depth: self.depth(),
            of_client,
            relief: self.held.map(|held| held.saturating_mul(half) / permits),
        })
    }

    fn note(&mut self, held: Duration) {
        let before = self.held.unwrap_or(held);
        self.held = Some((before * (RECENT - 1) + held) / RECENT);
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
    since: Instant,
}

impl Permit {
    fn new(admission: &Arc<Admission>, claim: Claim) -> Self {
        Self {
            admission: Arc::clone(admission),
            claim,
            since: Instant::now(),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.release(&self.claim, self.since.elapsed());
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
