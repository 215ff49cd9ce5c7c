//! The home: one directory that a daemon, its shims and its owner's terminal agree on, whatever
//! directory each was started in. Knows every file's place and makes the private ones private.

use crate::{Strings, owner, platform};
use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// A place for logs, data and run-time files. Cheap enough to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

/// A home that cannot be used; each says where, what, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither named nor derivable.
    #[error(
        "no home directory: none of --home, EXAI_HOME and this platform's own variable ({}) names \
         an absolute path; set EXAI_HOME", if cfg!(windows) { "LOCALAPPDATA" } else { "HOME" }
    )]
    Nowhere,
    /// A variable holds a relative path.
    #[error(
        "EXAI_HOME is {}, which is not an absolute path (`~` is expanded by shells only); \
         write it out in full", given.display()
    )]
    Relative {
        /// What it holds.
        given: PathBuf,
    },
    /// Something that must be a directory of ours is a link.
    #[error(
        "{} is a symbolic link; exai keeps secrets there and does not follow links: \
         replace it by a directory, or choose another home with EXAI_HOME", path.display()
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Something that must be ours is another user's.
    #[error(
        "{} belongs to another user (id {owner}); exai keeps secrets there: \
         have it removed, or choose another home with EXAI_HOME", path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// The other user.
        owner: u32,
    },
    /// Something that must be a directory is not.
    #[error(
        "{} is not a directory; move it away, or choose another home with EXAI_HOME", path.display()
    )]
    NotADirectory {
        /// What is there.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {doing} {}: {source}; {}", path.display(), remedy(source))]
    Io {
        /// Where.
        path: PathBuf,
        /// Which step.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, or choose a home on another disk with EXAI_HOME"
        }
        io::ErrorKind::ReadOnlyFilesystem => "choose a home that can be written with EXAI_HOME",
        io::ErrorKind::PermissionDenied => {
            "give yourself the right to write there, or choose another home with EXAI_HOME"
        }
        _ => "see to it, or choose another home with EXAI_HOME",
    }
}

impl Home {
    /// Finds the home: the flag, else `EXAI_HOME`, else the platform's state directory.
    /// Touches no file.
    ///
    /// # Errors
    /// [`HomeError::Relative`] and [`HomeError::Nowhere`].
    pub fn locate(flag: Option<&Path>, env: &dyn Strings) -> Result<Self, HomeError> {
        if let Some(given) = flag.filter(|path| !path.as_os_str().is_empty()) {
            // Typed by a person in a directory of theirs: the one relative path that has a meaning.
            let root = std::path::absolute(given).map_err(|source| HomeError::Io {
                path: given.to_owned(),
                doing: "find",
                source,
            })?;
            return Ok(Self { root });
        }
        match env.path("EXAI_HOME") {
            Some(given) if !given.is_absolute() => Err(HomeError::Relative { given }),
            Some(root) => Ok(Self { root }),
            None => platform::state_dir(env)
                .map(|root| Self { root })
                .ok_or(HomeError::Nowhere),
        }
    }

    /// A home at a known absolute path.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Whether this is where a start without flag and `EXAI_HOME` would look.
    #[must_use]
    pub fn is_default(&self, env: &dyn Strings) -> bool {
        platform::state_dir(env).as_deref() == Some(self.root.as_path())
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `logs/`.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// `.exai/run/`: locks, endpoint record, token.
    #[must_use]
    pub fn run_dir(&self) -> PathBuf {
        self.root.join(".exai").join("run")
    }

    /// `.exai/run/keys/`: a key for each client that is not to have the token.
    #[must_use]
    pub fn keys_dir(&self) -> PathBuf {
        self.run_dir().join("keys")
    }

    /// `.exai/data/`: what must outlive everything.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.root.join(".exai").join("data")
    }

