//! Systems without descriptors of folders: the path is looked at again after it was opened. A
//! link that comes and goes in between both looks is not seen. Written with care, untested.

use super::{Kind, Named};
use std::{
    fs::{self, File, FileType, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// A root, by its name.
#[derive(Debug)]
pub(in super::super) struct Door(PathBuf);

impl Door {
    /// Of a folder whose path has no links left in it.
    pub(in super::super) fn of(path: &Path) -> io::Result<Self> {
        fs::read_dir(path).map(|_| Self(path.to_owned()))
    }

    /// What stands there.
    pub(in super::super) fn kind(&self, below: &Path) -> io::Result<Kind> {
        fs::symlink_metadata(self.0.join(below)).map(|about| kind_of(about.file_type()))
    }

    /// A file, to be read.
    pub(in super::super) fn file(&self, below: &Path) -> io::Result<File> {
        let path = self.0.join(below);
        self.is_there(&path)?;
        let file = File::open(&path)?;
        self.is_there(&path)?;
        Ok(file)
    }

    /// A file that did not exist, to be written.
    pub(in super::super) fn create(&self, below: &Path) -> io::Result<File> {
        let path = self.0.join(below);
        self.is_there(path.parent().unwrap_or(&path))?;
        OpenOptions::new().write(true).create_new(true).open(&path)
    }

    /// The names in a folder, and whether there are more than so many.
    pub(in super::super) fn list(
        &self,
        below: &Path,
        most: usize,
    ) -> io::Result<(Vec<Named>, bool)> {
        let path = self.0.join(below);
        self.is_there(&path)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if names.len() == most {
                return Ok((names, true));
            }
            names.push(Named {
                name: entry.file_name(),
                kind: kind_of(entry.file_type()?),
            });
        }
        Ok((names, false))
    }

    fn is_there(&self, path: &Path) -> io::Result<()> {
        if path.canonicalize()? == path && path.starts_with(&self.0) {
            Ok(())
        } else {
            Err(super::CHANGED.into())
        }
    }
}

fn kind_of(kind: FileType) -> Kind {
    if kind.is_symlink() {
        Kind::Link
    } else if kind.is_dir() {
        Kind::Folder
    } else if kind.is_file() {
        Kind::File
    } else {
        Kind::Other
    }
}
