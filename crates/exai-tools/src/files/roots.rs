//! Where a file may be: below a folder that the client has open or the settings name, once every
//! link on the way to it is resolved. What may be read is then opened through the root's door
//! (`open`), so that a link put there in between leads nowhere.

use super::{
    bounds::Bounds,
    ignored::Rules,
    open::{Door, Kind, Named, words_of},
    plain, secrets,
};
use exai_engine::Folders;
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read as _, Write as _},
    path::{Component, Path, PathBuf},
};

/// What the system shows of itself as files is no project: the daemon's own environment is there.
const NOT_FILES: [&str; 3] = ["/proc", "/sys", "/dev"];

/// The folders of one client.
pub(super) struct Places {
    roots: Vec<Root>,
    /// What it named, without links: what is not absolute is meant from there.
    bases: Vec<PathBuf>,
    bounds: Bounds,
    /// Those it named that cannot serve.
    unfit: Vec<String>,
}

/// One of them, held open.
pub(super) struct Root {
    path: PathBuf,
    door: Door,
    rules: Rules,
}

/// A file or folder that may be read.
pub(super) struct Found<'p> {
    root: &'p Root,
    below: PathBuf,
    pub(super) name: String,
}

impl Places {
    pub(super) fn of(folders: &Folders) -> Self {
        let mut places = Self {
            roots: Vec::new(),
            bases: Vec::new(),
            bounds: Bounds::of(folders),
            unfit: Vec::new(),
        };
        for name in folders.iter() {
            if let Err(why) = places.take(name) {
                places.unfit.push(format!("{} ({why})", plain(name)));
            }
        }
        places
    }

    fn take(&mut self, name: &str) -> Result<(), String> {
        // Of what is outside nobody learns here whether it is there.
        let base = base(name).map_err(|why| self.bounds.told().unwrap_or(why))?;
        let narrowed = self.bounds.narrow(&base);
        if let (true, Some(why)) = (narrowed.is_empty(), self.bounds.told()) {
            return Err(why);
        }
        for path in narrowed {
            if self.roots.iter().all(|known| known.path != path) {
                self.roots.push(Root::of(path)?);
            }
        }
        self.bases.push(base);
        Ok(())
    }

    /// The file or folder that is meant, if it may be read; else why not.
    pub(super) fn find(&self, asked: &str) -> Result<Found<'_>, String> {
        let path = self.path(asked)?;
        let real = self.real(&path)?;
        let root = self.root_of(&real)?;
        if let Some(why) = secrets::named(&path) {
            return Err(why);
        }
        let below = real.strip_prefix(&root.path).unwrap_or(&real);
        root.found(below.to_owned())
    }

    /// The same for a file that does not exist yet: the folder it is to be in must.
    pub(super) fn room_for(&self, asked: &str) -> Result<Found<'_>, String> {
        let path = self.path(asked)?;
        let (Some(parent), Some(Component::Normal(name))) =
            (path.parent(), path.components().next_back())
        else {
            return Err("it names no file".to_owned());
        };
        let parent = match parent.as_os_str().is_empty() {
            true => Path::new("."),
            false => parent,
        };
        let real = self.real(parent).map_err(|why| match why.as_str() {
            "there is no such file" => "there is no such folder to write it to".to_owned(),
            _ => why,
        })?;
        let root = self.root_of(&real)?;
        let below = real.join(name);
        let below = below.strip_prefix(&root.path).unwrap_or(&below);
        if in_gits_own(below) {
            return Err("it would be in git's own folder, whose files git runs".to_owned());
        }
        root.allowed(below, false)?;
        Ok(root.at(below.to_owned()))
    }

    /// What is written where, as a path.
    fn path(&self, asked: &str) -> Result<PathBuf, String> {
        if self.roots.is_empty() {
            return Err(self.nowhere());
        }
        path_of(asked)
    }

    fn root_of(&self, real: &Path) -> Result<&Root, String> {
        let mut roots = self
            .roots
            .iter()
            .filter(|root| real.starts_with(&root.path));
        roots.next().ok_or_else(|| self.outside())
    }

    /// Without links. What is not absolute is looked for in each root.
    fn real(&self, path: &Path) -> Result<PathBuf, String> {
        let places: Vec<PathBuf> = match path.is_absolute() {
            true => vec![path.to_owned()],
            false => self.bases.iter().map(|base| base.join(path)).collect(),
        };
        let mut within = None;
        for place in places {
            match self.resolved(&place) {
                Ok(real) => return Ok(real),
                Err(why) => within = why.or(within),
            }
        }
        Err(within.unwrap_or_else(|| self.outside()))
    }

    /// Where a path leads, or why it leads nowhere; no reason for one that is outside, so that
    /// nobody learns here what is there and what is not.
    fn resolved(&self, path: &Path) -> Result<PathBuf, Option<String>> {
        match path.canonicalize() {
            Ok(real) if self.holds(&real) => Ok(real),
            Ok(_) => Err(None),
            Err(error) => {
                Err(leads_within(path, |real| self.holds(real)).then(|| words_of(&error)))
            }
        }
    }

    fn holds(&self, real: &Path) -> bool {
        self.roots.iter().any(|root| real.starts_with(&root.path))
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
            .map(|root| plain(&root.path.to_string_lossy()))
            .collect();
        let roots = roots.join(", ");
        match self.bounds.told() {
            Some(told) => {
                format!("it is outside the folders this client may read ({roots}): {told}")
            }
            None => format!(
                "it is outside the folders this client has open ({roots}); open its folder, or name \
                 it in the setting 'files.roots'"
            ),
        }
    }
}

