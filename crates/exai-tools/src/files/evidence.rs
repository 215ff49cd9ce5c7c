//! Whether what somebody cites is there: a file, a line of it. It is looked for where files may
//! be read and nowhere else, so that asking tells nothing of the rest of the disk.

use super::{
    asked, notebook,
    roots::Places,
    texts::{MOST_LINES_BYTES, decoded},
};
use exai_engine::Folders;
use std::{cell::RefCell, collections::HashMap};

/// Looks for evidence below these folders. It waits for the disk: not for an event loop.
pub(crate) struct Witness {
    places: Places,
    lines: RefCell<HashMap<String, Result<usize, String>>>,
}

impl Witness {
    /// For a client with these folders open.
    pub(crate) fn new(roots: &Folders) -> Self {
        Self {
            places: Places::of(roots),
            lines: RefCell::default(),
        }
    }

    /// Nothing, if the file and the line are there; else what is wrong. A path may carry its
    /// line itself (`src/a.rs:10`, `src/a.rs:10-12`).
    pub(crate) fn stands(&self, path: &str, line: Option<usize>) -> Result<(), String> {
        let (lines, line) = match (self.lines_of(path), line) {
            (Ok(lines), line) => (lines, line),
            (Err(why), _) => match asked::lines_of(path) {
                Some((path, cited)) => {
                    let to = if cited.to == usize::MAX {
                        cited.from
                    } else {
                        cited.to
                    };
                    (self.lines_of(path)?, Some(to))
                }
                None => return Err(why),
            },
        };
        match line {
            Some(0) => Err("lines are counted from 1".to_owned()),
            Some(line) if line > lines => Err(format!("it has {lines} lines, and no line {line}")),
            _ => Ok(()),
        }
    }

    /// Nothing, if what somebody names is there: a file of any kind, lines of one, a folder, a
    /// pattern below one; else what is wrong.
    pub(crate) fn is_there(&self, named: &str) -> Result<(), String> {
        let Err(why) = self.places.find(named) else {
            return Ok(());
        };
        if let Some((path, _)) = asked::lines_of(named) {
            return match self.places.find(path) {
                Ok(_) => self.stands(named, None),
                Err(why) => Err(why),
            };
        }
        let folder = asked::pattern(named).map(|(base, _)| self.places.find(base));
        match folder {
            Some(Ok(found)) if found.is_folder() => Ok(()),
            _ => Err(why),
        }
    }

    /// How many lines a file has, as they are numbered for a model.
    fn lines_of(&self, path: &str) -> Result<usize, String> {
        if let Some(known) = self.lines.borrow().get(path) {
            return known.clone();
        }
        let counted = self.count(path);
        let mut lines = self.lines.borrow_mut();
        lines.insert(path.to_owned(), counted.clone());
        counted
    }

    fn count(&self, path: &str) -> Result<usize, String> {
        let found = self.places.find(path)?;
        let text = decoded(found.read(MOST_LINES_BYTES)?)?;
        let text = match notebook::is(&found.name) {
            true => notebook::cells(&text)?.0,
            false => text,
        };
        Ok(text.lines().count())
    }
}