    /// `config/exai.toml`.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.root.join("config").join("exai.toml")
    }

    /// `config/clients.toml`.
    #[must_use]
    pub fn clients_file(&self) -> PathBuf {
        self.root.join("config").join("clients.toml")
    }

    /// `ENV_FILE`, else `.env`; a relative `ENV_FILE` is meant from the home.
    #[must_use]
    pub fn env_file(&self, env: &dyn Strings) -> PathBuf {
        self.root.join(
            env.path("ENV_FILE")
                .unwrap_or_else(|| PathBuf::from(".env")),
        )
    }

    /// `EXAI_CONFIG` (relative: from the home), else `exai.toml` in the user's own settings.
    #[must_use]
    pub fn user_config_file(&self, env: &dyn Strings) -> Option<PathBuf> {
        match env.path("EXAI_CONFIG") {
            Some(path) => Some(self.root.join(path)),
            None => Some(platform::config_dir(env)?.join("exai.toml")),
        }
    }

    /// Makes the private directories, 0700; the home itself is made when missing and never
    /// changed when there. Proves that files can be written.
    ///
    /// # Errors
    /// [`HomeError`], when one of them cannot be had or is not ours alone.
    pub fn prepare(&self) -> Result<(), HomeError> {
        let failed = |path: &Path, doing| {
            let path = path.to_owned();
            move |source| HomeError::Io {
                path,
                doing,
                source,
            }
        };
        if !self.root.is_dir() {
            let above = self.root.parent().unwrap_or(&self.root);
            std::fs::create_dir_all(above).map_err(failed(above, "create"))?;
            make_private(&self.root)?;
        }
        for dir in [
            self.logs(),
            self.root.join(".exai"),
            self.data_dir(),
            self.run_dir(),
        ] {
            make_private(&dir)?;
        }
        let run = self.run_dir();
        probe(&run).map_err(failed(&run, "write to"))?;
        let logs = self.logs();
        probe(&logs).map_err(failed(&logs, "write to"))
    }
}

macro_rules! files {
    ($($(#[$doc:meta])* $name:ident = $dir:ident / $file:literal;)*) => {
        impl Home {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(&self) -> PathBuf {
                    self.$dir().join($file)
                }
            )*
        }
    };
}

files! {
    /// The daemon's lock for life; its content means nothing.
    lock_file = run_dir / "daemon.lock";
    /// Held by a starter until its daemon answers.
    start_lock_file = run_dir / "start.lock";
    /// Where the daemon is to be found.
    endpoint_file = run_dir / "endpoint.json";
    /// The daemon's socket, where its path is not too long for one.
    socket_file = run_dir / "daemon.sock";
    /// There while the owner wants no daemon.
    stopped_file = run_dir / "stopped";
    /// Where the next daemon asks this one for its home.
    heir_socket = run_dir / "heir.sock";
    /// The token.
    token_file = run_dir / "token";
    /// The token before the last rotation, with the end of its life.
    previous_token_file = run_dir / "token.previous";
    /// The shim's last good tool list.
    tools_snapshot = run_dir / "tools.json";
    /// The daemon's database: usage and budgets.
    database = data_dir / "exai.db";
    /// The daemon's process id, for people; proves nothing.
    pid_file = logs / "ws_daemon.pid";
    /// The daemon's vital signs.
    health_file = logs / "ws_daemon.health.json";
    /// The daemon's readable log.
    daemon_log = logs / "ws_daemon.log";
    /// One line a finished call, for graphs.
    metrics_file = logs / "ws_daemon.metrics.jsonl";
    /// One line a finished call, complete.
    calls_file = logs / "tool_calls_all.jsonl";
    /// One line a call that did not end well.
    failures_file = logs / "tool_failures.jsonl";
    /// Every progress message.
    progress_log = logs / "progress.log";
    /// What the watchdog found, with the calls that ran.
    watchdog_file = logs / "ws_watchdog.jsonl";
    /// All shims' log.
    shim_log = logs / "ws_shim.log";
}

/// Makes one directory, ours alone; one that is there is made so.
pub(crate) fn make_private(path: &Path) -> Result<(), HomeError> {
    let failed = |doing| {
        move |source| HomeError::Io {
            path: path.to_owned(),
            doing,
            source,
        }
    };
    match owner::create_private_dir(path) {
        // Several processes prepare one home at once; the check below judges what is there.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.map_err(failed("create"))?,
    }
    let meta = path.symlink_metadata().map_err(failed("look at"))?;
    if meta.file_type().is_symlink() {
        return Err(HomeError::Link {
            path: path.to_owned(),
        });
    }
    if !meta.is_dir() {
        return Err(HomeError::NotADirectory {
            path: path.to_owned(),
        });
    }
    if let Some(owner) = owner::foreign(&meta) {
        return Err(HomeError::Foreign {
            path: path.to_owned(),
            owner,
        });
    }
    if owner::open_to_others(&meta) {
        owner::close_dir(path).map_err(failed("make private"))?;
    }
    Ok(())
}

/// Writes and removes a small file: finds a full disk and a read-only mount before work begins.
fn probe(dir: &Path) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".exai-probe-")
        .tempfile_in(dir)?;
    file.write_all(&[b'.'; 512])?;
    file.flush()
}

#[cfg(test)]
#[path = "home_tests.rs"]
mod tests;
