//! The bus: numbered, replayed while kept, honest about what was missed, and for states only
//! the newest.

use crate::world::{World, settle};
use exai_engine::events::{Bus, Delivery, Happening, RING, Subscription};
use exai_protocol::{
    BootId, UnixMillis,
    event::{ConnectionStatus, EventBody, OllamaModelUpdate, OllamaPull, SystemMetrics, Topic},
};
use std::{sync::Arc, time::Duration};

const KEPT: u64 = RING as u64;

fn bus() -> Arc<Bus> {
    Bus::new(BootId::new("boot"))
}

fn come(bus: &Bus, client: &str) {
    let status = ConnectionStatus {
        session_id: exai_protocol::SessionId::new("s"),
        client: client.to_owned(),
        connected: true,
        connections: 1,
        reason: None,
    };
    bus.publish(UnixMillis(0), Happening::Connection(status));
}

fn load(bus: &Bus, queued: u64) {
    bus.publish(
        UnixMillis(0),
        Happening::Metrics(SystemMetrics {
            queued,
            ..SystemMetrics::default()
        }),
    );
}

/// What is there now, in short.
async fn drain(events: &mut Subscription) -> Vec<String> {
    let mut all = Vec::new();
    while let Ok(delivery) = tokio::time::timeout(Duration::from_millis(1), events.next()).await {
        all.push(match delivery {
            Delivery::Lagged { dropped, next_seq } => format!("lagged {dropped} to {next_seq}"),
            Delivery::Event(event) => match event.body() {
                EventBody::ConnectionStatus(status) => format!("{} {}", event.seq, status.client),
                EventBody::SystemMetrics(metrics) => {
                    format!("{} load {}", event.seq, metrics.queued)
                }
                other => format!("{} {}", event.seq, other.topic().as_str()),
            },
        });
    }
    all
}

