//! Which process is this home's daemon, proven before it is signalled: the lock of the home is
//! held, and the recorded pid is still the process that began when the record says. A pid alone
//! proves nothing, a name even less.

use crate::os;
use exai_config::{Home, rendezvous};
use exai_protocol::endpoint::Endpoint;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
};

/// Whether some process holds the home, whatever its files say.
pub(crate) fn lock_is_held(home: &Home) -> bool {
    // Reading rights are enough to ask, and asking for a share disturbs nobody who asks too.
    match File::open(home.lock_file()) {
        Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

/// Whether it is certain that no process holds the home: every daemon holds its lock for life. One
/// whose lock was removed is where its record says, until it has made another.
pub(crate) fn lock_is_free(home: &Home) -> bool {
    match File::open(home.lock_file()) {
        Ok(file) => file.try_lock_shared().is_ok(),
        Err(error) => {
            let is_new = matches!(rendezvous::read(home), Ok(None));
            error.kind() == std::io::ErrorKind::NotFound && is_new
        }
    }
}

/// Whether the recorded process is alive and the one that was recorded; `None` where this
/// system cannot tell.
pub(crate) fn is_alive(endpoint: &Endpoint) -> Option<bool> {
    let recorded = endpoint.pid_started?;
    Some(os::process_started(endpoint.pid) == Some(recorded))
}

/// How hard to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Push {
    /// Please.
    Terminate,
    /// Now.
    Kill,
}

/// Why a process was not signalled.
#[derive(Debug)]
pub(crate) enum Unproven {
    /// Nothing says who the daemon is.
    NoRecord,
    /// The recorded process is gone, or its number is another's now.
    Another,
    /// This system cannot tell processes apart by their start, and the daemon did not confirm
    /// its number itself.
    Unconfirmed,
    /// The system refused.
    Failed(io::Error),
}

/// Signals the recorded process if it is proven to be this home's daemon. `confirmed` is the
/// pid the daemon itself named over a good handshake, where it did.
pub(crate) fn signal(home: &Home, confirmed: Option<u32>, push: Push) -> Result<u32, Unproven> {
    let Some(endpoint) = rendezvous::read(home).ok().flatten() else {
        return Err(Unproven::NoRecord);
    };
    if !lock_is_held(home) {
        return Err(Unproven::Another);
    }
    if confirmed.is_some_and(|pid| pid != endpoint.pid) {
        // The daemon that was asked is gone, and its successor was not asked.
        return Err(Unproven::Another);
    }
    if endpoint.pid_started.is_none() && confirmed != Some(endpoint.pid) {
        return Err(Unproven::Unconfirmed);
    }
    if os::holds_lock(endpoint.pid, &home.lock_file()) == Some(false) {
        return Err(Unproven::Another);
    }
    send(&endpoint, push)?;
    Ok(endpoint.pid)
}

/// A descriptor pins the process first, so that its number cannot change hands between the
/// look and the signal.
#[cfg(target_os = "linux")]
fn send(endpoint: &Endpoint, push: Push) -> Result<(), Unproven> {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let pid = i32::try_from(endpoint.pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(Unproven::Another)?;
    let failed = |error: rustix::io::Errno| Unproven::Failed(error.into());
    let pinned = pidfd_open(pid, PidfdFlags::empty()).map_err(|_| Unproven::Another)?;
    if is_alive(endpoint) == Some(false) {
        return Err(Unproven::Another);
    }
    let signal = match push {
        Push::Terminate => Signal::TERM,
        Push::Kill => Signal::KILL,
    };
    pidfd_send_signal(pinned, signal).map_err(failed)
}

// Not run here: written from the documentation.
#[cfg(all(unix, not(target_os = "linux")))]
fn send(endpoint: &Endpoint, push: Push) -> Result<(), Unproven> {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = i32::try_from(endpoint.pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(Unproven::Another)?;
    let signal = match push {
        Push::Terminate => Signal::TERM,
        Push::Kill => Signal::KILL,
    };
    kill_process(pid, signal).map_err(|error| Unproven::Failed(error.into()))
}

// Not run here: Windows has no polite signal for a process without a window.
#[cfg(windows)]
fn send(endpoint: &Endpoint, push: Push) -> Result<(), Unproven> {
    if push == Push::Terminate {
        return Ok(());
    }
    let pid = endpoint.pid.to_string();
    let status =
        super::spawn::quiet("taskkill", &["/PID", &pid, "/F"]).map_err(Unproven::Failed)?;
    if status.success() {
        Ok(())
    } else {
        Err(Unproven::Failed(io::Error::other("taskkill failed")))
    }
}

/// Removes the hints a dead daemon left behind, under its own lock, which proves it dead.
pub(crate) fn clean_up(home: &Home) {
    let Ok(lock) = OpenOptions::new().write(true).open(home.lock_file()) else {
        return;
    };
    if lock.try_lock().is_err() {
        return;
    }
    if let Ok(Some(endpoint)) = rendezvous::read(home) {
        // Hints: whoever reads them later shakes hands anyway.
        let _ = rendezvous::withdraw(home, &endpoint.boot_id);
        super::instance::remove_socket(home, &endpoint);
        let pid_file = home.pid_file();
        let named = std::fs::read_to_string(&pid_file);
        if named.is_ok_and(|text| text.trim() == endpoint.pid.to_string()) {
            let _ = std::fs::remove_file(pid_file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_config::atomic;
    use exai_protocol::BootId;

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        home.prepare().unwrap();
        (dir, home)
    }

    fn record(home: &Home, pid: u32, pid_started: Option<u64>) {
        let endpoint = Endpoint {
            host: "127.0.0.1".to_owned(),
            port: 1,
            pid,
            pid_started,
            boot_id: BootId::from("b"),
            protocol: "1.1".to_owned(),
            version: "0".to_owned(),
            socket: None,
        };
        rendezvous::publish(home, &endpoint).unwrap();
    }

    fn held(home: &Home) -> File {
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(home.lock_file())
            .unwrap();
        lock.try_lock().unwrap();
        lock
    }

    #[test]
    fn the_lock_is_what_counts() {
        let (_dir, home) = home();
        assert!(!lock_is_held(&home));
        let lock = held(&home);
        assert!(lock_is_held(&home));
        drop(lock);
        assert!(!lock_is_held(&home));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn r24_a_process_that_is_not_proven_is_never_signalled() {
        let (_dir, home) = home();
        let me = std::process::id();
        let started = os::process_started(me);
        let refused = |home: &Home, confirmed| signal(home, confirmed, Push::Kill).unwrap_err();
        assert!(matches!(refused(&home, None), Unproven::NoRecord));
        // Our own number and start, but nobody holds the lock: this test would not survive.
        record(&home, me, started);
        assert!(matches!(refused(&home, None), Unproven::Another));
        let _lock = held(&home);
        record(&home, me, started.map(|ticks| ticks + 1));
        assert!(matches!(refused(&home, Some(me)), Unproven::Another));
        record(&home, me, None);
        assert!(matches!(refused(&home, None), Unproven::Unconfirmed));
        // Another process was asked, and this one is its successor.
        assert!(matches!(refused(&home, Some(me + 1)), Unproven::Another));
        record(&home, u32::MAX, started);
        assert!(matches!(refused(&home, None), Unproven::Another));
    }

    #[test]
    fn r19_only_a_dead_daemons_hints_are_removed() {
        let (_dir, home) = home();
        record(&home, 4242, None);
        atomic::write(&home.pid_file(), b"4242", 0o600).unwrap();
        let lock = held(&home);
        clean_up(&home);
        assert!(home.endpoint_file().exists() && home.pid_file().exists());
        drop(lock);
        atomic::write(&home.pid_file(), b"1", 0o600).unwrap();
        clean_up(&home);
        assert!(!home.endpoint_file().exists() && home.pid_file().exists());
    }
}
