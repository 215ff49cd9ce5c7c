//! Permits come back, turns are taken, bounds hold.

use super::*;

fn limits(global: usize, client: usize) -> Limits {
    let providers = HashMap::from([(Arc::from("glm"), 1)]);
    Limits {
        global,
        client,
        providers,
        queue_calls: 4,
        client_queue: 4,
        queue_bytes: 100,
        client_bytes: 1000,
    }
}

fn claim(client: &str) -> Claim {
    Claim {
        client: Arc::from(client),
        provider: None,
        bytes: 10,
        account: None,
    }
}

fn on_glm(client: &str) -> Claim {
    Claim {
        provider: Some(Arc::from("glm")),
        ..claim(client)
    }
}

fn now(admitted: Admitted) -> Permit {
    match admitted {
        Admitted::Now(permit) => permit,
        Admitted::Queued(_) => panic!("queued"),
        Admitted::Full(depth) => panic!("full: {depth:?}"),
    }
}

fn queued(admitted: Admitted) -> Waiting {
    match admitted {
        Admitted::Queued(waiting) => waiting,
        _ => panic!("not queued"),
    }
}

fn is_served(waiting: &mut Waiting) -> Option<Permit> {
    waiting.granted.try_recv().ok()
}

#[test]
fn permits_come_back_by_drop_alone() {
    let admission = Admission::new(limits(2, 2));
    let held = (
        now(admission.claim(claim("a"))),
        now(admission.claim(on_glm("a"))),
    );
    assert_eq!(admission.depth().running, 2);
    drop(held);
    assert_eq!(admission.depth().running, 0);
    assert!(admission.lock().clients.is_empty() && admission.lock().providers.is_empty());
}

#[test]
fn clients_are_served_in_turn() {
    let admission = Admission::new(limits(1, 1));
    let first = now(admission.claim(claim("a")));
    let mut a1 = queued(admission.claim(claim("a")));
    let mut a2 = queued(admission.claim(claim("a")));
    let mut b1 = queued(admission.claim(claim("b")));
    assert_eq!(a2.position(), (2, 3));
    assert_eq!(b1.position(), (1, 3));
    drop(first);
    let served = is_served(&mut a1).expect("the ring's first client");
    drop(served);
    assert!(is_served(&mut a2).is_none(), "b's turn");
    let served = is_served(&mut b1).expect("b's turn");
    drop(served);
    assert!(is_served(&mut a2).is_some());
}

#[test]
fn a_full_provider_holds_up_only_its_own_lane() {
    let admission = Admission::new(limits(8, 8));
    let busy = now(admission.claim(on_glm("a")));
    let mut waiting = queued(admission.claim(on_glm("a")));
    let _local = now(admission.claim(claim("a")));
    drop(busy);
    assert!(is_served(&mut waiting).is_some());
}

#[test]
fn a_newcomer_never_passes_its_own_lane() {
    let admission = Admission::new(limits(8, 1));
    let running = now(admission.claim(claim("a")));
    let waiting = queued(admission.claim(claim("a")));
    let late = queued(admission.claim(claim("a")));
    assert_eq!((waiting.position().0, late.position().0), (0, 1));
    drop((running, waiting, late));
    assert_eq!(
        admission.depth(),
        Depth {
            running: 0,
            queued: 0,
            queued_bytes: 0
        }
    );
}

#[test]
fn the_queue_is_bounded_in_calls_and_bytes() {
    let admission = Admission::new(limits(1, 1));
    let _running = now(admission.claim(claim("a")));
    let big = Claim {
        bytes: 101,
        ..claim("b")
    };
    assert!(matches!(admission.claim(big), Admitted::Full(_)));
    let _waiting: Vec<_> = (0..4)
        .map(|_| queued(admission.claim(claim("b"))))
        .collect();
    assert!(matches!(
        admission.claim(claim("c")),
        Admitted::Full(Full {
            limit: LimitKind::QueueCalls,
            depth: Depth { queued: 4, .. },
            ..
        })
    ));
}

#[test]
fn a_waiter_that_leaves_after_being_served_passes_the_permit_on() {
    let admission = Admission::new(limits(1, 1));
    let running = now(admission.claim(claim("a")));
    let leaver = queued(admission.claim(claim("a")));
    let mut heir = queued(admission.claim(claim("b")));
    drop(running);
    drop(leaver);
    assert!(is_served(&mut heir).is_some());
    assert_eq!(admission.depth().running, 0);
}

#[tokio::test]
async fn a_permit_that_is_laid_down_serves_another_and_comes_back_in_turn() {
    let admission = Admission::new(limits(1, 1));
    let Admitted::Now(permit) = admission.claim(claim("a")) else {
        panic!("a free permit");
    };
    let seat = Seat::new(permit);
    assert_eq!(seat.without(async { 7 }).await, 7);
    assert_eq!(admission.depth().running, 1, "nothing was waited for");
    let (open, opened) = oneshot::channel::<()>();
    let waits = seat.without(async { opened.await.is_ok() });
    tokio::pin!(waits);
    assert!(futures_pending(waits.as_mut()).await);
    let Admitted::Now(other) = admission.claim(claim("b")) else {
        panic!("the permit was laid down");
    };
    open.send(()).unwrap();
    assert!(futures_pending(waits.as_mut()).await, "the other has it");
    drop(other);
    assert!(waits.await);
    assert_eq!(admission.depth().running, 1);
    seat.leave();
    assert_eq!(admission.depth().running, 0);
}

/// Whether a future is still waiting after one look.
async fn futures_pending<F: std::future::Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}
