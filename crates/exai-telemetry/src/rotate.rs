//! A log that cannot fill the disk: appended in whole lines, rotated by size (`name.1` is the
//! newest of the old ones), private. Several processes may share one file: then rotation takes
//! a lock beside it, and each writer notices when another has rotated. A file that cannot be
//! written is counted and told, never a reason to stop.

use crate::pending::Pending;
use std::{
    ffi::OsString,
    fs::{File, Metadata, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// How large and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotateLimits {
    /// Rotated at this size.
    pub max_bytes: u64,
    /// Old files kept.
    pub keep: usize,
    /// Whether other processes append to the same file.
    pub shared: bool,
}

/// What went wrong with a file so far; shared with whoever reports it.
#[derive(Debug)]
pub struct WriteFaults {
    name: String,
    failed: AtomicU64,
    lost: AtomicU64,
    /// Whether the last attempt failed; spares those that did not a look at the words.
    failing: AtomicBool,
    last: Mutex<Option<String>>,
}

impl WriteFaults {
    /// Attempts that failed, at least in part.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Lines that were given up.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// One line for a person; `None` while all is well, also again.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        let (name, failed, lost) = (&self.name, self.failed(), self.lost());
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(last) => Some(format!(
                "{name}: {failed} writes failed, the last with `{last}`; {lost} lines lost; \
                 free space or repair the directory, it is tried again and again"
            )),
            None if lost > 0 => Some(format!(
                "{name}: {lost} lines were lost while it could not be written; it is written again"
            )),
            None => None,
        }
    }

    /// It is written again, and nothing waits any more.
    fn recovered(&self) {
        if self.failing.swap(false, Ordering::Relaxed) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn note(&self, error: &io::Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.failing.store(true, Ordering::Relaxed);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }
}

/// The file.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    limits: RotateLimits,
    file: Option<File>,
    len: u64,
    pending: Pending,
    faults: Arc<WriteFaults>,
}

impl RotatingFile {
    /// Opens or creates it. A failure is counted, and tried again with the first line.
    #[must_use]
    pub fn open(path: impl Into<PathBuf>, limits: RotateLimits) -> Self {
        let path = path.into();
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let faults = WriteFaults {
            name,
            failed: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            last: Mutex::new(None),
        };
        let pending = Pending::default();
        let mut new = Self {
            path,
            limits,
            file: None,
            len: 0,
            pending,
            faults: Arc::new(faults),
        };
        if let Err(error) = new.reopen() {
            new.faults.note(&error);
        }
        new
    }

    /// Appends whole lines, each with its newline; in one write unless they are more than a
    /// whole file may hold.
    pub fn append(&mut self, lines: &[u8]) {
        let (mut part, mut rest) = fitting(lines, self.limits.max_bytes);
        self.append_part(part);
        while !rest.is_empty() {
            (part, rest) = fitting(rest, self.limits.max_bytes);
            self.append_part(part);
        }
    }

    fn append_part(&mut self, lines: &[u8]) {
        if lines.is_empty() && self.pending.is_empty() {
            return;
        }
        if let Err(error) = self.make_ready(lines.len() as u64) {
            self.faults.note(&error);
        }
        let Some(file) = &mut self.file else {
            let lost = self.pending.hold(lines);
            self.faults.lost.fetch_add(lost, Ordering::Relaxed);
            return;
        };
        let sent = self.pending.send(file, lines);
        self.len += sent.written;
        self.faults.lost.fetch_add(sent.lost, Ordering::Relaxed);
        match sent.error {
            Some(error) => self.faults.note(&error),
            None => self.faults.recovered(),
        }
    }

    /// Whether lines wait for room; any later append, an empty one too, tries them again.
    #[must_use]
    pub fn owes(&self) -> bool {
        !self.pending.is_empty()
    }

