//! The calls the client waits for. A ticket is written when the call is read and torn when it
//! is answered or let go of, so that a cancellation reaches the call whatever it is doing, and
//! a torn call is never answered.

use exai_protocol::request::CancelMode;
use rmcp::model::RequestId;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// One call the client waits for, as the call sees it.
#[derive(Debug)]
pub(crate) struct Ticket(oneshot::Receiver<LetGo>);

/// How and why the client let go.
#[derive(Debug)]
pub(crate) struct LetGo {
    pub(crate) mode: CancelMode,
    pub(crate) reason: String,
}

impl Ticket {
    /// Waits until the client lets go; it is told once.
    pub(crate) async fn let_go(&mut self) -> LetGo {
        match (&mut self.0).await {
            Ok(let_go) => let_go,
            // Nobody can let go any more.
            Err(_) => std::future::pending().await,
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    open: Mutex<HashMap<RequestId, oneshot::Sender<LetGo>>>,
}

impl Tickets {
    /// Opens a ticket; `None` when the client already waits under that id.
    pub(crate) fn open(&self, id: &RequestId) -> Option<Ticket> {
        let mut open = self.lock();
        if open.contains_key(id) {
            return None;
        }
        let (tear, torn) = oneshot::channel();
        open.insert(id.clone(), tear);
        Some(Ticket(torn))
    }

    /// The call is about to be answered; `false` when the client has let go of it, and its id
    /// may already be another's.
    pub(crate) fn close(&self, id: &RequestId, ticket: &mut Ticket) -> bool {
        let mut open = self.lock();
        let waits = matches!(
            ticket.0.try_recv(),
            Err(oneshot::error::TryRecvError::Empty)
        );
        if waits {
            open.remove(id);
        }
        waits
    }

    /// The client lets go of a request; `false` when it has no ticket.
    pub(crate) fn let_go(&self, id: &RequestId, reason: &str) -> bool {
        let mut open = self.lock();
        let Some(tear) = open.remove(id) else {
            return false;
        };
        // A call that is gone has nothing left to stop.
        let _ = tear.send(LetGo {
            mode: mode_of(reason),
            reason: reason.to_owned(),
        });
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<LetGo>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
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
        for early in [true, false] {
            let mut ticket = tickets.open(&id).unwrap();
            assert!(tickets.open(&id).is_none());
            let tear = async { assert!(tickets.let_go(&id, "esc")) };
            let let_go = if early {
                tear.await;
                ticket.let_go().await
            } else {
                tokio::join!(ticket.let_go(), tear).0
            };
            assert_eq!(let_go.reason, "esc");
            assert_eq!(tickets.len(), 0);
        }
        assert!(!tickets.let_go(&id, "esc"));
    }

    #[test]
    fn r09_what_was_let_go_of_is_not_answered_even_when_its_id_is_used_again() {
        let tickets = Tickets::default();
        let id = RequestId::Number(1);
        let mut first = tickets.open(&id).unwrap();
        tickets.let_go(&id, "");
        let mut second = tickets.open(&id).unwrap();
        assert!(!tickets.close(&id, &mut first));
        assert!(tickets.close(&id, &mut second));
        assert_eq!(tickets.len(), 0);
    }
}
