//! A session is a client: it spans connections, is listed, notified and, when nobody can miss
//! it, forgotten.

use crate::{
    ear::Mailbox,
    world::{HOUR, World, secs, settle},
};
use exai_engine::sessions::Push;
use exai_protocol::{ClientId, Principal, SessionId, hello::ClientInfo};

fn local() -> Principal {
    Principal::new("local")
}

fn hello() -> Push<'static> {
    Push::Notice {
        from: "cli",
        level: "info",
        message: "hello",
    }
}

#[tokio::test(start_paused = true)]
async fn many_connections_are_one_session() {
    let world = World::new();
    let (one, two, other) = (world.join("a"), world.join("a"), world.join("b"));
    let nameless = (world.join(""), world.join(""));
    assert_eq!(one.session.id, two.session.id);
    assert_ne!(one.peer, two.peer);
    assert_ne!(one.session.id, other.session.id);
    assert_ne!(nameless.0.session.id, nameless.1.session.id);
    let ear = world.call(&one, "1", "act", r#"{"ms":1000}"#);
    settle().await;
    let listed = world.engine.sessions().list(&local());
    assert_eq!(listed.len(), 4);
    let a = listed
        .iter()
        .find(|entry| entry.client_id == Some(ClientId::new("a")))
        .unwrap();
    assert_eq!(
        (a.connections, a.in_flight, a.calls, &*a.client),
        (2, 1, 1, "a-program")
    );
    assert_eq!(world.engine.sessions().counts(), (4, 5));
    ear.end().await;
    world.leave(&one);
    assert_eq!(world.engine.sessions().leave(&two, world.engine.now()), 0);
    assert_eq!(world.engine.sessions().counts(), (3, 3));
    assert_eq!(
        world
            .engine
            .sessions()
            .list(&Principal::new("nobody"))
            .len(),
        0
    );
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn a_session_outlives_its_connections_for_an_hour() {
    let world = World::new();
    let (named, nameless) = (world.join("a"), world.join(""));
    let id = named.session.id.clone();
    world.leave(&named);
    world.leave(&nameless);
    world.engine.sweep();
    assert_eq!(
        world.engine.sessions().list(&local()).len(),
        1,
        "nobody can come back to a nameless one"
    );
    tokio::time::sleep(HOUR - secs(1)).await;
    world.engine.sweep();
    let back = world.join("a");
    assert_eq!(back.session.id, id);
    world.leave(&back);
    tokio::time::sleep(HOUR + secs(1)).await;
    world.engine.sweep();
    assert_eq!(world.engine.sessions().list(&local()).len(), 0);
    assert_ne!(world.join("a").session.id, id);
}

#[tokio::test(start_paused = true)]
async fn collection_never_evicts_the_busy_or_the_connected() {
    let world = World::new();
    let (connected, working, nameless) = (
        world.join("connected"),
        world.join("working"),
        world.join(""),
    );
    let order = r#"{"ms":500000}"#;
    let (one, two) = (
        world.call(&working, "1", "act", order),
        world.call(&nameless, "1", "act", order),
    );
    settle().await;
    world.leave(&working);
    world.leave(&nameless);
    for _ in 0..4 {
        tokio::time::sleep(secs(100)).await;
        world.engine.sessions().collect_idle(world.engine.now(), 0);
    }
    assert_eq!(world.engine.sessions().list(&local()).len(), 3);
    tokio::time::sleep(secs(200)).await;
    assert_eq!((one.endings(), two.endings()), (vec![], vec![]));
    assert_eq!(
        world.engine.sessions().collect_idle(world.engine.now(), 0),
        2
    );
    assert_eq!(connected.session.connections(), 1);
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_named_client_outlives_its_session() {
    let world = World::new();
    let member = world.join("a");
    world.run(&member, "1", "act", "{}").await;
    world.leave(&member);
    assert_eq!(
        world.engine.sessions().collect_idle(world.engine.now(), 0),
        1
    );
    let back = world.join("a");
    assert!(world.run(&back, "1", "act", "{}").await.replayed);
    world.audit().await;
}

#[tokio::test(start_paused = true)]
async fn notices_reach_those_who_announced_it_and_whom_they_are_for() {
    let world = World::new();
    let boxes: Vec<_> = [true, true, false, true, true].map(Mailbox::new).into();
    world.join_as("local", "a", boxes[0].clone());
    world.join_as("local", "a", boxes[1].clone());
    world.join_as("local", "a", boxes[2].clone());
    let b = world.join_as("local", "b", boxes[3].clone());
    world.join_as("somebody else", "a", boxes[4].clone());
    let sessions = world.engine.sessions();
    assert_eq!(
        sessions.push(&local(), Some(&ClientId::new("a")), &hello()),
        2
    );
    assert_eq!(sessions.push(&local(), None, &hello()), 3);
    assert_eq!(
        sessions.push(&local(), Some(&ClientId::new("nobody")), &hello()),
        0
    );
    world.leave(&b);
    assert_eq!(sessions.push(&local(), None, &hello()), 2);
    let got: Vec<usize> = boxes.iter().map(|mailbox| mailbox.got().len()).collect();
    assert_eq!(got, [3, 3, 0, 1, 0]);
    assert_eq!(boxes[0].got()[0], "cli info: hello");
}

#[tokio::test(start_paused = true)]
async fn whoever_names_no_folders_works_in_its_directory() {
    let world = World::new();
    let join = |roots: &[&str], cwd: &str| {
        let info = ClientInfo {
            roots: roots.iter().map(|&root| root.to_owned()).collect(),
            cwd: cwd.to_owned(),
            ..ClientInfo::default()
        };
        let fresh = SessionId::new(world.engine.mint_session_id());
        let mailbox = Mailbox::new(false);
        let sessions = world.engine.sessions();
        sessions.join(local(), info, mailbox, fresh, world.engine.now())
    };
    assert_eq!(*join(&["/a"], "/w").session.roots(), ["/a"]);
    assert!(join(&[], "").session.roots().is_empty());
    let member = join(&[], "/w");
    assert_eq!(*member.session.roots(), ["/w"]);
    member
        .session
        .set_roots(vec!["/a".to_owned(), "/b".to_owned()]);
    assert_eq!(*member.session.roots(), ["/a", "/b"]);
    member.session.set_roots(Vec::new());
    assert_eq!(*member.session.roots(), ["/w"]);
}
