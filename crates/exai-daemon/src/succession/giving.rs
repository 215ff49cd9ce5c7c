//! The one that has the home: gives it to an heir that asks for it, and takes it back from one
//! that fails.

use super::{
    door_of,
    link::ToHeir,
    pass,
    words::{Ears, FromElder, FromHeir, say},
};
use crate::{
    compose,
    control::Daemon,
    lifecycle::{alive, instance::Instance, socket},
};
use anyhow::{Context as _, Result, bail};
use exai_config::Home;
use exai_engine::Engine;
use exai_protocol::{BootId, endpoint::Endpoint};
use exai_store::Journal;
use std::{
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{UnixListener, UnixStream, unix::OwnedWriteHalf},
    sync::watch,
    time::timeout,
};
use tokio_util::task::TaskTracker;

/// For a word that needs no work.
const SOON: Duration = Duration::from_secs(5);
/// For the heir to make itself ready: it may bring a large database up to date.
const READY: Duration = Duration::from_secs(120);
/// For the journal to know what was taken; meanwhile new calls wait.
const WRITTEN: Duration = Duration::from_secs(5);

/// What is given, and what has to keep still meanwhile.
pub(crate) struct Estate {
    pub(crate) home: Home,
    pub(crate) endpoint: Endpoint,
    pub(crate) instance: Arc<Instance>,
    pub(crate) listeners: Vec<OwnedFd>,
    pub(crate) daemon: Arc<Daemon>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) journal: Journal,
    /// Whether connections are accepted.
    pub(crate) gate: watch::Sender<bool>,
    pub(crate) tasks: TaskTracker,
}

impl Estate {
    /// Where heirs knock; open before anybody can have heard of us.
    pub(crate) fn door(&self) -> Option<Door> {
        Door::open(&self.home)
            .inspect_err(|error| {
                tracing::warn!(%error, "restarts will interrupt: the next daemon cannot ask for this home");
            })
            .ok()
    }

