//! A change as git knows it: what was committed in a range, what is staged, what is not, what is
//! not known to git yet, and which symbols got other names. It is read below the folders a
//! client has open and nowhere else, and held to the same rules as files: what may not leave the
//! machine is left out, and said to be.

mod diff;
mod git;
mod range;
mod symbols;

#[cfg(test)]
mod tests;

use crate::files::{self, Fence};
use diff::{Piece, pieces};
use exai_engine::{ports::threads::workspace, tool::ToolError};
use git::Git;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// Untracked files that are told of.
const MOST_UNTRACKED: usize = 200;

/// What to read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Folders that may be read.
    pub(crate) roots: Vec<String>,
    /// The repository, or a folder in it; the first folder's, where none is named.
    pub(crate) path: Option<String>,
    /// `A..B`, `A...B` or a single revision.
    pub(crate) range: Option<String>,
    /// A revision: what was committed since its line was left.
    pub(crate) since: Option<String>,
    pub(crate) staged: bool,
    pub(crate) unstaged: bool,
    pub(crate) untracked: bool,
    /// Bytes the text may have.
    pub(crate) room: usize,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// The diffs between marks, ready to be read by a model; empty without any.
    pub(crate) text: String,
    /// Files git does not know yet, to go along as files.
    pub(crate) untracked: Vec<String>,
    /// All of it but the text, for the answer.
    pub(crate) told: Value,
}

impl Change {
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.untracked.is_empty()
    }
}

/// Reads it.
///
/// # Errors
/// The folder is none that may be read, is in no repository, or a revision is not there; or git
/// cannot be run.
pub(crate) async fn read(wanted: &Wanted) -> Result<Change, ToolError> {
    let folder = folder(wanted)?;
    let git = Git::at(&folder).await?;
    let mut read = Reading {
        fence: Fence::new(),
        room: wanted.room,
        text: String::new(),
        files: Vec::new(),
        left_out: Vec::new(),
        symbols: symbols::Symbols::default(),
    };
    let mut parts = Vec::new();
    for (name, revisions) in range::parts(&git, wanted).await? {
        let diff = git.diff(&revisions).await?;
        read.part(&name, &diff);
        parts.push(name);
    }
    let mut untracked = Vec::new();
    if wanted.untracked {
        untracked = git.untracked().await?;
        if untracked.len() > MOST_UNTRACKED {
            let more = untracked.len() - MOST_UNTRACKED;
            let why = format!("only {MOST_UNTRACKED} untracked files are told of");
            read.left_out.push((format!("{more} untracked files"), why));
            untracked.truncate(MOST_UNTRACKED);
        }
        parts.push("untracked".to_owned());
    }
    let uses = symbols::uses(&git, &read.symbols).await;
    let heading = read.symbols.in_words(&uses);
    if !heading.is_empty() && !read.text.is_empty() {
        read.text.insert_str(0, &heading);
    }
    let told = json!({
        "repository": folder.to_string_lossy(),
        "parts": parts,
        "files": read.files,
        "untracked": untracked,
        "renamed_symbols": read.symbols.renamed_told(&uses),
        "removed_symbols_still_used": read.symbols.removed_told(&uses),
        "left_out": read.left_out.iter().map(|(path, why)| json!({ "path": path, "why": why })).collect::<Vec<_>>(),
    });
    let at = |name: &String| folder.join(name).to_string_lossy().into_owned();
    Ok(Change {
        text: read.text,
        untracked: untracked.iter().map(at).collect(),
        told,
    })
}

/// The folder that is meant, without links, below one of the client's.
fn folder(wanted: &Wanted) -> Result<PathBuf, ToolError> {
    let roots: Vec<PathBuf> = wanted
        .roots
        .iter()
        .filter_map(|root| Path::new(&workspace(root)).canonicalize().ok())
        .filter(|root| root.parent().is_some())
        .collect();
    let Some(first) = roots.first() else {
        return Err(ToolError::invalid(
            "git is read only below the folders a client has open, and this client named none \
             that can be read; open a folder, or put the change into 'findings'",
        ));
    };
    let Some(path) = &wanted.path else {
        return Ok(first.clone());
    };
    let named = first.join(workspace(path));
    let real = named.canonicalize().map_err(|error| {
        ToolError::invalid(format!(
            "'path' names '{path}', which cannot be read: {error}"
        ))
    })?;
    let real = match real.is_file() {
        true => real.parent().unwrap_or(first).to_owned(),
        false => real,
    };
    if roots.iter().any(|root| real.starts_with(root)) {
        return Ok(real);
    }
    Err(ToolError::invalid(format!(
        "'path' names '{path}', which is outside the folders this client has open"
    )))
}

/// A change while it is put together.
struct Reading {
    fence: Fence,
    room: usize,
    text: String,
    files: Vec<Value>,
    /// What is not in the text, and why.
    left_out: Vec<(String, String)>,
    symbols: symbols::Symbols,
}

impl Reading {
    /// Takes one diff, file by file; each is whole or left out.
    fn part(&mut self, name: &str, diff: &git::Said) {
        let pieces = pieces(&diff.text);
        for (at, piece) in pieces.iter().enumerate() {
            // Of output that was cut, the last file may lack its end.
            let last = at + 1 == pieces.len() && diff.cut;
            let why = match self.withheld(piece) {
                Some(why) => Some(why),
                None if last => Some("git's output was too long and ends within it".to_owned()),
                None if self.text.len() + piece.text.len() > self.room => {
                    Some("there is no room for it".to_owned())
                }
                None => None,
            };
            if let Some(why) = why {
                let marked = self
                    .fence
                    .mark(&format!("{}: NOT INCLUDED: {why}", piece.path));
                let _ = writeln!(self.text, "{marked}\n");
                self.left_out.push((piece.path.clone(), why));
                continue;
            }
            self.files.push(piece.told(name));
            self.symbols.add(piece);
            let begin = self.fence.mark(&format!("{name}: {}", piece.path));
            let end = self.fence.mark("end of this file's change");
            let _ = writeln!(self.text, "{begin}\n{}{end}\n", piece.text);
        }
    }

    /// Its name or its text must not leave the machine.
    fn withheld(&self, piece: &Piece) -> Option<String> {
        // What git says of a line stands before it.
        let bare = |line: &str| line.get(1..).unwrap_or_default().to_owned() + "\n";
        let text: String = piece.text.lines().map(bare).collect();
        files::withheld(&piece.path, &text)
            .or_else(|| files::withheld(piece.from.as_deref()?, ""))
            .or_else(|| {
                let held = self.fence.is_in(&piece.text);
                held.then(|| "it holds the mark of this call".to_owned())
            })
    }
}
