//! A small world around one engine: clients, calls, records, and the audit that every story
//! ends with.

use crate::{
    ear::{Ear, Ending, Mailbox},
    scripts::{Script, quiet_panic, repeatable},
};
use exai_engine::{
    Config, Engine, Ports, Runner,
    admission::{Depth, Limits},
    calls::{RetentionLimits, Submission},
    ports::{
        ledger::{Ledger, MemoryLedger},
        recorder::Recorder,
    },
    quotas::Quotas,
    sessions::Membership,
    tool::Tool,
};
use exai_protocol::{
    BootId, ClientId, Principal, RawValue, RequestId, SessionId, UnixMillis,
    hello::ClientInfo,
    record::{CallFacts, FinishedRecord, Record},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

pub(crate) const HEARTBEAT: Duration = Duration::from_secs(2);
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(600);
pub(crate) const UNWATCHED: Duration = Duration::from_secs(600);
pub(crate) const TTL: Duration = Duration::from_secs(600);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// See the module.
pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) tools: HashMap<&'static str, Arc<Script>>,
    records: Arc<Mutex<Vec<Record>>>,
}

/// What a world is built from.
pub(crate) struct Plan {
    pub(crate) config: Config,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) record_bound: usize,
    pub(crate) runner: Runner,
}

impl Default for Plan {
    fn default() -> Self {
        let config = Config {
            call_timeout: CALL_TIMEOUT,
            heartbeat: HEARTBEAT,
            unwatched: UNWATCHED,
            retry_after: 3,
            retention: RetentionLimits {
                ttl: TTL,
                results: 10_000,
                bytes: 64 << 20,
            },
            limits: Limits {
                global: 24,
                client: 8,
                providers: HashMap::from([(Arc::from("glm"), 2)]),
                queue_calls: 4096,
                client_queue: 2048,
                queue_bytes: 64 << 20,
                client_bytes: 32 << 20,
            },
            quotas: Quotas::default(),
            session_idle: HOUR,
            log_arguments: false,
            never_coalesce: vec!["never_shared".to_owned()],
            open_folders: vec![],
            max_result_bytes: 1_000_000,
        };
        Self {
            config,
            ledger: Arc::new(MemoryLedger),
            record_bound: 10_000,
            runner: runner(),
        }
    }
}

/// Milliseconds since the test's begin, as a wall clock.
pub(crate) fn paused_clock() -> exai_protocol::WallClock {
    let begin = Instant::now();
    Arc::new(move || UnixMillis(1_000_000 + u64::try_from(begin.elapsed().as_millis()).unwrap()))
}

/// Runs tools on the test's own runtime.
pub(crate) fn runner() -> Runner {
    let tracker = TaskTracker::new();
    Arc::new(move |future| {
        tracker.spawn(future);
    })
}

fn tools() -> HashMap<&'static str, Arc<Script>> {
    let named = [
        Script::new("act", |_| {}),
        Script::new("other", |_| {}),
        Script::new("panic_in_run", |_| {}),
        Script::new("instant", |spec| {
            spec.instant = true;
            repeatable(spec);
        }),
        Script::new("instant_once", |spec| spec.instant = true),
        Script::new("glance", |spec| {
            (spec.instant, spec.glances) = (true, true);
            spec.deadline = Some(Duration::from_secs(60));
            repeatable(spec);
        }),
        Script::new("glance_once", |spec| {
            (spec.instant, spec.glances) = (true, true);
        }),
        Script::new("shared", |spec| spec.coalesce = true),
        Script::new("never_shared", |spec| spec.coalesce = true),
        Script::new("glm", |spec| spec.provider = Some(Arc::from("glm"))),
        Script::new("brief", |spec| spec.deadline = Some(Duration::from_secs(5))),
    ];
    let mut tools: HashMap<&'static str, Arc<Script>> = HashMap::new();
    let names = [
        "act",
        "other",
        "panic_in_run",
        "instant",
        "instant_once",
        "glance",
        "glance_once",
        "shared",
        "never_shared",
        "glm",
        "brief",
    ];
    for (name, tool) in names.into_iter().zip(named) {
        tools.insert(name, tool);
    }
    tools.insert(
        "panic_in_run",
        Script::acting("panic_in_run", |_| {}, |_| quiet_panic("before the future")),
    );
    tools
}

impl World {
    pub(crate) fn new() -> Self {
        Self::planned(Plan::default())
    }

    pub(crate) fn planned(plan: Plan) -> Self {
        let (world, mut receiver) = Self::unread(plan);
        let records = Arc::clone(&world.records);
        TaskTracker::new().spawn(async move {
            while let Some(record) = receiver.recv().await {
                records.lock().unwrap().push(record);
            }
        });
        world
    }

    /// A world whose records nobody reads yet.
    pub(crate) fn unread(plan: Plan) -> (Self, tokio::sync::mpsc::Receiver<Record>) {
        let (recorder, receiver) = Recorder::channel(plan.record_bound);
        let ports = Ports {
            boot_id: BootId::new("boot"),
            clock: paused_clock(),
            ledger: plan.ledger,
            recorder,
            runner: plan.runner,
        };
        let engine = Engine::new(plan.config, ports);
        let tools = tools();
        let all = tools
            .values()
            .map(|tool| Arc::clone(tool) as Arc<dyn Tool>)
            .collect();
        engine.replace_tools("scripts", all);
        (
            Self {
                engine,
                tools,
                records: Arc::default(),
            },
            receiver,
        )
    }

