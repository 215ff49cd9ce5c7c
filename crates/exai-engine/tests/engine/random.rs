//! Ten thousand random calls with everything that can befall them: whatever happens, each
//! connection that asked hears one end, each call has one record of its coming and one of its
//! end, and every permit comes back.

use crate::{
    ear::Ear,
    world::{Plan, World, secs},
};
use exai_engine::{Config, Runner, admission::Limits, sessions::Membership};
use exai_protocol::{control::CallState, request::CancelMode};
use fastrand::Rng;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

const CALLS: usize = 10_000;
const CLIENTS: usize = 12;
const TOOLS: [&str; 9] = [
    "act",
    "other",
    "panic_in_run",
    "instant",
    "instant_once",
    "shared",
    "glm",
    "brief",
    "nonsense",
];

/// One connection and what it waits for, by request id.
struct Link {
    client: usize,
    member: Membership,
    waits: HashMap<String, Vec<Arc<Ear>>>,
}

/// Client, id, tool, arguments.
type Asked = (usize, String, &'static str, String);

struct Chaos {
    world: World,
    rng: Rng,
    links: Vec<Link>,
    /// What was asked under an id, so that it can be asked again.
    asked: Vec<Asked>,
    /// Ears of links that are gone or that let go: an end is no longer owed.
    let_go: Vec<Arc<Ear>>,
    /// The tasks of running tools, to be killed.
    tools: Tools,
}

type Tools = Arc<Mutex<Vec<AbortHandle>>>;

fn killable(tools: &Tools) -> Runner {
    let (tracker, tools) = (TaskTracker::new(), Arc::clone(tools));
    Arc::new(move |future| {
        tools
            .lock()
            .unwrap()
            .push(tracker.spawn(future).abort_handle())
    })
}

fn crowded(tools: &Tools) -> World {
    let config = Plan::default().config;
    let limits = Limits {
        global: 10,
        client: 3,
        queue_calls: 25,
        queue_bytes: 4000,
        ..config.limits
    };
    let config = Config {
        limits,
        call_timeout: secs(4),
        unwatched: secs(3),
        ..config
    };
    World::planned(Plan {
        config,
        record_bound: 64,
        runner: killable(tools),
        ..Plan::default()
    })
}

impl Chaos {
    fn connect(&mut self) {
        let client = self.rng.usize(..CLIENTS);
        let member = self.world.join(&format!("client-{client}"));
        self.links.push(Link {
            client,
            member,
            waits: HashMap::new(),
        });
    }

    fn disconnect(&mut self) {
        let at = self.rng.usize(..self.links.len());
        let link = self.links.swap_remove(at);
        self.world.leave(&link.member);
        self.let_go.extend(link.waits.into_values().flatten());
    }

    fn order(&mut self) -> String {
        let ms = [0, 0, 1, 20, 200, 800, 9000][self.rng.usize(..7)];
        let then = ["ok", "ok", "ok", "fail", "panic", "refuse"][self.rng.usize(..6)];
        let say = if self.rng.u8(..4) == 0 {
            r#","say":"step""#
        } else {
            ""
        };
        if self.rng.u8(..30) == 0 {
            return r#"{"ms":"soon"}"#.to_owned();
        }
        format!(r#"{{"ms":{ms},"then":"{then}"{say}}}"#)
    }

    /// What a client asked among the last so many calls.
    fn recent(&self, client: usize, last: usize) -> Vec<Asked> {
        let last = self.asked.iter().rev().take(last);
        last.filter(|asked| asked.0 == client).cloned().collect()
    }

    fn submit(&mut self, number: usize) {
        let at = self.rng.usize(..self.links.len());
        let client = self.links[at].client;
        let again = self.recent(client, 200);
        let (id, tool, order) = match self.rng.choice(&again) {
            Some((_, id, tool, order)) if self.rng.u8(..6) == 0 => {
                (id.clone(), *tool, order.clone())
            }
            // A reused id with other arguments.
            Some((_, id, tool, _)) if self.rng.u8(..30) == 0 => {
                (id.clone(), *tool, r#"{"ms":17}"#.to_owned())
            }
            _ => (
                number.to_string(),
                TOOLS[self.rng.usize(..TOOLS.len())],
                self.order(),
            ),
        };
        self.asked.push((client, id.clone(), tool, order.clone()));
        let timeout = (self.rng.u8(..5) == 0).then(|| Duration::from_millis(self.rng.u64(..5000)));
        let link = &mut self.links[at];
        let ear = self
            .world
            .call_for(&link.member, &id, tool, &order, timeout);
        link.waits.entry(id).or_default().push(ear);
    }

    fn attach(&mut self) {
        let at = self.rng.usize(..self.links.len());
        let recent = self.recent(self.links[at].client, 300);
        let Some((_, id, ..)) = self.rng.choice(recent) else {
            return;
        };
        let link = &mut self.links[at];
        let ear = Ear::new(link.member.peer);
        let state =
            self.world
                .engine
                .attach(&link.member.session, &id.as_str().into(), ear.clone());
        match state {
            CallState::Queued | CallState::Running | CallState::Finished => {
                link.waits.entry(id).or_default().push(ear);
            }
            CallState::Expired | CallState::Unknown => assert_eq!(ear.heard(), []),
        }
    }

    fn cancel(&mut self) {
        let at = self.rng.usize(..self.links.len());
        let recent = self.recent(self.links[at].client, 60);
        let Some((_, id, ..)) = self.rng.choice(recent) else {
            return;
        };
        let link = &mut self.links[at];
        let mode = if self.rng.bool() {
            CancelMode::Stop
        } else {
            CancelMode::Detach
        };
        self.world
            .engine
            .cancel(&link.member, &id.as_str().into(), mode, "chaos");
        if mode == CancelMode::Detach {
            self.let_go
                .extend(link.waits.remove(&id).into_iter().flatten());
        }
    }

    /// Somebody takes a tool's task away under the engine.
    fn kill(&mut self) {
        let mut tools = self.tools.lock().unwrap();
        tools.retain(|task| !task.is_finished());
        if !tools.is_empty() {
            let at = self.rng.usize(..tools.len());
            tools.swap_remove(at).abort();
        }
    }

    async fn step(&mut self, number: usize) {
        match self.rng.u8(..100) {
            0..=3 => self.connect(),
            4..=6 if self.links.len() > 4 => self.disconnect(),
            7..=14 => self.attach(),
            15..=22 => self.cancel(),
            23..=50 => tokio::time::sleep(Duration::from_millis(self.rng.u64(..200))).await,
            51 => self.world.engine.sweep(),
            52..=55 => self.kill(),
            _ => {}
        }
        self.submit(number);
    }

    /// Per connection and id: of the ears that came while another of the same connection was
    /// waiting, only the first is told; nobody is told twice, and somebody is told.
    fn judge(self) {
        for link in self.links {
            for (id, ears) in link.waits {
                let ends: Vec<usize> = ears.iter().map(|ear| ear.endings().len()).collect();
                assert!(ends.iter().all(|count| *count <= 1), "{id}: {ends:?}");
                assert_eq!(ends[0], 1, "{id}: {ends:?}");
                for ear in ears.iter().filter(|ear| ear.endings().is_empty()) {
                    assert_eq!(ear.heard(), [], "{id}: told something, but no end");
                }
            }
        }
        for ear in &self.let_go {
            assert!(ear.endings().len() <= 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn i01_ten_thousand_random_calls() {
    let seed = std::env::var("EXAI_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("EXAI_TEST_SEED={seed}");
    let tools = Tools::default();
    let mut chaos = Chaos {
        world: crowded(&tools),
        rng: Rng::with_seed(seed),
        links: Vec::new(),
        asked: Vec::new(),
        let_go: Vec::new(),
        tools,
    };
    for _ in 0..CLIENTS {
        chaos.connect();
    }
    for number in 0..CALLS {
        chaos.step(number).await;
    }
    while chaos.world.engine.live_calls() > 0 {
        tokio::time::sleep(secs(1)).await;
    }
    chaos.world.audit().await;
    let outcomes = chaos.world.engine.outcomes();
    println!("{outcomes:?}");
    for outcome in [
        "ok",
        "tool_error",
        "internal",
        "cancelled",
        "timeout",
        "over_capacity",
        "not_found",
    ] {
        assert!(
            outcomes.get(outcome).is_some_and(|count| *count >= 50),
            "{outcome}: {outcomes:?}"
        );
    }
    chaos.judge();
}
