//! A program and everything it starts, as one thing that can be ended. The leader is not
//! reaped before its group was signalled for the last time: until then no other process can
//! have its number.

use super::note::{Note, Notes};
use std::{
    io,
    process::ExitStatus,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};

/// How often one looks whether it has ended.
const LOOK: Duration = Duration::from_millis(10);

/// What runs.
pub(super) struct Group {
    child: Child,
    ended: bool,
    /// Goes last: until then the next daemon is to know of it.
    _note: Option<Note>,
}

impl Group {
    /// Starts it, and notes it before anybody tells it what to do.
    pub(super) fn start(mut command: Command, notes: &Notes, mark: &str) -> io::Result<Self> {
        own_group(&mut command);
        // The pipes are ours alone; a child that is dropped is killed by `Drop` below.
        let child = command.spawn()?;
        let note = child.id().map(|pid| notes.write(pid, mark)).transpose();
        let note = note.unwrap_or_else(|error| {
            tracing::warn!(%error, "an agent cannot be noted; if this daemon is killed, it stays");
            None
        });
        Ok(Self {
            child,
            ended: false,
            _note: note.flatten(),
        })
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Ends it: kindly first, then with everything it started, and says how it ended.
    pub(super) async fn end(mut self, grace: Duration) -> io::Result<ExitStatus> {
        let until = Instant::now() + grace;
        let mut asked = false;
        while !self.has_exited() && Instant::now() < until {
            if !asked {
                self.ask();
                asked = true;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.kill();
        let status = self.child.wait().await;
        self.ended = true;
        status
    }

    /// Waits until it has ended by itself, and ends what it left behind; `None` when it has
    /// not ended by then.
    pub(super) async fn wait(&mut self, patience: Duration) -> Option<io::Result<ExitStatus>> {
        let until = Instant::now() + patience;
        while !self.has_exited() {
            if Instant::now() >= until {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.kill();
        let status = self.child.wait().await;
        self.ended = true;
        Some(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
        }
    }
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    command.process_group(0);
}

#[cfg(unix)]
impl Group {
    fn leader(&self) -> Option<rustix::process::Pid> {
        let id = i32::try_from(self.child.id()?).ok()?;
        rustix::process::Pid::from_raw(id)
    }

    /// Whether the leader has exited; it is not reaped by looking.
    pub(super) fn has_exited(&self) -> bool {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let Some(leader) = self.leader() else {
            return true;
        };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let nothing = waitid(WaitId::Pid(leader), look);
        !matches!(nothing, Ok(None) | Err(rustix::io::Errno::INTR))
    }

    fn ask(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        // Without a number it was reaped: nobody of that number is ours.
        if let Some(leader) = self.leader() {
            let _ = rustix::process::kill_process_group(leader, signal);
        }
    }
}

// Untested here. Without a job object only the program itself is ended; what it started sees
// its pipes close.
#[cfg(not(unix))]
fn own_group(command: &mut Command) {
    command.kill_on_drop(true);
}

#[cfg(not(unix))]
impl Group {
    /// Whether it has exited.
    pub(super) fn has_exited(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    fn ask(&self) {}

    fn kill(&mut self) {
        let _ = self.child.start_kill();
    }
}
