//! Limits hold for everybody at an endpoint, and for nobody elsewhere.

use crate::setup::{CALM, Rig, ask, ms, request};
use exai_llm::{chat::ModelTraits, fault::FaultClass, limits::breaker::Position};
use exai_testkit::provider::{Dialect, Provider, Reply};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};

const CHAT: Dialect = Dialect::OpenAiChat;

#[tokio::test]
async fn no_more_are_under_way_than_may_be_and_all_get_their_turn() {
    let provider = Provider::start().await;
    provider.otherwise(Reply::text("a b c").chunks(3).every(ms(20)));
    let settings = format!("{CALM}limits = {{ concurrency = 3 }}");
    let rig = Rig::at(&provider.url(CHAT), CHAT, &settings);
    let mut all = JoinSet::new();
    for _ in 0..24 {
        let live = Arc::clone(&rig.live);
        all.spawn(async move {
            ask(&live, Duration::from_secs(30), &mut |_| {})
                .await
                .is_ok()
        });
    }
    assert!(all.join_all().await.into_iter().all(|answered| answered));
    assert_eq!(provider.most_at_once(|_| true), 3);
    let health = rig.live.health();
    assert_eq!(
        (health.in_flight, health.queued, health.concurrency),
        (0, 0, 3)
    );
}

#[tokio::test]
async fn three_parallel_calls_of_a_second_take_about_a_second() {
    let provider = Provider::start().await;
    provider.otherwise(Reply::text("a b c d e").chunks(5).every(ms(250)));
    let rig = Rig::at(&provider.url(CHAT), CHAT, CALM);
    let began = std::time::Instant::now();
    let (one, two, three) = tokio::join!(rig.ask(), rig.ask(), rig.ask());
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    let took = began.elapsed();
    assert!((ms(950)..ms(1900)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_place_says_why_it_waits() {
    let provider = Provider::start().await;
    let settings = format!("{CALM}limits = {{ concurrency = 1 }}");
    let rig = Rig::at(&provider.url(CHAT), CHAT, &settings);
    let deadline = Instant::now() + ms(300);
    let first = rig.live.place(1, deadline, &mut |_| {}).await.unwrap();
    let mut said = Vec::new();
    let mut note = |why: &str| said.push(why.to_owned());
    let wait = rig.live.place(1, deadline, &mut note);
    let fault = wait.await.err().unwrap();
    assert_eq!(fault.class, FaultClass::Timeout);
    assert!(
        fault.detail.contains("all 1 places at 'test' are taken"),
        "{}",
        fault.detail
    );
    assert_eq!(said.len(), 1, "{said:?}");
    drop(first);
    assert!(rig.live.place(1, Instant::now(), &mut |_| {}).await.is_ok());
}

#[tokio::test]
async fn a_wish_to_wait_holds_back_every_caller_of_the_endpoint_and_no_other() {
    let provider = Provider::start().await;
    provider.when(
        |request| request.path.starts_with("/busy/"),
        [Reply::status(429).retry_after(1)],
    );
    provider.otherwise(Reply::text("a"));
    let busy = Rig::at(&provider.url_under("busy", CHAT), CHAT, CALM);
    let calm = Rig::at(&provider.url_under("calm", CHAT), CHAT, CALM);
    let began = std::time::Instant::now();
    let refused = busy.ask().await.unwrap_err();
    assert_eq!(refused.fault.class, FaultClass::RateLimited);

    // Somebody with less time is told at once how long it would be.
    let soon = Instant::now() + ms(200);
    let fault = busy.live.place(1, soon, &mut |_| {}).await.err().unwrap();
    assert_eq!(fault.class, FaultClass::RateLimited);
    assert!(fault.retry_after_ms.unwrap() > 500, "{fault:?}");
    assert!(
        fault.detail.contains("asked us to wait"),
        "{}",
        fault.detail
    );

    assert!(calm.ask().await.is_ok());
    assert!(began.elapsed() < ms(900), "the other endpoint waited");
    let (one, two) = tokio::join!(busy.ask(), busy.ask());
    assert!(one.is_ok() && two.is_ok());
    assert!(began.elapsed() >= ms(1000), "{:?}", began.elapsed());
    assert_eq!(busy.live.health().breaker, Position::Closed);
    assert!(busy.positions().is_empty());
}

#[tokio::test]
async fn a_storm_of_refusals_is_waited_out_and_never_opens_the_breaker() {
    let provider = Provider::start().await;
    provider.script((0..8).map(|_| Reply::status(429)));
    provider.otherwise(Reply::text("a").after(ms(30)));
    let settings = format!("{CALM}limits = {{ concurrency = 6 }}");
    let rig = Rig::at(&provider.url(CHAT), CHAT, &settings);
    let mut all = JoinSet::new();
    for _ in 0..12 {
        let live = Arc::clone(&rig.live);
        // As whoever stands above does: again, until it is answered.
        all.spawn(async move {
            for _ in 0..20 {
                match ask(&live, Duration::from_secs(40), &mut |_| {}).await {
                    Ok(_) => return true,
                    Err(failed) => assert_eq!(failed.fault.class, FaultClass::RateLimited),
                }
            }
            false
        });
    }
    assert!(all.join_all().await.into_iter().all(|answered| answered));
    assert!(provider.most_at_once(|_| true) <= 6);
    // After the first six, one at a time tries whether it is over.
    let chats = provider.chats();
    assert_eq!(chats.len(), 20);
    let late = |index: usize| chats[index].at.duration_since(chats[0].at);
    assert!(
        late(6) >= ms(1000) && late(7) >= ms(3000),
        "{:?} {:?}",
        late(6),
        late(7)
    );
    assert!(rig.positions().is_empty(), "{:?}", rig.positions());
    assert_eq!(rig.live.health().allowed, 6, "all places are open again");
}

#[tokio::test]
async fn what_the_provider_tells_of_its_limits_is_kept() {
    let provider = Provider::start().await;
    let told = |left: &str| {
        Reply::text("a")
            .header("x-ratelimit-limit-requests", "2")
            .header("x-ratelimit-remaining-requests", left)
            .header("x-ratelimit-reset-requests", "1s")
    };
    provider.script([told("1"), told("0"), told("1")]);
    let rig = Rig::at(&provider.url(CHAT), CHAT, CALM);
    rig.ask().await.unwrap();
    assert_eq!(rig.live.health().requests.unwrap().limit, Some(2));
    rig.ask().await.unwrap();
    let mut said = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut note = |why: &str| said.push(why.to_owned());
    let place = rig.live.place(1, deadline, &mut note);
    let place = place.await.unwrap();
    assert!(
        said[0].contains("the limit that 'test' told us"),
        "{said:?}"
    );
    assert!(place.waited() >= ms(300), "{:?}", place.waited());
    let traits = ModelTraits::default();
    let sent = rig
        .live
        .send(&place, &traits, &request(), None, deadline, &mut |_| {})
        .await;
    assert!(sent.is_ok());
}
