//! A hundred streams at once: none is lost, none is held up by another.

use crate::setup::{CALM, Rig, ask, ms};
use exai_testkit::provider::{Dialect, Provider, Reply};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_streams_at_once_all_keep_their_pace() {
    let provider = Provider::start().await;
    let text = "0123456789".repeat(10);
    provider.otherwise(Reply::text(&text).chunks(100).every(ms(10)));
    let dialect = Dialect::OpenAiChat;
    let settings = format!("{CALM}limits = {{ concurrency = 100 }}");
    let rig = Rig::at(&provider.url(dialect), dialect, &settings);
    let began = Instant::now();
    let mut all = JoinSet::new();
    for _ in 0..100 {
        let live = Arc::clone(&rig.live);
        all.spawn(async move {
            let mut pieces = 0;
            let mut count = |_: &_| pieces += 1;
            let sent = ask(&live, Duration::from_secs(60), &mut count)
                .await
                .unwrap();
            (sent.said.turn.text, pieces)
        });
    }
    for (said, pieces) in all.join_all().await {
        assert_eq!(said, text);
        assert!(pieces >= 100, "{pieces}");
    }
    // A second by itself; generous, because the machine is shared.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(provider.most_at_once(|_| true) > 50);
}
