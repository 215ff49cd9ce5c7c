//! Where the file stands. A person, a cleaner or a backup may remove it, put another in its place
//! or write over it while it is open: then what was promised is nowhere but in this process, and
//! would go with it. So its place is looked at, and what is open is written there again. Another
//! database copied over it, byte for byte, begins as ours does and is not seen.

use crate::{aside, fault::Fault, open, options::Options};
use rusqlite::{Connection, config::DbConfig};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Between two looks; what was promised in between is lost if the process is killed as well.
const LOOK: Duration = Duration::from_secs(1);
/// How every file of SQLite begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// What stands where the file was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Ours,
    /// Nothing, or another file.
    Gone,
    /// Ours, with another's bytes.
    Overwritten,
}

/// The file and its log, by which they are known again.
pub(super) struct Place {
    path: PathBuf,
    numbers: [Option<Number>; 2],
    /// Kept open: closing any descriptor of a file drops all locks this process has on it, and
    /// with them SQLite's. The next daemon would be alone with it, and so would the one before.
    file: Option<fs::File>,
    looked: Instant,
    found: Standing,
}

impl Place {
    /// Nothing is open yet.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            numbers: [None; 2],
            file: None,
            looked: Instant::now(),
            found: Standing::Ours,
        }
    }

    /// It was opened, or tried to be.
    pub(super) fn opened(&mut self) {
        let numbers = numbers(&self.path);
        if numbers[0] != self.numbers[0] || self.file.is_none() {
            // The one before was another file.
            self.file = fs::File::open(&self.path).ok();
        }
        self.numbers = numbers;
        self.looked = Instant::now();
        self.found = Standing::Ours;
    }

    /// Looks, and is dear to mend: so it is time for both now and then.
    pub(super) fn is_time(&self) -> bool {
        self.looked.elapsed() >= LOOK
    }

    /// What was found at the last look.
    pub(super) fn found(&self) -> Standing {
        self.found
    }

    /// Whether there is another file now, that somebody has written.
    pub(super) fn is_mended(&self) -> bool {
        let there = self.path.symlink_metadata();
        there.is_ok_and(|there| there.len() > 0) && numbers(&self.path)[0] != self.numbers[0]
    }

    pub(super) fn look(&mut self) -> Standing {
        self.looked = Instant::now();
        let begins_well = self.file.as_ref().map(begins_well);
        self.found = match begins_well {
            _ if numbers(&self.path) != self.numbers => Standing::Gone,
            Some(Ok(false)) => Standing::Overwritten,
            // What cannot be read now says nothing.
            Some(Ok(true) | Err(_)) | None => Standing::Ours,
        };
        self.found
    }

    /// Writes what is open there again; the connection is of no use after that. What stands there
    /// is set aside.
    pub(super) fn put_back(
        &self,
        db: &Connection,
        options: &Options,
        why: &str,
    ) -> Result<(), Fault> {
        let path = self.path.as_path();
        let io = |error: io::Error| Fault::unwritable(path, &error);
        make_directory(path).map_err(io)?;
        let copy = aside::copy_of(path);
        let Some(name) = copy.to_str() else {
            let cause = "its path is no UTF-8, as SQLite wants it";
            return Err(Fault::unwritable(path, &cause));
        };
        remove(&copy).map_err(io)?;
        open::make_private(&copy)?;
        db.execute("VACUUM INTO ?1", [name])
            .map_err(|error| Fault::of(path, &error))?;
        // From here on a daemon that finds no database takes this one.
        let synced = fs::File::open(&copy).and_then(|copy| copy.sync_all());
        synced.map_err(io)?;
        // What its log has is in the copy.
        leave_as_it_is(db);
        let log = aside::log_of(path);
        if number(&log) == self.numbers[1] {
            remove(&log).map_err(io)?;
        }
        if path.symlink_metadata().is_ok() {
            aside::set_aside(path, (options.clock)(), why)?;
        }
        for rest in aside::family(path) {
            remove(&rest).map_err(io)?;
        }
        fs::rename(&copy, path).map_err(io)?;
        open::sync_directory(path);
        Ok(())
    }
}

/// Closing it is to change no file.
pub(super) fn leave_as_it_is(db: &Connection) {
    let set = db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    if let Err(error) = set {
        tracing::warn!(%error, "closing the database may write into it");
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    let Some(directory) = path.parent() else {
        return Ok(());
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Whether the first bytes are a database's.
fn begins_well(file: &fs::File) -> io::Result<bool> {
    let mut begin = [0; MAGIC.len()];
    let read = read_begin(file, &mut begin)?;
    Ok(read == begin.len() && begin == MAGIC)
}

#[cfg(unix)]
fn read_begin(file: &fs::File, begin: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, begin, 0)
}

/// Untested.
#[cfg(windows)]
fn read_begin(file: &fs::File, begin: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, begin, 0)
}

fn numbers(path: &Path) -> [Option<Number>; 2] {
    [number(path), number(&aside::log_of(path))]
}

/// Device and number.
type Number = (u64, u64);

#[cfg(unix)]
fn number(file: &Path) -> Option<Number> {
    use std::os::unix::fs::MetadataExt as _;
    let file = file.symlink_metadata().ok()?;
    Some((file.dev(), file.ino()))
}

/// Windows removes and replaces no file that is open this way. Untested.
#[cfg(not(unix))]
fn number(_: &Path) -> Option<Number> {
    None
}
