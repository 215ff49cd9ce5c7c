//! The decoders' promises: any chopping gives the same events, bounds hold, cost is linear.

use super::*;
use proptest::prelude::*;

fn sse(chunks: &[&[u8]], cap: usize) -> (Vec<SseEvent>, Result<(), TooLong>) {
    let mut decoder = SseDecoder::new(cap);
    let mut events = Vec::new();
    let mut end = Ok(());
    for chunk in chunks {
        end = decoder.push(chunk, &mut events);
        if end.is_err() {
            break;
        }
    }
    decoder.finish(&mut events);
    (events, end)
}

fn ndjson(chunks: &[&[u8]], cap: usize) -> (Vec<String>, Result<(), TooLong>) {
    let mut decoder = NdjsonDecoder::new(cap);
    let mut lines = Vec::new();
    let mut end = Ok(());
    for chunk in chunks {
        end = decoder.push(chunk, &mut lines);
        if end.is_err() {
            break;
        }
    }
    decoder.finish(&mut lines);
    (lines, end)
}

fn data(text: &[u8]) -> Vec<String> {
    sse(&[text], MAX_EVENT_BYTES)
        .0
        .into_iter()
        .map(|event| event.data)
        .collect()
}

#[test]
fn every_line_end_ends_a_line() {
    for end in ["\n", "\r", "\r\n"] {
        let text = format!("data: a{end}data: b{end}{end}data: c{end}{end}");
        assert_eq!(data(text.as_bytes()), ["a\nb", "c"], "{end:?}");
    }
}

#[test]
fn a_mark_a_comment_and_the_space_are_not_data() {
    assert_eq!(data(b"\xEF\xBB\xBFdata:a\n\n"), ["a"]);
    assert_eq!(data(b": ping\n\ndata:  two\n\n"), [" two"]);
    assert_eq!(data(b"data\n\n"), [""]);
    assert_eq!(data(b"id: 1\nretry: 5\nfoo: x\n\n"), Vec::<String>::new());
    assert_eq!(data(b"data: a\n\n\xEF\xBB\xBFdata: b\n\n"), ["a"]);
}

#[test]
fn names_belong_to_their_event_only() {
    let (events, _) = sse(
        &[b"event: x\ndata: 1\n\ndata: 2\n\nevent: y\n\ndata: 3\n\n"],
        99,
    );
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["x", "", ""]);
}

#[test]
fn the_last_event_counts_without_its_end() {
    assert_eq!(data(b"data: a\n\ndata: b"), ["a", "b"]);
    assert_eq!(data(b"data: a\n\ndata: b\n"), ["a", "b"]);
    assert_eq!(ndjson(&[b"{}\n{\"a\":1}"], 99).0, ["{}", "{\"a\":1}"]);
}

#[test]
fn empty_lines_and_carriage_returns_are_nothing_between_json_lines() {
    assert_eq!(ndjson(&[b"\r\n\n  \n{}\r\n"], 99).0, ["{}"]);
}

#[test]
fn an_event_beyond_the_cap_ends_the_stream_for_good() {
    let mut decoder = SseDecoder::new(10);
    let mut events = Vec::new();
    assert!(decoder.push(b"data: a\n\n", &mut events).is_ok());
    let error = decoder.push(b"data: 0123456789\n\n", &mut events);
    assert_eq!(error, Err(TooLong { cap: 10 }));
    assert!(decoder.push(b"data: b\n\n", &mut events).is_err());
    decoder.finish(&mut events);
    assert_eq!(events.len(), 1);
    assert!(ndjson(&[b"0123456789a"], 10).1.is_err());
}

#[test]
fn many_small_lines_of_one_event_share_the_cap() {
    let (events, end) = sse(&[b"data: 1234\ndata: 1234\ndata: 1234\n\n"], 16);
    assert!(events.is_empty());
    assert!(end.is_err());
}

#[test]
fn a_long_event_in_tiny_pieces_is_read_in_linear_time() {
    let long = vec![b'x'; 4 * 1024 * 1024];
    let mut decoder = SseDecoder::default();
    let mut events = Vec::new();
    decoder.push(b"data: ", &mut events).unwrap();
    let start = std::time::Instant::now();
    for byte in long.chunks(16) {
        decoder.push(byte, &mut events).unwrap();
    }
    decoder.finish(&mut events);
    assert_eq!(events[0].data.len(), long.len());
    // Quadratic scanning would take hours.
    assert!(start.elapsed().as_secs() < 20);
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"data: ".to_vec()),
        Just(b"data".to_vec()),
        Just(b"event: e".to_vec()),
        Just(b": c".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n\n".to_vec()),
        Just(b"\xEF\xBB\xBF".to_vec()),
        Just("é漢🙂".as_bytes().to_vec()),
        Just(b"\xF0\x9F".to_vec()),
        Just(b"{\"a\":[1]}".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_chopping_gives_the_same_events(
        bytes in stream(),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
        cap in prop_oneof![Just(12_usize), Just(MAX_EVENT_BYTES)],
    ) {
        let chopped = pieces(&bytes, &cuts);
        prop_assert_eq!(sse(&[&bytes], cap), sse(&chopped, cap));
        prop_assert_eq!(ndjson(&[&bytes], cap), ndjson(&chopped, cap));
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(sse(&[&bytes], cap), sse(&single, cap));
        prop_assert_eq!(ndjson(&[&bytes], cap), ndjson(&single, cap));
    }
}
