//! One life of a daemon: an engine and its edge behind the network's door, until it is told to
//! go or dies in the middle of a word.

use crate::{
    book::Book,
    network::Network,
    tool::{self, Traces},
};
use exai_engine::{
    Config, Engine, Ports, admission::Limits, calls::RetentionLimits, ports::recorder::Recorder,
    quotas::Quotas,
};
use exai_protocol::{BootId, Principal, Secret, UnixMillis, health::Health, hello::ServerInfo};
use exai_server::{Control, Listener, Pass, Passes, Server, Settings, serve};
use std::{collections::HashMap, io, sync::Arc, time::Duration};
use tokio::{io::DuplexStream, sync::mpsc, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) const TOKEN: &str = "the token of this home";
/// What the wall clock shows when a simulation begins.
const BEGIN: u64 = 1_758_505_128_600;

/// See the module.
pub(crate) struct Life {
    engine: Arc<Engine>,
    /// Nothing of it runs any more.
    dead: CancellationToken,
    closing: CancellationToken,
    goodbye: CancellationToken,
}

pub(crate) fn wall(begin: Instant) -> exai_protocol::WallClock {
    Arc::new(move || UnixMillis(BEGIN + u64::try_from(begin.elapsed().as_millis()).unwrap()))
}

impl Life {
    /// A daemon that serves.
    pub(crate) fn begin(
        number: u64,
        begin: Instant,
        book: &Book,
        traces: &Traces,
        network: &Network,
    ) -> Self {
        let (dead, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (recorder, mut records) = Recorder::channel(10_000);
        tasks.spawn(async move { while records.recv().await.is_some() {} });
        let (mortal, running) = (dead.clone(), tasks.clone());
        let ports = Ports {
            boot_id: BootId::new(format!("life-{number}")),
            clock: wall(begin),
            ledger: book.of(number, dead.clone()),
            recorder,
            runner: Arc::new(move |future| {
                running.spawn(mortal.clone().run_until_cancelled_owned(future));
            }),
        };
        let engine = Engine::new(config(), ports);
        engine.replace_tools("traced", tool::all(traces));
        let (closing, goodbye) = (CancellationToken::new(), CancellationToken::new());
        let (door, opened) = mpsc::channel(4);
        network.lead_to(Some(door));
        let server = Server::new(
            Arc::clone(&engine),
            Arc::new(Keeper::new(number)),
            settings(),
        );
        let serving = serve(Door(opened), server, closing.clone(), goodbye.clone());
        tasks.spawn(serving);
        Self {
            engine,
            dead,
            closing,
            goodbye,
        }
    }

    /// kill −9: what was not written is not written, what was not sent is not sent.
    pub(crate) fn die(self, network: &Network) {
        network.lead_to(None);
        network.cut();
        self.dead.cancel();
        self.closing.cancel();
        self.goodbye.cancel();
    }

    /// As `exai-daemon stop` ends it: nobody new, what runs is finished and answered.
    pub(crate) async fn end(self, network: &Network) {
        network.lead_to(None);
        self.closing.cancel();
        self.engine.start_draining();
        self.engine
            .drain(Instant::now() + Duration::from_secs(30))
            .await;
        self.goodbye.cancel();
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

fn settings() -> Settings {
    Settings {
        max_frame_bytes: 32 << 20,
        hello_timeout: Duration::from_secs(5),
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(10),
        pending_handshakes: 512,
        allowed_hosts: Vec::new(),
        port: 8765,
        compat_text: true,
        accept_plain_token: false,
    }
}

fn config() -> Config {
    Config {
        call_timeout: Duration::from_secs(600),
        heartbeat: Duration::from_secs(2),
        unwatched: Duration::from_secs(600),
        retry_after: 1,
        retention: RetentionLimits {
            ttl: Duration::from_secs(600),
            results: 10_000,
            bytes: 64 << 20,
        },
        limits: Limits {
            global: 4,
            client: 3,
            providers: HashMap::new(),
            queue_calls: 4096,
            client_queue: 2048,
            queue_bytes: 64 << 20,
            client_bytes: 32 << 20,
        },
        quotas: Quotas::default(),
        session_idle: Duration::from_secs(3600),
        log_arguments: false,
        never_coalesce: Vec::new(),
        max_result_bytes: usize::MAX,
        open_folders: Vec::new(),
    }
}

/// The process around the edge.
struct Keeper {
    identity: ServerInfo,
}

impl Keeper {
    fn new(number: u64) -> Self {
        let identity = ServerInfo {
            name: "exai-daemon".to_owned(),
            version: "0.1.0".to_owned(),
            build: "simulated".to_owned(),
            boot_id: BootId::new(format!("life-{number}")),
            home: "/home/of/exai".to_owned(),
        };
        Self { identity }
    }
}

impl Control for Keeper {
    fn passes(&self) -> Passes {
        let pass = Pass {
            key: Secret::new(TOKEN),
            principal: Principal::new("local"),
            revoked: CancellationToken::new(),
        };
        Box::pin(std::future::ready(vec![pass]))
    }

    fn owner(&self) -> Principal {
        Principal::new("local")
    }

    fn rotate_token(&self, _: &Secret, _: &Secret) -> Result<(), String> {
        Err("not here".to_owned())
    }

    fn health(&self) -> Health {
        unreachable!("nobody asks in a simulation")
    }

    fn identity(&self) -> &ServerInfo {
        &self.identity
    }

    fn shutdown(&self, _: Duration, _: &str) {}
}
