//! Uploads and their text, as Kimi and GLM offer them.
//!
//! Written on 2026-11-21 from <https://platform.kimi.ai/docs/api/files-upload>,
//! `…/files-list`, `…/files-retrieve` and `…/files-content` (plain text), and from
//! <https://platform.openai.com/docs/api-reference/files/list> (`has_more`, without which
//! clients ask for page after page). Extraction here is the file itself, read as text.

use crate::provider::{Reply, Request, Route};
use serde_json::{Value, json};

/// A file that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The id it was given.
    pub id: String,
    /// Its name, as the form said.
    pub name: String,
    /// What it was said to be for.
    pub purpose: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Upload {
    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "object": "file",
            "bytes": self.bytes.len(),
            "created_at": 1_795_219_200,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "ok",
            "status_details": "",
        })
    }
}

#[derive(Default)]
pub(in crate::provider) struct Files {
    kept: Vec<Upload>,
    given: usize,
}

impl Files {
    pub(in crate::provider) fn kept(&self) -> Vec<Upload> {
        self.kept.clone()
    }

    pub(super) fn reply(&mut self, request: &Request) -> Reply {
        if request.method == "POST" {
            return self.keep(request);
        }
        let path = request.path.trim_end_matches("/content");
        let id = path.rsplit('/').next().unwrap_or_default();
        if id == "files" {
            let list: Vec<Value> = self.kept.iter().map(Upload::json).collect();
            return Reply::json(json!({"object": "list", "data": list, "has_more": false}));
        }
        let Some(index) = self.kept.iter().position(|file| file.id == id) else {
            return Reply::status(404).message(&format!("there is no file {id}"));
        };
        if request.method == "DELETE" {
            self.kept.remove(index);
            return Reply::json(json!({"id": id, "object": "file", "deleted": true}));
        }
        let file = &self.kept[index];
        match request.route {
            Route::FileContent => Reply::body(200, "text/plain", file.bytes.clone()),
            _ => Reply::json(file.json()),
        }
    }

    fn keep(&mut self, request: &Request) -> Reply {
        let Some((name, bytes)) = part(request, "file") else {
            return Reply::status(400).message("the form has no part named file");
        };
        let purpose = part(request, "purpose").map(|(_, bytes)| bytes);
        self.given += 1;
        let file = Upload {
            id: format!("file-{}", self.given),
            name,
            purpose: String::from_utf8_lossy(&purpose.unwrap_or_default()).into_owned(),
            bytes,
        };
        let body = file.json();
        self.kept.push(file);
        Reply::json(body)
    }
}

/// The file name and the bytes of one part of a `multipart/form-data` body (RFC 7578).
fn part(request: &Request, name: &str) -> Option<(String, Vec<u8>)> {
    let kind = request.header("content-type")?;
    let boundary = kind.split("boundary=").nth(1)?.split(';').next()?;
    let boundary = format!("--{}", boundary.trim().trim_matches('"'));
    let mut rest = after(&request.raw, boundary.as_bytes())?;
    let delimiter = format!("\r\n{boundary}");
    loop {
        let end = find(rest, delimiter.as_bytes())?;
        let part = &rest[..end];
        let split = find(part, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&part[..split]).into_owned();
        if parameter(&head, "name").as_deref() == Some(name) {
            let file = parameter(&head, "filename").unwrap_or_default();
            return Some((file, part[split + 4..].to_vec()));
        }
        rest = &rest[end + delimiter.len()..];
    }
}

fn parameter(head: &str, name: &str) -> Option<String> {
    let start = format!(" {name}=\"");
    let (_, rest) = head.split_once(&start)?;
    rest.split('"').next().map(str::to_owned)
}

fn after<'a>(bytes: &'a [u8], needle: &[u8]) -> Option<&'a [u8]> {
    Some(&bytes[find(bytes, needle)? + needle.len()..])
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|found| found == needle)
}
