//! The ignore files of a root: `.gitignore` as git reads it, nested and negated, and
//! `.exaiignore`, which has the last word. What they name is not sent. They are read through the
//! same door as everything else, and none outside the root is looked at.

use super::open::{Door, Kind};
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};
use std::{
    cell::RefCell,
    collections::HashMap,
    io::Read as _,
    path::{Path, PathBuf},
    rc::Rc,
};

/// Larger ignore files are cut.
const MOST_BYTES: u64 = 256 * 1024;
const OURS: &str = ".exaiignore";
const GITS: &str = ".gitignore";
/// What git keeps beside its own files.
const EXCLUDE: &str = ".git/info/exclude";

/// What one folder's files say of what is below it.
#[derive(Default)]
struct Level {
    ours: Option<Gitignore>,
    gits: Option<Gitignore>,
    excludes: Option<Gitignore>,
}

/// Which of them.
type Which = fn(&Level) -> Option<&Gitignore>;

/// All of a root, each read when it is first needed.
#[derive(Default)]
pub(super) struct Rules {
    levels: RefCell<HashMap<PathBuf, Rc<Level>>>,
}

impl Rules {
    /// Why this is not sent; `None` when nothing names it.
    pub(super) fn refuse(&self, door: &Door, below: &Path, folder: bool) -> Option<String> {
        let ours: Which = |level| level.ours.as_ref();
        let gits: Which = |level| level.gits.as_ref();
        let excludes: Which = |level| level.excludes.as_ref();
        // Ours speaks for a path, then for the folders it is in, from the nearest up.
        for (at, path) in below.ancestors().filter(|path| named(path)).enumerate() {
            match self.last_word(door, path, folder || at > 0, ours) {
                Match::Ignore(why) => return Some(words(OURS, &why)),
                Match::Whitelist(_) => return None,
                Match::None => {}
            }
        }
        // Git never looks into a folder it ignores: from the top down.
        let mut paths: Vec<&Path> = below.ancestors().filter(|path| named(path)).collect();
        paths.reverse();
        let last = paths.len().saturating_sub(1);
        for (at, path) in paths.into_iter().enumerate() {
            let folder = folder || at < last;
            let word = match self.last_word(door, path, folder, gits) {
                Match::None => self.last_word(door, path, folder, excludes),
                word => word,
            };
            if let Match::Ignore(why) = word {
                return Some(words(GITS, &why));
            }
        }
        None
    }

    /// The nearest file that says anything of a path.
    fn last_word(&self, door: &Door, path: &Path, folder: bool, which: Which) -> Match<String> {
        for above in path.ancestors().skip(1) {
            let level = self.level(door, above);
            let Some(rules) = which(&level) else { continue };
            let below = path.strip_prefix(above).unwrap_or(path);
            match rules.matched(below, folder) {
                Match::None => {}
                said => return said.map(|glob| glob.original().to_owned()),
            }
        }
        Match::None
    }

    fn level(&self, door: &Door, folder: &Path) -> Rc<Level> {
        if let Some(level) = self.levels.borrow().get(folder) {
            return Rc::clone(level);
        }
        let top = named(folder).then_some(()).is_none();
        let level = Rc::new(Level {
            ours: read(door, &folder.join(OURS)),
            gits: read(door, &folder.join(GITS)),
            excludes: top.then(|| read(door, Path::new(EXCLUDE))).flatten(),
        });
        let mut levels = self.levels.borrow_mut();
        levels.insert(folder.to_owned(), Rc::clone(&level));
        level
    }
}

fn named(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

fn words(file: &str, pattern: &str) -> String {
    let pattern = super::plain(pattern);
    format!("'{pattern}' in {file} leaves it out; '!' and its path in {OURS} lets it in")
}

/// A line that cannot be understood is passed over, as git does; a file that cannot be read says
/// nothing.
fn read(door: &Door, path: &Path) -> Option<Gitignore> {
    if door.kind(path).ok()? != Kind::File {
        return None;
    }
    let mut text = Vec::new();
    let file = door.file(path).ok()?;
    file.take(MOST_BYTES).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut builder = GitignoreBuilder::new("");
    for line in text.trim_start_matches('\u{feff}').lines() {
        drop(builder.add_line(None, line));
    }
    let rules = builder.build().ok()?;
    (!rules.is_empty()).then_some(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn as_git_would_and_ours_has_the_last_word() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let file = |name: &str, text: &str| {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = std::fs::File::create(path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        file(".gitignore", "*.log\n!keep.log\n/build/\n# x\ndocs/*.tmp\n");
        file("sub/.gitignore", "!wanted.log\nlocal\n");
        file(".exaiignore", "private\n!build/notes.txt\n");
        file("sub/.exaiignore", "!private\n");
        file(".git/info/exclude", "scratch\n");
        let door = Door::of(&root).unwrap();
        let rules = Rules::default();
        let refused = |path: &str| rules.refuse(&door, Path::new(path), false);
        for (path, expected) in [
            ("a.log", true),
            ("sub/deep/a.log", true),
            ("keep.log", false),
            ("sub/wanted.log", false),
            ("sub/local", true),
            ("local", false),
            ("build/x", true),
            ("sub/build/x", false),
            ("docs/a.tmp", true),
            ("docs/b/a.tmp", false),
            ("build/notes.txt", false),
            ("private/a", true),
            ("sub/private/a", false),
            ("scratch", true),
            ("src/main.rs", false),
        ] {
            assert_eq!(refused(path).is_some(), expected, "{path}");
        }
        let why = refused("a.log").unwrap();
        assert!(why.contains("'*.log' in .gitignore"), "{why}");
        assert!(refused("private/a").unwrap().contains("in .exaiignore"));
    }

    #[test]
    fn an_ignored_folder_takes_its_negations_along() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let mut file = std::fs::File::create(root.join(".gitignore")).unwrap();
        file.write_all(b"out/\n!out/kept\n").unwrap();
        let door = Door::of(&root).unwrap();
        let refused = Rules::default().refuse(&door, Path::new("out/kept"), false);
        assert!(refused.is_some(), "git does not look into it either");
    }
}
