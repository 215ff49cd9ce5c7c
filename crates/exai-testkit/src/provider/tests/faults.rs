//! Every fault, byte for byte.

use super::client::{Ended, Heard, Line, ask, call, ms};
use crate::provider::{At, Cut, Dialect, Provider, Reply};
use serde_json::json;

async fn gives(reply: Reply, dialect: Dialect, stream: bool) -> Heard {
    let provider = Provider::start().await;
    provider.script([reply]);
    ask(&provider, dialect, stream).await
}

async fn streams(reply: Reply) -> Heard {
    gives(reply, Dialect::OpenAiChat, true).await
}

#[tokio::test]
async fn refusals_have_the_body_of_their_dialect() {
    for (dialect, pointer, word) in [
        (Dialect::OpenAiChat, "/error/code", "rate_limit_exceeded"),
        (Dialect::Responses, "/error/code", "rate_limit_exceeded"),
        (Dialect::Anthropic, "/error/type", "rate_limit_error"),
        (Dialect::Gemini, "/error/status", "RESOURCE_EXHAUSTED"),
        (Dialect::Ollama, "/error", "scripted status 429"),
    ] {
        let heard = gives(Reply::status(429).retry_after(2), dialect, true).await;
        assert_eq!(
            (heard.status, heard.header("retry-after")),
            (429, Some("2"))
        );
        assert_eq!(
            heard.json().pointer(pointer),
            Some(&json!(word)),
            "{dialect:?}"
        );
    }
    let delayed = Reply::status(429).retry_delay("17s");
    let heard = gives(delayed, Dialect::Gemini, false).await;
    assert_eq!(heard.header("retry-after"), None);
    assert_eq!(heard.json()["error"]["details"][0]["retryDelay"], "17s");
    let quota = Reply::status(429).code("insufficient_quota").message("pay");
    let error = gives(quota, Dialect::OpenAiChat, true).await.json();
    assert_eq!(error["error"]["code"], "insufficient_quota");
    assert_eq!(error["error"]["message"], "pay");
}

#[tokio::test]
async fn a_date_to_come_back_at_is_later_than_the_answers_own() {
    let heard = streams(Reply::status(503).retry_after_date(ms(86_400_000))).await;
    let (now, then) = (
        heard.header("date").unwrap(),
        heard.header("retry-after").unwrap(),
    );
    assert!(then.ends_with(" GMT") && now.ends_with(" GMT"));
    let clock = |date: &str| date.split(' ').nth(4).map(str::to_owned);
    assert_eq!(
        clock(now),
        clock(then),
        "exactly a day later: {now} / {then}"
    );
    assert_ne!(now, then);
}

#[tokio::test]
async fn proxies_answer_with_pages_and_empty_bodies() {
    let page = Reply::body(502, "text/html", "<html>bad gateway</html>");
    let heard = streams(page).await;
    assert_eq!(
        (heard.status, heard.text().as_str()),
        (502, "<html>bad gateway</html>")
    );
    let empty = streams(Reply::body(500, "text/plain", "")).await;
    assert_eq!(
        (empty.status, empty.bytes().len(), empty.ended),
        (500, 0, Ended::Whole)
    );
}

#[tokio::test]
async fn streams_end_too_early_in_every_way() {
    let reply = || Reply::text("abcdef").chunks(3);
    for (how, ended) in [
        (Cut::Clean, Ended::Whole),
        (Cut::Short, Ended::Short),
        (Cut::Reset, Ended::Reset),
    ] {
        for dialect in Dialect::ALL {
            let heard = gives(reply().cut(At::Piece(1), how), dialect, true).await;
            assert_eq!(heard.ended, ended, "{dialect:?} {how:?}");
            let text = heard.text();
            assert!(
                text.contains("ab") && !text.contains("cd"),
                "{dialect:?}: {text}"
            );
        }
    }
    let early = streams(reply().cut(At::FirstEvent, Cut::Clean)).await;
    assert_eq!((early.bytes().len(), early.ended), (0, Ended::Whole));
    for (reply, ended) in [
        (Reply::hang_up(), Ended::Short),
        (Reply::reset(), Ended::Reset),
    ] {
        let heard = streams(reply).await;
        assert_eq!(
            (heard.status, heard.head.as_str(), heard.ended),
            (0, "", ended)
        );
    }
}

