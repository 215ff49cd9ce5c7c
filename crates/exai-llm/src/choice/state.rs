//! An endpoint at this moment, as far as choosing and listing need to know it.

use crate::provider::{Resolved, Standing};

/// One endpoint now.
#[derive(Debug, Clone)]
pub struct EndpointState<'a> {
    /// As it is in force.
    pub resolved: &'a Resolved,
    /// Its breaker.
    pub breaker: BreakerState,
    /// Requests under way.
    pub in_flight: u32,
    /// How many there may be.
    pub concurrency: u32,
    /// Somebody looked, and it is there: a local server that answers, a program that is
    /// installed. `None` when nobody looked.
    pub found: Option<bool>,
    /// Why its key would be refused before anything is sent.
    pub key_trouble: Option<String>,
}

/// A breaker, in a word and a reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BreakerState {
    /// Requests pass.
    #[default]
    Closed,
    /// None passes for now.
    Open {
        /// What it saw.
        cause: String,
        /// When one may pass again.
        retry_after_secs: Option<u64>,
    },
    /// One passes, to see.
    HalfOpen {
        /// What it saw.
        cause: String,
    },
}

impl BreakerState {
    /// `closed`, `open` or `half_open`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
        }
    }

    /// What it saw.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Closed => None,
            Self::Open { cause, .. } | Self::HalfOpen { cause } => Some(cause),
        }
    }
}

impl<'a> EndpointState<'a> {
    /// An endpoint nothing has happened to yet.
    #[must_use]
    pub fn idle(resolved: &'a Resolved) -> Self {
        Self {
            resolved,
            breaker: BreakerState::Closed,
            in_flight: 0,
            concurrency: resolved.endpoint.limits.concurrency,
            found: None,
            key_trouble: None,
        }
    }

    /// Whether it can be used at all.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.resolved.standing == Standing::Ready && self.key_trouble.is_none()
    }

    /// What to set, or who said no, when it cannot be used.
    #[must_use]
    pub fn lacks(&self) -> Option<&str> {
        match &self.resolved.standing {
            Standing::Ready => self.key_trouble.as_deref(),
            Standing::Offered(how) | Standing::Lacks(how) | Standing::Barred(how) => Some(how),
        }
    }

    /// Why this model cannot be asked here; `None` when it can.
    pub(crate) fn barrier(&self, model: &str) -> Option<String> {
        let Resolved { name, endpoint, .. } = self.resolved;
        match &self.resolved.standing {
            Standing::Offered(how) => Some(format!("'{name}' is not enabled: {how}")),
            Standing::Lacks(how) => Some(format!("'{name}' cannot be used yet: {how}")),
            Standing::Barred(how) => Some(format!("'{name}' may not be used: {how}")),
            Standing::Ready if !endpoint.allows(model) => Some(format!(
                "'{name}' may not be asked for it: its allow_models and deny_models in \
                 config/providers.toml do not let it through"
            )),
            Standing::Ready => {
                let trouble = self.key_trouble.as_ref()?;
                Some(format!("'{name}' cannot be used yet: {trouble}"))
            }
        }
    }

    /// Whether a request sent now would wait for others.
    pub(crate) fn is_full(&self) -> bool {
        self.in_flight >= self.concurrency.max(1)
    }
}
