//! A queue that takes turns: clients in a ring, within a client one lane a provider, first
//! come first served within a lane. A lane whose provider is full does not hold up the others.

use super::{Claim, Permit};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::oneshot;

#[derive(Default)]
pub(super) struct FairQueue {
    ring: VecDeque<Client>,
    len: usize,
    bytes: usize,
}

struct Client {
    name: Arc<str>,
    lanes: VecDeque<Lane>,
}

struct Lane {
    provider: Option<Arc<str>>,
    waiters: VecDeque<Waiter>,
}

struct Waiter {
    ticket: u64,
    claim: Claim,
    sender: oneshot::Sender<Permit>,
}

impl FairQueue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Calls of one client that wait.
    pub(super) fn waiting_of(&self, name: &str) -> usize {
        let client = self.ring.iter().find(|client| *client.name == *name);
        client.map_or(0, |client| {
            client.lanes.iter().map(|lane| lane.waiters.len()).sum()
        })
    }

    /// Whether a call of the same lane waits, so that a newcomer must not pass it.
    pub(super) fn has_waiting(&self, claim: &Claim) -> bool {
        self.len > 0 && self.lane(claim).is_some()
    }

    pub(super) fn push(&mut self, ticket: u64, claim: Claim, sender: oneshot::Sender<Permit>) {
        self.len += 1;
        self.bytes += claim.bytes;
        let client = match self
            .ring
            .iter()
            .position(|client| client.name == claim.client)
        {
            Some(at) => &mut self.ring[at],
            None => {
                self.ring.push_back(Client {
                    name: Arc::clone(&claim.client),
                    lanes: VecDeque::new(),
                });
                let last = self.ring.len() - 1;
                &mut self.ring[last]
            }
        };
        let waiter = Waiter {
            ticket,
            claim,
            sender,
        };
        match client
            .lanes
            .iter_mut()
            .find(|lane| lane.provider == waiter.claim.provider)
        {
            Some(lane) => lane.waiters.push_back(waiter),
            None => {
                let provider = waiter.claim.provider.clone();
                client.lanes.push_back(Lane {
                    provider,
                    waiters: VecDeque::from([waiter]),
                });
            }
        }
    }

    /// Takes the next call that fits, and moves its client to the ring's end.
    pub(super) fn pop(
        &mut self,
        fits: impl Fn(&Claim) -> bool,
    ) -> Option<(Claim, oneshot::Sender<Permit>)> {
        let head_fits = |lane: &Lane| {
            lane.waiters
                .front()
                .is_some_and(|waiter| fits(&waiter.claim))
        };
        let (at, lane_at) = self.ring.iter().enumerate().find_map(|(at, client)| {
            client
                .lanes
                .iter()
                .position(head_fits)
                .map(|lane_at| (at, lane_at))
        })?;
        let mut client = self.ring.remove(at)?;
        let mut lane = client.lanes.remove(lane_at)?;
        let waiter = lane.waiters.pop_front();
        if !lane.waiters.is_empty() {
            client.lanes.push_back(lane);
        }
        if !client.lanes.is_empty() {
            self.ring.push_back(client);
        }
        let waiter = waiter?;
        self.len -= 1;
        self.bytes -= waiter.claim.bytes;
        Some((waiter.claim, waiter.sender))
    }

    /// Forgets a waiter that gave up; does nothing if it was already served.
    pub(super) fn remove(&mut self, ticket: u64, claim: &Claim) {
        let Some(at) = self
            .ring
            .iter()
            .position(|client| client.name == claim.client)
        else {
            return;
        };
        let client = &mut self.ring[at];
        let Some(lane_at) = client
            .lanes
            .iter()
            .position(|lane| lane.provider == claim.provider)
        else {
            return;
        };
        let lane = &mut client.lanes[lane_at];
        let Some(found) = lane
            .waiters
            .iter()
            .position(|waiter| waiter.ticket == ticket)
        else {
            return;
        };
        lane.waiters.remove(found);
        self.len -= 1;
        self.bytes -= claim.bytes;
        if lane.waiters.is_empty() {
            client.lanes.remove(lane_at);
        }
        if client.lanes.is_empty() {
            self.ring.remove(at);
        }
    }

    /// Calls that start before this one if every call fits: its elders in the lane, and as
    /// many of every other client.
    pub(super) fn ahead_of(&self, ticket: u64, claim: &Claim) -> usize {
        let Some(lane) = self.lane(claim) else {
            return 0;
        };
        let elders = lane
            .waiters
            .iter()
            .take_while(|waiter| waiter.ticket != ticket)
            .count();
        let others = self
            .ring
            .iter()
            .filter(|client| client.name != claim.client)
            .map(|client| {
                let waiting: usize = client.lanes.iter().map(|lane| lane.waiters.len()).sum();
                waiting.min(elders + 1)
            });
        elders + others.sum::<usize>()
    }

    fn lane(&self, claim: &Claim) -> Option<&Lane> {
        let client = self
            .ring
            .iter()
            .find(|client| client.name == claim.client)?;
        client
            .lanes
            .iter()
            .find(|lane| lane.provider == claim.provider)
    }
}
