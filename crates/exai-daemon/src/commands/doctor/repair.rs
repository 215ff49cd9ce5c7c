//! What `--fix` does: small things that can be undone or lose nothing. A file of somebody else's
//! is changed with a backup beside it; what a dead daemon left is removed under its lock, which
//! proves it dead; everything else is left to a person, with the exact words.

use super::Check;
use crate::{cli::McpClient, commands::mcp_config::audit, context::Context};
use anyhow::{Context as _, Result, bail};
use exai_config::{Home, ProcessEnv};
use serde::Serialize;
use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A repair that may be done without asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Repair {
    /// Closes it to others.
    Private { path: PathBuf, mode: u32 },
    /// Removes a hint of a daemon that is gone.
    Stale(PathBuf),
    /// Moves what no daemon can use out of its way; nothing of it is lost.
    Aside(PathBuf),
    /// Gives it today's time.
    Now(PathBuf),
    /// Puts the right entry into a client's file.
    Entry(McpClient),
}

/// What became of one.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    pub(super) name: &'static str,
    pub(super) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) did: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<String>,
}

/// Does all that can be done.
pub(super) fn all(context: &Context, checks: Vec<Check>) -> Vec<Done> {
    let repairs = checks
        .into_iter()
        .filter_map(|check| Some((check.name, check.found, check.repair?)));
    repairs
        .map(|(name, found, repair)| {
            let (did, failed) = match repair.run(context) {
                Ok(did) => (Some(did), None),
                Err(error) => (None, Some(format!("{error:#}"))),
            };
            Done {
                name,
                found,
                did,
                failed,
            }
        })
        .collect()
}

impl Repair {
    fn run(&self, context: &Context) -> Result<String> {
        match self {
            Self::Private { path, mode } => private(path, *mode),
            Self::Stale(path) => stale(&context.home, path),
            Self::Aside(path) => aside(&context.home, path),
            Self::Now(path) => {
                File::open(path)
                    .and_then(|file| file.set_modified(SystemTime::now()))
                    .with_context(|| format!("cannot set the time of {}", path.display()))?;
                Ok(format!("gave {} today's time", path.display()))
            }
            Self::Entry(client) => {
                let (file, backup) = audit::mend(context, *client, &ProcessEnv)?;
                let kept = backup.map_or_else(String::new, |backup| {
                    format!("; the file as it was: {}", backup.display())
                });
                Ok(format!("put the right entry into {}{kept}", file.display()))
            }
        }
    }
}

#[cfg(unix)]
fn private(path: &Path, mode: u32) -> Result<String> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot change {}; is it yours?", path.display()))?;
    Ok(format!("chmod {mode:o} {}", path.display()))
}

#[cfg(not(unix))]
fn private(path: &Path, _mode: u32) -> Result<String> {
    bail!("{}: this system has no such permissions", path.display())
}

fn stale(home: &Home, path: &Path) -> Result<String> {
    let _lock = nobodys(home, path)?;
    std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
    Ok(format!("removed {}", path.display()))
}

fn aside(home: &Home, path: &Path) -> Result<String> {
    let _lock = nobodys(home, path)?;
    let mut to = path.as_os_str().to_owned();
    to.push(".unusable");
    let to = PathBuf::from(to);
    std::fs::rename(path, &to).with_context(|| format!("cannot rename {}", path.display()))?;
    Ok(format!(
        "moved {} to {}; the daemon makes a new one at its next start",
        path.display(),
        to.display()
    ))
}

/// The home's lock while a file of a dead daemon is put away, where there is one: nobody starts
/// meanwhile.
fn nobodys(home: &Home, path: &Path) -> Result<Option<File>> {
    let Ok(lock) = OpenOptions::new().write(true).open(home.lock_file()) else {
        return Ok(None);
    };
    if lock.try_lock().is_err() {
        bail!(
            "a daemon has started meanwhile; {} is its own",
            path.display()
        );
    }
    Ok(Some(lock))
}
