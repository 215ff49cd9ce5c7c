//! OpenAI's error object and what compatible servers made of it: FastAPI's `detail`, bare
//! sentences, OpenRouter's upstream words.

use crate::dialect::{
    errors::{Said, common},
    json,
};
use serde_json::Value;

pub(in crate::dialect) fn said(body: &Value) -> Said {
    let mut said = common(body);
    // OpenRouter says only that an upstream failed; the upstream's words are below.
    let metadata = body.pointer("/error/metadata");
    if let Some(raw) = metadata.and_then(|metadata| json::words(metadata, "raw")) {
        said.message = format!("{}: {raw}", said.message);
    }
    said
}
