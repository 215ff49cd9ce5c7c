//! One daemon a home. An OS lock held for life decides, never a file's contents; the pid file
//! and the endpoint record are hints for others, removed only while they still name us.

use anyhow::{Context, Result, bail};
use exai_config::{Home, atomic, rendezvous};
use exai_protocol::endpoint::Endpoint;
use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
    sync::{Mutex, PoisonError},
};

/// Proof that this process is the home's daemon; gives the lock back by ending.
pub(crate) struct Instance {
    home: Home,
    /// `None` once it is another daemon's alone.
    lock: Mutex<Option<File>>,
}

/// Another process holds the home now.
#[derive(Debug)]
pub(crate) struct Usurped;

impl Instance {
    /// Claims the home; `None` if another process holds it. Before this nothing is changed.
    pub(crate) fn claim(home: &Home) -> Result<Option<Self>> {
        let lock = lock(home)?;
        Ok(lock.map(|lock| Self {
            home: home.clone(),
            lock: Mutex::new(Some(lock)),
        }))
    }

    /// The home of a daemon that gives it to us, with its lock.
    pub(crate) fn inherit(home: &Home, lock: File) -> Result<Self> {
        if !same_file(&lock, &home.lock_file()) {
            bail!(
                "what was passed on is not the lock of {}",
                home.root().display()
            );
        }
        Ok(Self {
            home: home.clone(),
            lock: Mutex::new(Some(lock)),
        })
    }

    /// The lock, for another daemon to hold beside us.
    #[cfg(unix)]
    pub(crate) fn lock_to_pass(&self) -> Result<std::os::fd::OwnedFd> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = lock.as_ref().context("this home is given away")?;
        Ok(lock.try_clone()?.into())
    }

    /// The home is the other one's now; the lock is held on by it.
    pub(crate) fn let_go(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Tells others where we are.
    pub(crate) fn publish(&self, endpoint: &Endpoint) -> Result<()> {
        let pid = endpoint.pid.to_string();
        atomic::write(&self.home.pid_file(), pid.as_bytes(), 0o600)?;
        rendezvous::publish(&self.home, endpoint)?;
        Ok(())
    }

    /// Repairs what others removed or replaced: while we hold the lock, no other daemon can be
    /// meant, and an invisible daemon helps nobody. Fails once the home is another's.
    pub(crate) fn keep_published(&self, endpoint: &Endpoint) -> Result<(), Usurped> {
        if self.lock_is_visible() && self.hints_name(endpoint) {
            return Ok(());
        }
        tracing::warn!("the files that name this daemon were changed; writing them again");
        match self.repair(endpoint) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Usurped),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "this daemon's lock and record cannot be repaired");
                Ok(())
            }
        }
    }

    fn hints_name(&self, endpoint: &Endpoint) -> bool {
        let recorded = rendezvous::read(&self.home).ok().flatten();
        recorded.as_ref() == Some(endpoint) && self.pid_file_names(endpoint.pid)
    }

    fn pid_file_names(&self, pid: u32) -> bool {
        let text = std::fs::read_to_string(self.home.pid_file());
        text.is_ok_and(|text| text.trim() == pid.to_string())
    }

    /// Whether the lock we hold is the one that others would find.
    fn lock_is_visible(&self) -> bool {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        lock.as_ref()
            .is_some_and(|lock| same_file(lock, &self.home.lock_file()))
    }

    /// False when another process was faster.
    fn repair(&self, endpoint: &Endpoint) -> Result<bool> {
        self.home.prepare()?;
        if !self.lock_is_visible() {
            match lock_despite_looks(&self.home)? {
                Some(new) => {
                    *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(new);
                }
                None => return Ok(false),
            }
        }
        self.publish(endpoint)?;
        Ok(true)
    }

    /// Removes the hints, if they are still ours, and the socket with the record that names it: a
    /// successor that took over has written its own, and goes on at the same place.
    pub(crate) fn withdraw(&self, endpoint: &Endpoint) {
        match rendezvous::withdraw(&self.home, &endpoint.boot_id) {
            Ok(true) => remove_socket(&self.home, endpoint),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the endpoint record stays behind"),
        }
        if self.pid_file_names(endpoint.pid)
            && let Err(error) = std::fs::remove_file(self.home.pid_file())
        {
            tracing::warn!(%error, "the pid file stays behind");
        }
    }
}

/// Removes the socket that a record names, if it is one of this home's. Called under its lock.
#[cfg(unix)]
pub(crate) fn remove_socket(home: &Home, endpoint: &Endpoint) {
    let path = endpoint.socket.as_deref().map(Path::new);
    let Some(path) = path.filter(|path| exai_config::socket::is_place(home, path)) else {
        return;
    };
    if let Err(error) = super::socket::remove(path) {
        tracing::warn!(path = %path.display(), %error, "the socket stays behind");
    }
    if let Some(folder) = path.parent().filter(|folder| *folder != home.run_dir()) {
        // Made for the socket alone; whoever put something else there keeps it.
        let _ = std::fs::remove_dir(folder);
    }
}

/// There is none.
#[cfg(not(unix))]
pub(crate) fn remove_socket(_: &Home, _: &Endpoint) {}

/// Takes the lock for life; `None` if another process has it.
fn lock(home: &Home) -> Result<Option<File>> {
    let path = home.lock_file();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let lock = options
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Whoever looks whether it is free has a share of it for a moment.
fn lock_despite_looks(home: &Home) -> Result<Option<File>> {
    for _ in 0..20 {
        if let Some(lock) = lock(home)? {
            return Ok(Some(lock));
        }
        std::thread::yield_now();
    }
    lock(home)
}

#[cfg(unix)]
fn same_file(open: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (open.metadata(), path.metadata()) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Windows: a file that is open is not removed under its holder.
#[cfg(not(unix))]
fn same_file(_: &File, path: &Path) -> bool {
    path.exists()
}
