//! The replies that are not part of a call's own life. Each echoes the `request_id` it
//! answers, where the client sent one; extra fields are ignored by V1 clients.

use crate::{
    BootId, ClientId, Principal, RequestId, SessionId, WireError, event::EventBody, health::Health,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

macro_rules! reply {
    ($(#[$doc:meta])* $name:ident = $op:literal { $($(#[$field_doc:meta])* $field:ident : $kind:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(tag = "op", rename = $op)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name {
            /// The request this answers.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub request_id: Option<RequestId>,
            $($(#[$field_doc])* pub $field: $kind,)*
        }
    };
}

reply!(
    /// A frame that could not be served; the connection stays open.
    ErrorFrame = "error" {
        /// V1's wording.
        message: String,
    }
);
reply!(
    /// The tools this client sees, sorted by name.
    ListToolsRes = "list_tools_res" {
        /// [`crate::tool::ToolEntry`] values, kept raw: most readers only pass them on.
        #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::tool::ToolEntry>"))]
        tools: Box<RawValue>,
        /// The hash of exactly this list.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tools_hash: Option<String>,
    }
);
reply!(
    /// The daemon's vital signs.
    HealthRes = "health_res" {
        /// Whether it serves.
        ok: bool,
        /// The same facts as the health file.
        health: Health,
    }
);
reply!(
    /// Whether the token was replaced.
    RotateTokenRes = "rotate_token_res" {
        /// Whether it was.
        ok: bool,
        /// `missing_params`, `unauthorized`, or what went wrong on disk.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    }
);
reply!(
    /// What a cancel met.
    CancelRes = "cancel_res" {
        /// The call's state when the cancel arrived.
        state: CallState,
    }
);
reply!(
    /// What an attach met; the call's own frames follow for `running` and `finished`.
    AttachRes = "attach_res" {
        /// The call's state.
        state: CallState,
        /// How long ago it was accepted, in milliseconds; of a call that has not ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since_ms: Option<u64>,
        /// The last it said; of a call that has not ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// With `unknown`: the name of the journal that does not have it. Where the call was sent
        /// to a daemon whose `hello_ack` named the same one, it was never accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        journal: Option<String>,
        /// With `unknown`: calls that were accepted may be unknown here, because a damaged journal
        /// stands beside this one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        incomplete: bool,
    }
);
reply!(
    /// One page of a finished call's result frame.
    CollectRes = "collect_res" {
        /// The call's state; only `finished` has bytes.
        state: CallState,
        /// Where this page begins in the bytes of `outputs`.
        offset: u64,
        /// How long `outputs` is.
        total_bytes: u64,
        /// This page, cut at a character's edge.
        chunk: String,
        /// Whether it is the last.
        eof: bool,
        /// The call's own error, where it ended in one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<WireError>,
    }
);
reply!(
    /// Events follow, or must be rebuilt from state first.
    SubscribeRes = "subscribe_res" {
        /// The number of the newest event.
        seq: u64,
        /// The boot the numbers belong to.
        boot_id: BootId,
        /// The gap since `since` is no longer kept: read the state, then go on from `seq`.
        resync_required: bool,
    }
);
reply!(
    /// Answers `unsubscribe`.
    UnsubscribeRes = "unsubscribe_res" {
        /// Always true.
        ok: bool,
    }
);
reply!(
    /// Answers `ping`.
    Pong = "pong" {
        /// Unix seconds.
        t: f64,
    }
);
reply!(
    /// Everybody who is, or lately was, connected.
    SessionsRes = "sessions_res" {
        /// One entry a client.
        sessions: Vec<SessionEntry>,
    }
);
reply!(
    /// Whom a notification reached.
    NotifyRes = "notify_res" {
        /// Connections it was handed to.
        delivered: u64,
    }
);
reply!(
    /// An MCP method's result or error.
    McpRes = "mcp_res" {
        /// The result, raw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
        result: Option<Box<RawValue>>,
        /// The JSON-RPC error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<McpError>,
    }
);
reply!(
    /// The daemon will drain and exit.
    ShutdownRes = "shutdown_res" {
        /// Always true.
        ok: bool,
        /// Calls it will wait for.
        in_flight: u64,
        /// The process that will end, for the caller to verify.
        pid: u32,
    }
);

/// Where a call is in its life, as told to a peer that asks by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum CallState {
    /// Waiting for capacity.
    Queued,
    /// At work.
    Running,
    /// Done; its result is kept.
    Finished,
    /// Done; its result is gone.
    Expired,
    /// Never heard of, by this client, in this boot.
    Unknown,
}

/// A JSON-RPC error object.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct McpError {
    /// JSON-RPC's number.
    pub code: i32,
    /// For a person.
    pub message: String,
}

/// One client as `sessions` lists it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionEntry {
    /// The session.
    pub session_id: SessionId,
    /// The client, where it named itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// The named key it proved, where that is not the owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Principal>,
    /// Its program.
    pub client: String,
    /// The program's version.
    pub version: String,
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Where it works.
    pub cwd: String,
    /// Open connections.
    pub connections: u64,
    /// Calls queued or running.
    pub in_flight: u64,
    /// Calls since it first came.
    pub calls: u64,
    /// Unix seconds.
    pub connected_at: f64,
    /// Unix seconds.
    pub last_seen_at: f64,
}

/// A message for the people behind other clients; unsolicited, only where announced.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename = "notify")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notify {
    /// Who says it.
    pub from: String,
    /// `info`, `warning` or `error`.
    pub level: String,
    /// What it says.
    pub message: String,
    /// Unix seconds.
    pub t: f64,
}

/// This client's tool list changed; unsolicited, only where announced.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename = "tools_changed")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolsChanged {
    /// The new hash.
    pub tools_hash: String,
}

/// A conversation of this principal's came, went or got another name; unsolicited, only where
/// announced. What a client's own list then holds it finds out by asking for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename = "resources_changed")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResourcesChanged {}

/// One event to a subscriber.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename = "event")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventFrame {
    /// Counts events of this boot; state events may leave gaps.
    pub seq: u64,
    /// Unix seconds.
    pub t: f64,
    /// What it is about.
    pub topic: String,
    /// What happened.
    pub data: EventBody,
}

/// The subscriber read too slowly; this many ordered events were passed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename = "lagged")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lagged {
    /// How many.
    pub dropped: u64,
    /// The next number that will come.
    pub next_seq: u64,
}
