//! Same client, same id: the same call, whatever connection asks. Never a second run.

use crate::{
    ear::{Ear, Heard},
    world::{World, secs, settle},
};
use exai_protocol::{Code, Outcome, control::CallState, error::Ran};

const ORDER: &str = r#"{"ms":3000}"#;

#[tokio::test(start_paused = true)]
async fn i03_another_connection_of_the_client_attaches() {
    let world = World::new();
    let (first, second) = (world.join("a"), world.join("a"));
    let one = world.call(&first, "1", "act", ORDER);
    tokio::time::sleep(secs(1)).await;
    let two = world.call(&second, "1", "act", ORDER);
    let (one_end, two_end) = (one.end().await, two.end().await);
    assert_eq!(one_end.outputs, two_end.outputs);
    assert!(!one_end.attached && two_end.attached && !two_end.replayed);
    assert_eq!(
        two.heard()[..2],
        [Heard::Accepted, Heard::Acknowledged(secs(600))]
    );
    assert_eq!(
        two.progress().len(),
        1,
        "it hears the heartbeats from now on"
    );
    world.audit().await;
    assert_eq!(world.runs("act"), 1);
    assert_eq!(
        (world.received().len(), world.finished()[0].watchers),
        (1, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn i03_a_queued_call_is_attached_to_as_well() {
    let world = World::new();
    let (first, second) = (world.join("a"), world.join("a"));
    for n in 0..8 {
        world.call(&first, &format!("r{n}"), "act", ORDER);
    }
    let one = world.call(&first, "q", "other", "{}");
    settle().await;
    let two = world.call(&second, "q", "other", "{}");
    assert_eq!(two.heard(), [Heard::Accepted]);
    assert_eq!(one.end().await.outputs, two.end().await.outputs);
    world.audit().await;
    assert_eq!(world.runs("other"), 1);
}

#[tokio::test(start_paused = true)]
async fn i03_a_retry_after_the_end_replays_the_same_bytes() {
    let world = World::new();
    let member = world.join("a");
    for (id, order) in [
        ("ok", ORDER),
        ("bad", r#"{"then":"fail"}"#),
        ("boom", r#"{"then":"panic"}"#),
    ] {
        let before = world.run(&member, id, "act", order).await;
        world.leave(&member);
        let back = world.join("a");
        let ear = world.call(&back, id, "act", order);
        let again = ear.end().await;
        assert!(again.replayed && !again.attached, "{id}");
        assert_eq!(
            (&again.outputs, again.code, &again.message),
            (&before.outputs, before.code, &before.message)
        );
        assert_eq!(
            ear.heard().len(),
            1,
            "nothing but the end: {:?}",
            ear.heard()
        );
    }
    world.audit().await;
    assert_eq!((world.runs("act"), world.received().len()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn i03_a_dropped_link_is_picked_up_by_attach() {
    let world = World::new();
    let member = world.join("a");
    let lost = world.call(&member, "1", "act", ORDER);
    settle().await;
    world.leave(&member);
    let back = world.join("a");
    let ear = Ear::new(back.peer);
    let attach = |id: &str, ear: &std::sync::Arc<Ear>| {
        world.engine.attach(&back.session, &id.into(), ear.clone())
    };
    assert_eq!(attach("1", &ear), CallState::Running);
    assert_eq!(ear.end().await.outcome, Outcome::Ok);
    let late = Ear::new(back.peer);
    assert_eq!(attach("1", &late), CallState::Finished);
    assert!(late.endings()[0].replayed);
    let nothing = Ear::new(back.peer);
    assert_eq!(attach("2", &nothing), CallState::Unknown);
    assert_eq!(nothing.heard(), []);
    world.audit().await;
    assert_eq!(lost.endings(), [], "the old connection is gone");
    assert_eq!(world.received().len(), 1, "attaching is no call");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_twice_is_answered_once() {
    let world = World::new();
    let member = world.join("a");
    let one = world.call(&member, "1", "act", ORDER);
    settle().await;
    let two = world.call(&member, "1", "act", ORDER);
    one.end().await;
    settle().await;
    assert_eq!(two.heard(), [], "its connection hears the call already");
    world.audit().await;
    assert_eq!(world.runs("act"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reused_id_is_refused_never_answered_from_memory() {
    let world = World::new();
    let member = world.join("a");
    let live = world.call(&member, "1", "act", ORDER);
    settle().await;
    let again = ["live", "finished"];
    for when in again {
        for (tool, order) in [
            ("act", r#"{"ms":3001}"#),
            ("other", ORDER),
            ("instant", ORDER),
            ("nonsense", ORDER),
        ] {
            let end = world.run(&member, "1", tool, order).await;
            assert_eq!(
                (end.code, end.ran),
                (Some(Code::InvalidArgument), Some(Ran::No)),
                "{when} {tool}"
            );
            assert!(
                end.message.contains("\"1\"") && end.message.contains("act"),
                "{}",
                end.message
            );
        }
        live.end().await;
    }
    world.audit().await;
    assert_eq!(
        (
            world.runs("act"),
            world.runs("other"),
            world.runs("instant")
        ),
        (1, 0, 0)
    );
    assert_eq!(world.received().len(), 9, "each refusal has its own record");
}

#[tokio::test(start_paused = true)]
async fn ids_of_different_clients_and_principals_never_meet() {
    let world = World::new();
    let members = [
        world.join("a"),
        world.join("b"),
        world.join(""),
        world.join(""),
        world.join_as("somebody else", "a", crate::ear::Mailbox::new(false)),
        // A name that looks like the scope of a nameless connection.
        world.join("connection:boot-3"),
    ];
    for member in &members {
        let end = world.run(member, "1", "act", "{}").await;
        assert!(!end.replayed);
    }
    world.audit().await;
    assert_eq!(world.runs("act"), 6);
}

#[tokio::test(start_paused = true)]
async fn clients_with_an_empty_name_are_nameless() {
    let world = World::new();
    let join = || {
        let client = exai_protocol::hello::ClientInfo {
            id: Some("".into()),
            ..Default::default()
        };
        let fresh = exai_protocol::SessionId::new(world.engine.mint_session_id());
        let mailbox = crate::ear::Mailbox::new(false);
        world.engine.sessions().join(
            "local".to_owned().as_str().into(),
            client,
            mailbox,
            fresh,
            world.engine.now(),
        )
    };
    let (one, two) = (join(), join());
    assert_ne!(one.session.id, two.session.id);
    assert_eq!(one.session.client_id(), None);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_turned_away_may_come_again() {
    let world = World::new();
    let member = world.join("a");
    let end = world.run(&member, "1", "soon", "{}").await;
    assert_eq!(end.code, Some(Code::ToolNotFound));
    world
        .engine
        .replace_tools("more", vec![crate::scripts::Script::new("soon", |_| {})]);
    let end = world.run(&member, "1", "soon", "{}").await;
    assert_eq!(end.code, None, "{}", end.message);
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn instant_repeatable_tools_leave_nothing() {
    let world = World::new();
    let member = world.join("a");
    for _ in 0..3 {
        let end = world.run(&member, "1", "instant", "{}").await;
        assert!(end.started && !end.replayed);
    }
    assert_eq!(
        world.engine.look_up(&member.session, &"1".into()).0,
        CallState::Unknown
    );
    let once = world.run(&member, "2", "instant_once", "{}").await;
    let again = world.run(&member, "2", "instant_once", "{}").await;
    assert!(
        !once.replayed && again.replayed,
        "what must not be repeated is remembered"
    );
    world.audit().await;
    assert_eq!((world.runs("instant"), world.runs("instant_once")), (3, 1));
    assert_eq!(world.finished().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_instant_tool_that_waits_is_told_on() {
    let world = World::new();
    let member = world.join("a");
    let end = world.run(&member, "1", "instant", r#"{"ms":10}"#).await;
    assert_eq!(end.code, Some(Code::Internal));
    assert!(end.message.contains("instant"), "{}", end.message);
    world.audit().await;
}
