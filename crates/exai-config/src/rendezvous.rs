//! Where the daemon of a home is to be found, and whether its owner wants it to run. Hints, not
//! proofs: a reader goes on to shake hands. Whatever stands in these files, reading them ends
//! in a value or an error that says what to do.

use crate::{Home, atomic, atomic::WriteError, file};
use exai_protocol::{BootId, UnixMillis, endpoint::Endpoint};
use serde::{Deserialize, Serialize};
use std::{io, path::PathBuf};

const MAX_FILE: u64 = 64 * 1024;

/// A record that is there and cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the record {} cannot be used: {fault}; it is made anew at the next start", path.display())]
pub struct RecordError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: String,
}

/// Publishes where this daemon is.
///
/// # Errors
/// [`WriteError`].
pub fn publish(home: &Home, endpoint: &Endpoint) -> Result<(), WriteError> {
    write_json(home.endpoint_file(), endpoint)
}

/// Reads where the daemon is; `None` when none has published.
///
/// # Errors
/// [`RecordError`], when the file holds something else.
pub fn read(home: &Home) -> Result<Option<Endpoint>, RecordError> {
    let endpoint: Option<Endpoint> = read_json(home.endpoint_file())?;
    let nowhere =
        |endpoint: &Endpoint| endpoint.host.is_empty() || endpoint.port == 0 || endpoint.pid == 0;
    if endpoint.as_ref().is_some_and(nowhere) {
        return Err(RecordError {
            path: home.endpoint_file(),
            fault: "it names no place or no process".to_owned(),
        });
    }
    Ok(endpoint)
}

/// The socket that a record names, and the user who must be at its other end: us. `None` where
/// the record names none.
///
/// # Errors
/// Why what stands there may not be spoken to.
#[cfg(unix)]
pub fn socket(endpoint: &Endpoint) -> io::Result<Option<(PathBuf, u32)>> {
    let Some(path) = endpoint.socket.as_ref().map(PathBuf::from) else {
        return Ok(None);
    };
    crate::socket::check(&path)?;
    Ok(Some((path, crate::socket::user())))
}

/// Elsewhere the daemon is reached over TCP, with proof on both sides.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn socket(_: &Endpoint) -> io::Result<Option<(PathBuf, u32)>> {
    Ok(None)
}

/// Whether the record still names this boot; a record that cannot be read does not.
#[must_use]
pub fn names(home: &Home, boot: &BootId) -> bool {
    matches!(read(home), Ok(Some(endpoint)) if endpoint.boot_id == *boot)
}

/// Removes the record if it still names this boot; whether it did. Another daemon's record
/// stands. Called under the daemon's lock, which keeps a second writer away.
///
/// # Errors
/// When it is ours and cannot be removed.
pub fn withdraw(home: &Home, boot: &BootId) -> io::Result<bool> {
    if !names(home, boot) {
        return Ok(false);
    }
    remove(home.endpoint_file())?;
    Ok(true)
}

/// The owner's wish that no daemon runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// Who stopped it, for a person.
    pub reason: String,
    /// Unix seconds.
    pub t: f64,
}

/// Notes that the owner wants no daemon.
///
/// # Errors
/// [`WriteError`].
pub fn mark_stopped(home: &Home, reason: &str, now: UnixMillis) -> Result<(), WriteError> {
    let stopped = Stopped {
        reason: reason.to_owned(),
        t: now.as_secs_f64(),
    };
    write_json(home.stopped_file(), &stopped)
}

/// The owner's wish, if it stands. A marker that cannot be read is still a marker.
#[must_use]
pub fn stopped(home: &Home) -> Option<Stopped> {
    read_json(home.stopped_file()).unwrap_or_else(|error| {
        Some(Stopped {
            reason: format!("unknown ({error})"),
            t: 0.0,
        })
    })
}

/// Forgets the wish; also when there is none.
///
/// # Errors
/// When the marker cannot be removed.
pub fn clear_stopped(home: &Home) -> io::Result<()> {
    remove(home.stopped_file())
}

fn write_json(path: PathBuf, value: &impl Serialize) -> Result<(), WriteError> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| WriteError {
        path: path.clone(),
        doing: "write",
        source: io::Error::other(error),
    })?;
    atomic::write(&path, &bytes, atomic::PRIVATE)
}

fn read_json<T: for<'de> Deserialize<'de>>(path: PathBuf) -> Result<Option<T>, RecordError> {
    let text = match file::read_own(&path, MAX_FILE) {
        Ok(Some(own)) => own.text,
        Ok(None) => return Ok(None),
        Err(error) => {
            return Err(RecordError {
                path,
                fault: error.to_string(),
            });
        }
    };
    match serde_json::from_str(&text) {
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(RecordError {
            path,
            fault: error.to_string(),
        }),
    }
}

fn remove(path: PathBuf) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        home.prepare().unwrap();
        (dir, home)
    }

    fn endpoint(boot: &str) -> Endpoint {
        Endpoint {
            host: "127.0.0.1".to_owned(),
            port: 4711,
            pid: 42,
            pid_started: None,
            boot_id: BootId::from(boot),
            protocol: "1.1".to_owned(),
            version: "0.1.0".to_owned(),
            socket: None,
        }
    }

    #[test]
    fn r18_the_record_survives_the_trip_and_is_private() {
        let (_dir, home) = home();
        assert_eq!(read(&home).unwrap(), None);
        publish(&home, &endpoint("a")).unwrap();
        assert_eq!(read(&home).unwrap(), Some(endpoint("a")));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = home
                .endpoint_file()
                .metadata()
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn r19_only_our_own_record_is_withdrawn() {
        let (_dir, home) = home();
        publish(&home, &endpoint("other")).unwrap();
        assert!(!withdraw(&home, &BootId::from("ours")).unwrap());
        assert!(read(&home).unwrap().is_some());
        assert!(withdraw(&home, &BootId::from("other")).unwrap());
        assert!(read(&home).unwrap().is_none());
        assert!(!withdraw(&home, &BootId::from("other")).unwrap());
    }

    #[test]
    fn r20_a_replaced_deleted_or_broken_record_is_noticed() {
        let (_dir, home) = home();
        let ours = BootId::from("ours");
        assert!(!names(&home, &ours));
        publish(&home, &endpoint("ours")).unwrap();
        assert!(names(&home, &ours));
        publish(&home, &endpoint("other")).unwrap();
        assert!(!names(&home, &ours));
        for garbage in ["", "{", "[]", "{\"port\":99999999}", "\u{0}"] {
            atomic::write(&home.endpoint_file(), garbage.as_bytes(), 0o600).unwrap();
            let error = read(&home).unwrap_err().to_string();
            assert!(error.contains("endpoint.json"), "{error}");
            assert!(!names(&home, &ours) && !withdraw(&home, &ours).unwrap());
        }
    }

    #[test]
    fn the_owners_wish_stands_until_it_is_cleared() {
        let (_dir, home) = home();
        assert_eq!(stopped(&home), None);
        mark_stopped(&home, "exai-daemon stop", UnixMillis(1_500)).unwrap();
        let wish = Stopped {
            reason: "exai-daemon stop".to_owned(),
            t: 1.5,
        };
        assert_eq!(stopped(&home), Some(wish));
        atomic::write(&home.stopped_file(), b"garbage", 0o600).unwrap();
        assert!(stopped(&home).is_some());
        clear_stopped(&home).unwrap();
        clear_stopped(&home).unwrap();
        assert_eq!(stopped(&home), None);
    }
}
