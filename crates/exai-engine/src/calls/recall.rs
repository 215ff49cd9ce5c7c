//! Asking the ledger for calls this life knows nothing of: a client that comes back to a new
//! daemon finds its result, or its call runs on.

use super::{Asked, CallKey, Finished, Known, Stop, Submission, Watcher};
use crate::{
    engine::Engine,
    ports::ledger::{Open, Recalled},
    sessions::Session,
    tool,
};
use exai_protocol::{Principal, RequestId, control::CallState};
use std::sync::Arc;

/// What the ledger has of a call.
pub enum Remembered {
    /// Its result.
    Finished(Arc<Finished>),
    /// That it ended; its result is gone.
    Expired,
    /// That it never ended: it can be taken up again.
    Open(Revived),
    /// Nothing.
    Nothing,
    /// The ledger cannot be asked now; why.
    Unreadable(String),
}

/// A call of a daemon that is gone, as it was asked for; or of one that lives on to finish it.
pub struct Revived {
    open: Open,
    /// It runs there.
    runs: bool,
}

impl Remembered {
    /// The state to tell; what is taken up again begins with waiting, unless it runs already.
    #[must_use]
    pub fn state(&self) -> CallState {
        match self {
            Self::Finished(_) => CallState::Finished,
            Self::Expired => CallState::Expired,
            Self::Open(revived) if revived.runs => CallState::Running,
            Self::Open(_) => CallState::Queued,
            Self::Nothing | Self::Unreadable(_) => CallState::Unknown,
        }
    }
}

impl Engine {
    /// Whether [`Engine::recall`] can know more than [`Engine::look_up`].
    #[must_use]
    pub fn remembers(&self) -> bool {
        self.ledger().remembers()
    }

    /// Whether a call that [`Engine::recall`] does not find was never accepted by anyone.
    #[must_use]
    pub fn remembers_all(&self) -> bool {
        self.ledger().is_whole()
    }

    /// The name of the ledger's memory; see [`crate::ports::ledger::Ledger::name`].
    #[must_use]
    pub fn memory(&self) -> Option<Arc<str>> {
        self.ledger().name()
    }

    /// The name of the memory that does not have this call, for clients that knew another daemon.
    pub async fn absent(&self, session: &Session, id: &RequestId) -> Option<Arc<str>> {
        let key = self.key(session, id.clone());
        self.ledger().absent(&key).await.ok().flatten()
    }

    /// What the ledger has of a call. A result is kept at hand, for who reads it in pages.
    pub async fn recall(&self, session: &Session, id: &RequestId) -> Remembered {
        let key = self.key(session, id.clone());
        match self.ledger().recall(&key).await {
            Ok(Some(Recalled::Finished(finished))) => {
                self.calls().keep(key, &finished);
                Remembered::Finished(finished)
            }
            Ok(Some(Recalled::Expired)) => Remembered::Expired,
            Ok(Some(Recalled::Open(open))) => Remembered::Open(Revived { open, runs: false }),
            Ok(Some(Recalled::Elsewhere { open, runs })) => {
                Remembered::Open(Revived { open, runs })
            }
            Ok(None) => Remembered::Nothing,
            Err(error) => {
                tracing::error!(%id, %error, "a call could not be looked up");
                Remembered::Unreadable(error.reason)
            }
        }
    }

    /// Somebody has read a result in pages: it is nobody's next equal call's any more.
    pub fn taken(&self, session: &Session, id: &RequestId) {
        if self.remembers() {
            self.ledger().taken(&self.key(session, id.clone()));
        }
    }

    /// Stops any client's call, for whoever runs the daemon. One that a dead daemon left open
    /// is ended where it stands, and never runs again.
    pub async fn stop_of(
        &self,
        principal: Principal,
        scope: &str,
        id: &RequestId,
        reason: &str,
    ) -> CallState {
        let key = CallKey {
            principal,
            scope: Arc::from(scope),
            request_id: id.clone(),
        };
        let reason = if reason.is_empty() {
            "stopped by an operator"
        } else {
            reason
        };
        let known = self.calls().look_up(&key);
        if let Known::Live(call) = &known {
            call.stop(Stop::Asked(reason.to_owned()));
            return known.state();
        }
        if let Ok(Some(Recalled::Elsewhere { runs, .. })) = self.ledger().recall(&key).await
            && self.ledger().stop_elsewhere(&key, reason)
        {
            return match runs {
                true => CallState::Running,
                false => CallState::Queued,
            };
        }
        match self.ledger().abandon(&key, reason).await {
            Ok(Some(true)) => CallState::Running,
            Ok(Some(false)) => CallState::Queued,
            Ok(None) => known.state(),
            Err(error) => {
                tracing::error!(%id, %error, "a call could not be ended");
                known.state()
            }
        }
    }

    /// Takes a call up again: it runs if it may, else its end says why not. With a reason to
    /// stop it ends before it begins, so that it ends once, in the way of every call.
    ///
    /// # Errors
    /// The same call; nothing happened, because the record of calls is behind.
    pub fn revive(
        self: &Arc<Self>,
        session: &Arc<Session>,
        id: &RequestId,
        revived: Revived,
        watcher: Arc<dyn Watcher>,
        stop: Option<String>,
    ) -> Result<(), Revived> {
        if self.backlog().is_full() {
            return Err(revived);
        }
        let Revived { open, .. } = revived;
        let asked = Asked {
            tool: Arc::clone(&open.tool),
            arguments: open.args_hash,
        };
        let submission = Submission {
            session: Arc::clone(session),
            request_id: id.clone(),
            name: open.tool.to_string(),
            operator: open.operator,
            arguments: open.arguments.unwrap_or_else(tool::no_arguments),
            timeout: open.timeout,
            watcher,
        };
        self.take_as(submission, Some(asked), stop);
        Ok(())
    }
}
