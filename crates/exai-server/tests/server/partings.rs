//! A ledger that takes its time: what a client says of a call meanwhile is not overtaken by the
//! answer to what it asked before.

use crate::house::{House, Plan, settle};
use exai_engine::{
    calls::CallKey,
    ports::ledger::{
        Ended, Entered, Entering, Entry, Interrupted, Ledger, LedgerFuture, Open, Recalled,
    },
};
use exai_protocol::RawValue;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

const ARGUMENTS: &str = r#"{"ms":1000,"then":"ok"}"#;

/// Knows one call that a dead daemon left waiting, and tells it when it is let.
struct Slow {
    gate: Semaphore,
    ends: Arc<Mutex<Vec<bool>>>,
    left: Arc<Mutex<Vec<String>>>,
}

impl Ledger for Slow {
    fn remembers(&self) -> bool {
        true
    }

    fn enter(&self, _: Entering) -> LedgerFuture<'_, Entered> {
        let ends = Arc::clone(&self.ends);
        Box::pin(async move { Ok(Entered::New(Box::new(Line(ends)))) })
    }

    fn recall<'a>(&'a self, _: &'a CallKey) -> LedgerFuture<'a, Option<Recalled>> {
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            let arguments = RawValue::from_string(ARGUMENTS.to_owned()).unwrap();
            Ok(Some(Recalled::Open(Open {
                tool: "act".into(),
                args_hash: [7; 32],
                arguments: Some(arguments.into()),
                operator: false,
                timeout: None,
                evidence: Box::new(Interrupted::default()),
            })))
        })
    }

    fn left(&self, key: &CallKey) {
        self.left.lock().unwrap().push(key.request_id.to_string());
    }
}

struct Line(Arc<Mutex<Vec<bool>>>);

impl Entry for Line {
    fn start(&mut self) -> LedgerFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn finish(self: Box<Self>, end: Ended) -> LedgerFuture<'static, ()> {
        self.0.lock().unwrap().push(end.left);
        Box::pin(async { Ok(()) })
    }

    fn withdraw(self: Box<Self>) {}
}

/// A client asks for its call, loses patience, and makes it again: the first is not waited for by
/// anybody any more, so that the second gets its result.
#[tokio::test(start_paused = true)]
async fn i03_what_is_let_go_of_while_it_is_looked_up_is_let_go_of() {
    let (ends, left) = (Arc::default(), Arc::default());
    let ledger = Arc::new(Slow {
        gate: Semaphore::new(0),
        ends: Arc::clone(&ends),
        left: Arc::clone(&left),
    });
    let house = House::planned(Plan {
        ledger: Arc::clone(&ledger) as Arc<dyn Ledger>,
        ..Plan::default()
    });
    let mut peer = house.featured("window").await;
    peer.send(r#"{"op":"attach","request_id":"a"}"#).await;
    peer.send(r#"{"op":"cancel","request_id":"a","mode":"detach"}"#)
        .await;
    settle().await;
    ledger.gate.add_permits(1);
    assert_eq!(peer.until("attach_res").await["state"], "queued");
    settle().await;
    ledger.gate.add_permits(1);
    assert_eq!(peer.until("cancel_res").await["request_id"], "a");
    let more = peer.within(std::time::Duration::from_secs(5)).await;
    assert!(
        !more.iter().any(|frame| frame["op"] == "call_tool_res"),
        "{more:?}"
    );
    let told = ends.lock().unwrap().contains(&true) || !left.lock().unwrap().is_empty();
    assert!(told, "the ledger knows that it was left");
}
