//! Every fault of the list, in every dialect in which it makes sense.

use crate::setup::{CANARY, QUICK, Rig, leaks, ms};
use exai_llm::{attempt::Limit, chat::DoneReason, endpoint::Failed, fault::FaultClass};
use exai_testkit::provider::{At, Cut, Dialect, Provider, Reply, Stall, Tls};
use std::time::{Duration, Instant};

async fn fails(dialect: Dialect, reply: Reply) -> Failed {
    let provider = Provider::start().await;
    provider.script([reply]);
    let rig = Rig::quick(&provider, dialect);
    let began = Instant::now();
    let failed = *rig.ask().await.unwrap_err();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(8), "{dialect:?}: {took:?}");
    assert!(!leaks(&failed.fault), "{:?}", failed.fault);
    assert!(failed.applied.is_some());
    failed
}

#[tokio::test]
async fn an_answer_comes_through_in_every_dialect_however_it_is_cut() {
    let text = "Grüß Gott 🦀, schöne Welt";
    for dialect in Dialect::ALL {
        let provider = Provider::start().await;
        let reply = || Reply::text(text).chunks(7).tokens(11, 7);
        provider.script([
            reply(),
            reply().split_inside_characters().comments(),
            reply().split(1).bom(),
            reply().crlf(),
            reply().until_close(),
            reply().huge_last_event(1024 * 1024),
        ]);
        let rig = Rig::quick(&provider, dialect);
        for round in 0..6 {
            let sent = rig.ask().await.unwrap();
            assert_eq!(sent.said.turn.text, text, "{dialect:?} {round}");
            assert_eq!(
                sent.said.reason,
                Some(DoneReason::Stop),
                "{dialect:?} {round}"
            );
            let usage = sent.said.usage.unwrap();
            assert_eq!(
                (usage.input, usage.output),
                (Some(11), Some(7)),
                "{dialect:?}"
            );
            assert!(sent.first_delta.unwrap() <= sent.took);
        }
        let asked = provider.requests();
        assert!(
            asked.iter().all(|request| request.hung_up.is_none()),
            "{dialect:?}"
        );
        assert!(
            provider.connections() < 6,
            "{dialect:?}: connections are kept"
        );
        assert_eq!(provider.leaks(CANARY), Vec::<String>::new());
    }
}

#[tokio::test]
async fn refusals_have_their_class_and_say_when_to_come_back() {
    for dialect in Dialect::ALL {
        for (status, class) in [
            (401, FaultClass::Auth),
            (429, FaultClass::RateLimited),
            (500, FaultClass::Server),
            (503, FaultClass::Overloaded),
        ] {
            let said = format!("no, {CANARY} is bad");
            let failed = fails(dialect, Reply::status(status).message(&said)).await;
            assert_eq!(
                failed.fault.class, class,
                "{dialect:?} {status}: {:?}",
                failed.fault
            );
            assert_eq!(failed.fault.status, Some(status), "{dialect:?}");
            assert_eq!(failed.fault.retry_after_ms, None);
            assert!(failed.bytes_sent);
        }
        let failed = fails(dialect, Reply::status(429).retry_after(17)).await;
        assert_eq!(failed.fault.retry_after_ms, Some(17_000), "{dialect:?}");
        let later = Reply::status(503).retry_after_date(Duration::from_secs(3600));
        let wait = fails(dialect, later).await.fault.retry_after_ms.unwrap();
        assert!(
            (3_500_000..=3_600_000).contains(&wait),
            "{dialect:?}: {wait}"
        );
    }
}

#[tokio::test]
async fn a_stall_ends_with_the_limit_that_fired_and_hangs_up() {
    for dialect in Dialect::ALL {
        for (at, limit, text) in [
            (At::Headers, Limit::FirstEvent, ""),
            (At::FirstEvent, Limit::FirstEvent, ""),
            (At::Piece(1), Limit::Idle, "ab"),
        ] {
            let provider = Provider::start().await;
            // Comments come all the while: they are no sign of an answer.
            let reply = Reply::text("abcdef").chunks(3).keep_alive(ms(50));
            provider.script([reply.stall(at, Stall::Forever)]);
            let rig = Rig::quick(&provider, dialect);
            let failed = rig.ask().await.unwrap_err();
            assert_eq!(
                failed.fault.class,
                FaultClass::Timeout,
                "{dialect:?} {at:?}"
            );
            assert_eq!(
                failed.limit,
                Some(limit),
                "{dialect:?} {at:?}: {:?}",
                failed.fault
            );
            assert_eq!(failed.said.turn.text, text, "{dialect:?} {at:?}");
            let name = match limit {
                Limit::Idle => "timeouts.idle_ms",
                _ => "timeouts.first_event_ms",
            };
            assert!(
                failed.fault.detail.contains(name),
                "{}",
                failed.fault.detail
            );
            let took = failed.took.as_millis();
            assert!((390..6000).contains(&took), "{dialect:?} {at:?}: {took} ms");
            provider.until_hung_up(0).await;
        }
    }
}

