//! This process as the system sees it, for health and the metrics topic. What is unknown is
//! `None`, never a made-up number.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// One look.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sample {
    /// Share of one core since the last look, in percent.
    pub cpu_percent: Option<f64>,
    /// Resident memory.
    pub memory_bytes: Option<u64>,
    /// Open file descriptors.
    pub open_files: Option<u64>,
}

/// Looks at this process only; remembers the last look.
#[derive(Debug)]
pub struct Process {
    /// `None` where the system cannot be asked.
    system: Option<System>,
    pid: Pid,
    looked: bool,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            system: System::new().ok(),
            pid: Pid::from_u32(std::process::id()),
            looked: false,
        }
    }
}

impl Process {
    /// Before the first look.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks again. The processor's share is known from the second look on; looks should be a
    /// second or more apart.
    pub fn sample(&mut self) -> Sample {
        let what = ProcessRefreshKind::nothing()
            .with_cpu()
            .with_memory()
            .without_tasks();
        let only = [self.pid];
        if let Some(system) = &mut self.system {
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&only), false, what);
        }
        let looked_before = std::mem::replace(&mut self.looked, true);
        let process = self
            .system
            .as_ref()
            .and_then(|system| system.process(self.pid));
        Sample {
            cpu_percent: process
                .filter(|_| looked_before)
                .map(|process| f64::from(process.cpu_usage())),
            memory_bytes: process
                .map(sysinfo::Process::memory)
                .filter(|bytes| *bytes > 0),
            open_files: open_files(),
        }
    }
}

/// Counts the entries of the directory in which the system lists them.
fn open_files() -> Option<u64> {
    let directory = match std::env::consts::OS {
        "linux" => "/proc/self/fd",
        "macos" => "/dev/fd",
        _ => return None,
    };
    let entries = std::fs::read_dir(directory).ok()?.count() as u64;
    // The reading itself held one.
    Some(entries.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_knows_memory_and_not_yet_the_processor() {
        let mut sampler = Process::new();
        let first = sampler.sample();
        assert_eq!(first.cpu_percent, None);
        assert!(
            first.memory_bytes.is_some_and(|bytes| bytes > 100_000),
            "{first:?}"
        );
        let second = sampler.sample();
        assert!(
            second.cpu_percent.is_some_and(|share| share >= 0.0),
            "{second:?}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn open_files_are_counted() {
        let before = Process::new().sample().open_files.unwrap();
        let held: Vec<_> = (0..50).map(|_| tempfile::tempfile().unwrap()).collect();
        let after = Process::new().sample().open_files.unwrap();
        assert!(
            after + 20 >= before + held.len() as u64,
            "{before} then {after}"
        );
    }
}
