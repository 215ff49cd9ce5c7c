//! Frames in both directions. What is promised of any bytes: no panic, an answer that names
//! the fault, nothing kept beyond the limits, and what is taken comes out as it went in.

use exai_protocol::{
    RequestId,
    call::{CallToolAck, CallToolRes, Progress},
    control::{CollectRes, ErrorFrame, EventFrame, HealthRes, ListToolsRes},
    hello::{Hello, HelloAck},
    limits::{MAX_DEPTH, MAX_HELLO_FIELD_BYTES, MAX_REQUEST_ID_BYTES},
    object::{RawObject, duplicate_key},
    request::{Op, Remains, Request},
    scan,
};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

/// What a client sends: the daemon's way through a frame, step by step.
pub fn request(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // Looked at before anything is checked: it must not mind depth, twins or garbage.
    let remains = Remains::of(text);
    assert!(remains.name.as_deref().is_none_or(|name| !name.is_empty()));
    let remains_id = remains.request_id.as_ref().map(RequestId::as_str);
    assert!(remains_id.is_none_or(fits));
    if scan::check(data, MAX_DEPTH).is_err() {
        return;
    }
    object(text);
    hello(text);
    match Request::decode(text) {
        Err(bad) => {
            assert!(!bad.message.is_empty());
            assert!(bad.request_id.is_none_or(|id| fits(id.as_str())));
        }
        Ok(request) => {
            let id = request.request_id.as_ref().map(RequestId::as_str);
            let is_call = matches!(request.op, Op::CallTool(_) | Op::Operate(_));
            assert_eq!((id, is_call), (remains_id, remains.is_call));
            assert!(request.request_id.is_none_or(|id| fits(id.as_str())));
            if let Op::CallTool(call) = request.op {
                assert!(!call.name.is_empty());
                let arguments = call.arguments.map_or("{}", |raw| raw.get());
                assert!(
                    arguments.starts_with('{') && text.contains(arguments) || arguments == "{}"
                );
                // Tools decode only what holds no key twice; a parser that keeps the last of
                // two must then see as many keys as a parser that keeps them all.
                if duplicate_key(arguments).is_none()
                    && let Ok(value) = serde_json::from_str::<Value>(arguments)
                    && let Ok(object) = RawObject::parse(arguments)
                {
                    assert_eq!(
                        value.as_object().map(serde_json::Map::len),
                        Some(object.fields().count())
                    );
                }
            }
        }
    }
}

fn fits(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_REQUEST_ID_BYTES
}

/// One level of an object: every value is a piece of the text, and no key stands twice.
fn object(text: &str) {
    let Ok(object) = RawObject::parse(text) else {
        return;
    };
    let mut keys: Vec<&str> = object.fields().map(|(key, _)| key).collect();
    for (key, value) in object.fields() {
        assert!(text.contains(value.get()));
        assert_eq!(object.any(key).map(|raw| raw.get()), Some(value.get()));
    }
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count, "a key stands twice in {text}");
    assert!(serde_json::from_str::<IgnoredAny>(text).is_ok());
}

fn hello(text: &str) {
    let Ok(hello) = Hello::decode(text) else {
        return;
    };
    for field in [&hello.client.name, &hello.client.version, &hello.client.cwd] {
        assert!(field.len() <= MAX_HELLO_FIELD_BYTES);
    }
    // Written again, it is understood again.
    let Ok(again) = Hello::decode(&hello.encode()) else {
        panic!("not understood again: {text}")
    };
    assert!(again.proof == hello.proof && again.protocol == hello.protocol);
    // Who proves that he knows the token does not say it.
    let said = if hello.proof.is_some() {
        ""
    } else {
        hello.token.expose()
    };
    assert_eq!(again.token.expose(), said);
    if hello.protocol.is_some() {
        assert!(again.client == hello.client && again.features == hello.features);
    }
}

/// What a daemon sends: the client's types take it or refuse it, and what they take survives
/// being written and read again.
pub fn daemon_frame(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if scan::check(data, MAX_DEPTH).is_err() {
        return;
    }
    survives::<HelloAck>(text);
    survives::<CallToolAck>(text);
    survives::<CallToolRes>(text);
    survives::<Progress>(text);
    survives::<CollectRes>(text);
    survives::<ErrorFrame>(text);
    survives::<EventFrame>(text);
    survives::<HealthRes>(text);
    survives::<ListToolsRes>(text);
}

fn survives<T: Serialize + DeserializeOwned>(text: &str) {
    let Ok(frame) = serde_json::from_str::<T>(text) else {
        return;
    };
    let Ok(once) = serde_json::to_value(&frame) else {
        return;
    };
    let Ok(written) = serde_json::to_string(&frame) else {
        panic!("cannot be written again: {text}")
    };
    let Ok(again) = serde_json::from_str::<T>(&written) else {
        panic!("cannot be read again: {written}")
    };
    assert!(
        serde_json::to_value(&again).is_ok_and(|again| same(&once, &again)),
        "changed: {written}"
    );
}

/// serde_json reads the last digit of a long fraction differently now and then; times and
/// durations can bear that.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|((a, left), (b, right))| a == b && same(left, right))
        }
        (Value::Number(left), Value::Number(right)) if left.is_f64() || right.is_f64() => {
            let (left, right) = (
                left.as_f64().unwrap_or_default(),
                right.as_f64().unwrap_or_default(),
            );
            (left - right).abs() <= left.abs() * 1e-12
        }
        _ => left == right,
    }
}