    /// Waits for an heir and gives it everything; those that fail change nothing. Never ready
    /// where heirs cannot knock.
    pub(crate) async fn give(&self, mut door: Option<Door>) -> Arc<ToHeir> {
        loop {
            let Some(open) = &door else {
                return std::future::pending().await;
            };
            let stream = match open.listener.accept().await {
                Ok((stream, _)) if is_owner(&stream) => stream,
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(%error, "no heir can be let in");
                    tokio::time::sleep(SOON).await;
                    continue;
                }
            };
            match self.hand_over(stream).await {
                Ok(Some(link)) => return link,
                // Somebody who only looked.
                Ok(None) => {}
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(error, "the next daemon failed; this one goes on");
                    if !open.is_there(&self.home) {
                        // It came so far as to put its own in the place of ours.
                        door = self.door();
                    }
                }
            }
        }
    }

    async fn hand_over(&self, stream: UnixStream) -> Result<Option<Arc<ToHeir>>> {
        let descriptors = self.instance.lock_to_pass()?;
        let mut all = vec![descriptors.as_fd()];
        all.extend(self.listeners.iter().map(OwnedFd::as_fd));
        // Descriptors first and words later, on one stream: so the words are read bare here.
        let Some(heir) = asked(&stream).await? else {
            return Ok(None);
        };
        let FromHeir::Ask { boot, version, pid } = heir else {
            bail!("it did not ask");
        };
        tracing::info!(%boot, version, pid, "another daemon is to take this home over");
        timeout(SOON, pass::send(&stream, &all))
            .await
            .context("it does not take the descriptors")??;
        let (half, mut mouth) = stream.into_split();
        let mut ears = Ears::new(half);
        let will = FromElder::Will {
            boot: self.endpoint.boot_id.clone(),
            version: compose::VERSION.to_owned(),
            pid: std::process::id(),
        };
        say(&mut mouth, &will).await?;
        let ready = timeout(READY, ears.next::<FromHeir>()).await;
        match ready.context("it did not become ready in time")?? {
            Some(FromHeir::Ready) => {}
            Some(_) => bail!("it did not say that it is ready"),
            None => bail!("it died before it was ready"),
        }
        let given = self.let_go(ears, mouth, &boot).await;
        if given.is_err() {
            self.take_back();
        }
        given.map(Some)
    }

    /// Keeps still, says the word, and waits for its echo.
    async fn let_go(
        &self,
        ears: Ears,
        mut mouth: OwnedWriteHalf,
        heir: &BootId,
    ) -> Result<Arc<ToHeir>> {
        self.engine.hold_back();
        self.gate.send_replace(false);
        let all_written = async {
            self.engine.all_written().await;
            self.engine.tell_who_is_left();
            self.journal.caught_up().await;
        };
        if timeout(WRITTEN, all_written).await.is_err() {
            let why = "the journal does not keep up; try again".to_owned();
            let _ = say(&mut mouth, &FromElder::No { why }).await;
            bail!("the journal does not keep up");
        }
        self.daemon.keep_still(true);
        let (link, unsaid) = ToHeir::begin(ears, mouth, &self.engine, &self.journal, &self.tasks);
        self.journal.give_to(Some(Arc::clone(&link) as _));
        // What came in between, of a client that let go just now, is ours to write, and is written.
        self.journal.caught_up().await;
        let given = unsaid.yours(&self.tasks).await;
        given.context("it died before it was given")?;
        let lives = alive::lives(&self.home);
        tokio::select! {
            biased;
            () = link.serving() => {}
            () = link.gone.cancelled() => {
                // Dead, its lock says; one that lives and says nothing more has the home.
                while lives(heir.as_str()) && !self.is_named(heir) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                if !self.is_named(heir) || !lives(heir.as_str()) {
                    bail!("it died before it served");
                }
            }
        }
        tracing::info!(heir = %heir, calls = self.engine.live_calls(), "this home is the next daemon's; this one finishes its calls");
        self.instance.let_go();
        Ok(link)
    }

    fn is_named(&self, heir: &BootId) -> bool {
        exai_config::rendezvous::names(&self.home, heir)
    }

    /// As if nothing had happened.
    fn take_back(&self) {
        self.journal.give_to(None);
        if let Err(error) = self.instance.publish(&self.endpoint) {
            let error = format!("{error:#}");
            tracing::error!(
                error,
                "the record of this daemon could not be written again yet"
            );
        }
        self.daemon.keep_still(false);
        self.gate.send_replace(true);
        self.engine.go_on();
    }
}

/// Where heirs knock, and by which number it is known again.
pub(crate) struct Door {
    listener: UnixListener,
    number: u64,
}

impl Door {
    fn open(home: &Home) -> io::Result<Self> {
        let path = door_of(home);
        let listener = socket::open_for_owner(&path)?;
        let number = path.metadata()?.ino();
        Ok(Self { listener, number })
    }

    fn is_there(&self, home: &Home) -> bool {
        let there = door_of(home).metadata();
        there.is_ok_and(|there| there.ino() == self.number)
    }
}

fn is_owner(stream: &UnixStream) -> bool {
    let owner = rustix::process::geteuid().as_raw();
    let is = stream.peer_cred().is_ok_and(|peer| peer.uid() == owner);
    if !is {
        tracing::warn!("somebody else asked for this home");
    }
    is
}

/// The first word, read byte by byte: what follows is the descriptors' way.
async fn asked(stream: &UnixStream) -> Result<Option<FromHeir>> {
    const MOST: usize = 4096;
    let mut line = Vec::new();
    let reading = async {
        loop {
            stream.readable().await?;
            let mut byte = [0];
            match stream.try_read(&mut byte) {
                Ok(0) => return Ok(false),
                Ok(_) if byte == *b"\n" => return Ok(true),
                Ok(_) if line.len() >= MOST => {
                    return Err(io::Error::other("a word without an end"));
                }
                Ok(_) => line.extend_from_slice(&byte),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    };
    let whole = timeout(SOON, reading).await;
    match whole.context("it says nothing")?? {
        true => Ok(Some(serde_json::from_slice(&line)?)),
        false => Ok(None),
    }
}
