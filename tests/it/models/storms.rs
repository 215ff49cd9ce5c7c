//! Far more calls than a provider wants: its limits hold, it is heard when it asks for rest,
//! every call ends typed, and nobody else waits for it.

use super::{Stage, ask, at, ms};
use exai_testkit::{
    Frame, PATIENCE, Stopwatch, Ws,
    provider::{At, Reply, Stall},
};
use serde_json::Value;
use std::time::{Duration, Instant};

const EACH: usize = 24;

async fn windows(stage: &Stage, name: &str, count: usize) -> Vec<Ws> {
    let mut windows = Vec::new();
    for number in 0..count {
        let id = format!("{name}-{number}");
        windows.push(stage.sandbox.modern(&id, &super::FEATURES).await.0);
    }
    windows
}

/// The next so many ends. A provider that asks for rest gets it, so this takes its time.
async fn ends(ws: &mut Ws, count: usize) -> Vec<Value> {
    let mut ends = Vec::new();
    let patience = Instant::now() + PATIENCE * 4;
    while ends.len() < count {
        let left = patience.saturating_duration_since(Instant::now());
        match ws.next(left).await {
            Frame::Json(frame) if frame["op"] == "call_tool_res" => ends.push(frame),
            Frame::Json(_) => {}
            other => panic!("{other:?} after {} ends", ends.len()),
        }
    }
    ends
}

#[tokio::test]
async fn a_429_storm_holds_the_limits_and_every_call_ends_typed() {
    let stage = Stage::new().await;
    for (name, most) in [("kimi", 6), ("glm", 4)] {
        let refusals = std::iter::repeat_n(Reply::status(429).retry_after(1), most);
        let bare = Reply::status(429);
        stage.provider.when(at(name), refusals.chain([bare]));
        stage
            .provider
            .always(at(name), Reply::text("done").after(ms(100)));
    }
    let _daemon = stage.daemon().await;
    let mut kimi = windows(&stage, "kimi", 1).await.remove(0);
    let mut glm = windows(&stage, "glm", 1).await.remove(0);
    for number in 0..EACH {
        let id = format!("s-{number}");
        ask(&mut kimi, &id, "kimi-k2-0905-preview").await;
        ask(&mut glm, &id, "glm-4.6").await;
    }
    let (mut good, mut bad) = (0, 0);
    for ws in [&mut kimi, &mut glm] {
        for result in ends(ws, EACH).await {
            match result["error"]["code"].as_str() {
                None => good += 1,
                Some("OVER_CAPACITY") => bad += 1,
                Some(_) => panic!("not the provider's word: {result}"),
            }
        }
    }
    assert_eq!(good + bad, 2 * EACH);
    assert!(good > bad, "{good} answered, {bad} refused");
    for (name, most) in [("kimi", 6), ("glm", 4)] {
        let found = stage.provider.most_at_once(at(name));
        assert!((1..=most).contains(&found), "{name}: {found} at once");
    }
}

/// All places at one provider are taken by calls that never end, and more wait for them.
#[tokio::test]
async fn a_provider_that_stands_still_keeps_nobody_elses_calls_waiting() {
    let stage = Stage::new().await;
    let endless = Reply::text("").stall(At::FirstEvent, Stall::Forever);
    stage.provider.always(at("kimi"), endless);
    stage.provider.otherwise(Reply::text("done"));
    let _daemon = stage.daemon().await;
    let mut stuck = windows(&stage, "stuck", 4).await;
    for ws in &mut stuck {
        for number in 0..8 {
            ask(ws, &format!("s-{number}"), "kimi-k2-0905-preview").await;
        }
    }
    stage.asked(6).await;
    let mut other = windows(&stage, "other", 1).await.remove(0);
    let began = Stopwatch::start();
    ask(&mut other, "quick", "claude-haiku-4-5@anthropic").await;
    let result = other.result("quick").await;
    assert!(result.get("error").is_none(), "{result}");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(stage.provider.most_at_once(at("kimi")), 6);
}
