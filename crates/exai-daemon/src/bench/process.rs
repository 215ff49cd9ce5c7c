//! A process as the system sees it. Linux tells; elsewhere it is unknown and said so.

/// Why there is no number.
pub(super) const UNKNOWN: &str = "this system does not tell it (Linux only)";

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) cpu_secs: f64,
    pub(super) wakeups: f64,
}

/// Resident memory, in millions of bytes.
pub(super) fn rss_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    field(&status, "VmRSS:").map(|kib| kib * 1024.0 / 1e6)
}

/// Time on a processor and times woken, over all threads.
pub(super) fn load(pid: u32) -> Option<Load> {
    let mut sum = Load {
        cpu_secs: 0.0,
        wakeups: 0.0,
    };
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let task = task.ok()?.path();
        // A thread that ends while we look is not part of an idle process.
        let Ok(times) = std::fs::read_to_string(task.join("schedstat")) else {
            continue;
        };
        let Ok(status) = std::fs::read_to_string(task.join("status")) else {
            continue;
        };
        sum.cpu_secs += times.split_whitespace().next()?.parse::<f64>().ok()? / 1e9;
        sum.wakeups += field(&status, "voluntary_ctxt_switches:")?;
    }
    Some(sum)
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
        assert!(load(me).is_some_and(|load| load.cpu_secs > 0.0));
        assert!(rss_mb(u32::MAX).is_none() && load(u32::MAX).is_none());
    }
}
