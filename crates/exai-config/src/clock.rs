//! The wall clock, as both binaries are given it. Tests may set it beside the machine's:
//! `EXAI_TEST_CLOCK` names a file with the milliseconds that it is ahead, or behind, which is
//! read at every look, so that the clock can jump under a process that runs.

use crate::Strings;
use exai_protocol::{UnixMillis, WallClock};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// From the process environment and nowhere else, and only where test tools are asked for too.
const NAME: &str = "EXAI_TEST_CLOCK";
const TESTS: &str = "EXAI_TEST_TOOLS";

/// The system's clock, or what a test makes of it.
#[must_use]
pub fn wall_clock(env: &dyn Strings) -> WallClock {
    let asked = |name| env.get(name).filter(|text| !text.is_empty());
    let tests = asked(TESTS).is_some_and(|text| crate::keys::parse_switch(&text) == Some(true));
    match asked(NAME).filter(|_| tests).map(PathBuf::from) {
        Some(file) => Arc::new(move || UnixMillis(system().saturating_add_signed(ahead(&file)))),
        None => Arc::new(|| UnixMillis(system())),
    }
}

fn system() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A file that is not there, or being written, is no jump.
fn ahead(file: &Path) -> i64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, io::Write as _};

    #[test]
    fn only_where_tests_are_asked_for_it_jumps_and_while_it_is_read() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let name = file.path().display().to_string();
        let env = |tests: &str| -> BTreeMap<String, String> {
            let pairs = [(TESTS, tests), (NAME, name.as_str())];
            pairs
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into()
        };
        let (told, real) = (wall_clock(&env("1")), wall_clock(&env("0")));
        let off = |clock: &WallClock| clock().0.abs_diff(system());
        assert!(off(&told) < 5_000 && off(&real) < 5_000);
        file.write_all(b"-86400000\n").unwrap();
        assert!(off(&told) > 86_000_000 && off(&real) < 5_000);
    }
}
