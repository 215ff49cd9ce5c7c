//! The shape of what clients send, for the schema only: the daemon reads these frames field
//! by field ([`crate::request`]), so that each refusal can name its field. A golden test
//! holds both to the same frames.

use crate::hello::ClientInfo;
use schemars::JsonSchema;
use serde_json::{Map, Value};

macro_rules! request {
    ($(#[$doc:meta])* $name:ident as $schema:literal { $($(#[$field_doc:meta])* $field:ident : $kind:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(JsonSchema)]
        #[schemars(rename = $schema)]
        #[expect(dead_code, reason = "only its schema is used")]
        pub(super) struct $name {
            /// Echoed in the reply.
            request_id: Option<String>,
            $($(#[$field_doc])* $field: $kind,)*
        }
    };
}

/// The first frame.
#[derive(JsonSchema)]
#[schemars(rename = "hello")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct Hello {
    /// Advisory.
    session_id: Option<String>,
    /// Proof of the right to be here.
    token: Option<String>,
    /// The client's signature instead, after `prove` and `proof`: 64 hexadecimal digits.
    proof: Option<String>,
    /// `major.minor`; absent in V1.
    protocol: Option<String>,
    /// Abilities of the client.
    features: Option<Vec<String>>,
    /// Who is speaking.
    client: Option<ClientInfo>,
}

request!(
    /// The tools this client sees.
    ListTools as "list_tools" {}
);

/// Run a tool, or attach to the same call.
#[derive(JsonSchema)]
#[schemars(rename = "call_tool")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) struct CallTool {
    /// Names the call within its client; minted where absent.
    request_id: Option<String>,
    /// The tool, decorated or not.
    name: String,
    /// Absent means `{}`.
    arguments: Option<Map<String, Value>>,
    /// How long the client will wait.
    timeout_ms: Option<u64>,
    /// The folders its user has open now.
    roots: Option<Vec<String>>,
}

request!(
    /// Run an operator's tool: what `call_tool` does, for tools no list shows.
    Operate as "operate" {
        /// The tool.
        name: String,
        /// Absent means `{}`.
        arguments: Option<Map<String, Value>>,
        /// How long the client will wait.
        timeout_ms: Option<u64>,
        /// The folders its user has open now.
        roots: Option<Vec<String>>,
    }
);

request!(
    /// Replace the token.
    RotateToken as "rotate_token" {
        /// The current one.
        old: String,
        /// The next one.
        new: String,
    }
);
request!(
    /// The daemon's vital signs.
    Health as "health" {}
);
request!(
    /// Let go of the call named by `request_id`.
    Cancel as "cancel" {
        /// `stop` (default) or `detach`.
        mode: Option<String>,
        /// For the record.
        reason: Option<String>,
        /// Whose call it is, where it is not the asker's own (`client:` and its id).
        scope: Option<String>,
        /// By which named key it was made, where that is not the asker's; for the owner alone.
        key: Option<String>,
    }
);
request!(
    /// Watch the call named by `request_id` again.
    Attach as "attach" {
        /// Whose call it is, where it is not the asker's own (`client:` and its id).
        scope: Option<String>,
    }
);
request!(
    /// Read a finished call's result in pages.
    Collect as "collect" {
        /// First byte wanted.
        offset: Option<u64>,
        /// Most bytes wanted.
        limit: Option<u64>,
        /// Whose call it is, where it is not the asker's own (`client:` and its id).
        scope: Option<String>,
    }
);
request!(
    /// Receive events.
    Subscribe as "subscribe" {
        /// Empty means all.
        topics: Option<Vec<String>>,
        /// Replay what came after this number.
        since: Option<u64>,
        /// The boot that number belongs to.
        boot_id: Option<String>,
    }
);
request!(
    /// No more events.
    Unsubscribe as "unsubscribe" {}
);
request!(
    /// Are you there.
    Ping as "ping" {}
);
request!(
    /// Who else is connected.
    Sessions as "sessions" {}
);
request!(
    /// Tell other clients something.
    Notify as "notify_request" {
        /// One client's id; absent means all.
        to: Option<String>,
        /// `info`, `warning` or `error`.
        level: Option<String>,
        /// For a person.
        message: Option<String>,
    }
);
request!(
    /// An MCP method carried to the daemon.
    Mcp as "mcp" {
        /// Its name.
        method: String,
        /// Its parameters, untouched.
        params: Option<Value>,
    }
);
request!(
    /// Drain and exit.
    Shutdown as "shutdown" {
        /// How long running calls may go on; 30,000 where absent.
        drain_ms: Option<u64>,
        /// For the record.
        reason: Option<String>,
    }
);
