//! Which door a request knocks at. Paths are known by their ends, so that one server can be
//! many providers: `/kimi/v1/chat/completions` and `/api/paas/v4/chat/completions` are both
//! chats, and a rule can tell them apart.

use super::incoming::Incoming;
use serde_json::Value;

/// A way of speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST /chat/completions`.
    OpenAiChat,
    /// `POST /responses`.
    Responses,
    /// `POST /v1/messages`.
    Anthropic,
    /// `POST /models/…:streamGenerateContent`.
    Gemini,
    /// `POST /api/chat`.
    Ollama,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::OpenAiChat,
        Self::Responses,
        Self::Anthropic,
        Self::Gemini,
        Self::Ollama,
    ];

    /// What a base URL of this dialect ends with.
    pub(super) fn base(self) -> &'static str {
        match self {
            Self::OpenAiChat | Self::Responses => "/v1",
            Self::Gemini => "/v1beta",
            Self::Anthropic | Self::Ollama => "",
        }
    }

    /// What follows the base URL for a model call.
    #[must_use]
    pub fn path(self, model: &str, stream: bool) -> String {
        match self {
            Self::OpenAiChat => "/chat/completions".to_owned(),
            Self::Responses => "/responses".to_owned(),
            Self::Anthropic => "/v1/messages".to_owned(),
            Self::Gemini if stream => format!("/models/{model}:streamGenerateContent?alt=sse"),
            Self::Gemini => format!("/models/{model}:generateContent"),
            Self::Ollama => "/api/chat".to_owned(),
        }
    }
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// A model call: the only kind that takes from the script.
    Chat,
    /// The list of models.
    Models,
    /// Uploads, their list, one of them.
    Files,
    /// The text of an upload.
    FileContent,
    /// GLM's search.
    WebSearch,
    /// Ollama: installed models.
    Tags,
    /// Ollama: loaded models.
    Ps,
    /// Ollama: download.
    Pull,
    /// Ollama: one model.
    Show,
    /// Ollama: load and unload.
    Generate,
    /// Ollama: remove.
    Delete,
    /// Ollama: its version.
    Version,
    /// None of these.
    Unknown,
}

const OLLAMA: [(&str, &str, Route); 8] = [
    ("POST", "/api/chat", Route::Chat),
    ("GET", "/api/tags", Route::Tags),
    ("GET", "/api/ps", Route::Ps),
    ("POST", "/api/pull", Route::Pull),
    ("POST", "/api/show", Route::Show),
    ("POST", "/api/generate", Route::Generate),
    ("DELETE", "/api/delete", Route::Delete),
    ("GET", "/api/version", Route::Version),
];

const CHATS: [(&str, Dialect); 3] = [
    ("/chat/completions", Dialect::OpenAiChat),
    ("/responses", Dialect::Responses),
    ("/v1/messages", Dialect::Anthropic),
];

pub(super) fn route(incoming: &Incoming) -> (Dialect, Route) {
    let (method, path) = (incoming.method.as_str(), incoming.path());
    for (verb, end, route) in OLLAMA {
        if method == verb && path.ends_with(end) {
            return (Dialect::Ollama, route);
        }
    }
    if method == "POST" {
        for (end, dialect) in CHATS {
            if path.ends_with(end) {
                return (dialect, Route::Chat);
            }
        }
        if path.ends_with(":generateContent") || path.ends_with(":streamGenerateContent") {
            return (Dialect::Gemini, Route::Chat);
        }
    }
    (dialect_of_a_side_door(incoming), side_door(method, path))
}

fn side_door(method: &str, path: &str) -> Route {
    let mut ends = path.rsplit('/');
    match (method, ends.next(), ends.next(), ends.next()) {
        ("GET", Some("models"), ..) => Route::Models,
        ("POST", Some("web_search"), ..) => Route::WebSearch,
        ("GET" | "POST", Some("files"), ..) => Route::Files,
        ("GET", Some("content"), Some(_), Some("files")) => Route::FileContent,
        ("GET" | "DELETE", Some(_), Some("files"), _) => Route::Files,
        _ => Route::Unknown,
    }
}

/// Three providers list their models at the same place, in three shapes.
fn dialect_of_a_side_door(incoming: &Incoming) -> Dialect {
    if incoming.header("anthropic-version").is_some() {
        Dialect::Anthropic
    } else if incoming.header("x-goog-api-key").is_some() || incoming.path().contains("/v1beta/") {
        Dialect::Gemini
    } else {
        Dialect::OpenAiChat
    }
}

/// Whether the caller wants a stream.
pub(super) fn wants_stream(dialect: Dialect, path: &str, body: &Value) -> bool {
    let asked = body.get("stream").and_then(Value::as_bool);
    match dialect {
        Dialect::Gemini => path.ends_with(":streamGenerateContent"),
        Dialect::Ollama => asked.unwrap_or(true),
        _ => asked.unwrap_or(false),
    }
}
