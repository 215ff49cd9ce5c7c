//! What a client is told when it is made: who it speaks for, and every time and size it
//! keeps to. Defaults are the product's; tests and settings change single fields.

use crate::backoff::BackoffPolicy;
use exai_protocol::{hello::ClientInfo, limits::MAX_FRAME_BYTES, version};
use std::time::Duration;

/// A client's settings.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Who speaks. Without an id one is minted, because results are found again by it.
    pub client: ClientInfo,
    /// V1's advisory session id.
    pub session_id: Option<String>,
    /// What `hello` announces.
    pub features: Vec<String>,
    /// How reconnecting slows down.
    pub backoff: BackoffPolicy,
    /// Seeds the jitter; random without one.
    pub seed: Option<u64>,
    /// Largest frame to send or accept (`EXAI_WS_MAX_BYTES`).
    pub max_frame_bytes: usize,
    /// Most calls and requests that may be pending at once.
    pub max_pending: usize,
    /// All durations.
    pub times: Times,
}

/// Every duration the client knows.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Connecting, upgrading and the hello together (`EXAI_WS_HANDSHAKE_TIMEOUT`).
    pub handshake: Duration,
    /// How long a call not yet sent waits for a daemon (`EXAI_SHIM_CONNECT_WAIT`).
    pub connect_wait: Duration,
    /// The same while the owner keeps the daemon stopped: long enough for a restart.
    pub stopped_wait: Duration,
    /// Longest wait for the link to return to a call that was in flight when it broke.
    pub reattach_wait: Duration,
    /// Longest silence about a call before the daemon has named its deadline
    /// (`EXAI_SHIM_RPC_TIMEOUT`).
    pub rpc: Duration,
    /// Added to the deadline the daemon named (`EXAI_SHIM_ACK_GRACE_SECS`).
    pub ack_grace: Duration,
    /// Longest wait for the reply to anything that is not a call.
    pub reply: Duration,
    /// Longest wait for the end of a call that was asked to stop.
    pub stop_wait: Duration,
    /// Silence after which the link is pinged.
    pub ping_interval: Duration,
    /// How soon the pong must come.
    pub pong_within: Duration,
    /// The same after a jump of the wall clock, when the link is probably dead.
    pub urgent_pong: Duration,
    /// How often the wall clock is compared with the monotonic one.
    pub wall_check: Duration,
    /// A difference that means: this machine slept, or the clock was set.
    pub wall_jump: Duration,
    /// Time between two probes of a daemon that refused us.
    pub refused_probe: Duration,
    /// A link this old was good: losing it starts the backoff over.
    pub stable_after: Duration,
    /// Silence with a call running after which a predecessor's socket is given up.
    pub legacy_silence: Duration,
}

impl Times {
    /// How long the answer to what became of a call may take: longer than a dead link takes to be
    /// found out, as the call is safe with the daemon and another link may hear of it.
    pub(crate) fn answer_about_a_call(&self) -> Duration {
        self.ping_interval + self.pong_within + self.reply
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(15),
            connect_wait: Duration::from_secs(10),
            stopped_wait: Duration::from_secs(2),
            reattach_wait: Duration::from_secs(45),
            rpc: Duration::from_secs(300),
            ack_grace: Duration::from_secs(30),
            reply: Duration::from_secs(20),
            stop_wait: Duration::from_secs(5),
            ping_interval: Duration::from_secs(25),
            pong_within: Duration::from_secs(10),
            urgent_pong: Duration::from_secs(3),
            wall_check: Duration::from_secs(5),
            wall_jump: Duration::from_secs(5),
            refused_probe: Duration::from_secs(30),
            stable_after: Duration::from_millis(250),
            legacy_silence: Duration::from_secs(30),
        }
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            client: ClientInfo::default(),
            session_id: None,
            features: version::FEATURES
                .iter()
                .map(|&name| name.to_owned())
                .collect(),
            backoff: BackoffPolicy::STANDARD,
            seed: None,
            max_frame_bytes: MAX_FRAME_BYTES,
            max_pending: 4096,
            times: Times::default(),
        }
    }
}