#[tokio::test]
async fn the_calls_deadline_is_named_and_blames_nobody() {
    let provider = Provider::start().await;
    let text = || Reply::text("abcdef").chunks(3);
    provider.script([
        text().stall(At::Headers, Stall::Forever),
        text().stall(At::Piece(1), Stall::Forever),
    ]);
    let rig = Rig::at(
        &provider.url(Dialect::OpenAiChat),
        Dialect::OpenAiChat,
        crate::setup::CALM,
    );
    for (index, said) in ["before an answer began", "in the middle of the answer"]
        .iter()
        .enumerate()
    {
        let failed = crate::setup::ask(&rig.live, ms(300), &mut |_| {})
            .await
            .unwrap_err();
        assert_eq!(failed.limit, Some(Limit::Deadline));
        assert!(
            failed.fault.detail.contains(said),
            "{}",
            failed.fault.detail
        );
        provider.until_hung_up(index).await;
    }
}

#[tokio::test]
async fn a_stream_that_ends_too_early_is_truncated_and_keeps_what_came() {
    for dialect in Dialect::ALL {
        for how in [Cut::Clean, Cut::Short, Cut::Reset] {
            let reply = || Reply::text("abcdef").chunks(3);
            let failed = fails(dialect, reply().cut(At::Piece(2), how)).await;
            assert_eq!(
                failed.fault.class,
                FaultClass::Truncated,
                "{dialect:?} {how:?}: {:?}",
                failed.fault
            );
            // A reset may overtake what was sent before it.
            if how != Cut::Reset {
                assert_eq!(failed.said.turn.text, "abcd", "{dialect:?} {how:?}");
                assert!(failed.first_delta.is_some());
            }
            let failed = fails(dialect, reply().cut_inside(At::Piece(1), how)).await;
            assert_eq!(
                failed.fault.class,
                FaultClass::Truncated,
                "{dialect:?} {how:?} inside"
            );
            let failed = fails(dialect, reply().cut(At::FirstEvent, how)).await;
            assert_eq!(
                failed.fault.class,
                FaultClass::Truncated,
                "{dialect:?} {how:?} at first"
            );
            assert_eq!(failed.first_delta, None);
        }
    }
}

#[tokio::test]
async fn what_is_not_the_dialect_is_malformed() {
    for dialect in Dialect::ALL {
        let failed = fails(
            dialect,
            Reply::text("abcdef").chunks(3).bad_json(At::Piece(1)),
        )
        .await;
        assert_eq!(
            failed.fault.class,
            FaultClass::Malformed,
            "{dialect:?}: {:?}",
            failed.fault
        );
        assert_eq!(failed.said.turn.text, "ab", "{dialect:?}");
        let failed = fails(dialect, Reply::text("a").huge_last_event(9 * 1024 * 1024)).await;
        assert_eq!(
            failed.fault.class,
            FaultClass::Malformed,
            "{dialect:?}: {:?}",
            failed.fault
        );
        assert!(
            failed.fault.detail.contains("larger than"),
            "{}",
            failed.fault.detail
        );
        let page = Reply::body(200, "text/html", "<html><body>Sign in</body></html>");
        let failed = fails(dialect, page).await;
        assert_eq!(
            failed.fault.class,
            FaultClass::Malformed,
            "{dialect:?}: {:?}",
            failed.fault
        );
        assert!(
            failed.fault.detail.contains("base URL"),
            "{}",
            failed.fault.detail
        );
        let failed = fails(dialect, Reply::bytes("SSH-2.0-OpenSSH\r\n\r\n")).await;
        assert_eq!(
            failed.fault.class,
            FaultClass::Malformed,
            "{dialect:?}: {:?}",
            failed.fault
        );
    }
}

