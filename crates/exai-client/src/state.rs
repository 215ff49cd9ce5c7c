//! The life of the link as a machine without IO: what it is now, when to try next, and what
//! to tell people. Everybody else sees it through a watch channel.

use crate::{backoff::Backoff, config::Times};
use exai_protocol::{
    BootId, SessionId,
    hello::{HelloAck, Limits, ServerInfo},
    version::feature,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// The link, as published.
#[derive(Debug, Clone)]
pub enum LinkState {
    /// No connection; the next attempt has a time.
    Disconnected(Outage),
    /// An attempt is being made.
    Dialling(Outage),
    /// The daemon said welcome.
    Ready(Arc<Session>),
    /// The daemon said no, or our own set-up is wrong; probed seldom, and at once on a change.
    Refused(Outage),
    /// The owner stopped the daemon; probed like any outage, and nothing is started.
    Stopped(Outage),
    /// The client is gone.
    Closed,
}

/// A time without a daemon.
#[derive(Debug, Clone)]
pub struct Outage {
    /// Attempts since the link was last good.
    pub attempt: u32,
    /// Why the last one failed; empty before the first has.
    pub cause: Arc<str>,
    /// When it began.
    pub since: Instant,
    /// When the next attempt is due.
    pub retry_at: Instant,
}

/// What the daemon said when it let us in.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// The session, where it named one.
    pub session_id: Option<SessionId>,
    /// `major.minor`; absent from a predecessor.
    pub protocol: Option<String>,
    /// Who it is; absent from a predecessor.
    pub server: Option<ServerInfo>,
    /// What it understands.
    pub features: Vec<String>,
    /// The hash of the tool list we see.
    pub tools_hash: Option<String>,
    /// Its bounds.
    pub limits: Option<Limits>,
    /// The name of its journal.
    pub journal: Option<String>,
}

impl Session {
    /// A predecessor: it knows no attach, no cancel, and replies to some requests without id.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.protocol.is_none()
    }

    /// It knows every call that it, or a daemon of its home before it, accepted.
    #[must_use]
    pub fn remembers_calls(&self) -> bool {
        self.features
            .iter()
            .any(|feature| feature == feature::JOURNAL)
    }

    /// It finds other clients' calls of the same principal.
    #[must_use]
    pub fn reaches_others(&self) -> bool {
        self.features
            .iter()
            .any(|feature| feature == feature::SCOPES)
    }

    /// Which run of the daemon this is.
    #[must_use]
    pub fn boot_id(&self) -> Option<&BootId> {
        self.server.as_ref().map(|server| &server.boot_id)
    }
}

impl From<HelloAck> for Session {
    fn from(ack: HelloAck) -> Self {
        Self {
            session_id: ack.session_id,
            protocol: ack.protocol,
            server: ack.server,
            features: ack.features,
            tools_hash: ack.tools_hash,
            limits: ack.limits,
            journal: ack.journal,
        }
    }
}

impl LinkState {
    /// Whether calls can leave now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// The session, while the link is good.
    #[must_use]
    pub fn session(&self) -> Option<&Arc<Session>> {
        match self {
            Self::Ready(session) => Some(session),
            _ => None,
        }
    }

    /// One phrase for people: `not reachable (attempt 3: connection refused)`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Ready(_) => "connected".to_owned(),
            Self::Disconnected(outage) | Self::Dialling(outage) if outage.cause.is_empty() => {
                "being reached for the first time".to_owned()
            }
            Self::Disconnected(outage) | Self::Dialling(outage) => {
                format!(
                    "not reachable (attempt {}: {})",
                    outage.attempt, outage.cause
                )
            }
            Self::Refused(outage) => format!("refused: {}", outage.cause),
            Self::Stopped(_) => "stopped by you; run exai-daemon start".to_owned(),
            Self::Closed => "closed".to_owned(),
        }
    }
}

/// Why an attempt did not end in a welcome.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Worth trying again soon.
    Retry(String),
    /// Not worth it until something changes.
    Refused(String),
    /// The owner's will.
    Stopped,
}

