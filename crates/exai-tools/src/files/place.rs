//! Where a file may be: below a folder that the client has open, once every link on the way to
//! it is resolved.

use super::{plain, secrets};
use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// The folders of one client.
pub(super) struct Places {
    roots: Vec<PathBuf>,
    /// Those it named that cannot serve.
    unfit: Vec<String>,
}

/// A file that may be read.
#[derive(Debug)]
pub(super) struct Found {
    path: PathBuf,
    pub(super) name: String,
}

impl Places {
    pub(super) fn of(named: &[String]) -> Self {
        let (mut roots, mut unfit) = (Vec::new(), Vec::new());
        for name in named {
            let root = path_of(name)
                .and_then(|path| path.canonicalize().map_err(|error| words_of(&error)))
                // The whole disk is no project, even where a client was started there.
                .and_then(|path| match path.parent() {
                    Some(_) => Ok(path),
                    None => Err("the whole disk is too much".to_owned()),
                });
            match root {
                Ok(root) => roots.push(root),
                Err(why) => unfit.push(format!("{} ({why})", plain(name))),
            }
        }
        Self { roots, unfit }
    }

    /// The file that is meant, if it may be read; else why not.
    pub(super) fn find(&self, asked: &str) -> Result<Found, String> {
        if self.roots.is_empty() {
            return Err(self.nowhere());
        }
        let path = path_of(asked)?;
        let real = self.real(&path)?;
        let Some(root) = self.roots.iter().find(|root| real.starts_with(root)) else {
            return Err(self.outside());
        };
        if let Some(why) = secrets::named(&path).or_else(|| secrets::named(&real)) {
            return Err(why);
        }
        let below = real.strip_prefix(root).unwrap_or(&real);
        let name = plain(&below.to_string_lossy());
        Ok(Found { path: real, name })
    }

    /// Without links. What is not absolute is looked for in each root.
    fn real(&self, path: &Path) -> Result<PathBuf, String> {
        if path.is_absolute() {
            return path.canonicalize().map_err(|error| words_of(&error));
        }
        let mut last = String::new();
        for root in &self.roots {
            match root.join(path).canonicalize() {
                Ok(real) => return Ok(real),
                Err(error) => last = words_of(&error),
            }
        }
        Err(last)
    }

    fn nowhere(&self) -> String {
        let why = match self.unfit.as_slice() {
            [] => "this client named no folder".to_owned(),
            unfit => format!(
                "no folder this client named can serve: {}",
                unfit.join(", ")
            ),
        };
        format!("{why}; files are read only below the folders a client has open")
    }

    fn outside(&self) -> String {
        let roots: Vec<String> = self
            .roots
            .iter()
            .map(|root| plain(&root.to_string_lossy()))
            .collect();
        format!(
            "it is outside the folders this client has open ({})",
            roots.join(", ")
        )
    }
}

impl Found {
    /// Where it is, without links.
    pub(super) fn path(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Its bytes, if they are at most so many.
    pub(super) fn read(&self, most: u64) -> Result<Vec<u8>, String> {
        let about = fs::metadata(&self.path).map_err(|error| words_of(&error))?;
        if about.is_dir() {
            return Err("it is a folder; name its files".to_owned());
        }
        // Opening a pipe would wait for its other end.
        if !about.is_file() {
            return Err("it is no regular file".to_owned());
        }
        let file = File::open(&self.path).map_err(|error| words_of(&error))?;
        self.still(&file)?;
        let mut bytes = Vec::new();
        file.take(most + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| words_of(&error))?;
        if bytes.len() as u64 > most {
            return Err(format!(
                "it has {} bytes, and at most {most} are read",
                about.len()
            ));
        }
        Ok(bytes)
    }

    /// What was opened is what was checked: nothing on its way became a link in between.
    fn still(&self, file: &File) -> Result<(), String> {
        let changed = || "it changed while it was opened; try again".to_owned();
        let real = self.path.canonicalize().map_err(|error| words_of(&error))?;
        let there = fs::symlink_metadata(&self.path).map_err(|error| words_of(&error))?;
        let opened = file.metadata().map_err(|error| words_of(&error))?;
        if real == self.path && opened.is_file() && same(&there, &opened) {
            Ok(())
        } else {
            Err(changed())
        }
    }
}

#[cfg(unix)]
fn same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// No identity of files in the standard library here: the same size and times. Untested.
#[cfg(not(unix))]
fn same(a: &Metadata, b: &Metadata) -> bool {
    a.len() == b.len() && a.modified().ok() == b.modified().ok()
}

/// A path as people, editors and models write it.
fn path_of(written: &str) -> Result<PathBuf, String> {
    if written.is_empty() || written.contains('\0') {
        return Err("it is no path".to_owned());
    }
    if written.starts_with("~/") {
        return Err("write the path without '~'".to_owned());
    }
    let Some(address) = written.strip_prefix("file://") else {
        return Ok(PathBuf::from(written));
    };
    let path = address.strip_prefix("localhost").unwrap_or(address);
    let path = percent_decoded(path).ok_or("its address cannot be read")?;
    // file:///C:/x on Windows; untested.
    let drive = path
        .strip_prefix('/')
        .filter(|rest| cfg!(windows) && rest.as_bytes().get(1) == Some(&b':'));
    Ok(PathBuf::from(drive.unwrap_or(&path)))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let (high, low) = (rest.next()?, rest.next()?);
            let digit = |b: u8| char::from(b).to_digit(16);
            bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}

fn words_of(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "reading it is not permitted".to_owned(),
        _ => format!("it cannot be read ({error})"),
    }
}