    /// What went wrong so far.
    #[must_use]
    pub fn faults(&self) -> Arc<WriteFaults> {
        Arc::clone(&self.faults)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn make_ready(&mut self, incoming: u64) -> io::Result<()> {
        // Another process may have rotated it, a person may have removed it: what is written
        // must be found where it is looked for.
        if self.file.is_none() || !self.is_current()? {
            self.reopen()?;
        }
        if self.len > 0 && self.len + incoming > self.limits.max_bytes {
            self.rotate()?;
        }
        Ok(())
    }

    /// Whether the path still names the file we hold; also learns how long it is by now.
    fn is_current(&mut self) -> io::Result<bool> {
        let Some(file) = &self.file else {
            return Ok(false);
        };
        let named = match self.path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        let held = file.metadata()?;
        self.len = held.len();
        Ok(same_file(&named, &held))
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = None;
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(&self.path)?;
        let meta = file.metadata()?;
        close_to_others(&file, &meta);
        self.len = meta.len();
        self.file = Some(file);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        if !self.limits.shared {
            self.shift()?;
            return self.reopen();
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        // The file is its own lock: none has to lie beside it.
        match file.try_lock() {
            Ok(()) => {}
            // Another process is at it; this line may still go into the file it moves away.
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let shifted = self.shift_under_lock();
        if let Some(file) = &self.file {
            file.unlock()?;
        }
        shifted?;
        self.reopen()
    }

    /// Who had the lock before us may have moved this very file.
    fn shift_under_lock(&mut self) -> io::Result<()> {
        match self.is_current()? {
            true => self.shift(),
            false => Ok(()),
        }
    }

    fn shift(&self) -> io::Result<()> {
        let keep = self.limits.keep;
        if keep == 0 {
            return if_there(std::fs::remove_file(&self.path));
        }
        // Up to the first free number; when there is none, the oldest makes room.
        let free = (1..keep)
            .find(|number| !rotated(&self.path, *number).exists())
            .unwrap_or(keep);
        if_there(std::fs::remove_file(rotated(&self.path, free)))?;
        for number in (1..free).rev() {
            let (from, to) = (rotated(&self.path, number), rotated(&self.path, number + 1));
            if_there(std::fs::rename(from, to))?;
        }
        if_there(std::fs::rename(&self.path, rotated(&self.path, 1)))
    }
}

/// For writers that know nothing of lines but give us whole ones.
impl io::Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.append(b"");
        Ok(())
    }
}

/// `name.3` for `name`.
#[must_use]
pub fn rotated(path: &Path, number: usize) -> PathBuf {
    beside(path, &number.to_string())
}

/// The log and its old files that are there, oldest first.
#[must_use]
pub fn all_parts(path: &Path) -> Vec<PathBuf> {
    let mut numbers = Vec::new();
    if let (Some(directory), Some(name)) = (path.parent(), path.file_name())
        && let Ok(entries) = directory.read_dir()
    {
        let prefix = format!("{}.", name.to_string_lossy());
        let number = |entry: &OsString| -> Option<usize> {
            entry.to_str()?.strip_prefix(&prefix)?.parse().ok()
        };
        numbers = entries
            .flatten()
            .filter_map(|entry| number(&entry.file_name()))
            .collect();
    }
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let old = numbers.into_iter().map(|number| rotated(path, number));
    old.chain(path.is_file().then(|| path.to_owned())).collect()
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

fn if_there(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Windows, not run here: without a file number to compare, the length has to tell; a file just
/// rotated away is longer than its successor.
#[cfg(not(unix))]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    a.len() == b.len()
}

/// A log of an older version, or made by hand, may be open to others.
fn close_to_others(file: &File, meta: &Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if meta.is_file() && meta.permissions().mode() & 0o077 != 0 {
            // Not ours to close, then not ours to refuse either: the directory is private.
            let _ = file.set_permissions(std::fs::Permissions::from_mode(0o600));
        }
    }
    #[cfg(not(unix))]
    let _ = (file, meta);
}

/// As many whole lines as fit into so many bytes, one at least; and the rest.
fn fitting(lines: &[u8], bytes: u64) -> (&[u8], &[u8]) {
    let room = usize::try_from(bytes).unwrap_or(usize::MAX);
    if lines.len() <= room {
        return (lines, &[]);
    }
    let newline = |byte: &u8| *byte == b'\n';
    let last = lines[..room].iter().rposition(newline);
    let end = last.or_else(|| lines.iter().position(newline));
    lines.split_at(end.map_or(lines.len(), |at| at + 1))
}

#[cfg(test)]
#[path = "rotate_tests.rs"]
mod tests;
