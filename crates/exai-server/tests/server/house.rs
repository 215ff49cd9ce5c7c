//! An engine behind an edge behind a door through which tests hand in streams.

use crate::{peer::Peer, tools};
use exai_engine::{
    Config, Engine, Ports,
    admission::Limits,
    calls::RetentionLimits,
    ports::{
        ledger::{Ledger, MemoryLedger},
        recorder::Recorder,
    },
    quotas::Quotas,
};
use exai_protocol::{
    BootId, Principal, Secret, UnixMillis, health::Health, hello::ServerInfo, record::Record,
};
use exai_server::{Control, Listener, Pass, Passes, Server, Settings, serve};
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{io::DuplexStream, net::TcpListener, sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) const TOKEN: &str = "right";
pub(crate) const PORT: u16 = 8765;
/// What the wall clock shows when a test begins.
pub(crate) const BEGIN: u64 = 1_758_505_128_600;

/// What the tests change about a house.
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) config: Config,
    /// What a stream holds before its writer waits.
    pub(crate) pipe_bytes: usize,
    /// Records on their way before admission waits.
    pub(crate) record_bound: usize,
    /// Where there is one, no record is read before it fires.
    pub(crate) stalled: Option<CancellationToken>,
    /// Where calls are kept.
    pub(crate) ledger: Arc<dyn Ledger>,
}

impl Default for Plan {
    fn default() -> Self {
        let settings = Settings {
            max_frame_bytes: 32 << 20,
            hello_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(10),
            pending_handshakes: 512,
            allowed_hosts: vec![],
            port: PORT,
            compat_text: true,
            accept_plain_token: true,
        };
        let config = Config {
            call_timeout: Duration::from_secs(600),
            heartbeat: Duration::from_secs(2),
            unwatched: Duration::from_secs(600),
            retry_after: 1,
            retention: RetentionLimits {
                ttl: Duration::from_secs(600),
                results: 10_000,
                bytes: 256 << 20,
            },
            limits: Limits {
                global: 24,
                client: 8,
                providers: HashMap::new(),
                queue_calls: 4096,
                client_queue: 2048,
                queue_bytes: 64 << 20,
                client_bytes: 32 << 20,
            },
            quotas: Quotas::default(),
            session_idle: Duration::from_secs(3600),
            log_arguments: false,
            never_coalesce: vec![],
            open_folders: vec![],
            max_result_bytes: usize::MAX,
        };
        Self {
            settings,
            config,
            pipe_bytes: 64 * 1024,
            record_bound: 10_000,
            stalled: None,
            ledger: Arc::new(MemoryLedger),
        }
    }
}

/// See the module.
pub(crate) struct House {
    pub(crate) engine: Arc<Engine>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) closing: CancellationToken,
    pub(crate) goodbye: CancellationToken,
    pub(crate) serving: JoinHandle<()>,
    pub(crate) records: Arc<Mutex<Vec<Record>>>,
    door: mpsc::Sender<DuplexStream>,
    pipe_bytes: usize,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::planned(Plan::default())
    }

    pub(crate) fn planned(plan: Plan) -> Self {
        let (door, opened) = mpsc::channel(1);
        Self::behind(Door(opened), door, plan)
    }

    /// A house on a port of its own, and that port.
    pub(crate) async fn on_tcp() -> (Self, u16) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let settings = Settings {
            port,
            ..Plan::default().settings
        };
        let (door, _) = mpsc::channel(1);
        (
            Self::behind(
                listener,
                door,
                Plan {
                    settings,
                    ..Plan::default()
                },
            ),
            port,
        )
    }

    fn behind(listener: impl Listener, door: mpsc::Sender<DuplexStream>, plan: Plan) -> Self {
        let tasks = TaskTracker::new();
        let (recorder, mut receiver) = Recorder::channel(plan.record_bound);
        let records: Arc<Mutex<Vec<Record>>> = Arc::default();
        let kept = Arc::clone(&records);
        let stalled = plan.stalled;
        tasks.spawn(async move {
            if let Some(stalled) = stalled {
                stalled.cancelled().await;
            }
            while let Some(record) = receiver.recv().await {
                kept.lock().unwrap().push(record);
            }
        });
        let begin = Instant::now();
        let clock = move || UnixMillis(BEGIN + u64::try_from(begin.elapsed().as_millis()).unwrap());
        let runner = tasks.clone();
        let ports = Ports {
            boot_id: BootId::new("boot"),
            clock: Arc::new(clock),
            ledger: plan.ledger,
            recorder,
            runner: Arc::new(move |future| {
                runner.spawn(future);
            }),
        };
        let engine = Engine::new(plan.config, ports);
        engine.replace_tools("scripts", tools::all());
        let keeper = Arc::new(Keeper::default());
        let (closing, goodbye) = (CancellationToken::new(), CancellationToken::new());
        let server = Server::new(Arc::clone(&engine), Arc::clone(&keeper), plan.settings);
        let serving = tasks.spawn(serve(listener, server, closing.clone(), goodbye.clone()));
        Self {
            engine,
            keeper,
            closing,
            goodbye,
            serving,
            records,
            door,
            pipe_bytes: plan.pipe_bytes,
        }
    }

    /// A stream to the daemon, nothing said yet. Waits while the door is crowded.
    pub(crate) async fn stream(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(self.pipe_bytes);
        self.door.send(theirs).await.unwrap();
        ours
    }

    /// An upgraded connection, no hello yet.
    pub(crate) async fn dial(&self) -> Peer {
        Peer::upgrade(self.stream().await).await
    }

    /// A peer that announces nothing.
    pub(crate) async fn v1(&self) -> Peer {
        let mut peer = self.dial().await;
        peer.send(&format!(
            r#"{{"op":"hello","session_id":"s","token":"{TOKEN}"}}"#
        ))
        .await;
        let ack = peer.json().await;
        assert_eq!(ack["ok"], true, "{ack}");
        peer
    }

    /// A named client with every feature.
    pub(crate) async fn featured(&self, client: &str) -> Peer {
        let every = [
            "progress",
            "partial",
            "rich_results",
            "notify",
            "events",
            "tools_changed",
        ];
        self.with_features(client, &every).await
    }

    /// A named client with these features.
    pub(crate) async fn with_features(&self, client: &str, features: &[&str]) -> Peer {
        let mut peer = self.dial().await;
        let features = serde_json::json!(features);
        peer.send(&format!(
            r#"{{"op":"hello","token":"{TOKEN}","protocol":"1.1","features":{features},"client":{{"id":"{client}","name":"{client}-app"}}}}"#
        ))
        .await;
        let ack = peer.json().await;
        assert_eq!(ack["ok"], true, "{ack}");
        peer
    }

    /// Received and finished records, which always come in pairs in the end.
    pub(crate) fn record_counts(&self) -> (usize, usize) {
        let records = self.records.lock().unwrap();
        let received = records
            .iter()
            .filter(|record| matches!(record, Record::Received(_)))
            .count();
        let finished = records
            .iter()
            .filter(|record| matches!(record, Record::Finished(_)))
            .count();
        (received, finished)
    }
}

