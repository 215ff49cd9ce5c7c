//! The handshake: who a client is and what it understands; who the daemon is and what it
//! allows. A client that announces nothing beyond V1 gets exactly V1.

use crate::{
    BootId, ClientId, Secret, SessionId, limits::MAX_HELLO_FIELD_BYTES, object::RawObject, version,
};
use serde::{Deserialize, Serialize};

/// Close codes of the handshake; the predecessor's, with one addition.
pub mod close {
    /// The first frame was not JSON.
    pub const INVALID_HELLO: u16 = 4000;
    /// The first frame was not a hello.
    pub const MISSING_HELLO: u16 = 4001;
    /// No first frame in time.
    pub const HELLO_TIMEOUT: u16 = 4002;
    /// The token is wrong.
    pub const UNAUTHORIZED: u16 = 4003;
    /// Too many wrong tokens came from there (addition).
    pub const RATE_LIMITED: u16 = 4029;
    /// The peer's major protocol version is not ours (addition).
    pub const UNSUPPORTED_PROTOCOL: u16 = 4004;
    /// The peer does not read what it asked for (addition).
    pub const SLOW_READER: u16 = 4008;
    /// A frame over the limit.
    pub const TOO_BIG: u16 = 1009;
    /// The daemon is going away.
    pub const GOING_AWAY: u16 = 1001;
    /// The peer missed its pong.
    pub const INTERNAL: u16 = 1011;
}

/// What a client says of itself; every field optional, none of them proof of anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientInfo {
    /// Stable across reconnects; scopes request ids. Without one they are scoped to the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ClientId>,
    /// The program at the end of the pipe (`claude-code`, `vscode`, …).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The process that speaks to the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Where it was started.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cwd: String,
    /// The folders its user opened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<String>,
    /// The profile of tools it wishes for; an unknown one counts as none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub profile: String,
}

/// The client's first frame.
#[derive(Clone)]
pub struct Hello {
    /// V1's advisory id.
    pub session_id: Option<String>,
    /// Proof of the right to be here; empty where it is proven otherwise.
    pub token: Secret,
    /// The client's signature, after `prove`; see [`crate::proof`].
    pub proof: Option<String>,
    /// `major.minor`; absent in V1.
    pub protocol: Option<String>,
    /// See [`version::feature`].
    pub features: Vec<String>,
    /// Who is speaking.
    pub client: ClientInfo,
}

/// Why a first frame is no hello we can accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelloFault {
    /// Not JSON, or not an object.
    Invalid(String),
    /// JSON, but another op.
    Missing,
    /// Another major version.
    UnsupportedProtocol(String),
}

impl Hello {
    /// Reads a first frame.
    ///
    /// # Errors
    /// [`HelloFault`], each with its close code.
    pub fn decode(text: &str) -> Result<Self, HelloFault> {
        let invalid = |why: String| HelloFault::Invalid(why);
        let object = RawObject::parse(text).map_err(|error| invalid(error.to_string()))?;
        if !matches!(object.string("op"), Ok(Some(op)) if op == "hello") {
            return Err(HelloFault::Missing);
        }
        let text_of = |key: &str| {
            object
                .string(key)
                .map(|text| text.map(std::borrow::Cow::into_owned))
                .map_err(|_| invalid(format!("{key} must be a string")))
        };
        let protocol = text_of("protocol")?;
        if let Some(announced) = &protocol
            && version::major_of(announced) != Some(version::PROTOCOL_MAJOR)
        {
            return Err(HelloFault::UnsupportedProtocol(announced.clone()));
        }
        let client: ClientInfo = object
            .typed("client")
            .map_err(|error| invalid(format!("client: {error}")))?
            .unwrap_or_default();
        check_lengths(&client).map_err(invalid)?;
        Ok(Self {
            session_id: text_of("session_id")?,
            token: Secret::new(text_of("token")?.unwrap_or_default()),
            proof: text_of("proof")?,
            protocol,
            features: object
                .typed("features")
                .map_err(|error| invalid(format!("features: {error}")))?
                .unwrap_or_default(),
            client,
        })
    }

    /// The frame's text. The only place where the token is written out.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut frame = serde_json::Map::new();
        frame.insert("op".into(), "hello".into());
        frame.insert(
            "session_id".into(),
            self.session_id.clone().unwrap_or_default().into(),
        );
        match &self.proof {
            Some(proof) => frame.insert("proof".into(), proof.as_str().into()),
            None => frame.insert("token".into(), self.token.expose().into()),
        };
        if let Some(protocol) = &self.protocol {
            frame.insert("protocol".into(), protocol.as_str().into());
            frame.insert("features".into(), self.features.clone().into());
            if let Ok(client) = serde_json::to_value(&self.client) {
                frame.insert("client".into(), client);
            }
        }
        serde_json::Value::Object(frame).to_string()
    }

    /// Whether the client announced this ability.
    #[must_use]
    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|announced| announced == feature)
    }
}

fn check_lengths(client: &ClientInfo) -> Result<(), String> {
    let id = client.id.as_ref().map_or("", ClientId::as_str);
    let fields = [
        ("id", id),
        ("name", &client.name),
        ("version", &client.version),
        ("cwd", &client.cwd),
        ("profile", &client.profile),
    ];
    for (field, text) in fields {
        if text.len() > MAX_HELLO_FIELD_BYTES {
            let length = text.len();
            return Err(format!(
                "client.{field} is {length} bytes; the limit is {MAX_HELLO_FIELD_BYTES}"
            ));
        }
    }
    Ok(())
}

/// Who the daemon is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerInfo {
    /// Always `exai-daemon`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its build: the commit, where known.
    pub build: String,
    /// Which run of it.
    pub boot_id: BootId,
    /// The home it serves, so that a second home can say who holds the port.
    pub home: String,
}

/// Bounds a client should know before it runs into them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Limits {
    /// Largest frame.
    pub max_frame_bytes: u64,
    /// Deepest nesting.
    pub max_depth: u64,
    /// Calls of one client that run at once.
    pub client_inflight: u64,
    /// Default deadline of a call.
    pub call_timeout_secs: u64,
    /// How long a result can be collected.
    pub retention_secs: u64,
    /// After so long a call that nobody waits for is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwatched_ms: Option<u64>,
}

/// The daemon's answer to hello.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename = "hello_ack")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HelloAck {
    /// Whether the client may go on.
    pub ok: bool,
    /// The session the connection belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// Why not: `invalid_hello`, `missing_hello`, `unauthorized`, `unsupported_protocol`,
    /// `rate_limited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The same for a person, to peers that announced a protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// With `rate_limited`: after how many seconds another token is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The daemon's protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerInfo>,
    /// What it understands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// The hash of the list this client sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools_hash: Option<String>,
    /// Its bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// The name of its journal, to be compared with that of a later daemon: under the same name
    /// every call is known that was accepted, and one that is not never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<String>,
}

impl HelloAck {
    /// V1's refusal.
    #[must_use]
    pub fn refusal(error: &str) -> Self {
        Self {
            ok: false,
            session_id: None,
            error: Some(error.to_owned()),
            message: None,
            retry_after: None,
            protocol: None,
            server: None,
            features: Vec::new(),
            tools_hash: None,
            limits: None,
            journal: None,
        }
    }
}
