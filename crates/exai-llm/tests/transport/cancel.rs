//! What is dropped is closed at once, and gives back what it held.

use crate::setup::{CALM, Rig, ask, ms};
use exai_llm::{chat::StreamItem, limits::breaker::Position};
use exai_testkit::provider::{At, Dialect, Provider, Reply, Stall};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_dropped_request_hangs_up_at_once() {
    for dialect in Dialect::ALL {
        for at in [At::Headers, At::FirstEvent, At::Piece(1)] {
            let provider = Provider::start().await;
            provider.script([Reply::text("abcdef").chunks(3).stall(at, Stall::Forever)]);
            let rig = Rig::at(&provider.url(dialect), dialect, CALM);
            let mut seen = String::new();
            let mut sink = |item: &StreamItem| {
                if let StreamItem::Text(text) = item {
                    seen.push_str(text);
                }
            };
            {
                let asking = ask(&rig.live, Duration::from_secs(20), &mut sink);
                tokio::pin!(asking);
                tokio::select! {
                    _ = &mut asking => panic!("it stalls"),
                    () = async { provider.until_asked(1).await; tokio::time::sleep(ms(100)).await } => {}
                }
                assert_eq!(rig.live.health().in_flight, 1);
            }
            let dropped = Instant::now();
            let hung_up = provider.until_hung_up(0).await;
            let late = hung_up.saturating_duration_since(dropped);
            assert!(late < ms(1000), "{dialect:?} {at:?}: {late:?}");
            assert_eq!(
                seen,
                if at == At::Piece(1) { "ab" } else { "" },
                "{dialect:?} {at:?}"
            );
            let health = rig.live.health();
            assert_eq!((health.in_flight, health.breaker), (0, Position::Closed));
        }
    }
}

#[tokio::test]
async fn a_dropped_wait_gives_up_its_turn() {
    let provider = Provider::start().await;
    let settings = format!("{CALM}limits = {{ concurrency = 1 }}");
    let rig = Rig::at(
        &provider.url(Dialect::OpenAiChat),
        Dialect::OpenAiChat,
        &settings,
    );
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let first = rig.live.place(1, deadline, &mut |_| {}).await.unwrap();
    let mut quiet = |_: &str| {};
    let mut also = |_: &str| {};
    let mut given_up = Box::pin(rig.live.place(1, deadline, &mut quiet));
    let mut patient = Box::pin(rig.live.place(1, deadline, &mut also));
    for wait in [&mut given_up, &mut patient] {
        assert!(tokio::time::timeout(ms(20), wait).await.is_err());
    }
    assert_eq!(rig.live.health().queued, 2);
    drop(given_up);
    drop(first);
    assert!(patient.await.is_ok());
    let health = rig.live.health();
    assert_eq!((health.queued, health.in_flight), (0, 0));
}

#[tokio::test]
async fn a_dropped_try_lets_the_next_one_try() {
    let provider = Provider::start().await;
    provider.script([
        Reply::status(401),
        Reply::text("a").stall(At::Headers, Stall::Forever),
        Reply::text("b"),
    ]);
    let dialect = Dialect::OpenAiChat;
    let rig = Rig::at(&provider.url(dialect), dialect, CALM);
    assert!(rig.ask().await.is_err());
    rig.live.try_now();
    {
        let asking = rig.ask();
        tokio::pin!(asking);
        tokio::select! {
            _ = &mut asking => panic!("it stalls"),
            _ = provider.until_asked(2) => {}
        }
        assert_eq!(rig.live.health().breaker, Position::HalfOpen);
    }
    assert!(rig.ask().await.is_ok());
    assert_eq!(rig.live.health().breaker, Position::Closed);
}
