//! Which programs are under way, in files. A daemon that is killed ends nothing, so the next one
//! ends what it left at work. A file is locked by its daemon for as long as the program runs: one
//! that can be locked is left over, whoever wrote it, and a daemon that gave its home away keeps
//! its programs to their end.
//!
//! A pid alone proves nothing. The program is known by when it began; what it started and left
//! behind by a mark in its environment. Where the system tells neither, nothing is noted and
//! nothing is ended: there a program sees its pipes close.

#[cfg(target_os = "linux")]
#[path = "note/of_linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "note/elsewhere.rs"]
mod system;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use system::Push;

/// In the environment of a program and of all it starts: which run it is.
pub(super) const RUN: &str = "EXAI_CLI_RUN";
/// How often one looks whether it has ended.
const LOOK: Duration = Duration::from_millis(50);
/// A note is one short line.
const MOST_BYTES: u64 = 256;

/// Where the files are.
#[derive(Clone)]
pub(super) struct Notes(PathBuf);

/// A program that runs; its file goes with this.
pub(super) struct Note {
    path: PathBuf,
    _lock: File,
}

/// A program whose daemon is gone.
pub(super) struct LeftOver {
    note: Note,
    known: Known,
}

/// What a program is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    pid: u32,
    began: u64,
    mark: String,
}

/// A mark no other run has.
pub(super) fn mark() -> String {
    format!("{:016x}", fastrand::u64(..))
}

impl Notes {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Notes a program that was just started and was told nothing yet; `None` where it could not
    /// be known again.
    pub(super) fn write(&self, pid: u32, mark: &str) -> io::Result<Option<Note>> {
        let Some(began) = system::began(pid) else {
            return Ok(None);
        };
        super::place::create(&self.0)?;
        let path = self.0.join(format!("{pid}-{mark}"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // Whoever looks for left-overs may find it before it is locked: then it is made again.
        for _ in 0..3 {
            let mut file = options.open(&path)?;
            if file.try_lock().is_ok() && path.exists() {
                let note = Note {
                    path,
                    _lock: file.try_clone()?,
                };
                writeln!(file, "{pid} {began} {mark}")?;
                return Ok(Some(note));
            }
            remove(&path);
        }
        Err(io::Error::other("its file cannot be locked"))
    }

    /// What daemons that are gone left at work; files about nothing are removed.
    pub(super) fn left_over(&self) -> Vec<LeftOver> {
        let files = self.0.read_dir().into_iter().flatten().flatten();
        let left = files.filter_map(|file| {
            let path = file.path();
            let mut lock = File::open(&path).ok()?;
            lock.try_lock().ok()?;
            let known = Known::read(&mut lock);
            let note = Note { path, _lock: lock };
            let known = known.filter(Known::is_there)?;
            Some(LeftOver { note, known })
        });
        left.collect()
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

impl Known {
    fn read(file: &mut File) -> Option<Self> {
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        let mut words = text.split_whitespace();
        let known = Self {
            pid: words.next()?.parse().ok()?,
            began: words.next()?.parse().ok()?,
            mark: words.next()?.to_owned(),
        };
        // An empty mark would be everybody's.
        (known.mark.len() == mark().len()).then_some(known)
    }

    fn is_there(&self) -> bool {
        system::push(self, None)
    }
}

impl LeftOver {
    /// Ends it: kindly first, then with everything it started.
    pub(super) async fn end(self, grace: Duration) {
        let (pid, until) = (self.known.pid, Instant::now() + grace);
        tracing::warn!(
            pid,
            "an agent outlived the daemon that ran it, and is ended"
        );
        let mut there = system::push(&self.known, Some(Push::Ask));
        while there && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            there = self.known.is_there();
        }
        // Again and again: what is being ended may be starting something.
        let until = Instant::now() + grace;
        while system::push(&self.known, Some(Push::Kill)) && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
        drop(self.note);
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::debug!(path = %path.display(), %error, "a note stays");
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
