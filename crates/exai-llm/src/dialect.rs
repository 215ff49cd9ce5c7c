//! How requests are written and answers read, as pure functions: a wish and a target go in,
//! a wire request comes out; bytes go in, stream items come out. Nothing here knows of
//! sockets, clocks or files, and all that differs between providers of one dialect is data.

mod anthropic;
mod cli;
mod effort;
mod ending;
mod errors;
mod gemini;
mod inline;
mod json;
mod ollama;
mod openai_chat;
mod plan;
mod quirks;
mod reader;
mod responses;
mod wire;

pub use cli::answer::{AnswerFormat, AnswerKind, AnswerRule, UsagePaths};
pub(crate) use cli::stream::{Reader as CommandReader, class as class_of_words};
pub use effort::efforts;
pub use errors::{Response, fault};
pub(crate) use ollama::request::context as ollama_context;
pub use quirks::{
    CacheStyle, MaxTokensField, Quirks, Replay, SchemaStyle, SearchStyle, ToolChoiceStyle,
};
pub use reader::StreamReader;
pub use wire::{Framing, Target, WireRequest, write};

use serde::{Deserialize, Serialize};

/// A way of writing requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// `POST /chat/completions`, as OpenAI began it and most speak it.
    OpenaiChat,
    /// `POST /responses`.
    OpenaiResponses,
    /// `POST /v1/messages`.
    Anthropic,
    /// `POST /models/…:streamGenerateContent`.
    Gemini,
    /// `POST /api/chat`.
    Ollama,
    /// No request at all: an agent's command line is run.
    Cli,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::OpenaiChat,
        Self::OpenaiResponses,
        Self::Anthropic,
        Self::Gemini,
        Self::Ollama,
        Self::Cli,
    ];

    /// Its spelling in settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::Cli => "cli",
        }
    }

    /// The header that carries the key, and what stands before it.
    #[must_use]
    pub fn key_header(self) -> (&'static str, &'static str) {
        match self {
            // A command line has its own login and is given no key.
            Self::OpenaiChat | Self::OpenaiResponses | Self::Ollama | Self::Cli => {
                ("authorization", "Bearer ")
            }
            Self::Anthropic => ("x-api-key", ""),
            Self::Gemini => ("x-goog-api-key", ""),
        }
    }

    /// How the answer's events are framed.
    #[must_use]
    pub fn framing(self) -> Framing {
        match self {
            Self::Ollama | Self::Cli => Framing::Ndjson,
            _ => Framing::Sse,
        }
    }
}
