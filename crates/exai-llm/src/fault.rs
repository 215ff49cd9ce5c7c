//! What can go wrong with a model, in classes a breaker, a retry and a person can act on.
//! Whatever text a provider sent along is cleaned of keys before anyone sees it.

mod after;
mod scrub;
#[cfg(test)]
mod tests;

pub(crate) use after::{duration_ms, utc_date_ms};
pub use after::{header, retry_after_ms};
pub use scrub::scrub;

use exai_protocol::error::{Code, WireError};
use serde::{Deserialize, Serialize};

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultClass {
    /// Too many requests or tokens; waiting helps.
    RateLimited,
    /// The account has no money or quota left; waiting does not help.
    QuotaExhausted,
    /// The key is missing, wrong or expired.
    Auth,
    /// The key is good, but not for this.
    Forbidden,
    /// No such model, or no such address.
    NotFound,
    /// The request is longer than the model can read.
    ContextLength,
    /// The provider will not answer this.
    ContentFilter,
    /// The provider has too much to do; waiting helps.
    Overloaded,
    /// The provider does not take the request as it is.
    BadRequest,
    /// The request has too many bytes.
    TooLarge,
    /// It asks for what this endpoint or model cannot do; nothing was sent.
    Unsupported,
    /// The program to be run is not on this machine; trying again installs nothing.
    NotInstalled,
    /// A limit of time was reached.
    Timeout,
    /// The provider cannot be reached.
    Unreachable,
    /// The provider failed.
    Server,
    /// The stream ended before the answer did.
    Truncated,
    /// What came is not what the dialect says.
    Malformed,
}

impl FaultClass {
    /// Its word in records, events and settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::Auth => "auth",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::ContextLength => "context_length",
            Self::ContentFilter => "content_filter",
            Self::Overloaded => "overloaded",
            Self::BadRequest => "bad_request",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::NotInstalled => "not_installed",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Server => "server",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
        }
    }

    /// Whether the same request may succeed a little later. The caller still must not repeat
    /// it once text has reached anyone.
    #[must_use]
    pub fn worth_repeating(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::Overloaded
                | Self::Timeout
                | Self::Unreachable
                | Self::Server
                | Self::Truncated
                | Self::Malformed
        )
    }

    /// Whether it says something about the endpoint rather than about the request.
    #[must_use]
    pub fn blames_endpoint(self) -> bool {
        self.worth_repeating() || matches!(self, Self::Auth | Self::QuotaExhausted)
    }

    /// The code of the answer.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::RateLimited => Code::OverCapacity,
            Self::QuotaExhausted
            | Self::Auth
            | Self::Forbidden
            | Self::NotInstalled
            | Self::Overloaded
            | Self::Unreachable
            | Self::Server => Code::Unavailable,
            Self::NotFound | Self::Unsupported => Code::InvalidArgument,
            Self::ContextLength | Self::TooLarge => Code::TooLarge,
            Self::Timeout => Code::Timeout,
            Self::ContentFilter | Self::BadRequest | Self::Truncated | Self::Malformed => {
                Code::ExecError
            }
        }
    }

    /// The class a status stands for when the body says nothing better.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Auth,
            402 => Self::QuotaExhausted,
            403 => Self::Forbidden,
            404 | 405 | 410 => Self::NotFound,
            408 | 504 | 524 => Self::Timeout,
            413 => Self::TooLarge,
            429 => Self::RateLimited,
            502 | 503 | 529 => Self::Overloaded,
            500..=599 => Self::Server,
            400..=499 => Self::BadRequest,
            _ => Self::Malformed,
        }
    }
}

/// One failure. Where it happened is added when it is told, in [`Fault::tell`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Fault {
    /// Its kind.
    pub class: FaultClass,
    /// The HTTP status, where there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// The provider's own code, where it gave one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provider_code: Option<String>,
    /// What happened, without keys and not long.
    pub detail: String,
    /// How long the provider asked us to wait.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
    /// Nobody was asked: the endpoint rests after failures of this class.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub resting: bool,
}

/// Where a fault happened and what would mend it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The endpoint's name.
    pub endpoint: &'a str,
    /// The model, as sent.
    pub model: &'a str,
    /// What holds the endpoint's key, for example `GLM_API_KEY`; never the key. Where it begins
    /// with `run `, it is what a person runs to log in.
    pub key_from: &'a str,
}

impl Fault {
    /// A fault of this kind; the detail is cleaned and shortened.
    #[must_use]
    pub fn new(class: FaultClass, detail: impl AsRef<str>) -> Self {
        Self {
            class,
            status: None,
            provider_code: None,
            detail: scrub(detail.as_ref(), &[]),
            retry_after_ms: None,
            resting: false,
        }
    }

