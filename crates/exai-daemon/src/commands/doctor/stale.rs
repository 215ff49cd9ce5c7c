//! What a daemon that is gone left behind. Hints mislead people and scripts, never a shim; they
//! are named all the same, and removed under the home's lock.

use super::{Check, repair::Repair};
use crate::lifecycle::identity::lock_is_held;
use exai_config::Home;
use exai_telemetry::health_file;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

const NAME: &str = "leftovers";
/// A draft this old is nobody's any more.
const OLD: Duration = Duration::from_secs(3600);

pub(super) fn checks(home: &Home) -> Vec<Check> {
    if lock_is_held(home) {
        return Vec::new();
    }
    let mut left: Vec<(PathBuf, String)> = Vec::new();
    if let Ok(pid) = std::fs::read_to_string(home.pid_file()) {
        let what = format!(
            "names process {}, and no daemon of this home runs",
            pid.trim()
        );
        left.push((home.pid_file(), what));
    }
    if home.endpoint_file().exists() {
        left.push((
            home.endpoint_file(),
            "says where a daemon is that is gone".to_owned(),
        ));
    }
    left.extend(health(home.health_file()));
    left.extend(sockets(&home.run_dir()));
    for directory in [home.run_dir(), home.logs(), home.data_dir()] {
        left.extend(drafts(&directory));
    }
    let found = |(path, what): (PathBuf, String)| {
        let shown = path.display().to_string();
        Check::warn(NAME, format!("{shown} {what}"), format!("remove {shown}"))
            .because("people and scripts that read it look for a daemon that is not there")
            .repaired_by(Repair::Stale(path))
    };
    left.into_iter().map(found).collect()
}

/// The last word of a daemon that has none of its own to say.
fn health(file: PathBuf) -> Option<(PathBuf, String)> {
    let what = match health_file::read(&file) {
        Ok(Some(health)) if health.state != "stopped" => {
            format!("says '{}' of a daemon that is gone", health.state)
        }
        Err(error) if file.is_file() => {
            format!("holds nothing that anybody can read ({error})")
        }
        _ => return None,
    };
    Some((file, what))
}

#[cfg(unix)]
fn sockets(directory: &Path) -> Vec<(PathBuf, String)> {
    use std::os::unix::fs::FileTypeExt as _;
    entries(directory)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
        .map(|entry| (entry.path(), "is a socket nobody listens on".to_owned()))
        .collect()
}

#[cfg(not(unix))]
fn sockets(_directory: &Path) -> Vec<(PathBuf, String)> {
    Vec::new()
}

/// Files that were being written when their writer died.
fn drafts(directory: &Path) -> Vec<(PathBuf, String)> {
    let is_draft = |entry: &std::fs::DirEntry| {
        let named = entry.file_name().to_string_lossy().starts_with(".exai-");
        let age = entry.metadata().and_then(|meta| meta.modified()).ok();
        let old = age
            .and_then(|at| at.elapsed().ok())
            .is_some_and(|age| age >= OLD);
        named && old && entry.file_type().is_ok_and(|kind| kind.is_file())
    };
    entries(directory)
        .filter(is_draft)
        .map(|entry| (entry.path(), "was never finished by its writer".to_owned()))
        .collect()
}

fn entries(directory: &Path) -> impl Iterator<Item = std::fs::DirEntry> {
    std::fs::read_dir(directory).into_iter().flatten().flatten()
}