fn all(bus: &Arc<Bus>, since: Option<u64>) -> (Subscription, bool) {
    bus.subscribe(Topic::ALL.to_vec(), since, Some("boot"))
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_hears_from_now_on_or_from_where_it_was() {
    let bus = bus();
    for client in ["a", "b", "c"] {
        come(&bus, client);
    }
    let (mut fresh, resync) = all(&bus, None);
    assert!(!resync);
    let (mut back, resync) = all(&bus, Some(1));
    assert!(!resync);
    come(&bus, "d");
    assert_eq!(drain(&mut fresh).await, ["4 d"]);
    assert_eq!(drain(&mut back).await, ["2 b", "3 c", "4 d"]);
    let (mut only_tools, _) = bus.subscribe(vec![Topic::ToolDiscovered], Some(0), None);
    assert_eq!(drain(&mut only_tools).await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_is_gone_or_of_another_boot_needs_a_resync() {
    let bus = bus();
    for n in 0..KEPT + 10 {
        come(&bus, &n.to_string());
    }
    let needs = |since, boot| bus.subscribe(Topic::ALL.to_vec(), Some(since), boot).1;
    assert!(needs(0, Some("boot")) && needs(9, Some("boot")));
    assert!(!needs(10, Some("boot")) && !needs(KEPT + 10, Some("boot")));
    assert!(needs(KEPT + 11, Some("boot")), "from the future");
    assert!(needs(KEPT, Some("another boot")));
    let (mut resynced, _) = all(&bus, Some(3));
    come(&bus, "new");
    assert_eq!(drain(&mut resynced).await, [format!("{} new", KEPT + 11)]);
}

#[tokio::test(start_paused = true)]
async fn of_states_only_the_newest_is_delivered() {
    let bus = bus();
    let (mut events, _) = all(&bus, None);
    load(&bus, 1);
    come(&bus, "a");
    load(&bus, 2);
    come(&bus, "b");
    load(&bus, 3);
    assert_eq!(drain(&mut events).await, ["2 a", "4 b", "5 load 3"]);
    load(&bus, 4);
    assert_eq!(drain(&mut events).await, ["6 load 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_told_exactly_how_much_it_missed() {
    let bus = bus();
    let (mut slow, _) = all(&bus, None);
    let (mut begun, _) = all(&bus, None);
    come(&bus, "first");
    load(&bus, 1);
    assert_eq!(drain(&mut begun).await, ["1 first", "2 load 1"]);
    // States among them take numbers and are no loss.
    for n in 0..KEPT + 5 {
        come(&bus, "x");
        load(&bus, n);
    }
    for (reader, missed) in [(&mut slow, 6), (&mut begun, 5)] {
        let got = drain(reader).await;
        assert!(
            got[0].starts_with(&format!("lagged {missed} to ")),
            "{}",
            got[0]
        );
        let ordered = got[1..]
            .iter()
            .filter(|event| event.ends_with(" x"))
            .count() as u64;
        assert_eq!(ordered, KEPT);
        assert_eq!(got.len() as u64, 1 + KEPT + 1, "and the one newest state");
    }
}

#[tokio::test(start_paused = true)]
async fn topics_nobody_asked_for_make_no_lag() {
    let bus = bus();
    let (mut tools, _) = bus.subscribe(vec![Topic::SystemMetrics], None, None);
    for _ in 0..3 {
        for _ in 0..KEPT / 2 {
            come(&bus, "x");
        }
        assert_eq!(drain(&mut tools).await, Vec::<String>::new());
    }
    load(&bus, 7);
    assert_eq!(
        drain(&mut tools).await,
        [format!("{} load 7", KEPT / 2 * 3 + 1)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_is_told_from_start_to_end_and_leaves_no_state() {
    let world = World::new();
    let member = world.join("a");
    let topics = vec![
        Topic::ToolCallStarted,
        Topic::ToolCallProgress,
        Topic::ToolCallResult,
    ];
    let (mut events, _) = world.engine.bus().subscribe(topics.clone(), None, None);
    let ear = world.call(&member, "1", "act", r#"{"ms":3000,"say":"step"}"#);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let early: Vec<String> = drain(&mut events).await;
    assert_eq!(
        early.len(),
        2,
        "started, and only the newest progress: {early:?}"
    );
    assert!(early[0].ends_with("tool_call_started") && early[1].ends_with("tool_call_progress"));
    ear.end().await;
    settle().await;
    let late = drain(&mut events).await;
    assert!(
        late.last().unwrap().ends_with("tool_call_result"),
        "{late:?}"
    );
    let (mut replay, _) = world.engine.bus().subscribe(topics, Some(0), None);
    assert!(
        drain(&mut replay)
            .await
            .iter()
            .all(|event| !event.ends_with("tool_call_progress"))
    );
    world.run(&member, "2", "nonsense", "{}").await;
    world.run(&member, "3", "instant", "{}").await;
    let rest = drain(&mut events).await;
    assert_eq!(
        rest.len(),
        3,
        "a refusal is a result, an instant call is started too: {rest:?}"
    );
    world.audit().await;
}

fn pulls(bus: &Bus, completed: u64, done: bool) {
    let update = OllamaModelUpdate {
        endpoint: "ollama".to_owned(),
        pull: Some(OllamaPull {
            model: "m".to_owned(),
            completed,
            done,
            ..OllamaPull::default()
        }),
        ..OllamaModelUpdate::default()
    };
    bus.publish(
        UnixMillis(0),
        Happening::Told(Arc::new(EventBody::OllamaModelUpdate(update))),
    );
}

#[tokio::test(start_paused = true)]
async fn of_a_download_under_way_only_the_newest_is_delivered_and_its_end_always() {
    let bus = bus();
    let (mut events, _) = all(&bus, None);
    (1..=5).for_each(|bytes| pulls(&bus, bytes, false));
    assert_eq!(drain(&mut events).await, ["5 ollama_model_update"]);
    pulls(&bus, 6, false);
    pulls(&bus, 6, true);
    assert_eq!(
        drain(&mut events).await,
        ["7 ollama_model_update"],
        "the end took its state along"
    );
    // Who comes back later hears of the end, and not of what was under way.
    let (mut late, _) = all(&bus, Some(0));
    assert_eq!(drain(&mut late).await, ["7 ollama_model_update"]);
}

#[tokio::test(start_paused = true)]
async fn the_bus_knows_whether_anybody_follows_a_topic() {
    let bus = bus();
    assert!(!bus.is_followed(&Topic::OLLAMA));
    let (other, _) = bus.subscribe(vec![Topic::SystemMetrics], None, None);
    let waiting = tokio::time::timeout(Duration::from_secs(5), bus.followed(&Topic::OLLAMA));
    assert!(waiting.await.is_err(), "another topic is none of these");
    let (one, _) = all(&bus, None);
    let (two, _) = bus.subscribe(vec![Topic::OllamaError], None, None);
    bus.followed(&Topic::OLLAMA).await;
    drop((other, one));
    assert!(bus.is_followed(&Topic::OLLAMA));
    drop(two);
    assert!(!bus.is_followed(&Topic::OLLAMA));
}
