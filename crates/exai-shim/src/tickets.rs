//! The calls the client waits for. A ticket is written when the call is read and torn when it
//! is answered or let go of, so that a cancellation reaches the call whatever it is doing, and
//! a torn call is never answered.

use exai_protocol::{RawValue, request::CancelMode};
use rmcp::model::RequestId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// One call the client waits for.
#[derive(Debug)]
pub(crate) struct Ticket {
    arguments: Mutex<Option<Box<RawValue>>>,
    let_go: Mutex<Option<LetGo>>,
    changed: Notify,
}

/// How and why the client let go.
#[derive(Debug, Clone)]
pub(crate) struct LetGo {
    pub(crate) mode: CancelMode,
    pub(crate) reason: String,
}

impl Ticket {
    pub(crate) fn new(arguments: Option<Box<RawValue>>) -> Arc<Self> {
        let arguments = Mutex::new(arguments);
        Arc::new(Self {
            arguments,
            let_go: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// The call's arguments; there once.
    pub(crate) fn take_arguments(&self) -> Option<Box<RawValue>> {
        lock(&self.arguments).take()
    }

    /// Waits until the client lets go.
    pub(crate) async fn let_go(&self) -> LetGo {
        loop {
            let changed = self.changed.notified();
            if let Some(let_go) = lock(&self.let_go).clone() {
                return let_go;
            }
            changed.await;
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    open: Mutex<HashMap<RequestId, Arc<Ticket>>>,
}

impl Tickets {
    /// Opens a ticket; `None` when the client already waits under that id.
    pub(crate) fn open(
        &self,
        id: &RequestId,
        arguments: Option<Box<RawValue>>,
    ) -> Option<Arc<Ticket>> {
        let mut open = lock(&self.open);
        if open.contains_key(id) {
            return None;
        }
        let ticket = Ticket::new(arguments);
        open.insert(id.clone(), Arc::clone(&ticket));
        Some(ticket)
    }

    /// The call was answered.
    pub(crate) fn close(&self, id: &RequestId) {
        lock(&self.open).remove(id);
    }

    /// The client lets go of a call; other requests have no ticket.
    pub(crate) fn let_go(&self, id: &RequestId, reason: &str) {
        let ticket = lock(&self.open).remove(id);
        if let Some(ticket) = ticket {
            let let_go = LetGo {
                mode: mode_of(reason),
                reason: reason.to_owned(),
            };
            *lock(&ticket.let_go) = Some(let_go);
            ticket.changed.notify_waiters();
        }
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.open).len()
    }
}

/// A client whose patience ended did not want the work undone: it may come back for it.
fn mode_of(reason: &str) -> CancelMode {
    let reason = reason.to_ascii_lowercase();
    let words = [
        "timeout",
        "timed out",
        "time-out",
        "time out",
        "timed-out",
        "deadline",
    ];
    if words.iter().any(|word| reason.contains(word)) {
        CancelMode::Detach
    } else {
        CancelMode::Stop
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r09_a_time_out_detaches_and_a_person_stops() {
        for reason in [
            "request timeout",
            "SdkError: Request timed out",
            "Deadline exceeded",
        ] {
            assert_eq!(mode_of(reason), CancelMode::Detach, "{reason}");
        }
        for reason in ["", "MCP request cancelled by caller", "user pressed esc"] {
            assert_eq!(mode_of(reason), CancelMode::Stop, "{reason}");
        }
    }

    #[tokio::test]
    async fn a_ticket_hears_of_it_whether_it_waits_already_or_not() {
        let tickets = Tickets::default();
        let id = RequestId::Number(1);
        let ticket = tickets.open(&id, None).unwrap();
        assert!(tickets.open(&id, None).is_none());
        let (let_go, ()) = tokio::join!(ticket.let_go(), async { tickets.let_go(&id, "esc") });
        assert_eq!(let_go.reason, "esc");
        assert_eq!(ticket.let_go().await.reason, "esc");
        assert_eq!(tickets.len(), 0);
        assert!(tickets.open(&id, None).is_some());
    }
}
