//! What a call returned, as it is kept: in its row if it is small, in a file of its own if it
//! is large. A file is written whole under another name first; one that is not whole is none.

use exai_engine::calls::{Finished, Kept};
use exai_protocol::RawValue;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::{self, BufWriter},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Larger ones are no part of the database.
pub(crate) const INLINE: u64 = 64 * 1024;

/// Bytes written at once.
const BUFFER: usize = 256 * 1024;

/// Where a row says its result is.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) text: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) bytes: u64,
}

/// As it is written.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'a RawValue>,
}

/// As it is read.
#[derive(Deserialize)]
struct Read {
    outputs: Option<Box<RawValue>>,
    structured: Option<Box<RawValue>>,
    usage: Option<Box<RawValue>>,
}

impl<'a> Written<'a> {
    fn of(finished: &'a Finished) -> Self {
        Self {
            outputs: finished.outputs.as_deref(),
            structured: finished.structured.as_deref(),
            usage: finished.usage.as_deref(),
        }
    }
}

/// The text to keep in a row; `None` where it cannot be written.
pub(crate) fn text_of(finished: &Finished) -> Option<String> {
    serde_json::to_string(&Written::of(finished)).ok()
}

/// How long the text is: what it is made of, and the names.
pub(crate) fn length_of(finished: &Finished) -> u64 {
    let named = |name: &str, value: Option<&RawValue>| {
        value.map_or(0, |value| name.len() + "\"\":,".len() + value.get().len())
    };
    let parts = named("outputs", finished.outputs.as_deref())
        + named("structured", finished.structured.as_deref())
        + named("usage", finished.usage.as_deref());
    // Braces, less the comma that no part follows.
    (parts + 1) as u64
}

/// The result a row stands for; `None` where it is gone.
pub(crate) fn load(mut kept: Kept, held: Held, directory: &Path) -> Option<Finished> {
    let text = match (held.text, held.file) {
        (Some(text), _) => Some(text),
        (None, Some(name)) => read(&directory.join(name), held.bytes),
        (None, None) => None,
    };
    let Some(text) = text else {
        return kept.error.is_some().then(|| Finished::recalled(kept));
    };
    let read: Read = serde_json::from_str(&text).ok()?;
    let shared = |value: Option<Box<RawValue>>| value.map(Arc::from);
    kept.outputs = shared(read.outputs);
    kept.structured = shared(read.structured);
    kept.usage = shared(read.usage);
    Some(Finished::recalled(kept))
}

fn read(path: &Path, bytes: u64) -> Option<String> {
    match fs::read_to_string(path) {
        Ok(text) if text.len() as u64 == bytes => Some(text),
        Ok(text) => {
            let (file, is) = (path.display(), text.len());
            tracing::error!(%file, is, bytes, "a kept result is not whole");
            None
        }
        Err(error) => {
            tracing::error!(file = %path.display(), %error, "a kept result cannot be read");
            None
        }
    }
}

/// A result on its way into a file.
#[derive(Debug, Clone)]
pub(crate) struct Spill {
    pub(crate) directory: PathBuf,
    pub(crate) name: String,
    pub(crate) result: Arc<Finished>,
    pub(crate) bytes: u64,
    /// Safe from power loss, too, before it counts as written.
    pub(crate) sync: bool,
}

impl Spill {
    /// Writes it. Doing so twice is doing it once.
    pub(crate) fn write(&self) -> io::Result<()> {
        make_private(&self.directory)?;
        let path = self.directory.join(&self.name);
        let draft = self.directory.join(format!("{}.tmp", self.name));
        let written = self.write_to(&draft);
        let renamed = written.and_then(|()| fs::rename(&draft, &path));
        if renamed.is_err() {
            // What could not be written whole only takes room.
            let _ = fs::remove_file(&draft);
        }
        renamed
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = BufWriter::with_capacity(BUFFER, options.open(path)?);
        serde_json::to_writer(&mut file, &Written::of(&self.result))?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let written = file.metadata()?.len();
        if written != self.bytes {
            let why = format!("{written} bytes were written of {}", self.bytes);
            return Err(io::Error::other(why));
        }
        if self.sync { file.sync_all() } else { Ok(()) }
    }

    /// Brings it to the disk itself, later.
    pub(crate) fn sync_later(&self) -> io::Result<()> {
        OpenOptions::new()
            .write(true)
            .open(self.directory.join(&self.name))?
            .sync_all()
    }
}

fn make_private(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory)
}
