//! Requests to a file door and what comes back. Written on 2026-11-21 from
//! <https://platform.kimi.ai/docs/api/files-upload> and `…/files-content`, and from
//! <https://docs.bigmodel.cn/cn/guide/tools/file-extract>.

use crate::{
    fault::{Fault, FaultClass},
    http::{Ask, Field},
};
use bytes::Bytes;
use serde_json::Value;

/// Longer names tell nothing more.
const MOST_NAME: usize = 120;

/// Sends a file to the door.
pub(super) fn upload(url: &str, purpose: &str, name: &str, kind: &str, bytes: Bytes) -> Ask {
    let fields = vec![
        Field::value("purpose", purpose),
        Field::file("file", name, kind, bytes),
    ];
    Ask::form(url, fields)
}

/// Asks for a file's text.
pub(super) fn content(url: &str, id: &str) -> Ask {
    Ask::get(format!("{url}/{id}/content"))
}

/// Removes a file.
pub(super) fn delete(url: &str, id: &str) -> Ask {
    Ask::delete(format!("{url}/{id}"), None)
}

/// The id of what was uploaded.
pub(super) fn uploaded(body: &[u8]) -> Result<String, Fault> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| {
        Fault::malformed(format!("the answer to an upload is no JSON: {error}"))
    })?;
    let word = |field: &str| answer.get(field).and_then(Value::as_str);
    if word("status") == Some("error") {
        let why = word("status_details").unwrap_or("no reason given");
        let what = format!("the provider cannot read the file: {why}");
        return Err(Fault::new(FaultClass::BadRequest, what));
    }
    let id = word("id").filter(|id| is_id(id));
    let missing = || Fault::malformed("the answer to an upload has no id");
    id.map(str::to_owned).ok_or_else(missing)
}

/// An id goes into a path.
fn is_id(id: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    !id.is_empty() && id.len() <= 200 && id.chars().all(good) && !id.starts_with('.')
}

/// A file's text. Both providers wrap it in JSON, whatever their pages say; one that is text
/// already stays as it is, and so does a JSON file that only looks like the wrapping.
pub(super) fn text(body: &[u8]) -> String {
    let plain = || String::from_utf8_lossy(body).into_owned();
    let Ok(Value::Object(wrapping)) = serde_json::from_slice(body) else {
        return plain();
    };
    let wrapped = ["file_type", "filename", "type"]
        .iter()
        .all(|field| wrapping.contains_key(*field));
    match wrapping.get("content") {
        Some(Value::String(text)) if wrapped => text.clone(),
        _ => plain(),
    }
}

/// A file's own name: where it lies is nobody's business there.
pub(super) fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: Vec<char> = last.chars().filter(|c| !c.is_control()).collect();
    // The end says what kind of file it is.
    let kept = &clean[clean.len().saturating_sub(MOST_NAME)..];
    match kept.is_empty() {
        true => "file".to_owned(),
        false => kept.iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_answers_with_an_id_or_a_reason() {
        let good = br#"{"id":"cnv9","object":"file","bytes":5,"created_at":1,"filename":"a.pdf",
            "purpose":"file-extract","status":"ok","status_details":""}"#;
        assert_eq!(uploaded(good).unwrap(), "cnv9");
        let class = |body: &[u8]| uploaded(body).unwrap_err().class;
        let bad = br#"{"id":"cnv9","status":"error","status_details":"encrypted"}"#;
        assert_eq!(class(bad), FaultClass::BadRequest);
        assert!(uploaded(bad).unwrap_err().detail.contains("encrypted"));
        for odd in [
            "{}",
            "[]",
            "x",
            r#"{"id":""}"#,
            r#"{"id":"../a"}"#,
            r#"{"id":"a?b"}"#,
        ] {
            assert_eq!(class(odd.as_bytes()), FaultClass::Malformed, "{odd}");
        }
    }

    #[test]
    fn a_text_is_taken_out_of_its_wrapping() {
        let wrapped = r#"{"content":"Grüße","file_type":"application/pdf","filename":"a.pdf",
            "title":"","type":"file"}"#;
        assert_eq!(text(wrapped.as_bytes()), "Grüße");
        for plain in ["Grüße", "{\"content\":\"x\"}", "[1]", "", "{\"content\":"] {
            assert_eq!(text(plain.as_bytes()), plain);
        }
    }

    #[test]
    fn only_the_files_own_name_is_told() {
        assert_eq!(plain_name("/home/me/secret project/a.pdf"), "a.pdf");
        assert_eq!(plain_name("C:\\Users\\me\\b.doc\r\n"), "b.doc");
        assert_eq!(plain_name("/"), "file");
        let long = format!("{}.pdf", "ü".repeat(500));
        assert!(plain_name(&long).ends_with("ü.pdf"));
        assert_eq!(plain_name(&long).chars().count(), MOST_NAME);
    }
}