struct Door(mpsc::Receiver<DuplexStream>);

impl Listener for Door {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<DuplexStream> {
        match self.0.recv().await {
            Some(stream) => Ok(stream),
            None => std::future::pending().await,
        }
    }
}

/// The process around the edge.
#[derive(Default)]
pub(crate) struct Keeper {
    pub(crate) shutdowns: Mutex<Vec<(Duration, String)>>,
    pub(crate) rotated: Mutex<Option<String>>,
    /// Where there is one, a rotation blocks its thread until it is let go.
    pub(crate) slow_disk: Mutex<Option<std::sync::mpsc::Receiver<()>>>,
    /// Makes `health` panic.
    pub(crate) ill: AtomicBool,
}

impl Control for Keeper {
    fn owner(&self) -> Principal {
        Principal::new("local")
    }

    fn passes(&self) -> Passes {
        let pass = |(key, who)| Pass {
            key: Secret::new(key),
            principal: Principal::new(who),
            revoked: CancellationToken::new(),
        };
        let passes = [(TOKEN, "local"), ("another", "somebody else")].map(pass);
        Box::pin(std::future::ready(passes.to_vec()))
    }

    fn rotate_token(&self, old: &Secret, new: &Secret) -> Result<(), String> {
        if let Some(disk) = self.slow_disk.lock().unwrap().take() {
            disk.recv().unwrap();
        }
        if old.expose() != TOKEN {
            return Err("unauthorized".to_owned());
        }
        *self.rotated.lock().unwrap() = Some(new.expose().to_owned());
        Ok(())
    }

    fn health(&self) -> Health {
        if self.ill.load(Relaxed) {
            std::panic::resume_unwind(Box::new("a bug of ours"));
        }
        Health {
            t: 1.5,
            pid: 77,
            host: "127.0.0.1".to_owned(),
            port: PORT,
            started_at: 1.0,
            sessions: 1,
            global_capacity: 24,
            global_inflight: 0,
            uptime_human: "0:00:00".to_owned(),
            tool_count: 2,
            boot_id: BootId::new("boot"),
            version: "0.1.0".to_owned(),
            state: "running".to_owned(),
            queued: 0,
            connections: 1,
            tasks: None,
            loop_lag_ms: None,
            outcomes: std::collections::BTreeMap::new(),
            providers: Vec::new(),
            limits: None,
            watchdog: Vec::new(),
            warnings: vec![],
        }
    }

    fn identity(&self) -> &ServerInfo {
        static WHO: std::sync::OnceLock<ServerInfo> = std::sync::OnceLock::new();
        WHO.get_or_init(|| ServerInfo {
            name: "exai-daemon".to_owned(),
            version: "0.1.0".to_owned(),
            build: "unknown".to_owned(),
            boot_id: BootId::new("boot"),
            home: "/home/of/exai".to_owned(),
        })
    }

    fn shutdown(&self, drain: Duration, reason: &str) {
        self.shutdowns
            .lock()
            .unwrap()
            .push((drain, reason.to_owned()));
    }
}

/// Lets everything that can happen now happen: the clock moves only when all tasks wait.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
