//! What a model's provider sends: however it is cut, the same comes out, and whatever it is,
//! it ends in items and at most one fault.

use exai_llm::{
    chat::{ChatRequest, Message, ModelTraits, StreamItem},
    decode::{NdjsonDecoder, SseDecoder},
    dialect::{Dialect, Quirks, Response, StreamReader, Target, fault},
    fault::{Fault, retry_after_ms},
    limits::learned::{Begun, Learned},
};
use std::time::Duration;
use tokio::time::Instant;

/// Small, so that neighbours of the seeds reach it.
const CAP: usize = 4096;

/// The bytes in pieces whose sizes follow from the bytes.
fn chopped(data: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = data;
    let mut sizes = data.iter().cycle();
    while !rest.is_empty() {
        let size = sizes.next().map_or(1, |byte| usize::from(byte % 7) + 1);
        let (piece, after) = rest.split_at(size.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// Event streams.
pub fn sse(data: &[u8]) {
    let read = |pieces: &[&[u8]]| {
        let (mut decoder, mut events) = (SseDecoder::new(CAP), Vec::new());
        let end = pieces
            .iter()
            .try_for_each(|piece| decoder.push(piece, &mut events));
        decoder.finish(&mut events);
        (events, end.is_ok())
    };
    let whole = read(&[data]);
    assert_eq!(whole, read(&chopped(data)));
    for event in &whole.0 {
        // A byte that is no text becomes a mark of three.
        assert!(event.data.len() <= 3 * CAP, "{}", event.data.len());
    }
}

/// Streams of lines.
pub fn ndjson(data: &[u8]) {
    let read = |pieces: &[&[u8]]| {
        let (mut decoder, mut lines) = (NdjsonDecoder::new(CAP), Vec::new());
        let end = pieces
            .iter()
            .try_for_each(|piece| decoder.push(piece, &mut lines));
        decoder.finish(&mut lines);
        (lines, end.is_ok())
    };
    let whole = read(&[data]);
    assert_eq!(whole, read(&chopped(data)));
    for line in &whole.0 {
        assert!(!line.is_empty() && line.len() <= 3 * CAP);
    }
}

/// Answers: streamed, whole, and as a refusal; in the dialect that follows from the bytes,
/// because all of them for each input would be five times the time.
pub fn answer(data: &[u8]) {
    let quirks = Quirks {
        // The two that read most into a text.
        think_tags: true,
        textual_tool_calls: true,
        ..Quirks::default()
    };
    let traits = ModelTraits::default();
    let request = ChatRequest {
        model: "m".to_owned(),
        messages: vec![Message::user("?")],
        ..ChatRequest::default()
    };
    let sum: usize = data.iter().map(|byte| usize::from(*byte)).sum();
    let dialect = Dialect::ALL[sum % Dialect::ALL.len()];
    let target = Target {
        endpoint: "e",
        dialect,
        quirks: &quirks,
        traits: &traits,
    };
    let reader = || StreamReader::with_cap(&target, &request, CAP);
    let (items, ended) = stream(reader(), &[data]);
    let (again, ended_again) = stream(reader(), &chopped(data));
    assert_eq!(joined(&items), joined(&again), "{dialect:?}");
    assert_eq!(ended, ended_again, "{dialect:?}");
    check(&items, ended.as_ref());
    let mut items = Vec::new();
    let ended = reader().whole(data, &mut items).err();
    check(&items, ended.as_ref());
    refusal(dialect, data);
}

fn stream(mut reader: StreamReader, pieces: &[&[u8]]) -> (Vec<StreamItem>, Option<Fault>) {
    let mut items = Vec::new();
    let pushed = pieces
        .iter()
        .try_for_each(|piece| reader.push(piece, &mut items).map(|_| ()));
    let ended = pushed.and_then(|()| reader.finish(&mut items));
    (items, ended.err())
}

/// Pieces of text may be cut elsewhere; what they add up to may not differ.
fn joined(items: &[StreamItem]) -> Vec<StreamItem> {
    let mut all: Vec<StreamItem> = Vec::new();
    for item in items {
        match (all.last_mut(), item) {
            (Some(StreamItem::Text(before)), StreamItem::Text(more))
            | (Some(StreamItem::Reasoning(before)), StreamItem::Reasoning(more)) => {
                before.push_str(more);
            }
            _ => all.push(item.clone()),
        }
    }
    all
}

fn check(items: &[StreamItem], ended: Option<&Fault>) {
    let dones = items
        .iter()
        .filter(|item| matches!(item, StreamItem::Done(_)))
        .count();
    match ended {
        None => {
            assert_eq!(dones, 1, "{items:?}");
            assert!(
                matches!(items.last(), Some(StreamItem::Done(_))),
                "{items:?}"
            );
        }
        Some(fault) => bounded(fault),
    }
}

fn bounded(fault: &Fault) {
    assert!(fault.detail.len() < 8 * 1024, "{}", fault.detail.len());
    assert!(!fault.detail.contains('\n'));
}

/// The same bytes as a refusal's body and as the values of its headers.
fn refusal(dialect: Dialect, data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let names = [
        "retry-after",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ];
    let mut headers: Vec<(String, String)> = names
        .iter()
        .map(|name| ((*name).to_owned(), text.clone()))
        .collect();
    let told = fault(
        dialect,
        &Response {
            status: 429,
            headers: &headers,
            body: data,
            now_ms: 1,
        },
        &["sk-fuzz"],
    );
    bounded(&told);
    let _ = retry_after_ms(&headers, u64::MAX);
    // Once with a rest that counts, so that the reset does too.
    headers.insert(0, ("x-ratelimit-limit-requests".to_owned(), "9".to_owned()));
    headers.insert(
        0,
        ("x-ratelimit-remaining-requests".to_owned(), "0".to_owned()),
    );
    let mut learned = Learned::default();
    let now = Instant::now();
    learned.learn(&headers, now, 1, Begun::default());
    learned.begin(now, u64::MAX);
    if let Some(at) = learned.free_at(now, u64::MAX) {
        assert!(at - now <= Duration::from_secs(2 * 24 * 3600));
    }
}
