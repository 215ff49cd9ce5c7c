//! Transcripts × every way of cutting them.

use crate::fixture::{Scene, all, settle};
use exai_llm::{
    chat::{ChatRequest, StreamItem},
    dialect::StreamReader,
    fault::Fault,
};
use serde_json::{Value, json};

type Outcome = (Vec<StreamItem>, Option<Fault>);

fn bytes(fixture: &Value) -> Vec<u8> {
    let lines: Vec<&str> = fixture["body"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    lines.join("\n").into_bytes()
}

fn request(fixture: &Value) -> ChatRequest {
    let wish = fixture.get("request").cloned().unwrap_or_else(|| json!({}));
    let mut request: ChatRequest = serde_json::from_value(wish).unwrap();
    request.model = "m".to_owned();
    request
}

fn run(scene: &Scene, request: &ChatRequest, chunks: &[&[u8]]) -> Outcome {
    let mut reader = StreamReader::new(&scene.target(), request);
    let mut items = Vec::new();
    for chunk in chunks {
        if let Err(fault) = reader.push(chunk, &mut items) {
            return (items, Some(fault));
        }
    }
    let end = reader.finish(&mut items);
    (items, end.err())
}

fn whole(scene: &Scene, request: &ChatRequest, body: &[u8]) -> Outcome {
    let mut items = Vec::new();
    let end = StreamReader::new(&scene.target(), request).whole(body, &mut items);
    (items, end.err())
}

fn told((items, fault): &Outcome) -> Value {
    json!({"items": items, "fault": fault})
}

#[test]
fn every_transcript_is_read_as_documented() {
    let mut faults = Vec::new();
    for (path, fixture) in all("streams") {
        let (scene, request) = (Scene::of(&fixture), request(&fixture));
        let body = bytes(&fixture);
        let outcome = if fixture["whole"] == true {
            whole(&scene, &request, &body)
        } else {
            run(&scene, &request, &[&body])
        };
        settle(&path, fixture, told(&outcome), &mut faults);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn cut_at_every_byte_it_reads_the_same() {
    for (path, fixture) in all("streams") {
        if fixture["whole"] == true {
            continue;
        }
        let (scene, request) = (Scene::of(&fixture), request(&fixture));
        let body = bytes(&fixture);
        let expected = run(&scene, &request, &[&body]);
        for at in 0..=body.len() {
            let (one, two) = body.split_at(at);
            let outcome = run(&scene, &request, &[one, two]);
            assert_eq!(outcome, expected, "{} cut at {at}", path.display());
        }
        let single: Vec<&[u8]> = body.chunks(1).collect();
        let outcome = run(&scene, &request, &single);
        assert_eq!(outcome, expected, "{} in single bytes", path.display());
    }
}

/// A connection may die anywhere: then it is a fault, or the answer is complete; never a
/// panic, never an end that is not the last item, never two.
#[test]
fn cut_off_at_every_byte_it_never_claims_an_end_it_did_not_see() {
    for (path, fixture) in all("streams") {
        if fixture["whole"] == true {
            continue;
        }
        let (scene, request) = (Scene::of(&fixture), request(&fixture));
        let body = bytes(&fixture);
        let full = run(&scene, &request, &[&body]);
        for at in 0..body.len() {
            let (items, fault) = run(&scene, &request, &[&body[..at]]);
            let ends = items
                .iter()
                .filter(|item| matches!(item, StreamItem::Done(_)))
                .count();
            let place = format!("{} cut off at {at}", path.display());
            assert_eq!(
                ends,
                usize::from(fault.is_none()),
                "{place}: {items:?} {fault:?}"
            );
            if fault.is_none() {
                assert!(matches!(items.last(), Some(StreamItem::Done(_))), "{place}");
                assert!(full.1.is_none(), "{place}: a fault came after the end");
            }
        }
    }
}

#[test]
fn garbage_is_a_fault_and_not_a_panic() {
    for (_, fixture) in all("streams") {
        let (scene, request) = (Scene::of(&fixture), request(&fixture));
        let body = bytes(&fixture);
        for at in (0..body.len()).step_by(7) {
            let mut bent = body.clone();
            bent[at] = b"\"{}[]:,0\n\xFF"[at % 10];
            let _ = run(&scene, &request, &[&bent]);
            let _ = whole(&scene, &request, &bent);
        }
    }
}
