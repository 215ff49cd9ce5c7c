//! A process as the system sees it. Linux tells; elsewhere it is unknown and said so.

use std::collections::BTreeMap;

/// Why there is no number.
pub(super) const UNKNOWN: &str = "this system does not tell it (Linux only)";

/// What each thread of a process has used so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Load {
    threads: BTreeMap<String, Thread>,
}

#[derive(Debug, Clone, Copy)]
struct Thread {
    cpu_secs: f64,
    wakeups: f64,
}

impl Load {
    /// Time on a processor.
    pub(super) fn cpu_secs(&self) -> f64 {
        self.threads.values().map(|thread| thread.cpu_secs).sum()
    }

    /// Times woken.
    pub(super) fn wakeups(&self) -> f64 {
        self.threads.values().map(|thread| thread.wakeups).sum()
    }

    /// What was used after `before`, by the threads that are there now: one that ended meanwhile
    /// takes its sums along, and must not make the difference smaller.
    pub(super) fn since(&self, before: &Self) -> Self {
        let used = |(id, now): (&String, &Thread)| {
            let then = before.threads.get(id);
            let thread = Thread {
                cpu_secs: now.cpu_secs - then.map_or(0.0, |then| then.cpu_secs),
                wakeups: now.wakeups - then.map_or(0.0, |then| then.wakeups),
            };
            (id.clone(), thread)
        };
        Self {
            threads: self.threads.iter().map(used).collect(),
        }
    }
}

/// Resident memory, in millions of bytes.
pub(super) fn rss_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field(&status, "VmRSS:").map(|kib| kib * 1024.0 / 1e6)
}

/// Time on a processor and times woken, thread by thread.
pub(super) fn load(pid: u32) -> Option<Load> {
    let mut load = Load::default();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let task = task.ok()?;
        let read = |name| std::fs::read_to_string(task.path().join(name));
        // A thread that ends while we look is not part of an idle process.
        let (Ok(times), Ok(status)) = (read("schedstat"), read("status")) else {
            continue;
        };
        let thread = Thread {
            cpu_secs: times.split_whitespace().next()?.parse::<f64>().ok()? / 1e9,
            wakeups: field(&status, "voluntary_ctxt_switches:")?,
        };
        let id = task.file_name().to_string_lossy().into_owned();
        load.threads.insert(id, thread);
    }
    Some(load)
}

fn field(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_and_none_is_not() {
        let me = std::process::id();
        assert!(rss_mb(me).is_some_and(|mb| mb > 0.1));
        assert!(load(me).is_some_and(|load| load.cpu_secs() > 0.0));
        assert!(rss_mb(u32::MAX).is_none() && load(u32::MAX).is_none());
    }

    #[test]
    fn a_thread_that_ended_does_not_give_back_what_it_used() {
        let of = |threads: &[(&str, f64)]| Load {
            threads: threads
                .iter()
                .map(|&(id, used)| {
                    let thread = Thread {
                        cpu_secs: used,
                        wakeups: used,
                    };
                    (id.to_owned(), thread)
                })
                .collect(),
        };
        let used = of(&[("1", 6.0), ("3", 2.0)]).since(&of(&[("1", 5.0), ("2", 40.0)]));
        assert!((used.cpu_secs() - 3.0).abs() < 1e-9);
        assert!((used.wakeups() - 3.0).abs() < 1e-9);
    }
}
