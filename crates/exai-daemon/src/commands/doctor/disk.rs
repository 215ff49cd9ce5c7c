//! Room on the disk of the home: a full one costs the record and refuses calls.

use super::Check;
use exai_config::Home;

const NAME: &str = "disk";
#[cfg(unix)]
const MIB: u64 = 1 << 20;

#[cfg(unix)]
pub(super) fn checks(home: &Home) -> Vec<Check> {
    let Ok(disk) = rustix::fs::statvfs(home.root()) else {
        return Vec::new();
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    vec![judge(free, &home.root().display().to_string())]
}

/// Not looked at here.
#[cfg(not(unix))]
pub(super) fn checks(_home: &Home) -> Vec<Check> {
    Vec::new()
}

#[cfg(unix)]
fn judge(free: u64, at: &str) -> Check {
    let found = format!("{} MiB free at {at}", free / MIB);
    let fix = format!(
        "free space on the disk of {at}; of exai's own, old logs (logs/*.1, logs/*.2, …) may go"
    );
    let why = "calls are written down before they run: without room they are refused";
    if free < 64 * MIB {
        return Check::fail(NAME, found, fix).because(why);
    }
    if free < 1024 * MIB {
        return Check::warn(NAME, found, fix).because(why);
    }
    Check::ok(NAME, found)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::commands::doctor::Verdict;

    #[test]
    fn r42_a_disk_that_is_nearly_full_is_named_before_it_is() {
        let verdict = |free| judge(free, "/h").verdict;
        assert_eq!(verdict(MIB), Verdict::Fail);
        assert_eq!(verdict(500 * MIB), Verdict::Warn);
        assert_eq!(verdict(5000 * MIB), Verdict::Ok);
    }
}
