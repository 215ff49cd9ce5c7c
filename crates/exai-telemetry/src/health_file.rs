//! The health file: the daemon's vital signs for whoever cannot shake hands. Replaced whole, so
//! that a reader never sees half of it; sorted and indented, so that a person can. It informs,
//! it proves nothing: a daemon is alive when it answers.

use exai_protocol::{UnixMillis, health::Health};
use std::{
    io::{self, Read as _, Write as _},
    path::Path,
};

const MAX_FILE: u64 = 1 << 20;

/// Replaces the file. Not synced: after a power cut its content would be stale anyway.
///
/// # Errors
/// What the file system says; the old file then still stands.
pub fn write(path: &Path, health: &Health) -> io::Result<()> {
    let mut value = serde_json::to_value(health)?;
    value.sort_all_objects();
    let mut bytes = serde_json::to_vec_pretty(&value)?;
    bytes.push(b'\n');
    let directory = path
        .parent()
        .ok_or_else(|| io::Error::other("the path has no directory"))?;
    // Made 0600 by its builder.
    let mut staged = tempfile::Builder::new()
        .prefix(".exai-")
        .tempfile_in(directory)?;
    staged.write_all(&bytes)?;
    staged.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Reads the file; `None` when there is none.
///
/// # Errors
/// When it cannot be read or holds something else.
pub fn read(path: &Path) -> io::Result<Option<Health>> {
    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}

/// How old a snapshot is, in seconds; one from the future is new.
#[must_use]
pub fn age(health: &Health, now: UnixMillis) -> f64 {
    (now.as_secs_f64() - health.t).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_protocol::BootId;

    fn health() -> Health {
        Health {
            t: 1_763_693_280.5,
            pid: 42,
            host: "127.0.0.1".to_owned(),
            port: 8765,
            started_at: 1_763_693_000.0,
            sessions: 2,
            global_capacity: 24,
            global_inflight: 1,
            uptime_human: "0:04:40".to_owned(),
            tool_count: 9,
            boot_id: BootId::from("b-1"),
            version: "0.1.0".to_owned(),
            state: "running".to_owned(),
            queued: 0,
            connections: 2,
            loop_lag_ms: Some(0.2),
            tasks: None,
            outcomes: [("ok".to_owned(), 7)].into(),
            providers: Vec::new(),
            limits: None,
            watchdog: Vec::new(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn r48_the_file_is_sorted_indented_private_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ws_daemon.health.json");
        assert_eq!(read(&path).unwrap(), None);
        write(&path, &health()).unwrap();
        write(&path, &health()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let keys: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("  \"")?.split('"').next())
            .collect();
        assert!(keys.len() >= 17 && keys.is_sorted(), "{text}");
        assert_eq!(read(&path).unwrap(), Some(health()));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn r48_a_reader_beside_the_writer_never_sees_half_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("h.json");
        write(&path, &health()).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..200).for_each(|_| write(&path, &health()).unwrap()));
            while !writer.is_finished() {
                assert!(read(&path).unwrap().is_some());
            }
        });
    }

    #[test]
    fn garbage_is_an_error_and_age_is_never_negative() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("h.json");
        crate::RotatingFile::open(
            &path,
            crate::RotateLimits {
                max_bytes: 1000,
                keep: 1,
                shared: false,
            },
        )
        .append(b"{\"t\": 1\n");
        assert!(read(&path).is_err());
        assert!((age(&health(), UnixMillis(1_763_693_290_500)) - 10.0).abs() < 1e-6);
        assert!(age(&health(), UnixMillis(0)).abs() < f64::EPSILON);
    }
}
