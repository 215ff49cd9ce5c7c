//! One file, several hands within the process: the record writer and the diagnostics both write
//! `ws_daemon.log`, and only one of them may rotate it at a time.

use crate::{RotatingFile, WriteFaults};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// A handle on the file; clones write the same one.
#[derive(Debug, Clone)]
pub struct SharedFile {
    file: Arc<Mutex<RotatingFile>>,
    faults: Arc<WriteFaults>,
}

impl SharedFile {
    /// Takes the file over.
    #[must_use]
    pub fn new(file: RotatingFile) -> Self {
        Self {
            faults: file.faults(),
            file: Arc::new(Mutex::new(file)),
        }
    }

    /// Appends whole lines.
    pub fn append(&self, lines: &[u8]) {
        self.file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .append(lines);
    }

    /// Whether lines wait for room.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .owes()
    }

    /// What went wrong so far.
    #[must_use]
    pub fn faults(&self) -> Arc<WriteFaults> {
        Arc::clone(&self.faults)
    }
}

impl io::Write for SharedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.append(b"");
        Ok(())
    }
}

#[cfg(test)]
impl SharedFile {
    /// Runs `body` while nobody can write.
    pub(crate) fn while_held(&self, body: impl FnOnce()) {
        let _held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        body();
    }
}
