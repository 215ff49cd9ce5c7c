//! The settings as typed values. Nobody reads a variable or a file beyond this crate; who needs
//! a setting is given its value.

use exai_protocol::Secret;
use std::{collections::BTreeMap, net::IpAddr, num::NonZeroU32, time::Duration};

/// Everything that can be set. No `Debug`: it holds the token.
#[derive(Clone, PartialEq, Default)]
pub struct Settings {
    /// The WebSocket edge.
    pub network: Network,
    /// Who may come in.
    pub auth: Auth,
    /// The life of a call.
    pub calls: Calls,
    /// How much at once.
    pub limits: Limits,
    /// The memory of clients.
    pub sessions: Sessions,
    /// What is written down.
    pub logs: Logs,
    /// Money.
    pub budgets: Budgets,
    /// The journal of calls.
    pub journal: Journal,
    /// Conversations.
    pub threads: Threads,
    /// The watchdog.
    pub watchdog: Watchdog,
    /// Files that go to models.
    pub files: Files,
    /// Tools.
    pub tools: Tools,
    /// What models answer.
    pub answers: Answers,
    /// The stdio side.
    pub shim: Shim,
}

/// The WebSocket edge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Where the daemon binds and clients connect; an address or a name, without brackets.
    pub host: String,
    /// 0 lets the system choose.
    pub port: u16,
    /// Whether the daemon listens on a Unix socket too.
    pub unix_socket: bool,
    /// `Host` headers accepted besides loopback and the bound address.
    pub allowed_hosts: Vec<String>,
    /// Largest frame.
    pub max_frame_bytes: usize,
    /// Between two pings.
    pub ping_interval: Duration,
    /// For the pong.
    pub ping_timeout: Duration,
    /// For the first frame.
    pub hello_timeout: Duration,
    /// Connections that may be shaking hands at once.
    pub max_pending_handshakes: usize,
}

impl Network {
    /// Whether the host is this machine and no other.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// Whether a host is this machine and no other. A name other than `localhost` could be anyone.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Who may come in. No `Debug`: it holds the token.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Auth {
    /// Given by the owner; `None`: the home's own.
    pub token: Option<Secret>,
    /// How long the old token still opens after a rotation.
    pub token_overlap: Duration,
    /// Whether a client may show the token itself.
    pub accept_plain_token: bool,
    /// Whether we show the token itself to a daemon.
    pub send_plain_token: bool,
}

/// The life of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calls {
    /// Deadline of a call whose tool has none of its own.
    pub call_timeout: Duration,
    /// Between two heartbeats.
    pub progress_interval: Duration,
    /// How long a result can be collected.
    pub result_ttl: Duration,
    /// Results kept at most.
    pub retained_results: usize,
    /// Bytes of results kept at most.
    pub retained_bytes: usize,
    /// A call nobody waits for is stopped after this.
    pub unwatched: Duration,
    /// Tools whose equal calls never share a run.
    pub disable_coalesce_for: Vec<String>,
    /// Whether results carry V1's `text`.
    pub compat_text: bool,
}

/// How models answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers {
    /// In which language; none: in that of the question.
    pub locale: Option<String>,
}

/// What may be sent of the disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// Folders that are open for every client.
    pub roots: Vec<String>,
}

/// How much at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Calls running.
    pub global_inflight: usize,
    /// Calls of one client running.
    pub client_inflight: usize,
    /// Calls running against one provider, by its lower-case name.
    pub providers: BTreeMap<String, usize>,
    /// Calls waiting.
    pub queue_calls: usize,
    /// Bytes of arguments waiting.
    pub queue_bytes: usize,
    /// Calls of one client waiting.
    pub client_queue: usize,
    /// Bytes of one client under way.
    pub client_bytes: usize,
    /// Calls of one principal in a time.
    pub principal_rate: Option<Rate>,
    /// Calls of a tool in a time; `*` is every other tool.
    pub tool_rates: BTreeMap<String, Rate>,
    /// The least wait told with a refusal, in seconds.
    pub retry_after_secs: u64,
}

/// So many calls in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls.
    pub calls: NonZeroU32,
    /// In this time.
    pub per: Duration,
    /// As many may come at once.
    pub burst: NonZeroU32,
}

impl Limits {
    pub(crate) fn set_provider(&mut self, name: &str, limit: u64) {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        self.providers.insert(name.to_lowercase(), limit);
    }
}

/// The memory of clients.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sessions {
    /// A client away this long is forgotten, unless a call of its runs.
    pub idle: Duration,
}

/// What is written down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logs {
    /// The least important line that is written.
    pub level: Level,
    /// Whether argument values are logged, not only their size and hash.
    pub log_arguments: bool,
    /// A log is rotated at this size.
    pub max_bytes: u64,
    /// Rotated files kept of each log.
    pub keep: usize,
    /// A health file older than this proves nothing.
    pub status_fresh: Duration,
    /// Between two health files.
    pub health_interval: Duration,
}

/// Money, in millionths of a US dollar; `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Budgets {
    /// For one call of a tool.
    pub call: Option<u64>,
    /// For one conversation.
    pub thread: Option<u64>,
    /// For one client.
    pub client: Option<u64>,
    /// For one UTC day, of everybody.
    pub day: Option<u64>,
    /// Warned from this share on.
    pub warn_percent: u8,
    /// What may cost more has to be confirmed.
    pub confirm_above: Option<u64>,
    /// Whether models without a known price are not asked.
    pub refuse_unknown_price: bool,
}

