//! A change as git knows it: what was committed in a range, what is staged, what is not, what is
//! not known to git yet, and which symbols got other names. It is read below the folders a
//! client has open and nowhere else, and held to the same rules as files: what may not leave the
//! machine is left out, and said to be.

mod beyond;
mod diff;
mod git;
mod range;
mod symbols;

#[cfg(test)]
mod tests;

use crate::files::{self, Bounds, Fence, leads_within};
use diff::{Piece, pieces};
use exai_engine::{Folders, ports::threads::workspace, tool::ToolError};
use git::{Git, Part};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// What to read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Folders that may be read.
    pub(crate) roots: Folders,
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
    /// Nothing in it may be read, if there is anything in it.
    pub(crate) fn is_empty(&self) -> bool {
        let read = self.told["files"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
        !read && self.untracked.is_empty()
    }

    /// That there is nothing to be read, and what was passed over.
    pub(crate) fn emptiness(&self) -> String {
        let rows = self.told["left_out"].as_array().into_iter().flatten();
        let word = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let rows: Vec<String> = rows
            .take(5)
            .map(|row| format!("{}: {}", word(row, "path"), word(row, "why")))
            .collect();
        match rows.is_empty() {
            true => "git knows of no change here".to_owned(),
            false => format!("nothing of the change can be read: {}", rows.join("; ")),
        }
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
        conflicts: BTreeSet::new(),
        left_out: Vec::new(),
        symbols: symbols::Symbols::default(),
    };
    let revisions = range::parts(&git, wanted).await?;
    let mut parts = Vec::new();
    for (name, revisions) in &revisions {
        let diff = git.diff(revisions).await?;
        let last = read.part(name, &diff);
        if diff.cut {
            let unread = beyond::the_end(&git, revisions, &last).await?;
            read.leave_out(unread);
        }
        parts.push(name.clone());
    }
    let mut untracked = Vec::new();
    if wanted.untracked {
        let named = beyond::sorted(git.untracked(Part::Here).await?);
        untracked = named.kept;
        read.leave_out(named.left_out);
        parts.push("untracked".to_owned());
    }
    let elsewhere = beyond::the_folder(&git, &revisions, wanted.untracked).await?;
    read.leave_out(elsewhere);
    let uses = symbols::uses(&git, &read.symbols).await;
    let heading = read.symbols.in_words(&uses);
    if !heading.is_empty() && !read.text.is_empty() {
        read.text.insert_str(0, &heading);
    }
    let mut told = json!({
        "repository": folder.to_string_lossy(),
        "parts": parts,
        "files": read.files,
        "untracked": untracked,
        "renamed_symbols": read.symbols.renamed_told(&uses),
        "removed_symbols_still_used": read.symbols.removed_told(&uses),
        "left_out": read.left_out.iter().map(|(path, why)| json!({ "path": path, "why": why })).collect::<Vec<_>>(),
    });
    if !read.conflicts.is_empty() {
        told["conflicts"] = json!(read.conflicts);
    }
    let at = |name: &String| folder.join(name).to_string_lossy().into_owned();
    Ok(Change {
        text: read.text,
        untracked: untracked.iter().map(at).collect(),
        told,
    })
}

/// The folder that is meant, without links, below one of the client's.
fn folder(wanted: &Wanted) -> Result<PathBuf, ToolError> {
    let bounds = Bounds::of(&wanted.roots);
    let roots: Vec<PathBuf> = wanted
        .roots
        .iter()
        .filter_map(|root| Path::new(&workspace(root)).canonicalize().ok())
        .filter(|root| root.parent().is_some())
        .flat_map(|root| bounds.narrow(&root))
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
    let holds = |real: &Path| roots.iter().any(|root| real.starts_with(root));
    // Whether there is anything outside is not told.
    let why = match named.canonicalize() {
        Ok(real) if holds(&real) => {
            let folder = real.parent().filter(|_| real.is_file());
            return Ok(folder.unwrap_or(&real).to_owned());
        }
        Err(error) if leads_within(&named, holds) => format!("cannot be read: {error}"),
        _ => match bounds.told() {
            Some(told) => format!("is outside the folders this client may read: {told}"),
            None => "is outside the folders this client has open; open its folder".to_owned(),
        },
    };
    Err(ToolError::invalid(format!(
        "'path' names '{path}', which {why}"
    )))
}

/// A change while it is put together.
struct Reading {
    fence: Fence,
    room: usize,
    text: String,
    files: Vec<Value>,
    /// What a merge could not put together, read or not.
    conflicts: BTreeSet<String>,
    /// What is not in the text, and why.
    left_out: Vec<(String, String)>,
    symbols: symbols::Symbols,
}

impl Reading {
    /// Takes one diff, file by file; each is whole or left out. Gives the files it had.
    fn part(&mut self, name: &str, diff: &git::Said) -> BTreeSet<String> {
        let pieces = pieces(&diff.text);
        for (at, piece) in pieces.iter().enumerate() {
            // Of output that was cut, the last file may lack its end.
            let last = at + 1 == pieces.len() && diff.cut;
            if piece.is_in_conflict() {
                self.conflicts.insert(piece.path.clone());
            }
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
            let state = if piece.is_in_conflict() {
                ", IN CONFLICT: a merge could not put it together"
            } else {
                ""
            };
            let begin = self.fence.mark(&format!("{name}: {}{state}", piece.path));
            let end = self.fence.mark("end of this file's change");
            let _ = writeln!(self.text, "{begin}\n{}{end}\n", piece.text);
        }
        pieces.into_iter().map(|piece| piece.path).collect()
    }

    /// Takes note of what is not read, for whoever judges as for whoever asked.
    fn leave_out(&mut self, files: Vec<(String, String)>) {
        for (path, why) in files {
            let marked = self.fence.mark(&format!("{path}: NOT INCLUDED: {why}"));
            let _ = writeln!(self.text, "{marked}\n");
            self.left_out.push((path, why));
        }
    }

    /// Its name or its text must not leave the machine.
    fn withheld(&self, piece: &Piece) -> Option<String> {
        files::withheld(&piece.path, &piece.bare())
            .or_else(|| files::withheld(piece.from.as_deref()?, ""))
            .or_else(|| {
                let held = self.fence.is_in(&piece.text);
                held.then(|| "it holds the mark of this call".to_owned())
            })
    }
}
