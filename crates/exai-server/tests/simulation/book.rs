//! The book of calls that outlives daemons: the ledger's contract in a few lines, with a disk
//! that takes its time, so that a death falls before a line, in it, or after it.

use exai_engine::{
    calls::{CallKey, Finished},
    ports::ledger::{
        Ended, Entered, Entering, Entry, Interrupted, Ledger, LedgerFuture, Open, Recalled,
    },
};
use exai_protocol::{RawValue, UnixMillis};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Longest wait for the disk, in milliseconds.
const DISK: u64 = 20;
/// Runs after which a repeatable call may be what its daemons died of.
const RUNS: u64 = 4;

/// A line of the book.
#[derive(Clone)]
pub(crate) struct Line {
    tool: Arc<str>,
    args_hash: [u8; 32],
    arguments: Arc<RawValue>,
    repeatable: bool,
    timeout: Option<Duration>,
    /// The daemon that has it.
    life: u64,
    pub(crate) runs: u64,
    ended: Option<Arc<Finished>>,
}

#[derive(Default)]
struct Disk {
    lines: Mutex<HashMap<CallKey, Line>>,
    rng: Mutex<fastrand::Rng>,
}

/// The book.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Disk>);

impl Book {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = Mutex::new(fastrand::Rng::with_seed(seed));
        Self(Arc::new(Disk {
            rng,
            ..Disk::default()
        }))
    }

    /// As the daemon of this life sees it; once that is dead it writes nothing more.
    pub(crate) fn of(&self, life: u64, dead: CancellationToken) -> Arc<dyn Ledger> {
        Arc::new(Hand {
            book: self.clone(),
            life,
            dead,
        })
    }

    /// The line of a call, by its request id.
    pub(crate) fn line(&self, request_id: &str) -> Option<Line> {
        let lines = self.0.lines.lock().unwrap();
        let found = lines
            .iter()
            .find(|(key, _)| key.request_id.as_str() == request_id);
        found.map(|(_, line)| line.clone())
    }

    async fn turn(&self) {
        let ms = self.0.rng.lock().unwrap().u64(..DISK);
        sleep(Duration::from_millis(ms)).await;
    }
}

#[derive(Clone)]
struct Hand {
    book: Book,
    life: u64,
    dead: CancellationToken,
}

impl Hand {
    /// Changes the book, unless it is a dead hand's.
    fn write<T>(&self, change: impl FnOnce(&mut HashMap<CallKey, Line>) -> T) -> Option<T> {
        (!self.dead.is_cancelled()).then(|| change(&mut self.book.0.lines.lock().unwrap()))
    }

    async fn entered(&self, call: Entering) -> Entered {
        self.book.turn().await;
        let entered = self.write(|lines| self.decide(lines, &call));
        self.book.turn().await;
        match entered {
            Some(entered) => entered,
            None => std::future::pending().await,
        }
    }

    fn decide(&self, lines: &mut HashMap<CallKey, Line>, call: &Entering) -> Entered {
        let entry = Box::new(Held {
            hand: self.clone(),
            key: call.key.clone(),
        });
        let Some(line) = lines.get_mut(&call.key) else {
            lines.insert(call.key.clone(), self.fresh(call));
            return Entered::New(entry);
        };
        if line.args_hash != call.args_hash {
            return Entered::Other(Arc::clone(&line.tool));
        }
        if let Some(result) = &line.ended {
            return Entered::Finished(Arc::clone(result));
        }
        assert!(
            line.life != self.life,
            "one daemon entered {:?} twice",
            call.key
        );
        line.life = self.life;
        if line.runs > 0 && (!line.repeatable || line.runs >= RUNS) {
            let evidence = Interrupted {
                runs: line.runs,
                started_at: Some(UnixMillis(1)),
                ..Interrupted::default()
            };
            return Entered::Interrupted(evidence, entry);
        }
        line.runs += u64::from(call.starts);
        Entered::New(entry)
    }

    fn fresh(&self, call: &Entering) -> Line {
        Line {
            tool: Arc::clone(&call.facts.tool),
            args_hash: call.args_hash,
            arguments: Arc::clone(&call.arguments),
            repeatable: call.repeatable,
            timeout: call.timeout,
            life: self.life,
            runs: u64::from(call.starts),
            ended: None,
        }
    }
}

impl Ledger for Hand {
    fn remembers(&self) -> bool {
        true
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn enter(&self, call: Entering) -> LedgerFuture<'_, Entered> {
        Box::pin(async move { Ok(self.entered(call).await) })
    }

    fn recall<'a>(&'a self, key: &'a CallKey) -> LedgerFuture<'a, Option<Recalled>> {
        Box::pin(async move {
            self.book.turn().await;
            let line = self.book.0.lines.lock().unwrap().get(key).cloned();
            Ok(line.map(|line| match line.ended {
                Some(result) => Recalled::Finished(result),
                None => Recalled::Open(Open {
                    tool: line.tool,
                    args_hash: line.args_hash,
                    arguments: Some(line.arguments.as_ref().to_owned().into()),
                    operator: false,
                    timeout: line.timeout,
                    evidence: Box::new(Interrupted {
                        runs: line.runs,
                        ..Interrupted::default()
                    }),
                }),
            }))
        })
    }
}

/// One call's place in it.
struct Held {
    hand: Hand,
    key: CallKey,
}

impl Entry for Held {
    fn start(&mut self) -> LedgerFuture<'_, ()> {
        Box::pin(async move {
            self.hand.book.turn().await;
            let key = &self.key;
            self.hand.write(|lines| {
                if let Some(line) = lines.get_mut(key) {
                    line.runs += 1;
                }
            });
            self.hand.book.turn().await;
            Ok(())
        })
    }

    fn finish(self: Box<Self>, end: Ended) -> LedgerFuture<'static, ()> {
        Box::pin(async move {
            self.hand.book.turn().await;
            let key = self.key.clone();
            self.hand.write(|lines| {
                if let Some(line) = lines.get_mut(&key) {
                    line.ended = Some(Arc::clone(&end.result));
                }
            });
            self.hand.book.turn().await;
            Ok(())
        })
    }

    fn withdraw(self: Box<Self>) {
        let key = self.key.clone();
        self.hand.write(|lines| lines.remove(&key));
    }
}
