//! The one that wants the home: asks for it, gets everything, and has it once the elder says so.

use super::{
    door_of,
    link::ToElder,
    pass,
    words::{Ears, FromElder, FromHeir, say},
};
use crate::{
    compose,
    lifecycle::{door::Door, instance::Instance},
};
use anyhow::{Context as _, Result, bail};
use exai_config::Home;
use exai_protocol::BootId;
use exai_store::Journal;
use std::{fs::File, os::fd::OwnedFd, sync::Arc, time::Duration};
use tokio::{
    net::{UnixStream, unix::OwnedWriteHalf},
    time::timeout,
};
use tokio_util::task::TaskTracker;

/// For a word that needs no work.
const SOON: Duration = Duration::from_secs(10);
/// For the elder to come to rest.
const REST: Duration = Duration::from_secs(30);

/// What was got, and is not ours before the elder says so.
pub(crate) struct Legacy {
    pub(crate) instance: Instance,
    pub(crate) elder: BootId,
    listeners: Vec<OwnedFd>,
    ears: Ears,
    mouth: OwnedWriteHalf,
}

impl Legacy {
    /// Asks the daemon that has the home.
    pub(crate) async fn ask(home: &Home, boot: &BootId) -> Result<Self> {
        let stream = UnixStream::connect(door_of(home))
            .await
            .context("the running daemon does not give this home away")?;
        let (half, mut mouth) = stream.into_split();
        let ask = FromHeir::Ask {
            boot: boot.clone(),
            version: compose::VERSION.to_owned(),
            pid: std::process::id(),
        };
        say(&mut mouth, &ask).await?;
        let stream = half.reunite(mouth)?;
        let got = timeout(SOON, pass::receive(&stream)).await;
        let mut descriptors = got
            .context("the running daemon passes nothing on")??
            .into_iter();
        let (half, mouth) = stream.into_split();
        let mut ears = Ears::new(half);
        let will = timeout(SOON, ears.next()).await;
        let elder = match will.context("the running daemon says nothing")?? {
            Some(FromElder::Will { boot, version, pid }) => {
                tracing::info!(%boot, version, pid, "taking this home over");
                boot
            }
            Some(FromElder::No { why }) => bail!("the running daemon says no: {why}"),
            _ => bail!("the running daemon hung up"),
        };
        let lock = descriptors.next().context("the lock did not come")?;
        Ok(Self {
            instance: Instance::inherit(home, File::from(lock))?,
            elder,
            listeners: descriptors.collect(),
            ears,
            mouth,
        })
    }

    /// The doors that were passed on; none where the settings want another port, or others.
    pub(crate) fn doors(&mut self, port: u16, with_socket: bool) -> Result<Vec<Door>> {
        let mut doors = Vec::new();
        for lent in std::mem::take(&mut self.listeners) {
            let door = Door::adopt(lent)?;
            let fits = match door.port() {
                Some(there) => port == 0 || port == there,
                None => with_socket,
            };
            if fits {
                doors.push(door);
            }
        }
        if !doors.iter().any(|door| door.port().is_some()) {
            doors.clear();
        }
        Ok(doors)
    }

    /// Everything that can fail has been done: waits for the word.
    pub(crate) async fn enter_upon(&mut self) -> Result<()> {
        say(&mut self.mouth, &FromHeir::Ready).await?;
        let word = timeout(REST, self.ears.next()).await;
        match word.context("the running daemon does not let go")?? {
            Some(FromElder::Yours) => Ok(()),
            Some(FromElder::No { why }) => bail!("the running daemon says no: {why}"),
            Some(_) => bail!("the running daemon talks of other things"),
            None => bail!("the running daemon hung up"),
        }
    }

    /// Writes for the elder from now on, and hears of its calls.
    pub(crate) fn link(self, journal: &Journal, tasks: &TaskTracker) -> (Instance, Inherited) {
        let link = ToElder::begin(self.ears, self.mouth, journal, tasks);
        journal.take_over_from(Arc::clone(&link) as _);
        (self.instance, Inherited { link })
    }
}

/// The home is ours, and the one before us still has calls.
pub(crate) struct Inherited {
    link: Arc<ToElder>,
}

impl Inherited {
    /// The record names us, and we accept.
    pub(crate) fn serving(&self) {
        self.link.serving();
    }

    /// Waits until the elder has ended.
    pub(crate) async fn gone(&self) {
        self.link.gone.cancelled().await;
    }

    /// We are to end, and so is it.
    pub(crate) fn drain(&self, limit: Duration) {
        self.link.drain(limit);
    }
}
