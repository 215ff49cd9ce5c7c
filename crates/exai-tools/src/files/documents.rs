//! Documents that hold their text in a form of their own (PDF, office files). They travel
//! whole: a provider that reads such files turns them into text, and no other is asked.

use super::place::Found;
use exai_engine::ports::models::Document;

/// Larger documents are sent to nobody.
const MOST_BYTES: u64 = 20 * 1024 * 1024;

/// Extension, media type, and how such a file begins.
const KINDS: [(&str, &str, &[u8]); 7] = [
    ("pdf", "application/pdf", b"%PDF-"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        b"PK\x03\x04",
    ),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        b"PK\x03\x04",
    ),
    (
        "pptx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        b"PK\x03\x04",
    ),
    ("doc", "application/msword", b"\xd0\xcf\x11\xe0"),
    ("xls", "application/vnd.ms-excel", b"\xd0\xcf\x11\xe0"),
    ("ppt", "application/vnd.ms-powerpoint", b"\xd0\xcf\x11\xe0"),
];

/// The document a file is; `None` when its name does not call it one.
pub(super) fn read(found: &Found) -> Option<Result<Document, String>> {
    let (_, extension) = found.name.rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    let (kind, media_type, begin) = KINDS.iter().find(|(kind, ..)| *kind == extension)?;
    Some(found.read(MOST_BYTES).and_then(|bytes| {
        if !bytes.starts_with(begin) {
            return Err(format!("it is called .{kind} and does not begin like one"));
        }
        Ok(Document {
            name: found.name.clone(),
            media_type: (*media_type).to_owned(),
            bytes: bytes.into(),
        })
    }))
}
