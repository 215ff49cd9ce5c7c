//! One daemon a home. An OS lock held for life decides, never a file's contents; the pid file
//! and the endpoint record are hints for others, removed only while they still name us.

use anyhow::{Context, Result};
use exai_config::{Home, atomic, rendezvous};
use exai_protocol::endpoint::Endpoint;
use std::fs::{File, OpenOptions, TryLockError};

/// Proof that this process is the home's daemon; gives the lock back by ending.
pub(crate) struct Instance {
    home: Home,
    _lock: File,
}

impl Instance {
    /// Claims the home; `None` if another process holds it. Before this nothing is changed.
    pub(crate) fn claim(home: &Home) -> Result<Option<Self>> {
        let path = home.lock_file();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options.open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { home: home.clone(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// Tells others where we are.
    pub(crate) fn publish(&self, endpoint: &Endpoint) -> Result<()> {
        let pid = endpoint.pid.to_string();
        atomic::write(&self.home.pid_file(), pid.as_bytes(), 0o600)?;
        rendezvous::publish(&self.home, endpoint)?;
        Ok(())
    }

    /// Publishes again if somebody removed or replaced the record: while we hold the lock, no
    /// other daemon can be meant, and an invisible daemon helps nobody.
    pub(crate) fn keep_published(&self, endpoint: &Endpoint) {
        if rendezvous::read(&self.home).ok().flatten().as_ref() == Some(endpoint) {
            return;
        }
        tracing::warn!("the endpoint record no longer named this daemon; writing it again");
        if let Err(error) = self.publish(endpoint) {
            tracing::error!(%error, "cannot write the endpoint record");
        }
    }

    /// Removes the hints, if they are still ours.
    pub(crate) fn withdraw(self, endpoint: &Endpoint) {
        if let Err(error) = rendezvous::withdraw(&self.home, &endpoint.boot_id) {
            tracing::warn!(%error, "the endpoint record stays behind");
        }
        let pid_file = self.home.pid_file();
        let ours = std::fs::read_to_string(&pid_file).is_ok_and(|text| text.trim() == endpoint.pid.to_string());
        if ours && let Err(error) = std::fs::remove_file(&pid_file) {
            tracing::warn!(%error, "the pid file stays behind");
        }
    }
}