/// The journal of calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journal {
    /// Whether there is one.
    pub enabled: bool,
    /// How often it is brought to the disk itself; `None`: each time.
    pub sync: Option<Duration>,
    /// How long a result can be collected.
    pub results_for: Duration,
    /// Bytes of all results.
    pub result_bytes: u64,
    /// Bytes of one.
    pub largest_result: u64,
    /// How long an equal call gets what an earlier one left.
    pub left_for: Duration,
    /// How long it is known that a call was made.
    pub calls_for: Duration,
    /// Calls known at most.
    pub calls: u64,
}

/// Conversations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Threads {
    /// One that is not used for so long is removed.
    pub keep: Duration,
    /// Turns of one.
    pub turns: u32,
    /// Bytes of all.
    pub bytes: u64,
}

/// The watchdog.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watchdog {
    /// An event loop that does not answer for so long stalls.
    pub stall: Duration,
    /// One that does not for so long is given up; `None`: never.
    pub restart: Option<Duration>,
    /// A call without a sign of life for so long is quiet.
    pub quiet_call: Duration,
    /// A writer that works on the same for so long makes no headway.
    pub writer: Duration,
    /// Growth is measured over this.
    pub window: Duration,
    /// Bytes.
    pub memory_growth: u64,
    /// Open descriptors.
    pub descriptor_growth: u64,
}

/// The stdio side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shim {
    /// What was asked for; `None`: decide by the host.
    pub autostart_asked: Option<bool>,
    /// Whether the shim starts a daemon when none runs.
    pub autostart: bool,
    /// Host, port and token all came from this process's environment or flags: the daemon is
    /// reached by address alone, and no file of the home is needed.
    pub by_address: bool,
    /// How long a call waits for a connection.
    pub connect_wait: Duration,
    /// How long a call that was in flight waits for its connection to return.
    pub reattach_wait: Duration,
    /// For connecting and being greeted.
    pub handshake_timeout: Duration,
    /// The shim's own limit on a call; `None`: the daemon's.
    pub rpc_timeout: Option<Duration>,
    /// What the shim adds to the deadline the daemon told it.
    pub ack_grace: Duration,
    /// How long this window's client waits for a call, `Some(None)` being for ever; `None`: as
    /// the table of clients has it.
    pub client_call: Option<Option<Duration>>,
    /// Whether progress makes it wait longer; `None`: as the table has it.
    pub client_resets: Option<bool>,
    /// The client's id, for set-ups that want it fixed.
    pub session_id: Option<String>,
    /// `serverInfo.name`.
    pub server_id: String,
    /// `serverInfo.title`.
    pub server_name: String,
}

/// What of the tools clients see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tools {
    /// The profile wished for; empty: none.
    pub profile: String,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Nearly nothing.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// Why it happened.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// The level's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// The level of that name; the predecessor's names too.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "error" | "critical" => Some(Self::Error),
            "warn" | "warning" => Some(Self::Warn),
            "info" => Some(Self::Info),
            "debug" => Some(Self::Debug),
            "trace" => Some(Self::Trace),
            _ => None,
        }
    }
}

impl Settings {
    /// Every setting at its default.
    #[must_use]
    pub fn defaults() -> Self {
        let mut settings = Self::default();
        for key in crate::keys::all() {
            // A default that its own key refuses is caught by a test of the table.
            let _ = key.apply(&mut settings, key.default);
        }
        settings.settle(false);
        settings
    }

    /// Derives what depends on more than one setting.
    pub(crate) fn settle(&mut self, by_address: bool) {
        self.shim.by_address = by_address;
        let wanted = self.network.is_loopback() && !by_address;
        self.shim.autostart = self.shim.autostart_asked.unwrap_or(wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognised() {
        for host in [
            "127.0.0.1",
            "127.8.8.8",
            "::1",
            "localhost",
            "LocalHost",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "0.0.0.0",
            "::",
            "10.0.0.1",
            "example.test",
            "127.0.0.1.example.test",
            "",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn the_defaults_are_the_documented_numbers() {
        let settings = Settings::defaults();
        assert_eq!(
            (settings.network.host.as_str(), settings.network.port),
            ("127.0.0.1", 8765)
        );
        assert_eq!(
            settings.network.max_frame_bytes,
            exai_protocol::limits::MAX_FRAME_BYTES
        );
        assert_eq!(settings.network.ping_interval, Duration::from_secs(25));
        assert_eq!(settings.network.ping_timeout, Duration::from_secs(10));
        assert_eq!(settings.calls.call_timeout, Duration::from_secs(600));
        assert_eq!(settings.limits.providers["kimi"], 6);
        assert_eq!(settings.limits.providers["glm"], 4);
        assert_eq!(settings.limits.queue_bytes, 64 << 20);
        assert_eq!(settings.logs.max_bytes, 10 << 20);
        assert_eq!(settings.shim.rpc_timeout, None);
        assert!(settings.shim.autostart && settings.calls.compat_text);
    }
}
