//! A child that is gone when its handle is, and signals to processes that are known by id.

use crate::{Must as _, PATIENCE};
use std::{path::PathBuf, process::ExitStatus, time::Duration};
use tokio::{process::Child, time::timeout};

/// A running child; what it wrote to standard error (and output, where not piped) is in a file.
pub struct Process {
    pub(crate) child: Child,
    pub(crate) said: PathBuf,
    pid: u32,
}

impl Process {
    pub(crate) fn new(child: Child, said: PathBuf) -> Self {
        let pid = child
            .id()
            .must("read the id of a child that was just started");
        Self { child, said, pid }
    }

    /// Its process id, also after its end.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// Whether it is running.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().must("look after a child").is_none()
    }

    /// Kills it at once (`kill -9`) and waits until it is gone.
    pub async fn kill(&mut self) -> ExitStatus {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.child.start_kill();
        self.wait(PATIENCE).await
    }

    /// Asks it to end (`SIGTERM`; on Windows, where there is no asking, kills it).
    pub fn terminate(&mut self) {
        #[cfg(unix)]
        signal(self.pid, rustix::process::Signal::TERM);
        #[cfg(not(unix))]
        let _ = self.child.start_kill();
    }

    /// Interrupts it, as Ctrl-C does.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        signal(self.pid, rustix::process::Signal::INT);
    }

    /// Hangs up on it, as a closed terminal does.
    #[cfg(unix)]
    pub fn hang_up(&self) {
        signal(self.pid, rustix::process::Signal::HUP);
    }

    /// Waits for its end; ends the test when it does not come in time.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> impl Future<Output = ExitStatus> {
        let caller = std::panic::Location::caller();
        async move {
            match timeout(limit, self.child.wait()).await {
                Ok(status) => status.must("wait for a child"),
                Err(_) => panic!(
                    "{caller}: process {} still runs after {limit:?}; it said:\n{}",
                    self.pid,
                    self.said()
                ),
            }
        }
    }

    /// What it wrote so far.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read(&self.said)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Its resident memory; Linux only.
    #[must_use]
    pub fn resident_bytes(&self) -> Option<u64> {
        self.status_bytes("VmRSS:")
    }

    /// The most resident memory it ever had; Linux only.
    #[must_use]
    pub fn peak_bytes(&self) -> Option<u64> {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024)
    }

    /// Processor time it has used; Linux only, in steps of 10 ms.
    #[must_use]
    pub fn cpu_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let ticks: u64 =
            fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
        Some(Duration::from_millis(ticks * 10))
    }
}

/// Whether a process of that id exists and is no zombie.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    #[cfg(target_os = "linux")]
    {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().next());
        state.is_some_and(|state| state != "Z" && state != "X")
    }
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        of(pid).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
    }
    #[cfg(not(unix))]
    {
        // Untested: asks the system's own list.
        let filter = format!("PID eq {pid}");
        run("tasklist", &["/NH", "/FI", &filter]).contains(&pid.to_string())
    }
}

/// Kills a process that is no child of ours, by its id.
pub fn kill_pid(pid: u32) {
    #[cfg(unix)]
    signal(pid, rustix::process::Signal::KILL);
    #[cfg(not(unix))]
    run("taskkill", &["/F", "/PID", &pid.to_string()]);
}

/// Freezes a process (`SIGSTOP`).
#[cfg_attr(
    not(unix),
    expect(unused_variables, reason = "there is no freezing on Windows")
)]
pub fn pause_pid(pid: u32) {
    #[cfg(unix)]
    signal(pid, rustix::process::Signal::STOP);
    // The signal takes a moment, in which a call would still be read.
    let until = std::time::Instant::now() + crate::PATIENCE;
    while !stands_still(pid) && std::time::Instant::now() < until {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Whether all its threads are stopped; elsewhere than on Linux nobody tells.
fn stands_still(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return true;
    };
    let stopped = |thread: std::fs::DirEntry| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let state = status
            .lines()
            .find_map(|line| line.strip_prefix("State:\t"));
        state.is_none_or(|state| state.starts_with(['T', 'Z', 'X', 't']))
    };
    threads.flatten().all(stopped)
}

/// Lets a frozen process go on.
#[cfg_attr(
    not(unix),
    expect(unused_variables, reason = "there is no freezing on Windows")
)]
pub fn resume_pid(pid: u32) {
    #[cfg(unix)]
    signal(pid, rustix::process::Signal::CONT);
}

#[cfg(unix)]
fn of(pid: u32) -> Option<rustix::process::Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
}

/// A process that is already gone needs no signal.
#[cfg(unix)]
fn signal(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = of(pid) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

#[cfg(not(unix))]
#[expect(
    clippy::disallowed_methods,
    reason = "the testkit's door to Windows' own tools"
)]
fn run(program: &str, arguments: &[&str]) -> String {
    std::process::Command::new(program)
        .args(arguments)
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default()
}
