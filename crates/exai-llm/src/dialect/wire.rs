//! The request as it goes over the wire, and the one door to writing it.

use super::{Dialect, Quirks, anthropic, cli, gemini, ollama, openai_chat, plan, responses};
use crate::{
    chat::{Applied, ChatRequest, ModelTraits},
    fault::Fault,
};
use serde_json::Value;

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The endpoint's name.
    pub endpoint: &'a str,
    /// How it is spoken to.
    pub dialect: Dialect,
    /// Its peculiarities.
    pub quirks: &'a Quirks,
    /// What is known of the model.
    pub traits: &'a ModelTraits,
}

/// How the events of an answer are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// One JSON text a line.
    Ndjson,
}

/// A request ready to be sent as JSON by `POST`. It holds no key; whoever sends it adds the
/// header that [`Dialect::key_header`] names. For a command line there is no path, and the body
/// holds what its standard input is given.
#[derive(Debug, Clone, PartialEq)]
pub struct WireRequest {
    /// What follows the endpoint's base URL.
    pub path: String,
    /// Headers besides the key's, the endpoint's own and the content type.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Value,
    /// What became of the wish.
    pub applied: Applied,
}

/// Writes a wish for its target.
///
/// # Errors
/// [`crate::fault::FaultClass::Unsupported`] when leaving something out would change what is
/// asked: pictures for the blind, tools for those that cannot call any.
pub fn write(target: &Target<'_>, request: &ChatRequest) -> Result<WireRequest, Fault> {
    let plan = plan::make(target, request)?;
    match target.dialect {
        Dialect::OpenaiChat => openai_chat::request::write(target, request, plan),
        Dialect::OpenaiResponses => responses::request::write(target, request, plan),
        Dialect::Anthropic => anthropic::request::write(target, request, plan),
        Dialect::Gemini => gemini::request::write(target, request, plan),
        Dialect::Ollama => ollama::request::write(target, request, plan),
        Dialect::Cli => cli::request::write(target, request, plan),
    }
}
