//! Documents that hold their text in a form of their own (PDF, office files). They travel
//! whole: a provider that reads such files turns them into text, and no other is asked.

use super::roots::Found;
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

/// Whether a name calls a file one.
pub(super) fn is(name: &str) -> bool {
    kind_of(name).is_some()
}

fn kind_of(name: &str) -> Option<&'static (&'static str, &'static str, &'static [u8])> {
    let (_, extension) = name.rsplit_once('.')?;
    let extension = extension.to_ascii_lowercase();
    KINDS.iter().find(|(kind, ..)| *kind == extension)
}

/// The document a file is; `None` when its name does not call it one.
pub(super) fn read(found: &Found<'_>) -> Option<Result<Document, String>> {
    let (kind, media_type, begin) = kind_of(&found.name)?;
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
