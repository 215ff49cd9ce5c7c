//! The rows. Order is the order of the generated files.

use super::{
    Key, Kind,
    Reader::{self, Both, Daemon, Shim},
};

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;
const DAY: f64 = 86_400.0;

const fn key(
    path: &'static str,
    env: &'static [&'static str],
    default: &'static str,
    reader: Reader,
    kind: Kind,
    doc: &'static str,
) -> Key {
    Key { path, env, default, reader, kind, env_only: false, doc }
}

const fn env_only(key: Key) -> Key {
    Key { env_only: true, ..key }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Every setting there is.
pub const KEYS: &[Key] = &[
    key(
        "network.host",
        &["EXAI_WS_HOST"],
        "127.0.0.1",
        Both,
        Kind::Host { set: |s, v| s.network.host = v },
        "Where the daemon listens and clients connect. Anything but loopback needs EXAI_WS_TOKEN.",
    ),
    key(
        "network.port",
        &["EXAI_WS_PORT"],
        "8765",
        Both,
        Kind::Whole {
            min: 0,
            max: 65_535,
            set: |s, v| s.network.port = u16::try_from(v).unwrap_or(u16::MAX),
        },
        "The port; 0 lets the system choose, and shims of the same home find it.",
    ),
    key(
        "network.allowed_hosts",
        &["EXAI_WS_ALLOWED_HOSTS"],
        "",
        Daemon,
        Kind::Names { set: |s, v| s.network.allowed_hosts = v },
        "Further values of the Host header to accept, for a mapped port or a proxy.",
    ),
    key(
        "network.max_frame_bytes",
        &["EXAI_WS_MAX_BYTES"],
        "32 MiB",
        Both,
        Kind::Bytes {
            min: 16 * KIB,
            max: GIB,
            set: |s, v| s.network.max_frame_bytes = size(v),
        },
        "Largest message either side sends or accepts.",
    ),
    key(
        "network.ping_interval_secs",
        &["EXAI_WS_PING_INTERVAL"],
        "25",
        Both,
        Kind::Seconds { min: 0.05, max: DAY, set: |s, v| s.network.ping_interval = v },
        "Between two pings on a connection.",
    ),
    key(
        "network.ping_timeout_secs",
        &["EXAI_WS_PING_TIMEOUT"],
        "10",
        Both,
        Kind::Seconds { min: 0.05, max: DAY, set: |s, v| s.network.ping_timeout = v },
        "How long a pong may take before the connection counts as dead.",
    ),
    key(
        "network.hello_timeout_secs",
        &["EXAI_WS_HELLO_TIMEOUT"],
        "5",
        Daemon,
        Kind::Seconds { min: 0.05, max: 600.0, set: |s, v| s.network.hello_timeout = v },
        "How long a new connection may take to say hello.",
    ),
    key(
        "network.max_pending_handshakes",
        &["EXAI_WS_MAX_PENDING_HANDSHAKES"],
        "512",
        Daemon,
        Kind::Whole {
            min: 1,
            max: 65_536,
            set: |s, v| s.network.max_pending_handshakes = size(v),
        },
        "Connections that may be shaking hands at once; more wait in the system's backlog.",
    ),
    env_only(key(
        "auth.token",
        &["EXAI_WS_TOKEN"],
        "",
        Both,
        Kind::Secret { set: |s, v| s.auth.token = v },
        "The shared token. Unset: the daemon makes one at first start and the shim reads it.",
    )),
    key(
        "auth.token_overlap_secs",
        &["EXAI_WS_TOKEN_OVERLAP_SECS"],
        "600",
        Daemon,
        Kind::Seconds { min: 0.0, max: 30.0 * DAY, set: |s, v| s.auth.token_overlap = v },
        "How long the old token still opens after a rotation.",
    ),
    key(
        "calls.call_timeout_secs",
        &["EXAI_WS_CALL_TIMEOUT"],
        "600",
        Daemon,
        Kind::Seconds { min: 0.05, max: DAY, set: |s, v| s.calls.call_timeout = v },
        "Deadline of a call whose tool has none of its own.",
    ),
    key(
        "calls.progress_interval_secs",
        &["EXAI_WS_PROGRESS_INTERVAL_SECS"],
        "2",
        Daemon,
        Kind::Seconds { min: 0.05, max: 3600.0, set: |s, v| s.calls.progress_interval = v },
        "Between two heartbeats of a running call.",
    ),
    key(
        "calls.result_ttl_secs",
        &["EXAI_WS_RESULT_TTL"],
        "600",
        Daemon,
        Kind::Seconds { min: 0.0, max: 30.0 * DAY, set: |s, v| s.calls.result_ttl = v },
        "How long a finished call's result can still be collected.",
    ),
    key(
        "calls.retained_results",
        &["EXAI_WS_RETAINED_RESULTS"],
        "10000",
        Daemon,
        Kind::Whole { min: 0, max: 10_000_000, set: |s, v| s.calls.retained_results = size(v) },
        "Results kept at most; an evicted one is answered as expired, never run again.",
    ),
    key(
        "calls.retained_bytes",
        &["EXAI_WS_RETAINED_BYTES"],
        "64 MiB",
        Daemon,
        Kind::Bytes { min: 0, max: 64 * GIB, set: |s, v| s.calls.retained_bytes = size(v) },
        "Bytes of results kept at most.",
    ),
    key(
        "calls.unwatched_secs",
        &["EXAI_UNWATCHED_SECS"],
        "600",
        Daemon,
        Kind::Seconds { min: 0.0, max: 30.0 * DAY, set: |s, v| s.calls.unwatched = v },
        "A running call that nobody waits for any more is stopped after this.",
    ),
    key(
        "calls.disable_coalesce_for",
        &["EXAI_WS_DISABLE_COALESCE_FOR_TOOLS"],
        "",
        Daemon,
        Kind::Names { set: |s, v| s.calls.disable_coalesce_for = v },
        "Tools whose equal, overlapping calls never share one run.",
    ),
    key(
        "calls.compat_text",
        &["EXAI_WS_COMPAT_TEXT"],
        "true",
        Daemon,
        Kind::Switch { set: |s, v| s.calls.compat_text = v },
        "Whether results for old clients carry a `text` copy of the outputs.",
    ),
    key(
        "limits.global_inflight",
        &["EXAI_WS_GLOBAL_MAX_INFLIGHT"],
        "24",
        Daemon,
        Kind::Whole { min: 1, max: 100_000, set: |s, v| s.limits.global_inflight = size(v) },
        "Calls that run at once; more wait in line.",
    ),
    key(
        "limits.client_inflight",
        &["EXAI_WS_SESSION_MAX_INFLIGHT"],
        "8",
        Daemon,
        Kind::Whole { min: 1, max: 100_000, set: |s, v| s.limits.client_inflight = size(v) },
        "Calls of one client that run at once.",
    ),
    key(
        "limits.queue_calls",
        &["EXAI_WS_QUEUE_CALLS"],
        "4096",
        Daemon,
        Kind::Whole { min: 0, max: 1_000_000, set: |s, v| s.limits.queue_calls = size(v) },
        "Calls that may wait in line; more are refused with a hint.",
    ),
    key(
        "limits.queue_bytes",
        &["EXAI_WS_QUEUE_BYTES"],
        "64 MiB",
        Daemon,
        Kind::Bytes { min: 0, max: 64 * GIB, set: |s, v| s.limits.queue_bytes = size(v) },
        "Bytes of arguments that may wait in line.",
    ),
    key(
        "limits.retry_after_secs",
        &["EXAI_WS_RETRY_AFTER_SECS"],
        "1",
        Daemon,
        Kind::Whole { min: 0, max: 3600, set: |s, v| s.limits.retry_after_secs = v },
        "The hint that goes with a refusal for lack of room.",
    ),
    key(
        "limits.providers.kimi",
        &["EXAI_WS_KIMI_MAX_INFLIGHT"],
        "6",
        Daemon,
        Kind::Whole {
            min: 1,
            max: 100_000,
            set: |s, v| s.limits.set_provider("kimi", v),
        },
        "Calls that run at once against Kimi; other providers: their name in the same section.",
    ),
    key(
        "limits.providers.glm",
        &["EXAI_WS_GLM_MAX_INFLIGHT"],
        "4",
        Daemon,
        Kind::Whole {
            min: 1,
            max: 100_000,
            set: |s, v| s.limits.set_provider("glm", v),
        },
        "Calls that run at once against GLM.",
    ),
    key(
        "sessions.idle_secs",
        &["SESSION_TIMEOUT_SECS"],
        "3600",
        Daemon,
        Kind::Seconds { min: 0.05, max: 365.0 * DAY, set: |s, v| s.sessions.idle = v },
        "A client away this long is forgotten, unless a call of its still runs.",
    ),
    key(
        "logs.level",
        &["LOG_LEVEL"],
        "info",
        Both,
        Kind::Level { set: |s, v| s.logs.level = v },
        "The least important line that is written.",
    ),
    key(
        "logs.log_arguments",
        &["EXAI_LOG_ARGUMENTS"],
        "false",
        Daemon,
        Kind::Switch { set: |s, v| s.logs.log_arguments = v },
        "Log argument values too, not only their size and hash. They may hold private text.",
    ),
    key(
        "logs.max_bytes",
        &["EXAI_LOG_MAX_BYTES"],
        "10 MiB",
        Both,
        Kind::Bytes { min: 4 * KIB, max: 100 * GIB, set: |s, v| s.logs.max_bytes = v },
        "Size at which a log is rotated.",
    ),
    key(
        "logs.keep",
        &["EXAI_LOG_KEEP"],
        "5",
        Both,
        Kind::Whole { min: 0, max: 1000, set: |s, v| s.logs.keep = size(v) },
        "Rotated files kept of each log.",
    ),
    key(
        "logs.status_fresh_secs",
        &["WS_STATUS_FRESH_SECS"],
        "20",
        Both,
        Kind::Seconds { min: 0.05, max: DAY, set: |s, v| s.logs.status_fresh = v },
        "A health file older than this proves no running daemon.",
    ),
    key(
        "logs.health_interval_secs",
        &["EXAI_HEALTH_WRITER_INTERVAL"],
        "10",
        Daemon,
        Kind::Seconds { min: 0.05, max: DAY, set: |s, v| s.logs.health_interval = v },
        "Between two health files; changes are written at once.",
    ),
    key(
        "shim.autostart",
        &["EXAI_WS_AUTOSTART"],
        "auto",
        Shim,
        Kind::MaybeSwitch { set: |s, v| s.shim.autostart_asked = v },
        "Start the daemon when none runs. auto: yes on loopback, no when host, port and token \
         all come from the shim's own environment.",
    ),
    key(
        "shim.connect_wait_secs",
        &["EXAI_SHIM_CONNECT_WAIT", "EXAI_WS_CONNECT_TIMEOUT"],
        "10",
        Shim,
        Kind::Seconds { min: 0.0, max: 3600.0, set: |s, v| s.shim.connect_wait = v },
        "How long a call waits for the daemon before it is answered with what to do.",
    ),
    key(
        "shim.handshake_timeout_secs",
        &["EXAI_WS_HANDSHAKE_TIMEOUT"],
        "15",
        Shim,
        Kind::Seconds { min: 0.05, max: 600.0, set: |s, v| s.shim.handshake_timeout = v },
        "How long one attempt to connect and be greeted may take.",
    ),
    key(
        "shim.rpc_timeout_secs",
        &["EXAI_SHIM_RPC_TIMEOUT"],
        "",
        Shim,
        Kind::MaybeSeconds { min: 0.05, max: DAY, set: |s, v| s.shim.rpc_timeout = v },
        "The shim's own limit on a call. Unset: the daemon's deadline is the only one.",
    ),
    key(
        "shim.ack_grace_secs",
        &["EXAI_SHIM_ACK_GRACE_SECS"],
        "30",
        Shim,
        Kind::Seconds { min: 0.0, max: 3600.0, set: |s, v| s.shim.ack_grace = v },
        "What the shim adds to the deadline the daemon told it before it stops waiting.",
    ),
    env_only(key(
        "shim.session_id",
        &["EXAI_SESSION_ID"],
        "",
        Shim,
        Kind::MaybeText { set: |s, v| s.shim.session_id = v },
        "A fixed client id for this window. Unset: one is made at start.",
    )),
    env_only(key(
        "shim.server_id",
        &["MCP_SERVER_ID"],
        "exai",
        Shim,
        Kind::Text { set: |s, v| s.shim.server_id = v },
        "The name this window's shim gives itself towards its MCP client.",
    )),
    env_only(key(
        "shim.server_name",
        &["MCP_SERVER_NAME"],
        "exai",
        Shim,
        Kind::Text { set: |s, v| s.shim.server_name = v },
        "The title this window's shim gives itself towards its MCP client.",
    )),
];

/// Names that decide where settings come from; process environment only.
pub const OTHER_NAMES: &[(&str, &str)] = &[
    ("EXAI_HOME", "The home: logs, data, run-time files, config/exai.toml and .env. An absolute path."),
    ("EXAI_CONFIG", "The user's own settings file, instead of exai/exai.toml in the platform's place."),
    ("ENV_FILE", "The file read as .env, instead of .env in the home."),
    ("EXAI_TEST_TOOLS", "1: the daemon also has scripted test tools. Never honoured from a file."),
];

/// The predecessor's names that are still found in people's files and have no effect here.
pub const RETIRED: &[(&str, &str)] = &[
    ("EXAI_WS_SKIP_HEALTH_CHECK", "the shim always asks the daemon itself"),
    ("EXAI_WS_PING_VALIDATION_TIMEOUT", "the shim always asks the daemon itself"),
    ("EXAI_WS_INFLIGHT_TTL_SECS", "a call is known for exactly as long as it lives"),
    ("EXAI_WS_EXPERT_KEEPALIVE_MS", "heartbeats are EXAI_WS_PROGRESS_INTERVAL_SECS"),
    ("EXAI_WS_EXPERT_SOFT_DEADLINE_SECS", "one deadline travels with the call"),
    ("EXAI_WS_EXPERT_MICROSTEP", "tools decide their own steps"),
    ("EXAI_SEMAPHORE_HEALTH_CHECK_INTERVAL", "permits cannot leak, nothing recovers them"),
    ("EXAI_PORT_CHECK_TIMEOUT", "an operating-system lock decides who is the daemon"),
    ("EXAI_WS_STARTUP_WAIT_PROVIDERS", "the daemon serves at once"),
    ("EXAI_WS_STARTUP_WAIT_PROVIDERS_TIMEOUT", "the daemon serves at once"),
];
