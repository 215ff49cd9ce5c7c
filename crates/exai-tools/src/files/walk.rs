//! A folder's files, sorted, without what nobody means by "this folder": ignored files, hidden
//! ones, links, other people's packages. What is passed over is counted, and every walk ends:
//! at so many names, so deep, after so long.

use super::{open::Kind, roots::Found};
use std::{
    fmt,
    time::{Duration, Instant},
};

/// Files that folders and patterns may bring into one call.
const MOST_FILES: usize = 1000;
/// Names looked at for that.
const MOST_NAMES: usize = 50_000;
const DEEPEST: usize = 32;
/// Reading files may take this long, all together.
const LONGEST: Duration = Duration::from_secs(20);
/// Folders full of what others wrote or a machine made.
const NOT_OURS: [&str; 4] = [".git", "node_modules", "__pycache__", ".venv"];

/// What one call may still look at.
pub(super) struct Budget {
    files: usize,
    names: usize,
    until: Instant,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            files: MOST_FILES,
            names: MOST_NAMES,
            until: Instant::now() + LONGEST,
        }
    }
}

impl Budget {
    /// Whether there is no time left to read anything.
    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.until
    }
}

/// What was passed over.
#[derive(Debug, Default)]
pub(super) struct Passed {
    ignored: usize,
    hidden: usize,
    links: usize,
    others: usize,
    unread: usize,
    stopped: Option<String>,
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.ignored, "ignored"),
            (self.hidden, "hidden or packages"),
            (self.links, "links"),
            (self.others, "no regular files"),
            (self.unread, "folders that cannot be read"),
        ];
        let mut counts = counts.iter().filter(|(count, _)| *count > 0);
        if let Some((count, what)) = counts.next() {
            write!(f, "; passed over: {count} {what}")?;
        }
        for (count, what) in counts {
            write!(f, ", {count} {what}")?;
        }
        match &self.stopped {
            Some(why) => write!(f, "; NOT ALL OF IT: {why}"),
            None => Ok(()),
        }
    }
}

/// A file, or the name of one that may not be sent and why.
type Step<'p> = Result<Found<'p>, (String, String)>;

/// All files below that are picked.
pub(super) fn walk<'p>(
    from: Found<'p>,
    hidden: bool,
    budget: &mut Budget,
    passed: &mut Passed,
    picks: &dyn Fn(&Found<'_>) -> bool,
) -> Vec<Step<'p>> {
    let mut files = Vec::new();
    let mut folders = vec![(from, 0)];
    while let Some((folder, depth)) = folders.pop() {
        if budget.is_late() {
            passed.stopped = Some(format!("reading took {} s", LONGEST.as_secs()));
            break;
        }
        let Ok((mut names, more)) = folder.list(budget.names) else {
            passed.unread += 1;
            continue;
        };
        budget.names -= names.len();
        names.sort_by(|a, b| a.name.cmp(&b.name));
        let mut deeper = Vec::new();
        for entry in names {
            let name = entry.name.as_os_str();
            let text = name.to_string_lossy();
            let is_folder = entry.kind == Kind::Folder;
            match entry.kind {
                _ if NOT_OURS.contains(&&*text) || text.starts_with('.') && !hidden => {
                    passed.hidden += 1;
                }
                Kind::Link => passed.links += 1,
                Kind::Other => passed.others += 1,
                _ if folder.ignores(name, is_folder) => passed.ignored += 1,
                Kind::Folder => deeper.extend(folder.child(name)),
                Kind::File => step(&folder, name, budget, passed, picks, &mut files),
            }
        }
        if more {
            passed.stopped = Some(format!("more than {MOST_NAMES} names"));
        }
        if depth < DEEPEST {
            folders.extend(deeper.into_iter().rev().map(|folder| (folder, depth + 1)));
        } else if !deeper.is_empty() {
            passed.stopped = Some(format!("deeper than {DEEPEST} folders"));
        }
    }
    files
}

fn step<'p>(
    folder: &Found<'p>,
    name: &std::ffi::OsStr,
    budget: &mut Budget,
    passed: &mut Passed,
    picks: &dyn Fn(&Found<'_>) -> bool,
    files: &mut Vec<Step<'p>>,
) {
    let found = folder.unchecked(name);
    if !picks(&found) {
        return;
    }
    if budget.files == 0 {
        passed.stopped = Some(format!("more than {MOST_FILES} files"));
        return;
    }
    budget.files -= 1;
    let shown = found.name.clone();
    files.push(folder.child(name).map_err(|why| (shown, why)));
}
