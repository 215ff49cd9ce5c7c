//! The watchdog: a thread of its own that sees what the event loop cannot say of itself. It asks
//! the loop whether it answers, calls whether they give signs of life, the writers whether they
//! get on, and the system whether memory and descriptors grow without end. What it finds is
//! dumped with the calls that run, told as an event and in health, and logged; a loop that will
//! never answer again ends the process, because a daemon that only accepts connections is worse
//! than none: its shims start another, and no call is lost or run twice.

mod book;
mod dump;
mod growth;
mod looks;

pub(crate) use book::{Book, trouble};

use crate::control::Daemon;
use dump::Dump;
use exai_config::settings;
use exai_engine::Engine;
use exai_protocol::event::{EventBody, WatchdogFault};
use exai_telemetry::{RotatingFile, health_file};
use looks::Looks;
use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::AtomicU64,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};
use tokio::runtime::Handle;

/// It looks at least so often.
const LEAST: Duration = Duration::from_millis(2500);
/// How long its end is waited for: a disk that stands still must not hold up the process.
const FAREWELL: Duration = Duration::from_secs(1);
/// What the process ends with when its event loop is given up (`EX_SOFTWARE`).
const GIVEN_UP: i32 = 70;

/// What it watches.
pub(crate) struct Subjects {
    pub(crate) engine: Arc<Engine>,
    pub(crate) daemon: Arc<Daemon>,
    pub(crate) runtime: Handle,
    pub(crate) settings: settings::Watchdog,
    /// Turns of the writers; odd while at work.
    pub(crate) writers: Vec<(WatchdogFault, Arc<AtomicU64>)>,
    /// Descriptors this process may open.
    pub(crate) descriptors: Option<u64>,
    pub(crate) dump: RotatingFile,
    pub(crate) health_file: PathBuf,
}

/// The running watchdog; ends with [`Watchdog::stop`].
pub(crate) struct Watchdog {
    stop: SyncSender<()>,
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Watchdog {
    pub(crate) fn start(subjects: Subjects) -> io::Result<Self> {
        let (stop, asked) = sync_channel(1);
        let (end, ended) = sync_channel(1);
        let thread = Builder::new()
            .name("exai-watchdog".to_owned())
            .spawn(move || {
                Round::new(subjects).run(&asked);
                // Whoever does not wait any more need not know.
                let _ = end.try_send(());
            })?;
        Ok(Self {
            stop,
            ended,
            thread,
        })
    }

    /// Blocks, for a moment.
    pub(crate) fn stop(self) {
        let _ = self.stop.try_send(());
        if self.ended.recv_timeout(FAREWELL).is_ok() {
            let _ = self.thread.join();
        }
    }
}

struct Round {
    looks: Looks,
    engine: Arc<Engine>,
    daemon: Arc<Daemon>,
    dump: Dump,
    health_file: PathBuf,
    restart: Option<Duration>,
    interval: Duration,
}

impl Round {
    fn new(subjects: Subjects) -> Self {
        let Subjects {
            engine,
            daemon,
            runtime,
            settings,
            writers,
            descriptors,
            dump,
            health_file,
        } = subjects;
        let shortest = settings
            .stall
            .min(settings.quiet_call)
            .min(settings.writer)
            .min(settings.window / 8);
        Self {
            restart: settings.restart,
            interval: (shortest / 2).clamp(Duration::from_millis(50), LEAST),
            looks: Looks::new(Arc::clone(&engine), runtime, settings, writers, descriptors),
            dump: Dump::new(dump),
            engine,
            daemon,
            health_file,
        }
    }

    fn run(mut self, asked_to_stop: &Receiver<()>) {
        loop {
            let slept = Instant::now();
            match asked_to_stop.recv_timeout(self.interval) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
            // A process that was stopped, or a machine that slept, says nothing about its parts.
            if slept.elapsed() > self.interval * 2 + Duration::from_secs(1) {
                self.looks.begin_anew();
                continue;
            }
            self.look();
        }
    }

    fn look(&mut self) {
        let found = self.looks.all();
        let news = self.daemon.watchdog().update(found, self.engine.now());
        let raised = news.iter().any(|status| status.until.is_none());
        if raised && self.looks.stalled().is_some() {
            // Before the dump, which people look at first and then ask for more.
            self.tell_without_the_loop();
        }
        if raised {
            let calls = self.engine.calls_now();
            self.dump.write(self.engine.now(), &news, &calls);
        }
        for status in &news {
            let (fault, what) = (status.fault.as_str(), status.what.as_str());
            match status.until {
                None => {
                    tracing::error!(fault, what, dump = dump::NAME, "the watchdog found a fault")
                }
                Some(_) => tracing::info!(fault, what, "a fault the watchdog found is over"),
            }
            self.engine
                .publish(EventBody::WatchdogStatus(status.clone()));
        }
        self.give_up_if_hopeless();
    }

    /// Whoever asks a loop that stands still gets no answer; the file is there to be read.
    fn tell_without_the_loop(&self) {
        if self.daemon.is_still() {
            return;
        }
        if let Err(error) = health_file::write(&self.health_file, &self.daemon.snapshot()) {
            tracing::error!(%error, "cannot write the health file");
        }
    }

    fn give_up_if_hopeless(&mut self) {
        let Some((limit, stalled)) = self.restart.zip(self.looks.stalled()) else {
            return;
        };
        if stalled < limit {
            return;
        }
        let secs = stalled.as_secs_f64();
        tracing::error!(
            secs,
            "the event loop does not answer and is given up; the process ends, and the next \
             daemon takes its calls up"
        );
        self.dump.last_words(self.engine.now(), secs);
        // Nothing orderly is possible without the loop; what was promised is in the journal.
        std::process::exit(GIVEN_UP);
    }
}