impl Root {
    fn of(path: PathBuf) -> Result<Self, String> {
        let door = Door::of(&path).map_err(|error| words_of(&error))?;
        let rules = Rules::default();
        Ok(Self { path, door, rules })
    }

    fn at(&self, below: PathBuf) -> Found<'_> {
        let shown = below.to_string_lossy();
        let name = plain(if shown.is_empty() { "." } else { &shown });
        Found {
            root: self,
            below,
            name,
        }
    }

    /// What is there, if it may be read.
    fn found(&self, below: PathBuf) -> Result<Found<'_>, String> {
        let kind = self.door.kind(&below).map_err(|error| words_of(&error))?;
        self.allowed(&below, kind == Kind::Folder)?;
        Ok(self.at(below))
    }

    fn allowed(&self, below: &Path, folder: bool) -> Result<(), String> {
        let why = secrets::named(&self.path.join(below));
        let why = why.or_else(|| self.rules.refuse(&self.door, below, folder));
        why.map_or(Ok(()), Err)
    }
}

impl<'p> Found<'p> {
    /// Where it is, without links.
    pub(super) fn path(&self) -> String {
        // The root itself has nothing below it, and a path joined with nothing ends in a slash.
        let whole = match self.below.as_os_str().is_empty() {
            true => self.root.path.clone(),
            false => self.root.path.join(&self.below),
        };
        whole.to_string_lossy().into_owned()
    }

    /// Below its root.
    pub(super) fn below(&self) -> &Path {
        &self.below
    }

    /// Whether it is a folder.
    pub(super) fn is_folder(&self) -> bool {
        matches!(self.root.door.kind(&self.below), Ok(Kind::Folder))
    }

    /// What is called so in this folder, if it may be read.
    pub(super) fn child(&self, name: &OsStr) -> Result<Found<'p>, String> {
        self.root.found(self.below.join(name))
    }

    /// The same, not yet judged: only its name may be looked at.
    pub(super) fn unchecked(&self, name: &OsStr) -> Found<'p> {
        self.root.at(self.below.join(name))
    }

    /// Whether an ignore file leaves out what is called so in this folder.
    pub(super) fn ignores(&self, name: &OsStr, folder: bool) -> bool {
        let below = self.below.join(name);
        let root = self.root;
        root.rules.refuse(&root.door, &below, folder).is_some()
    }

    /// The names in this folder, at most so many, and whether there are more.
    pub(super) fn list(&self, most: usize) -> Result<(Vec<Named>, bool), String> {
        let listed = self.root.door.list(&self.below, most);
        listed.map_err(|error| words_of(&error))
    }

    /// Its bytes, if they are at most so many.
    pub(super) fn read(&self, most: u64) -> Result<Vec<u8>, String> {
        let door = &self.root.door;
        let of_a_file = |kind| match kind {
            Kind::File => Ok(()),
            Kind::Folder => Err("it is a folder; name its files".to_owned()),
            Kind::Link => Err("it changed while it was opened; try again".to_owned()),
            // Opening a pipe would wait for its other end.
            Kind::Other => Err("it is no regular file".to_owned()),
        };
        of_a_file(door.kind(&self.below).map_err(|error| words_of(&error))?)?;
        let file = door.file(&self.below).map_err(|error| words_of(&error))?;
        let about = file.metadata().map_err(|error| words_of(&error))?;
        if !about.is_file() {
            return Err("it is no regular file".to_owned());
        }
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

    /// Whether nothing is there.
    pub(super) fn is_free(&self) -> Result<(), String> {
        match self.root.door.kind(&self.below) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(words_of(&error)),
            Ok(_) => Err(words_of(&io::ErrorKind::AlreadyExists.into())),
        }
    }

    /// Makes it, with these bytes; what exists is never overwritten.
    pub(super) fn write_new(&self, bytes: &[u8]) -> Result<(), String> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied => "writing it is not permitted".to_owned(),
            io::ErrorKind::StorageFull => "the disk is full".to_owned(),
            _ => words_of(&error),
        };
        let mut file: File = self.root.door.create(&self.below).map_err(failed)?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(failed)
    }
}

/// Of a path that cannot be followed to its end: whether it is within, as far as it can. A link
/// that cannot be followed may lead anywhere.
pub(crate) fn leads_within(path: &Path, holds: impl Fn(&Path) -> bool) -> bool {
    let mut next = path;
    for place in path.ancestors().skip(1) {
        if let Ok(real) = place.canonicalize() {
            let is_link = next
                .symlink_metadata()
                .is_ok_and(|there| there.is_symlink());
            return holds(&real) && !is_link;
        }
        next = place;
    }
    false
}

/// A folder that a client named, without links, where it can be one.
fn base(name: &str) -> Result<PathBuf, String> {
    let path = path_of(name)?
        .canonicalize()
        .map_err(|error| words_of(&error))?;
    // The whole disk is no project, even where a client was started there.
    if path.parent().is_none() {
        return Err("the whole disk is too much".to_owned());
    }
    if NOT_FILES.iter().any(|of| path.starts_with(of)) {
        return Err("it is the system's own".to_owned());
    }
    Ok(path)
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

/// Hooks and settings are there, which make git run things.
fn in_gits_own(below: &Path) -> bool {
    below.components().any(|part| match part {
        Component::Normal(name) => name.eq_ignore_ascii_case(".git"),
        _ => false,
    })
}