#[tokio::test]
async fn the_end_may_be_missing_in_three_places() {
    let reply = || Reply::text("abc");
    let text = streams(reply().cut(At::End, Cut::Clean)).await.text();
    assert!(
        text.contains("abc") && !text.contains(r#""stop""#),
        "{text}"
    );
    let text = streams(reply().cut(At::Last, Cut::Clean)).await.text();
    assert!(
        text.contains(r#""stop""#) && !text.contains("[DONE]"),
        "{text}"
    );
    let heard = streams(reply().no_closing_mark()).await;
    assert!(!heard.text().contains("[DONE]") && heard.ended == Ended::Whole);
    let text = gives(reply().no_closing_mark(), Dialect::Anthropic, true).await;
    assert!(!text.text().contains("message_stop"));
}

#[tokio::test]
async fn an_event_may_stop_in_its_middle() {
    let reply = Reply::text("abcdef").cut_inside(At::Piece(0), Cut::Short);
    let heard = streams(reply).await;
    let text = heard.text();
    assert_eq!(heard.ended, Ended::Short);
    assert!(
        !text.ends_with('\n') && text.matches("data: ").count() == 2,
        "{text}"
    );
}

#[tokio::test]
async fn bodies_that_are_there_at_once_are_damaged_too() {
    let whole = gives(Reply::text("abcdef"), Dialect::Ollama, false)
        .await
        .text();
    let bad = gives(
        Reply::text("abcdef").bad_json(At::Piece(0)),
        Dialect::Ollama,
        false,
    )
    .await;
    assert_eq!(bad.ended, Ended::Whole);
    assert_eq!(
        bad.text(),
        whole[..whole.len() / 2],
        "half, and it says that is all"
    );
    let clean = Reply::text("abcdef").cut(At::Piece(2), Cut::Clean);
    let clean = gives(clean, Dialect::Ollama, false).await;
    assert_eq!((clean.ended, clean.text()), (Ended::Whole, bad.text()));
    let short = Reply::text("abcdef").cut(At::End, Cut::Short);
    let short = gives(short, Dialect::Ollama, false).await;
    assert_eq!((short.ended, short.text()), (Ended::Short, bad.text()));
    let error = Reply::text("abcdef").error_event(At::Piece(1), "boom");
    let error = gives(error, Dialect::Ollama, false).await;
    assert_eq!(
        (error.status, error.json()),
        (500, json!({"error": "boom"}))
    );
}

#[tokio::test]
async fn bad_json_and_errors_come_as_events_where_they_are_wanted() {
    let heard = streams(Reply::text("abcd").chunks(2).bad_json(At::Piece(1))).await;
    let events = heard.sse();
    let bad = events.iter().position(|(_, data)| {
        data != "[DONE]" && serde_json::from_str::<serde_json::Value>(data).is_err()
    });
    assert!(events[bad.unwrap() - 1].1.contains("ab"));
    assert!(events[bad.unwrap() + 1].1.contains("cd"));
    for (dialect, pointer) in [
        (Dialect::OpenAiChat, "/error/message"),
        (Dialect::Responses, "/message"),
        (Dialect::Anthropic, "/error/message"),
        (Dialect::Gemini, "/error/message"),
        (Dialect::Ollama, "/error"),
    ] {
        let reply = Reply::text("abcd")
            .chunks(2)
            .error_event(At::Piece(1), "overloaded");
        let heard = gives(reply, dialect, true).await;
        let last = heard.payloads().pop().unwrap();
        assert_eq!(
            last.pointer(pointer),
            Some(&json!("overloaded")),
            "{dialect:?}"
        );
        assert_eq!(heard.ended, Ended::Whole);
    }
}

#[tokio::test]
async fn characters_are_cut_apart_and_nothing_is_lost() {
    let text = "Grüße 東京 🗼";
    let plain = streams(Reply::text(text)).await.text();
    for dialect in Dialect::ALL {
        let heard = gives(Reply::text(text).split_inside_characters(), dialect, true).await;
        let broken = |chunk: &&Vec<u8>| std::str::from_utf8(chunk).is_err();
        assert!(
            heard.chunks.iter().filter(broken).count() >= 5,
            "{dialect:?}"
        );
        assert!(heard.text().contains(text), "{dialect:?}");
    }
    let bytes = streams(Reply::text(text).split(1)).await;
    assert!(bytes.chunks.iter().all(|chunk| chunk.len() == 1));
    assert_eq!(bytes.text(), plain);
}

#[tokio::test]
async fn lines_end_as_wished_and_marks_and_comments_come_before() {
    let plain = streams(Reply::text("ab")).await;
    for (reply, end) in [
        (Reply::text("ab").crlf(), "\r\n\r\n"),
        (Reply::text("ab").cr(), "\r\r"),
        (Reply::text("ab"), "\n\n"),
    ] {
        let heard = streams(reply.bom().comments()).await;
        let text = heard.text();
        assert!(
            text.starts_with("\u{feff}: keep-alive") && text.ends_with(end),
            "{text:?}"
        );
        assert_eq!(text.matches(": keep-alive").count(), plain.sse().len());
        assert_eq!(heard.sse(), plain.sse());
    }
}

#[tokio::test]
async fn the_last_event_may_be_huge() {
    for dialect in Dialect::ALL {
        let heard = gives(Reply::text("ab").huge_last_event(3_000_000), dialect, true).await;
        let payloads = heard.payloads();
        let (last, before) = payloads.split_last().unwrap();
        assert_eq!(last["padding"].as_str().unwrap().len(), 3_000_000);
        assert!(
            before
                .iter()
                .all(|payload| payload.get("padding").is_none())
        );
    }
}

#[tokio::test]
async fn a_body_may_end_with_the_connection_and_bytes_need_not_be_http() {
    let heard = streams(Reply::text("abc").until_close()).await;
    assert_eq!(heard.header("transfer-encoding"), None);
    assert_eq!(heard.ended, Ended::Whole);
    assert_eq!(heard.sse().last().unwrap().1, "[DONE]");

    let provider = Provider::start().await;
    provider.script([Reply::bytes("SSH-2.0-nobody\r\n")]);
    let mut line = Line::to(&provider).await;
    let heard = call(&mut line, &provider, Dialect::Ollama, true).await;
    assert_eq!((heard.status, heard.head.as_str()), (0, "SSH-2.0-nobody\n"));
}

#[tokio::test]
async fn events_may_be_anything() {
    let heard = streams(Reply::events(["{}", "not json", "two\nlines"])).await;
    let data: Vec<String> = heard.sse().into_iter().map(|(_, data)| data).collect();
    assert_eq!(data, ["{}", "not json", "two\nlines"]);
}
