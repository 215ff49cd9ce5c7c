//! Watching a log grow, across its rotations.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

/// Most bytes one look returns.
const MAX_BYTES: u64 = 1 << 20;

/// A place in a growing log.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    file: Option<File>,
    unfinished: Vec<u8>,
}

impl Follower {
    /// Starts at the end of what is there now; a log not there yet is read from its beginning.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn at_end(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let mut file = open(&path)?;
        if let Some(file) = &mut file {
            file.seek(SeekFrom::End(0))?;
        }
        Ok(Self {
            path,
            file,
            unfinished: Vec::new(),
        })
    }

    /// The lines that came since the last look; call it again after a moment.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn lines(&mut self) -> io::Result<Vec<String>> {
        let mut found = self.read()?;
        // The old file is read to its end before the new one is looked for.
        if found.is_empty() && self.was_replaced()? {
            self.file = open(&self.path)?;
            self.unfinished.clear();
            found = self.read()?;
        }
        Ok(found)
    }

    fn read(&mut self) -> io::Result<Vec<String>> {
        let Some(file) = &mut self.file else {
            return Ok(Vec::new());
        };
        file.take(MAX_BYTES).read_to_end(&mut self.unfinished)?;
        let Some(end) = self.unfinished.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(Vec::new());
        };
        let whole: Vec<u8> = self.unfinished.drain(..=end).collect();
        let lines = whole[..end].split(|byte| *byte == b'\n');
        Ok(lines
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect())
    }

    /// The path names a file that is shorter than what we have read, or another one.
    fn was_replaced(&mut self) -> io::Result<bool> {
        let named = match self.path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        let Some(file) = &mut self.file else {
            return Ok(true);
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let held = file.metadata()?;
            if (held.dev(), held.ino()) != (named.dev(), named.ino()) {
                return Ok(true);
            }
        }
        Ok(named.len() < file.stream_position()?)
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RotateLimits, RotatingFile};

    #[test]
    fn lines_are_followed_across_rotations() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut follower = Follower::at_end(&path).unwrap();
        assert!(follower.lines().unwrap().is_empty());
        let limits = RotateLimits {
            max_bytes: 20,
            keep: 3,
            shared: false,
        };
        let mut log = RotatingFile::open(&path, limits);
        let mut seen = Vec::new();
        for number in 0..20 {
            log.append(format!("line {number}\n").as_bytes());
            for _ in 0..2 {
                seen.extend(follower.lines().unwrap());
            }
        }
        let expected: Vec<String> = (0..20).map(|number| format!("line {number}")).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_line_is_told_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut follower = Follower::at_end(&path).unwrap();
        let limits = RotateLimits {
            max_bytes: 1000,
            keep: 3,
            shared: false,
        };
        let mut log = RotatingFile::open(&path, limits);
        log.append(b"half");
        assert!(follower.lines().unwrap().is_empty());
        log.append(b" and half\n");
        assert_eq!(follower.lines().unwrap(), ["half and half"]);
    }

    #[test]
    fn what_was_there_before_is_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let limits = RotateLimits {
            max_bytes: 1000,
            keep: 3,
            shared: false,
        };
        let mut log = RotatingFile::open(&path, limits);
        log.append(b"old\n");
        let mut follower = Follower::at_end(&path).unwrap();
        log.append(b"new\n");
        assert_eq!(follower.lines().unwrap(), ["new"]);
    }
}
