//! The network: pipes in memory with something in between.

use exai_client::{Dial, Target, Unreachable};
use exai_protocol::Secret;
use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf},
    sync::{mpsc, watch},
    time::sleep,
};

use tokio_util::task::TaskTracker;

/// What a pipe holds before its writer waits.
const PIPE: usize = 16 * 1024;
/// Longest way of a piece of data, in milliseconds.
const LATENCY: u64 = 30;
/// After a partition a link may be this much slower than the others to speak again: what was
/// said on it before arrives after its client has long been back on a new one.
const STRAGGLES: u64 = 4_000;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Weather {
    /// Nothing passes, and nobody is told.
    partitioned: bool,
    /// Links older than this are gone.
    cuts: u64,
}

/// See the module.
#[derive(Clone)]
pub(crate) struct Network {
    weather: Arc<watch::Sender<Weather>>,
    door: Arc<Mutex<Option<mpsc::Sender<DuplexStream>>>>,
    rng: Arc<Mutex<fastrand::Rng>>,
    links: TaskTracker,
}

impl Network {
    pub(crate) fn new(seed: u64) -> Self {
        let (weather, _) = watch::channel(Weather {
            partitioned: false,
            cuts: 0,
        });
        Self {
            weather: Arc::new(weather),
            door: Arc::default(),
            rng: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))),
            links: TaskTracker::new(),
        }
    }

    /// Where connections lead from now on; nowhere with `None`.
    pub(crate) fn lead_to(&self, door: Option<mpsc::Sender<DuplexStream>>) {
        *self.door.lock().unwrap() = door;
    }

    pub(crate) fn partition(&self, partitioned: bool) {
        self.weather
            .send_modify(|weather| weather.partitioned = partitioned);
    }

    pub(crate) fn cut(&self) {
        self.weather.send_modify(|weather| weather.cuts += 1);
    }

    fn draw(&self, most: u64) -> Duration {
        Duration::from_millis(self.rng.lock().unwrap().u64(..most))
    }

    async fn connect(&self) -> io::Result<DuplexStream> {
        let mut weather = self.weather.subscribe();
        // Nobody answers, and nobody refuses.
        let _ = weather.wait_for(|weather| !weather.partitioned).await;
        sleep(self.draw(LATENCY)).await;
        let door = self.door.lock().unwrap().clone();
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let door = door.ok_or_else(refused)?;
        let (ours, near) = tokio::io::duplex(PIPE);
        let (far, theirs) = tokio::io::duplex(PIPE);
        door.send(theirs).await.map_err(|_| refused())?;
        self.links.spawn(self.clone().carry(near, far));
        Ok(ours)
    }

    async fn carry(self, near: DuplexStream, far: DuplexStream) {
        let mut weather = self.weather.subscribe();
        let born = weather.borrow_and_update().cuts;
        let ((near_in, near_out), (far_in, far_out)) =
            (tokio::io::split(near), tokio::io::split(far));
        tokio::select! {
            () = self.pump(near_in, far_out) => {}
            () = self.pump(far_in, near_out) => {}
            _ = weather.wait_for(|weather| weather.cuts > born) => {}
        }
    }

    async fn pump(&self, mut from: ReadHalf<DuplexStream>, mut into: WriteHalf<DuplexStream>) {
        let mut weather = self.weather.subscribe();
        let mut buffer = vec![0; 4096];
        loop {
            let read = from.read(&mut buffer).await.unwrap_or(0);
            if weather.borrow().partitioned {
                let _ = weather.wait_for(|weather| !weather.partitioned).await;
                sleep(self.draw(STRAGGLES)).await;
            }
            sleep(self.draw(LATENCY)).await;
            if read == 0 || into.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    }
}

impl Dial for Network {
    type Stream = DuplexStream;

    async fn dial(&mut self) -> Result<(DuplexStream, Target), Unreachable> {
        let failed = |error| Unreachable::Connect {
            at: "127.0.0.1:8765".to_owned(),
            error,
        };
        let stream = self.connect().await.map_err(failed)?;
        let target = Target {
            host: "127.0.0.1".to_owned(),
            port: 8765,
            host_header: None,
            token: Secret::new(crate::life::TOKEN),
            plain: false,
            socket: None,
        };
        Ok((stream, target))
    }
}