#[tokio::test]
async fn a_proxys_page_and_an_error_in_the_stream_are_told() {
    for dialect in Dialect::ALL {
        let page = Reply::body(502, "text/html", "<html>bad gateway</html>");
        let failed = fails(dialect, page).await;
        assert_eq!(failed.fault.class, FaultClass::Overloaded, "{dialect:?}");
        let error = Reply::text("abcdef")
            .chunks(3)
            .error_event(At::Piece(1), "boom");
        let failed = fails(dialect, error).await;
        assert!(
            failed.fault.detail.contains("boom"),
            "{dialect:?}: {:?}",
            failed.fault
        );
        assert_eq!(failed.said.turn.text, "ab", "{dialect:?}");
        // An endless refusal is read to a bound.
        let much = Reply::body(500, "text/plain", "x".repeat(4 * 1024 * 1024));
        let failed = fails(dialect, much).await;
        assert_eq!(failed.fault.class, FaultClass::Server, "{dialect:?}");
        assert!(failed.fault.detail.len() < 2000);
    }
}

#[tokio::test]
async fn slow_headers_end_with_the_limit_of_the_first_event() {
    let failed = fails(Dialect::OpenAiChat, Reply::text("a").slow_headers(ms(100))).await;
    assert_eq!(failed.limit, Some(Limit::FirstEvent), "{:?}", failed.fault);
}

#[tokio::test]
async fn an_answer_that_came_whole_is_read_all_the_same() {
    for (dialect, body) in [
        (
            Dialect::OpenAiChat,
            serde_json::json!({"choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "whole"}}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 1}}),
        ),
        (
            Dialect::Anthropic,
            serde_json::json!({"type": "message", "role": "assistant", "stop_reason": "end_turn",
                "content": [{"type": "text", "text": "whole"}],
                "usage": {"input_tokens": 3, "output_tokens": 1}}),
        ),
    ] {
        let provider = Provider::start().await;
        provider.script([Reply::json(body)]);
        let sent = Rig::quick(&provider, dialect).ask().await.unwrap();
        assert_eq!(sent.said.turn.text, "whole", "{dialect:?}");
        assert_eq!(sent.said.usage.unwrap().input, Some(3));
    }
    let error = Reply::json(serde_json::json!({"error": {"message": "model overloaded"}}));
    let failed = fails(Dialect::OpenAiChat, error).await;
    assert!(
        failed.fault.detail.contains("overloaded"),
        "{:?}",
        failed.fault
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_says_what_to_set() {
    let reply =
        Reply::body(302, "text/plain", "").header("location", "https://else.where/v1?key=x");
    let failed = fails(Dialect::OpenAiChat, reply).await;
    assert_eq!(failed.fault.class, FaultClass::NotFound);
    assert!(
        failed.fault.detail.contains("https://else.where/v1,"),
        "{}",
        failed.fault.detail
    );
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    for dialect in Dialect::ALL {
        let provider = Provider::start().await;
        provider.down().await;
        let failed = Rig::quick(&provider, dialect).ask().await.unwrap_err();
        assert_eq!(failed.fault.class, FaultClass::Unreachable, "{dialect:?}");
        assert!(!failed.bytes_sent);
        assert!(
            failed.fault.detail.contains("refused"),
            "{}",
            failed.fault.detail
        );
        for reply in [Reply::hang_up(), Reply::reset()] {
            let failed = fails(dialect, reply).await;
            assert_eq!(
                failed.fault.class,
                FaultClass::Unreachable,
                "{dialect:?}: {:?}",
                failed.fault
            );
            assert!(failed.bytes_sent, "it may have been read");
        }
    }
}

#[tokio::test]
async fn a_server_that_refuses_tls_is_unreachable_and_one_that_stalls_it_too_slow() {
    for (tls, class, limit) in [
        (Tls::ClearText, FaultClass::Unreachable, None),
        (Tls::Alert, FaultClass::Unreachable, None),
        (Tls::HangUp, FaultClass::Unreachable, None),
        (Tls::Stall, FaultClass::Timeout, Some(Limit::Connect)),
    ] {
        let provider = Provider::start().await;
        provider.tls(tls);
        // The limit of the first event is longer, so that it is the connection's that fires.
        let settings = QUICK.replace("first_event_ms = 400", "first_event_ms = 8000");
        let url = provider.tls_url(Dialect::OpenAiChat);
        let rig = Rig::at(&url, Dialect::OpenAiChat, &settings);
        let failed = rig.ask().await.unwrap_err();
        assert_eq!(
            (failed.fault.class, failed.limit),
            (class, limit),
            "{tls:?}: {:?}",
            failed.fault
        );
        assert!(!failed.bytes_sent, "{tls:?}");
        assert_eq!(provider.requests().len(), 0);
    }
}
