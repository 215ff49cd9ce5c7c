//! What the server knows: the script, the rules, what it received and what it remembers. One
//! lock, held for a lookup and never while anything is sent.

use super::{
    Reply, Request, Route, Tls,
    doors::{self, Memory},
    incoming::Incoming,
    play::Told,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

type Test = Arc<dyn Fn(&Request) -> bool + Send + Sync>;

pub(super) struct Rule {
    pub(super) test: Test,
    pub(super) replies: VecDeque<Reply>,
    /// Also when the others are used up.
    pub(super) always: Option<Reply>,
}

#[derive(Default)]
pub(super) struct Pages {
    pub(super) requests: Vec<Request>,
    pub(super) script: VecDeque<Reply>,
    pub(super) rules: Vec<Rule>,
    pub(super) otherwise: Option<Reply>,
    pub(super) memory: Memory,
    pub(super) tls: Tls,
    pub(super) tls_hellos: usize,
    pub(super) connections: usize,
}

#[derive(Default)]
pub(super) struct Book(Mutex<Pages>);

impl Book {
    /// A panic in a test's own rule must not hide what the test wants to say.
    pub(super) fn open(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn connected(&self) -> usize {
        let mut pages = self.open();
        pages.connections += 1;
        pages.connections - 1
    }

    pub(super) fn tls_hello(&self) -> Tls {
        let mut pages = self.open();
        pages.tls_hellos += 1;
        pages.tls
    }

    /// Writes the request down and finds what answers it.
    pub(super) fn receive(&self, incoming: Incoming, connection: usize) -> (Request, Reply) {
        let mut pages = self.open();
        let request = Request::of(incoming, pages.requests.len(), connection);
        pages.requests.push(request.clone());
        let reply = pages.reply(&request);
        (request, reply)
    }

    pub(super) fn tell(&self, index: usize, told: Told) {
        let mut pages = self.open();
        match told {
            Told::FirstByte => pages.requests[index].first_byte = Some(Instant::now()),
            Told::Mark(mark) => pages.memory.ollama.remember(&mark),
        }
    }

    pub(super) fn ended(&self, index: usize) {
        self.open().requests[index].ended = Some(Instant::now());
    }

    pub(super) fn hung_up(&self, index: usize) {
        self.open().requests[index].hung_up = Some(Instant::now());
    }
}

impl Pages {
    fn reply(&mut self, request: &Request) -> Reply {
        for rule in &mut self.rules {
            if (rule.test)(request) {
                let reply = rule.replies.pop_front().or_else(|| rule.always.clone());
                if let Some(reply) = reply {
                    return reply;
                }
            }
        }
        if request.route != Route::Chat {
            return doors::reply(&mut self.memory, request);
        }
        let scripted = self
            .script
            .pop_front()
            .or_else(|| self.otherwise.clone())
            .unwrap_or_else(|| {
                let index = request.index;
                Reply::status(501).message(&format!("no reply is scripted for request {index}"))
            });
        doors::loads(&mut self.memory, request);
        scripted
    }
}