/// Two attempts are never closer than this, whatever asks for them.
const SPACING: Duration = Duration::from_millis(50);

pub(crate) struct Link {
    backoff: Backoff,
    times: Times,
    attempt: u32,
    since: Instant,
    cause: Arc<str>,
    retry_at: Instant,
    tried_at: Option<Instant>,
    up_since: Option<Instant>,
    state: watch::Sender<LinkState>,
}

impl Link {
    pub(crate) fn new(backoff: Backoff, times: Times, now: Instant) -> Self {
        let cause: Arc<str> = "".into();
        let outage = Outage {
            attempt: 0,
            cause: cause.clone(),
            since: now,
            retry_at: now,
        };
        let (state, _) = watch::channel(LinkState::Disconnected(outage));
        Self {
            backoff,
            times,
            attempt: 0,
            since: now,
            cause,
            retry_at: now,
            tried_at: None,
            up_since: None,
            state,
        }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    pub(crate) fn current(&self) -> LinkState {
        self.state.borrow().clone()
    }

    pub(crate) fn retry_at(&self) -> Instant {
        self.retry_at
    }

    /// The place we dial is said to have changed: do not wait any longer.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.backoff.reset();
        let earliest = self.tried_at.map_or(now, |tried| tried + SPACING);
        self.retry_at = now.max(earliest);
    }

    pub(crate) fn dialling(&mut self, now: Instant) {
        self.tried_at = Some(now);
        self.attempt = self.attempt.saturating_add(1);
        let refused = matches!(
            *self.state.borrow(),
            LinkState::Refused(_) | LinkState::Stopped(_)
        );
        if !refused {
            self.publish(LinkState::Dialling);
        }
    }

    pub(crate) fn failed(&mut self, now: Instant, failure: Failure) {
        let wrap: fn(Outage) -> LinkState = match failure {
            Failure::Retry(cause) => {
                self.cause = cause.into();
                self.retry_at = now + self.backoff.next_delay();
                LinkState::Disconnected
            }
            Failure::Stopped => {
                self.cause = "stopped by you".into();
                self.retry_at = now + self.backoff.next_delay();
                LinkState::Stopped
            }
            Failure::Refused(cause) => {
                self.cause = cause.into();
                self.retry_at = now + self.times.refused_probe;
                LinkState::Refused
            }
        };
        if self.attempt == 1 || self.attempt.is_multiple_of(10) {
            let wait_ms = self.retry_at.duration_since(now).as_millis();
            tracing::warn!(attempt = self.attempt, cause = %self.cause, wait_ms, "no daemon");
        }
        self.publish(wrap);
    }

    pub(crate) fn welcomed(&mut self, now: Instant, session: Arc<Session>) {
        let server = session.server.as_ref();
        tracing::info!(
            attempt = self.attempt,
            down_ms = now.duration_since(self.since).as_millis(),
            version = server.map_or("predecessor", |server| server.version.as_str()),
            boot_id = server.map_or("", |server| server.boot_id.as_str()),
            "connected to the daemon"
        );
        self.up_since = Some(now);
        self.attempt = 0;
        self.state.send_replace(LinkState::Ready(session));
    }

    pub(crate) fn lost(&mut self, now: Instant, cause: &str) {
        tracing::warn!(cause, "the link to the daemon broke");
        let stable = self
            .up_since
            .take()
            .is_some_and(|up| now - up >= self.times.stable_after);
        let wait = if stable {
            self.backoff.reset();
            self.backoff.scatter(SPACING)
        } else {
            self.backoff.next_delay()
        };
        self.attempt = 0;
        self.since = now;
        self.cause = cause.into();
        self.retry_at = now + wait;
        self.publish(LinkState::Disconnected);
    }

    pub(crate) fn close(&mut self) {
        self.state.send_replace(LinkState::Closed);
    }

    fn publish(&mut self, wrap: fn(Outage) -> LinkState) {
        self.state.send_replace(wrap(Outage {
            attempt: self.attempt,
            cause: self.cause.clone(),
            since: self.since,
            retry_at: self.retry_at,
        }));
    }
}
