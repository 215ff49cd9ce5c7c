//! A request, in our words.

use super::Headers;
use bytes::Bytes;
use exai_protocol::Secret;
use serde_json::Value;
use std::time::Duration;

/// The verbs that providers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Looks.
    Get,
    /// Asks.
    Post,
    /// Removes.
    Delete,
}

/// What is sent.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing.
    None,
    /// JSON.
    Json(Value),
    /// JSON that is already text.
    Text(Bytes),
    /// A form with files.
    Form(Vec<Field>),
}

/// One field of a form.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// A file's name; absent for a plain value.
    pub file: Option<String>,
    /// The type of a file's bytes.
    pub kind: Option<String>,
    /// The value.
    pub bytes: Bytes,
}

/// One request. It is sent once.
#[derive(Clone)]
pub struct Ask {
    /// The verb.
    pub method: Method,
    /// The whole address; it holds no key.
    pub url: String,
    /// Headers, without the key's and without the content type.
    pub headers: Headers,
    /// The key's header, what stands before the key, and the key.
    pub key: Option<(&'static str, &'static str, Secret)>,
    /// What is sent.
    pub body: Body,
    /// How long a connection may take.
    pub connect: Duration,
}

impl Ask {
    /// A request without headers, key or body.
    #[must_use]
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Headers::new(),
            key: None,
            body: Body::None,
            connect: Duration::from_secs(10),
        }
    }

    /// Looks at an address.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// Sends JSON to an address.
    #[must_use]
    pub fn post(url: impl Into<String>, body: Value) -> Self {
        Self {
            body: Body::Json(body),
            ..Self::new(Method::Post, url)
        }
    }

    /// Removes what is at an address; some servers want a body with that.
    #[must_use]
    pub fn delete(url: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            body: body.map_or(Body::None, Body::Json),
            ..Self::new(Method::Delete, url)
        }
    }

    /// Sends a form with files to an address.
    #[must_use]
    pub fn form(url: impl Into<String>, fields: Vec<Field>) -> Self {
        Self {
            body: Body::Form(fields),
            ..Self::new(Method::Post, url)
        }
    }

    /// With these headers too.
    #[must_use]
    pub fn headers(mut self, more: impl IntoIterator<Item = (String, String)>) -> Self {
        self.headers.extend(more);
        self
    }

    /// With this key, in the header of this name.
    #[must_use]
    pub fn key(mut self, (name, before): (&'static str, &'static str), key: Secret) -> Self {
        self.key = Some((name, before, key));
        self
    }

    /// With this much time for a connection.
    #[must_use]
    pub fn connect(mut self, within: Duration) -> Self {
        self.connect = within;
        self
    }
}

impl Field {
    /// A plain value.
    #[must_use]
    pub fn value(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            file: None,
            kind: None,
            bytes: Bytes::copy_from_slice(value.as_bytes()),
        }
    }

    /// A file.
    #[must_use]
    pub fn file(name: &str, file: &str, kind: &str, bytes: impl Into<Bytes>) -> Self {
        Self {
            name: name.to_owned(),
            file: Some(file.to_owned()),
            kind: Some(kind.to_owned()),
            bytes: bytes.into(),
        }
    }
}

/// A body's type and bytes.
pub(super) fn encode(body: Body) -> Option<(String, Bytes)> {
    match body {
        Body::None => None,
        Body::Json(value) => Some(("application/json".to_owned(), value.to_string().into())),
        Body::Text(text) => Some(("application/json".to_owned(), text)),
        Body::Form(fields) => Some(form(&fields)),
    }
}

fn form(fields: &[Field]) -> (String, Bytes) {
    // Drawn until no field contains it: a random one is almost always right at once.
    let boundary = loop {
        let drawn = format!("exai-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let inside = |field: &Field| {
            let needle = drawn.as_bytes();
            field.bytes.windows(needle.len()).any(|part| part == needle)
        };
        if !fields.iter().any(inside) {
            break drawn;
        }
    };
    let mut out = Vec::with_capacity(fields.iter().map(|field| field.bytes.len() + 256).sum());
    for field in fields {
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        let name = quoted(&field.name);
        out.extend_from_slice(
            format!("Content-Disposition: form-data; name=\"{name}\"").as_bytes(),
        );
        if let Some(file) = &field.file {
            out.extend_from_slice(format!("; filename=\"{}\"", quoted(file)).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        if let Some(kind) = &field.kind {
            let kind: String = kind.chars().filter(|c| !c.is_control()).collect();
            out.extend_from_slice(format!("Content-Type: {kind}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&field.bytes);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (
        format!("multipart/form-data; boundary={boundary}"),
        out.into(),
    )
}

/// Names in a form's head, as browsers write them.
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_delimited_by_what_no_field_contains() {
        let fields = [
            Field::value("purpose", "file-extract"),
            Field::file("file", "a\"b\r\n.txt", "text/plain", &b"--exai-\r\nx"[..]),
        ];
        let (kind, bytes) = form(&fields);
        let boundary = kind.split_once("boundary=").unwrap().1;
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 4, "{text}");
        assert_eq!(
            parts[1],
            "\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nfile-extract\r\n"
        );
        assert!(parts[2].contains(
            "filename=\"a%22b%0D%0A.txt\"\r\nContent-Type: text/plain\r\n\r\n--exai-\r\nx\r\n"
        ));
        assert_eq!(parts[3], "--\r\n");
    }
}
