//! The breaker opens, tells, lets one try, and closes.

use crate::setup::{CALM, CANARY, QUICK, Rig, ask, ms};
use exai_llm::{fault::FaultClass, limits::breaker::Position};
use exai_testkit::provider::{At, Cut, Dialect, Gate, Provider, Reply};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

const CHAT: Dialect = Dialect::OpenAiChat;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn a_provider_that_went_away_is_left_alone_until_it_is_back() {
    let provider = Provider::start().await;
    provider.otherwise(Reply::text("a"));
    let rig = Rig::at(&provider.url_under("gone", CHAT), CHAT, QUICK);
    let other = Provider::start().await;
    other.otherwise(Reply::text("b"));
    let unaffected = Rig::quick(&other, CHAT);
    provider.down().await;
    for _ in 0..3 {
        let failed = rig.ask().await.unwrap_err();
        assert_eq!(failed.fault.class, FaultClass::Unreachable);
    }
    let health = rig.live.health();
    assert_eq!(health.breaker, Position::Open);
    assert_eq!(health.cause.unwrap().class, FaultClass::Unreachable);
    assert!(health.until.is_some());
    let began = std::time::Instant::now();
    let fault = rig.live.place(1, soon(), &mut |_| {}).await.err().unwrap();
    assert!(began.elapsed() < ms(500), "refused at once");
    assert_eq!(fault.class, FaultClass::Unreachable);
    assert!(fault.resting, "{}", fault.detail);
    assert!(fault.retry_after_ms.is_some());
    assert!(unaffected.ask().await.is_ok());

    provider.up().await;
    tokio::time::sleep(ms(2100)).await;
    assert!(rig.ask().await.is_ok());
    assert_eq!(rig.positions(), ["open", "half_open", "closed"]);
    let told = rig.told.lock().unwrap();
    assert_eq!(told[0].endpoint, "test");
    assert_eq!(told[0].cause.as_deref(), Some("unreachable"));
    assert!(told[0].until.is_some() && told[2].cause.is_none());
}

#[tokio::test]
async fn one_tries_while_the_others_wait_for_its_verdict() {
    let provider = Provider::start().await;
    let gate = Gate::new();
    provider.script((0..4).map(|_| Reply::status(500)));
    provider.script([Reply::text("a").stall(At::FirstEvent, &gate)]);
    provider.otherwise(Reply::text("b"));
    let rig = Rig::at(&provider.url(CHAT), CHAT, CALM);
    for _ in 0..4 {
        assert!(rig.ask().await.is_err());
    }
    assert_eq!(rig.live.health().breaker, Position::Open);
    rig.live.try_now();
    let said = Mutex::new(Vec::new());
    let waiting = async {
        // The one that tries is under way before the other comes.
        provider.until_asked(5).await;
        let mut note = |why: &str| said.lock().unwrap().push(why.to_owned());
        let place = rig.live.place(1, soon(), &mut note);
        let opened = async {
            tokio::time::sleep(ms(100)).await;
            assert_eq!(provider.requests().len(), 5);
            gate.open();
        };
        tokio::join!(place, opened).0
    };
    let (tried, place) = tokio::join!(rig.ask(), waiting);
    assert!(tried.is_ok() && place.is_ok());
    assert!(
        said.lock().unwrap()[0].contains("another request tries it"),
        "{said:?}"
    );
    assert_eq!(rig.positions(), ["open", "half_open", "closed"]);
}

#[tokio::test]
async fn a_provider_that_dies_in_the_middle_opens_it() {
    let provider = Provider::start().await;
    provider.otherwise(
        Reply::text("abcdef")
            .chunks(3)
            .cut(At::Piece(1), Cut::Short),
    );
    let rig = Rig::at(&provider.url(CHAT), CHAT, CALM);
    for _ in 0..4 {
        assert_eq!(
            rig.ask().await.unwrap_err().fault.class,
            FaultClass::Truncated
        );
    }
    assert_eq!(rig.live.health().breaker, Position::Open);
    // The one that tries begins to answer, dies, and shuts it again.
    rig.live.try_now();
    assert!(rig.ask().await.is_err());
    assert_eq!(rig.live.health().breaker, Position::Open);
    assert_eq!(rig.positions(), ["open", "half_open", "closed", "open"]);
}

#[tokio::test]
async fn a_refused_key_shuts_the_endpoint_until_there_is_another() {
    let provider = Provider::start().await;
    provider.always(
        |request| request.header("authorization") != Some("Bearer sk-fresh"),
        Reply::status(401).message(&format!("Incorrect API key provided: {CANARY}")),
    );
    provider.otherwise(Reply::text("a"));
    let key = Arc::new(Mutex::new(CANARY.to_owned()));
    let read = Arc::clone(&key);
    let env = move |name: &str| (name == "TEST_KEY").then(|| read.lock().unwrap().clone());
    let rig = Rig::with_keys(&provider.url(CHAT), CHAT, CALM, env);
    let failed = rig.ask().await.unwrap_err();
    assert_eq!(failed.fault.class, FaultClass::Auth);
    assert!(!crate::setup::leaks(&failed.fault), "{:?}", failed.fault);
    let fault = rig.live.place(1, soon(), &mut |_| {}).await.err().unwrap();
    assert_eq!(fault.class, FaultClass::Auth);
    assert!(!crate::setup::leaks(&fault), "{fault:?}");
    assert_eq!(
        provider.requests().len(),
        1,
        "nobody asks with a refused key"
    );
    let told = serde_json::to_string(&*rig.told.lock().unwrap()).unwrap();
    assert!(!told.contains("canary"), "{told}");

    *key.lock().unwrap() = "sk-fresh".to_owned();
    assert!(
        ask(&rig.live, Duration::from_secs(5), &mut |_| {})
            .await
            .is_ok()
    );
    assert_eq!(rig.positions(), ["open", "closed"]);
}
