//! The list of tools is swapped whole; who cares is told, once, and only of real changes.

use crate::{
    ear::Mailbox,
    scripts::{Script, entry},
    world::World,
};
use exai_engine::{
    events::{Delivery, Subscription},
    tool::Tool,
};
use exai_protocol::{
    Outcome,
    event::{EventBody, ToolDiscovered, Topic},
};
use std::sync::Arc;

async fn discovered(events: &mut Subscription) -> ToolDiscovered {
    match events.next().await {
        Delivery::Event(event) => match event.body() {
            EventBody::ToolDiscovered(change) => change,
            other => panic!("{other:?}"),
        },
        Delivery::Lagged { .. } => panic!("lagged"),
    }
}

fn tool(name: &str) -> Arc<dyn Tool> {
    Script::new(name, |_| {})
}

fn described(name: &str, description: &str) -> Arc<dyn Tool> {
    let entry = entry(name, description);
    Script::new(name, |spec| spec.entry = entry)
}

#[tokio::test(start_paused = true)]
async fn r03_every_real_change_is_an_event_with_a_new_hash() {
    let world = World::new();
    let engine = &world.engine;
    let (listening, silent) = (Mailbox::new(true), Mailbox::new(false));
    world.join_as("local", "a", Arc::clone(&listening));
    world.join_as("somebody else", "b", Arc::clone(&silent));
    let (mut events, _) = engine
        .bus()
        .subscribe(vec![Topic::ToolDiscovered], None, None);

    engine.replace_tools("mounted", vec![tool("x"), tool("y")]);
    let first = discovered(&mut events).await;
    assert_eq!(
        (&*first.source, &*first.added),
        ("mounted", &["x".to_owned(), "y".to_owned()][..])
    );
    assert!(first.removed.is_empty() && first.changed.is_empty());

    engine.replace_tools("mounted", vec![tool("y"), tool("x")]);
    engine.replace_tools("mounted", vec![described("y", "new words"), tool("z")]);
    let second = discovered(&mut events).await;
    assert_eq!(second.added, ["z"]);
    assert_eq!(
        (second.removed, second.changed),
        (vec!["x".to_owned()], vec!["y".to_owned()])
    );
    assert_ne!(first.tools_hash, second.tools_hash);
    assert_eq!(second.tools_hash, **engine.registry().snapshot().hash());

    let told: Vec<String> = [&first.tools_hash, &second.tools_hash]
        .map(|hash| format!("tools {hash}"))
        .into();
    assert_eq!(
        (listening.got(), silent.got()),
        (told, vec![]),
        "the same list again is no news"
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_sources_with_one_name_the_first_keeps_it_until_it_lets_go() {
    let world = World::new();
    let engine = &world.engine;
    let member = world.join("a");
    let (builtin, mounted) = (Script::new("x", |_| {}), Script::new("x", |_| {}));
    engine.replace_tools("mounted", vec![Arc::clone(&mounted) as Arc<dyn Tool>]);
    engine.replace_tools("builtin", vec![Arc::clone(&builtin) as Arc<dyn Tool>]);
    world.run(&member, "1", "x", "{}").await;
    assert_eq!((builtin.runs(), mounted.runs()), (1, 0));
    engine.replace_tools("builtin", vec![]);
    world.run(&member, "2", "x", "{}").await;
    assert_eq!((builtin.runs(), mounted.runs()), (1, 1));
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn the_list_is_sorted_and_a_snapshot_stays_as_it_was() {
    let world = World::new();
    let before = world.engine.registry().snapshot();
    world
        .engine
        .replace_tools("mounted", vec![tool("zz"), tool("aa")]);
    let after = world.engine.registry().snapshot();
    let names: Vec<&str> = after.entries().map(|entry| &*entry.name).collect();
    assert!(names.is_sorted() && names.contains(&"aa") && names.contains(&"zz"));
    assert_eq!(after.len(), before.len() + 2);
    assert!(before.find("aa", false).is_none());
    let listed: Vec<serde_json::Value> = serde_json::from_str(after.list().get()).unwrap();
    assert_eq!(listed.len(), after.len());
}

#[tokio::test(start_paused = true)]
async fn a_running_call_outlives_the_removal_of_its_tool() {
    let world = World::new();
    let member = world.join("a");
    world.engine.replace_tools("mounted", vec![tool("x")]);
    let ear = world.call(&member, "1", "x", r#"{"ms":1000}"#);
    crate::world::settle().await;
    world.engine.replace_tools("mounted", vec![]);
    assert_eq!(ear.end().await.outcome, Outcome::Ok);
    assert_eq!(
        world.run(&member, "2", "x", "{}").await.outcome,
        Outcome::NotFound
    );
    world.audit().await;
}