    /// A connection of a client, or of nobody in particular.
    pub(crate) fn join(&self, client: &str) -> Membership {
        self.join_as("local", client, Mailbox::new(false))
    }

    pub(crate) fn join_as(
        &self,
        principal: &str,
        client: &str,
        mailbox: Arc<Mailbox>,
    ) -> Membership {
        let id = (!client.is_empty()).then(|| ClientId::new(client));
        let info = ClientInfo {
            id,
            name: format!("{client}-program"),
            ..ClientInfo::default()
        };
        let fresh = SessionId::new(self.engine.mint_session_id());
        self.engine.sessions().join(
            Principal::new(principal),
            info,
            mailbox,
            fresh,
            self.engine.now(),
        )
    }

    /// The connection is gone.
    pub(crate) fn leave(&self, member: &Membership) {
        self.engine.detach_peer(member.peer);
        self.engine.sessions().leave(member, self.engine.now());
    }

    /// Calls a tool.
    pub(crate) fn call(
        &self,
        member: &Membership,
        id: &str,
        tool: &str,
        arguments: &str,
    ) -> Arc<Ear> {
        self.call_for(member, id, tool, arguments, None)
    }

    /// Calls a tool for a client that waits only so long.
    pub(crate) fn call_for(
        &self,
        member: &Membership,
        id: &str,
        tool: &str,
        arguments: &str,
        timeout: Option<Duration>,
    ) -> Arc<Ear> {
        let ear = Ear::new(member.peer);
        let (engine, session) = (Arc::clone(&self.engine), Arc::clone(&member.session));
        let (id, name, arguments) = (id.into(), tool.to_owned(), raw(arguments));
        let watcher = Arc::clone(&ear);
        let submission = move || Submission {
            session: Arc::clone(&session),
            request_id: RequestId::clone(&id),
            name: name.clone(),
            operator: false,
            arguments: Arc::clone(&arguments),
            timeout,
            watcher: Arc::clone(&watcher) as _,
        };
        if engine.submit(submission()).is_err() {
            // As the edge does: it is kept back until there is room.
            TaskTracker::new().spawn(async move {
                while engine.submit(submission()).is_err() {
                    engine.room().await;
                }
            });
        }
        ear
    }

    /// Calls a tool and waits for the end.
    pub(crate) async fn run(
        &self,
        member: &Membership,
        id: &str,
        tool: &str,
        arguments: &str,
    ) -> Ending {
        self.call(member, id, tool, arguments).end().await
    }

    pub(crate) fn runs(&self, tool: &str) -> u64 {
        self.tools[tool].runs()
    }

    pub(crate) fn received(&self) -> Vec<Arc<CallFacts>> {
        let records = self.records.lock().unwrap();
        let received = records.iter();
        received
            .filter_map(|r| {
                if let Record::Received(call) = r {
                    Some(Arc::clone(call))
                } else {
                    None
                }
            })
            .collect()
    }

    pub(crate) fn finished(&self) -> Vec<Arc<FinishedRecord>> {
        let records = self.records.lock().unwrap();
        let finished = records.iter();
        finished
            .filter_map(|r| {
                if let Record::Finished(end) = r {
                    Some(Arc::clone(end))
                } else {
                    None
                }
            })
            .collect()
    }

    /// Progress messages recorded.
    pub(crate) fn progress_records(&self) -> Vec<String> {
        let records = self.records.lock().unwrap();
        let said = records.iter().flat_map(|record| match record {
            Record::Progress(said) => vec![said.message.to_string()],
            Record::Finished(end) => {
                let late = end.late_progress.iter();
                late.map(|said| said.message.to_string()).collect()
            }
            Record::Received(_) => vec![],
        });
        said.collect()
    }

    /// Nothing is left: each received call has one end after it, permits are back, no call or
    /// session is busy.
    pub(crate) async fn audit(&self) {
        while self.engine.recorder().depth().0 > 0 {
            settle().await;
        }
        settle().await;
        let records = self.records.lock().unwrap().clone();
        let mut open: HashMap<u64, bool> = HashMap::new();
        for record in &records {
            match record {
                Record::Received(call) => {
                    assert!(open.insert(call.number, true).is_none(), "received twice")
                }
                Record::Finished(end) => {
                    assert_eq!(
                        open.insert(end.call.number, false),
                        Some(true),
                        "{end:?} is not the one end"
                    );
                }
                Record::Progress(said) => {
                    assert_eq!(open.get(&said.call.number), Some(&true), "{said:?}")
                }
            }
        }
        assert!(
            !open.values().any(|open| *open),
            "a received call has no end"
        );
        assert_eq!(
            self.engine.admission().depth(),
            Depth {
                running: 0,
                queued: 0,
                queued_bytes: 0
            }
        );
        assert_eq!(self.engine.live_calls(), 0);
        for session in self.engine.sessions().list(&Principal::new("local")) {
            assert_eq!(session.in_flight, 0, "{session:?}");
        }
    }
}

/// Lets everything that can happen now happen: the clock moves only when all tasks wait.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

pub(crate) fn raw(json: &str) -> Arc<RawValue> {
    Arc::from(RawValue::from_string(json.to_owned()).unwrap())
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
