//! Moments: pace, stalls, and who hung up when. Every bound below is a lower one, or is as
//! generous as a busy machine needs.

use super::client::{Ended, Line, ask, ms, written};
use crate::{
    PATIENCE, eventually,
    provider::{At, Dialect, Gate, Provider, Reply, Stall},
};
use tokio::{join, time::sleep};

#[tokio::test]
async fn pieces_come_at_their_pace() {
    let provider = Provider::start().await;
    let text = "a".repeat(10);
    provider.script([Reply::text(&text).chunks(10).every(ms(20)).after(ms(60))]);
    let heard = ask(&provider, Dialect::Ollama, true).await;
    assert_eq!(heard.chunks.len(), 11);
    let waited = heard.chunks_at[0] - heard.head_at;
    assert!(waited >= ms(50), "the first event after {waited:?}");
    let took = heard.chunks_at[9] - heard.chunks_at[0];
    assert!(
        (ms(160)..ms(2000)).contains(&took),
        "nine pauses in {took:?}"
    );
    let second = heard.chunks_at[5] - heard.chunks_at[0];
    assert!(second < took, "not all at once at the end");
}

#[tokio::test]
async fn a_stall_keeps_back_exactly_what_comes_after() {
    for (at, head, pieces) in [
        (At::Headers, false, 0),
        (At::FirstEvent, true, 0),
        (At::Piece(1), true, 1),
        (At::Last, true, 2),
    ] {
        let provider = Provider::start().await;
        let gate = Gate::new();
        provider.script([Reply::text("abcd").chunks(2).stall(at, &gate)]);
        let mut line = Line::to(&provider).await;
        let (request, body) = written(&provider, Dialect::Ollama, true);
        let length = body.len();
        line.send(format!("{request}\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes())
            .await;
        // Reads for as long as anything comes; nothing may come past the gate.
        while tokio::time::timeout(ms(150), line.more()).await == Ok(true) {}
        let early = String::from_utf8(line.pending().to_vec()).unwrap();
        assert_eq!(early.contains("HTTP/1.1 200"), head, "{at:?}: {early}");
        assert_eq!(
            early.matches(r#""done":false"#).count(),
            pieces,
            "{at:?}: {early}"
        );
        gate.open();
        let heard = line.hear().await;
        assert_eq!(
            (heard.ended, heard.payloads().len()),
            (Ended::Whole, 3),
            "{at:?}"
        );
    }
}

#[tokio::test]
async fn headers_come_one_byte_at_a_time() {
    let provider = Provider::start().await;
    provider.script([Reply::text("x").slow_headers(ms(1))]);
    let heard = ask(&provider, Dialect::Anthropic, true).await;
    let took = heard.head_at - heard.asked_at;
    assert!(
        took >= ms(100),
        "a head of more than a hundred bytes in {took:?}"
    );
    assert_eq!((heard.status, heard.ended), (200, Ended::Whole));
}

#[tokio::test]
async fn comments_fill_a_silence_and_say_nothing() {
    let provider = Provider::start().await;
    let stalled = |at| Reply::text("x").keep_alive(ms(10)).stall(at, ms(150));
    provider.script([stalled(At::FirstEvent), stalled(At::End)]);
    let heard = ask(&provider, Dialect::OpenAiChat, true).await;
    let comments = heard.text().matches(": keep-alive\n\n").count();
    assert!((3..=15).contains(&comments), "{comments} comments");
    assert!(heard.text().starts_with(": keep-alive"));
    let lines = ask(&provider, Dialect::Ollama, true).await;
    assert_eq!(lines.payloads().len(), 2);
    assert!(lines.text().contains("\n\n\n"), "empty lines between lines");
}

#[tokio::test]
async fn it_knows_who_hung_up_and_when() {
    let provider = Provider::start().await;
    provider.script([
        Reply::text("abcd")
            .chunks(2)
            .stall(At::Piece(1), Stall::Forever),
        Reply::text("whole"),
        Reply::text("never").stall(At::Headers, Stall::Forever),
    ]);
    let (request, body) = written(&provider, Dialect::Responses, true);
    let length = body.len();
    let whole = format!("{request}\r\ncontent-length: {length}\r\n\r\n{body}");
    let mut first = Line::to(&provider).await;
    first.send(whole.as_bytes()).await;
    provider.until_asked(1).await;
    ask(&provider, Dialect::Responses, true).await;
    let mut third = Line::to(&provider).await;
    third.send(whole.as_bytes()).await;
    let asked = provider.until_asked(3).await;
    assert_eq!(provider.hung_up(0), None, "it is still there");
    drop(first);
    let left = provider.until_hung_up(0).await;
    assert!(left >= asked.at, "after the third had come");
    drop(third);
    provider.until_hung_up(2).await;
    let requests = provider.requests();
    assert!(requests[0].first_byte.is_some() && requests[0].ended.is_none());
    assert!(requests[1].hung_up.is_none() && requests[1].ended.is_some());
    assert!(requests[2].first_byte.is_none());
}

#[tokio::test]
async fn a_caller_that_cannot_be_written_to_has_hung_up() {
    let provider = Provider::start().await;
    provider.script([Reply::text(&"x".repeat(1000)).chunks(1000).every(ms(5))]);
    let (request, body) = written(&provider, Dialect::Gemini, true);
    let length = body.len();
    let mut line = Line::to(&provider).await;
    line.send(format!("{request}\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes())
        .await;
    assert!(line.more().await);
    drop(line);
    provider.until_hung_up(0).await;
}

#[tokio::test]
async fn many_are_served_at_once_and_the_most_is_counted() {
    let provider = Provider::start().await;
    let gate = Gate::new();
    provider.otherwise(Reply::text("x").stall(At::FirstEvent, &gate));
    let asked = || ask(&provider, Dialect::OpenAiChat, true);
    let open = async {
        provider.until_asked(3).await;
        gate.open();
    };
    let (one, two, three, ()) = join!(asked(), asked(), asked(), open);
    assert!(
        [one, two, three]
            .iter()
            .all(|heard| heard.ended == Ended::Whole)
    );
    eventually(PATIENCE, "all have ended", || {
        provider
            .requests()
            .iter()
            .all(|request| request.ended.is_some())
    })
    .await;
    sleep(ms(2)).await;
    asked().await;
    assert_eq!(provider.most_at_once(|_| true), 3);
    assert_eq!(provider.most_at_once(|request| request.index == 3), 1);
    assert_eq!(provider.most_at_once(|_| false), 0);
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_or_a_blocked_test_does_not_stop_it() {
    let provider = Provider::start().await;
    provider.script([Reply::text("x").after(ms(30))]);
    let (request, body) = written(&provider, Dialect::Ollama, false);
    let length = body.len();
    let port = provider.port();
    // On purpose the blocking kind: this thread is the test's whole runtime.
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("{request}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    let mut read = [0; 15];
    std::io::Read::read_exact(&mut stream, &mut read).unwrap();
    assert_eq!(&read, b"HTTP/1.1 200 OK");
}
