//! The words exai's processes speak to each other: frames, ids, limits, error codes, call
//! records and events. Pure: no tokio, no clock, no files, no logging. A change here is a
//! change of the contract, so every frame has a golden file in `tests/frames/`.

pub mod call;
pub mod control;
pub mod endpoint;
pub mod error;
pub mod event;
pub mod health;
pub mod hello;
pub mod ids;
pub mod limits;
pub mod names;
pub mod object;
pub mod proof;
pub mod record;
pub mod request;
pub mod scan;
#[cfg(feature = "schema")]
pub mod schema;
pub mod secret;
pub mod tool;
pub mod version;

pub use error::{Code, Outcome, WireError};
pub use ids::{BootId, ClientId, Principal, RequestId, SessionId};
pub use secret::Secret;
pub use serde_json::value::RawValue;

/// Wall-clock time in milliseconds since the Unix epoch.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The predecessor's spelling: float seconds.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "millisecond times stay below 2^53"
    )]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

/// How a process learns the wall-clock time; injected, so that tests own it.
pub type WallClock = std::sync::Arc<dyn Fn() -> UnixMillis + Send + Sync>;
