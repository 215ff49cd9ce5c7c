//! The providers' own lists of models: how they are asked for, and what their answers mean.
//! Pure, like the dialects: whoever sends the requests reads one page after the other.

mod gemini;
mod ollama;
mod openai;
#[cfg(test)]
mod tests;

use crate::{catalogue::Discovered, dialect::Dialect, fault::Fault, provider::Resolved};
use serde_json::Value;

/// Pages read of one list, at most.
pub const MOST_PAGES: usize = 20;
/// Models kept of one list, at most.
pub const MOST_MODELS: usize = 5000;

/// A request for a page of a list: `GET`, after the endpoint's base URL, with the key's and
/// the endpoint's own headers besides these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRequest {
    /// What follows the base URL.
    pub path: String,
    /// Headers of the dialect.
    pub headers: Vec<(String, String)>,
}

/// One page of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The models one can chat with.
    pub models: Vec<Discovered>,
    /// The next page's request is [`next`] of this.
    pub more: Option<String>,
}

/// The request for an endpoint's list; `None` where it has none.
#[must_use]
pub fn request(endpoint: &Resolved) -> Option<ListRequest> {
    page(endpoint, None)
}

/// The request for the page after one that had `more`.
#[must_use]
pub fn next(endpoint: &Resolved, more: &str) -> Option<ListRequest> {
    page(endpoint, Some(more))
}

fn page(endpoint: &Resolved, more: Option<&str>) -> Option<ListRequest> {
    let described = &endpoint.endpoint;
    let mut path = described.models_path.clone()?;
    let mut headers = Vec::new();
    let mark = |path: &str| if path.contains('?') { '&' } else { '?' };
    match described.dialect {
        Dialect::Anthropic => {
            path.push(mark(&path));
            path += "limit=1000";
            if let Some(more) = more {
                path += &format!("&after_id={}", escaped(more));
            }
            let version = ("anthropic-version".to_owned(), "2023-06-01".to_owned());
            headers.push(version);
        }
        Dialect::Gemini => {
            path.push(mark(&path));
            path += "pageSize=1000";
            if let Some(more) = more {
                path += &format!("&pageToken={}", escaped(more));
            }
        }
        _ => {}
    }
    Some(ListRequest { path, headers })
}

/// A page as it came.
///
/// # Errors
/// [`crate::fault::FaultClass::Malformed`] when it is no list of models.
pub fn parse(dialect: Dialect, body: &[u8]) -> Result<Page, Fault> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Fault::malformed(format!("the list of models is no JSON: {error}")))?;
    let mut page = match dialect {
        Dialect::Gemini => gemini::page(&body),
        Dialect::Ollama => ollama::page(&body),
        _ => openai::page(&body),
    }
    .ok_or_else(|| Fault::malformed("the answer is no list of models"))?;
    page.models
        .retain(|model| is_id(&model.id) && chats(&model.id));
    page.models.truncate(MOST_MODELS);
    Ok(page)
}

/// The pages of a list as one, without doubles.
#[must_use]
pub fn gather(pages: impl IntoIterator<Item = Page>) -> Vec<Discovered> {
    let mut seen = std::collections::BTreeSet::new();
    let models = pages.into_iter().flat_map(|page| page.models);
    let new = models.filter(|model| seen.insert(model.id.clone()));
    new.take(MOST_MODELS).collect()
}

/// An id is opaque, but it goes into lines that people read.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 256 && id.trim() == id && !id.chars().any(char::is_control)
}

/// Whether one can chat with a model of this name, where the list does not say. Such a model
/// can still be named by a caller; it is only not listed or chosen.
fn chats(id: &str) -> bool {
    const OTHERS: [&str; 17] = [
        "embed",
        "whisper",
        "tts",
        "dall-e",
        "moderation",
        "rerank",
        "transcribe",
        "realtime",
        "gpt-image",
        "sora-",
        "imagen",
        "veo-",
        "cogview",
        "cogvideo",
        "mistral-ocr",
        "babbage-002",
        "davinci-002",
    ];
    let id = id.to_lowercase();
    !OTHERS.iter().any(|word| id.contains(word))
}

fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
