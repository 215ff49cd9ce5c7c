//! The rows that concern the shim alone.

use super::{DAY, Key, Kind, Reader::Shim, env_only, key};

/// In the order of the generated files.
pub(super) const KEYS: &[Key] = &[
    key(
        "shim.autostart",
        &["EXAI_WS_AUTOSTART"],
        "auto",
        Shim,
        Kind::MaybeSwitch {
            set: |s, v| s.shim.autostart_asked = v,
        },
        "Start the daemon when none runs. auto: yes on loopback, no when host, port and token \
         all come from the shim's own environment.",
    ),
    key(
        "shim.connect_wait_secs",
        &["EXAI_SHIM_CONNECT_WAIT", "EXAI_WS_CONNECT_TIMEOUT"],
        "10",
        Shim,
        Kind::Seconds {
            min: 0.0,
            max: 3600.0,
            set: |s, v| s.shim.connect_wait = v,
        },
        "How long a call waits for the daemon before it is answered with what to do.",
    ),
    key(
        "shim.reattach_wait_secs",
        &["EXAI_SHIM_REATTACH_WAIT"],
        "45",
        Shim,
        Kind::Seconds {
            min: 0.0,
            max: DAY,
            set: |s, v| s.shim.reattach_wait = v,
        },
        "How long a call that was in flight when the link broke waits for the daemon to come back.",
    ),
    key(
        "shim.handshake_timeout_secs",
        &["EXAI_WS_HANDSHAKE_TIMEOUT"],
        "15",
        Shim,
        Kind::Seconds {
            min: 0.05,
            max: 600.0,
            set: |s, v| s.shim.handshake_timeout = v,
        },
        "How long one attempt to connect and be greeted may take.",
    ),
    key(
        "shim.rpc_timeout_secs",
        &["EXAI_SHIM_RPC_TIMEOUT"],
        "",
        Shim,
        Kind::MaybeSeconds {
            min: 0.05,
            max: DAY,
            set: |s, v| s.shim.rpc_timeout = v,
        },
        "The shim's own limit on a call. Unset: the daemon's deadline is the only one.",
    ),
    key(
        "shim.ack_grace_secs",
        &["EXAI_SHIM_ACK_GRACE_SECS"],
        "30",
        Shim,
        Kind::Seconds {
            min: 0.0,
            max: 3600.0,
            set: |s, v| s.shim.ack_grace = v,
        },
        "What the shim adds to the deadline the daemon told it before it stops waiting.",
    ),
    key(
        "shim.client_call_secs",
        &["EXAI_CLIENT_CALL_SECS"],
        "auto",
        Shim,
        Kind::SecondsNeverOrAuto {
            min: 0.1,
            max: DAY,
            set: |s, v| s.shim.client_call = v,
        },
        "How long the MCP client waits for a call, where you changed that in the client. auto: what \
         config/clients.toml says of it.",
    ),
    key(
        "shim.client_resets",
        &["EXAI_CLIENT_RESETS"],
        "auto",
        Shim,
        Kind::MaybeSwitch {
            set: |s, v| s.shim.client_resets = v,
        },
        "Whether progress starts the client's clock anew. auto: what config/clients.toml says of it.",
    ),
    env_only(key(
        "shim.session_id",
        &["EXAI_SESSION_ID"],
        "",
        Shim,
        Kind::MaybeText {
            set: |s, v| s.shim.session_id = v,
        },
        "A fixed client id for this window. Unset: one is made at start.",
    )),
    env_only(key(
        "shim.server_id",
        &["MCP_SERVER_ID"],
        "exai",
        Shim,
        Kind::Text {
            set: |s, v| s.shim.server_id = v,
        },
        "The name this window's shim gives itself towards its MCP client.",
    )),
    env_only(key(
        "shim.server_name",
        &["MCP_SERVER_NAME"],
        "exai",
        Shim,
        Kind::Text {
            set: |s, v| s.shim.server_name = v,
        },
        "The title this window's shim gives itself towards its MCP client.",
    )),
];
