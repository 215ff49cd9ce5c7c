//! Linux and other Unix: descriptors all the way. Linux does it in one step (`openat2`); where
//! that is missing or forbidden, each folder on the way is opened from the one before.

use super::{Kind, Named};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{self, AtFlags, Dir, FileType, Mode, OFlags},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Component, Path},
};

/// A root, held open: it stays the folder it was, whatever its name becomes.
#[derive(Debug)]
pub(in super::super) struct Door(OwnedFd);

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// A pipe is not waited for, and a terminal does not become ours.
const READING: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);
const MAKING: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Door {
    /// Of a folder whose path has no links left in it.
    pub(in super::super) fn of(path: &Path) -> io::Result<Self> {
        let disk = fs::open("/", FOLDER, Mode::empty())?;
        let below = path.strip_prefix("/").unwrap_or(path);
        Ok(Self(open(disk.as_fd(), below, FOLDER)?))
    }

    /// What stands there.
    pub(in super::super) fn kind(&self, below: &Path) -> io::Result<Kind> {
        if below.as_os_str().is_empty() {
            return Ok(Kind::Folder);
        }
        let about = fs::statat(&self.0, below, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(kind_of(FileType::from_raw_mode(about.st_mode)))
    }

    /// A file, to be read.
    pub(in super::super) fn file(&self, below: &Path) -> io::Result<File> {
        open(self.0.as_fd(), below, READING).map(File::from)
    }

    /// A file that did not exist, to be written.
    pub(in super::super) fn create(&self, below: &Path) -> io::Result<File> {
        open(self.0.as_fd(), below, MAKING).map(File::from)
    }

    /// The names in a folder, and whether there are more than so many.
    pub(in super::super) fn list(
        &self,
        below: &Path,
        most: usize,
    ) -> io::Result<(Vec<Named>, bool)> {
        let folder = open(self.0.as_fd(), below, FOLDER)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if names.len() == most {
                return Ok((names, true));
            }
            let kind = match entry.file_type() {
                // Some file systems leave it open.
                FileType::Unknown => fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_or(Kind::Other, |about| {
                        kind_of(FileType::from_raw_mode(about.st_mode))
                    }),
                known => kind_of(known),
            };
            names.push(Named {
                name: name.to_owned(),
                kind,
            });
        }
        Ok((names, false))
    }
}

fn kind_of(kind: FileType) -> Kind {
    match kind {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

fn mode(flags: OFlags) -> Mode {
    if flags.contains(OFlags::CREATE) {
        Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH
    } else {
        Mode::empty()
    }
}

fn open(root: BorrowedFd<'_>, below: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    in_one_step(root, below, flags).map_err(|errno| match errno {
        Errno::LOOP | Errno::NOTDIR | Errno::XDEV => super::CHANGED.into(),
        other => other.into(),
    })
}

#[cfg(target_os = "linux")]
fn in_one_step(root: BorrowedFd<'_>, below: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::ResolveFlags;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let path = if below.as_os_str().is_empty() {
        Path::new(".")
    } else {
        below
    };
    match fs::openat2(root, path, flags, mode(flags), resolve) {
        // An older kernel, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => step_by_step(root, below, flags),
        opened => opened,
    }
}

#[cfg(not(target_os = "linux"))]
fn in_one_step(root: BorrowedFd<'_>, below: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    step_by_step(root, below, flags)
}

/// One name at a time, each from the folder before it, no link followed.
fn step_by_step(root: BorrowedFd<'_>, below: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut names = Vec::new();
    for part in below.components() {
        match part {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            _ => return Err(Errno::XDEV),
        }
    }
    let Some(last) = names.pop() else {
        return fs::openat(root, ".", flags, mode(flags));
    };
    let mut folder: Option<OwnedFd> = None;
    for name in names {
        let from = folder.as_ref().map_or(root, AsFd::as_fd);
        folder = Some(fs::openat(from, name, FOLDER, Mode::empty())?);
    }
    let from = folder.as_ref().map_or(root, AsFd::as_fd);
    fs::openat(from, last, flags, mode(flags))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read as _, os::unix::fs::symlink};

    #[test]
    fn both_ways_open_what_is_below_and_follow_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        let root = real.join("root");
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        File::create(root.join("a/b/file")).unwrap();
        File::create(real.join("outside")).unwrap();
        symlink("a", root.join("inward")).unwrap();
        symlink(&real, root.join("up")).unwrap();
        symlink(real.join("outside"), root.join("a/out")).unwrap();
        let door = Door::of(&root).unwrap();
        for open in [in_one_step, step_by_step] {
            let read = |path: &str| open(door.0.as_fd(), Path::new(path), READING);
            let mut text = String::new();
            let mut file = File::from(read("a/b/file").unwrap());
            assert_eq!(file.read_to_string(&mut text).unwrap(), 0);
            for path in [
                "inward/b/file",
                "up/outside",
                "a/out",
                "../outside",
                "a/../../outside",
            ] {
                assert!(read(path).is_err(), "{path}");
            }
            assert!(open(door.0.as_fd(), Path::new(""), FOLDER).is_ok());
        }
    }

    #[test]
    fn a_file_is_made_once_and_never_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        symlink("elsewhere", root.join("link")).unwrap();
        let door = Door::of(&root).unwrap();
        assert!(door.create(Path::new("new")).is_ok());
        for taken in ["new", "link"] {
            assert!(door.create(Path::new(taken)).is_err(), "{taken}");
        }
        assert!(!root.join("elsewhere").exists());
    }
}
