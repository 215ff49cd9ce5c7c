//! A clock that jumped: files of the home from the future. Ages, retention and the freshness of
//! the health file are told from the wall clock; a daemon that ran while it was ahead leaves
//! times behind that no age can be counted from.

use super::{Check, repair::Repair};
use exai_config::Home;
use std::{
    path::Path,
    time::{Duration, SystemTime},
};

const NAME: &str = "clock";
/// Clocks of machines and file servers differ by less.
const TOLERATED: Duration = Duration::from_secs(120);

pub(super) fn checks(home: &Home) -> Vec<Check> {
    let files = [
        home.health_file(),
        home.endpoint_file(),
        home.daemon_log(),
        home.calls_file(),
        home.database(),
        home.token_file(),
    ];
    let mut checks: Vec<Check> = files.iter().filter_map(|path| judge(path)).collect();
    if checks.is_empty() {
        checks.push(Check::ok(NAME, "no file of the home is from the future"));
    }
    checks
}

fn judge(path: &Path) -> Option<Check> {
    let written = path.metadata().ok()?.modified().ok()?;
    let ahead = written.duration_since(SystemTime::now()).ok()?;
    (ahead > TOLERATED).then(|| {
        let found = format!(
            "{} was written {} s in the future: the clock was ahead, or was turned back",
            path.display(),
            ahead.as_secs()
        );
        let fix = "set this machine's clock (a time service keeps it right), then \
                   `exai-daemon doctor --fix` gives the file today's time";
        Check::warn(NAME, found, fix)
            .because("results are kept too long or too short, and ages are wrong")
            .repaired_by(Repair::Now(path.to_owned()))
    })
}