    /// The code of the answer. Who was not asked has neither failed nor been too slow.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.resting {
            true => Code::Unavailable,
            false => self.class.code(),
        }
    }

    /// What the endpoint or model cannot do; nothing was sent.
    #[must_use]
    pub fn unsupported(detail: impl AsRef<str>) -> Self {
        Self::new(FaultClass::Unsupported, detail)
    }

    /// What came is not what the dialect says.
    #[must_use]
    pub fn malformed(detail: impl AsRef<str>) -> Self {
        Self::new(FaultClass::Malformed, detail)
    }

    /// The same, cleaned of these keys too.
    #[must_use]
    pub fn without(mut self, keys: &[&str]) -> Self {
        self.detail = scrub(&self.detail, keys);
        self.provider_code = self.provider_code.map(|code| scrub(&code, keys));
        self
    }

    /// Whole seconds to wait, rounded up.
    #[must_use]
    pub fn retry_after_secs(&self) -> Option<u64> {
        self.retry_after_ms.map(|ms| ms.div_ceil(1000))
    }

    /// The answer to the caller: what happened, where, and the next step.
    #[must_use]
    pub fn tell(&self, place: &Place<'_>) -> WireError {
        let Place {
            endpoint, model, ..
        } = place;
        let happened = self.happened();
        let said = if self.detail.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.detail)
        };
        let next = self.next_step(place);
        let message = format!("model '{model}' at '{endpoint}': {happened}{said}. {next}");
        let error = WireError::new(self.code(), message);
        match self.retry_after_secs() {
            Some(seconds) => error.retry_after(seconds),
            None => error,
        }
    }

    fn happened(&self) -> String {
        if self.resting {
            return "it is not asked now".to_owned();
        }
        let what = match self.class {
            FaultClass::RateLimited => "too many requests at once",
            FaultClass::QuotaExhausted => "the account's credit or quota is used up",
            FaultClass::Auth => "the key was refused",
            FaultClass::Forbidden => "the key may not be used for this",
            FaultClass::NotFound => "the provider does not know this model or address",
            FaultClass::ContextLength => "the request is longer than the model can read",
            FaultClass::ContentFilter => "the provider refused the content",
            FaultClass::Overloaded => "the provider is overloaded",
            FaultClass::BadRequest => "the provider does not accept the request",
            FaultClass::TooLarge => "the request has too many bytes",
            FaultClass::Unsupported => "this cannot be done there",
            FaultClass::NotInstalled => "the program is not installed",
            FaultClass::Timeout => "the provider did not answer in time",
            FaultClass::Unreachable => "the provider cannot be reached",
            FaultClass::Server => "the provider failed",
            FaultClass::Truncated => "the answer broke off before its end",
            FaultClass::Malformed => "the provider's answer cannot be understood",
        };
        match self.status {
            Some(status) => format!("{what} [HTTP {status}]"),
            None => what.to_owned(),
        }
    }

    fn next_step(&self, place: &Place<'_>) -> String {
        let wait = match self.retry_after_secs() {
            Some(seconds) => format!("Try again in {seconds} s, or choose another model."),
            None => "Try again shortly, or choose another model.".to_owned(),
        };
        match self.class {
            FaultClass::RateLimited
            | FaultClass::Overloaded
            | FaultClass::Server
            | FaultClass::Timeout
            | FaultClass::Truncated
            | FaultClass::Malformed => wait,
            FaultClass::QuotaExhausted => {
                "Top up the account at the provider, or choose another model.".to_owned()
            }
            FaultClass::Auth => match place.key_from.strip_prefix("run ") {
                Some(login) => format!("Run {login}, log in, and try again."),
                None => format!("Set a valid key in {} and try again.", place.key_from),
            },
            FaultClass::Forbidden => format!(
                "Ask the provider to open the model for the key in {}, or choose another.",
                place.key_from
            ),
            FaultClass::NotFound => {
                "See `listmodels` for names, and check the endpoint's base URL.".to_owned()
            }
            FaultClass::ContextLength => {
                "Send less text or fewer files, or choose a model with a larger context.".to_owned()
            }
            FaultClass::ContentFilter => {
                "Rephrase the request, or choose another provider.".to_owned()
            }
            FaultClass::BadRequest => {
                "Change what the provider names, or choose another model.".to_owned()
            }
            FaultClass::TooLarge => "Send fewer or smaller files and images.".to_owned(),
            FaultClass::Unsupported => "Leave that out, or choose another model.".to_owned(),
            FaultClass::NotInstalled => "Install it, or choose another model.".to_owned(),
            FaultClass::Unreachable => {
                "Check the network and the endpoint's base URL; a local server must be running."
                    .to_owned()
            }
        }
    }
}
