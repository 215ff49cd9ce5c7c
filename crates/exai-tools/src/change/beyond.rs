//! What of a change is not read, and would be missed without a word: files after the end of what
//! git may say, files of the repository outside the folder that is open, names nobody can write.

use super::git::{Git, Part};
use exai_engine::tool::ToolError;
use std::collections::BTreeSet;

/// Untracked files that are told of.
const MOST_UNTRACKED: usize = 200;
/// Files after a cut that are named; of more the number is.
const MOST_NAMED: usize = 50;

/// A file and why it is left out.
type LeftOut = Vec<(String, String)>;

/// Files git does not know.
pub(super) struct Untracked {
    pub(super) kept: Vec<String>,
    pub(super) left_out: LeftOut,
}

/// Those that can be named, and no more of them than anybody reads.
pub(super) fn sorted(names: Vec<String>) -> Untracked {
    let unreadable = |name: &String| name.contains(char::REPLACEMENT_CHARACTER);
    let (unnamed, mut kept): (Vec<String>, Vec<String>) = names.into_iter().partition(unreadable);
    let why = "its name is not UTF-8 text, and cannot be sent; rename it";
    let mut left_out: LeftOut = unnamed
        .into_iter()
        .take(MOST_NAMED)
        .map(|name| (name, why.to_owned()))
        .collect();
    if kept.len() > MOST_UNTRACKED {
        let more = kept.len() - MOST_UNTRACKED;
        let why = format!("only {MOST_UNTRACKED} untracked files are told of");
        left_out.push((format!("{more} untracked files"), why));
        kept.truncate(MOST_UNTRACKED);
    }
    Untracked { kept, left_out }
}

/// The files a diff that was cut did not get to.
pub(super) async fn the_end(
    git: &Git,
    revisions: &[String],
    had: &BTreeSet<String>,
) -> Result<LeftOut, ToolError> {
    const WHY: &str = "git's output was too long before it came to this";
    let names = git.names(revisions, Part::Here).await?;
    let mut unread = names.into_iter().filter(|name| !had.contains(name));
    let mut left_out: LeftOut = unread
        .by_ref()
        .take(MOST_NAMED)
        .map(|name| (name, WHY.to_owned()))
        .collect();
    match unread.count() {
        0 => {}
        more => left_out.push((format!("{more} more files"), WHY.to_owned())),
    }
    Ok(left_out)
}

/// How much of the change is in the repository and not in the folder that is read.
pub(super) async fn the_folder(
    git: &Git,
    parts: &[(String, Vec<String>)],
    untracked: bool,
) -> Result<LeftOut, ToolError> {
    let Some(top) = git.above() else {
        return Ok(LeftOut::new());
    };
    let mut all = BTreeSet::new();
    for (_, revisions) in parts {
        all.extend(git.names(revisions, Part::Elsewhere).await?);
    }
    if untracked {
        all.extend(git.untracked(Part::Elsewhere).await?);
    }
    if all.is_empty() {
        return Ok(LeftOut::new());
    }
    let what = match all.len() {
        1 => "1 changed file elsewhere in the repository".to_owned(),
        more => format!("{more} changed files elsewhere in the repository"),
    };
    let top = top.display();
    let why = format!("only the folder that is open is read; to see all of it, open {top}");
    Ok(vec![(what, why)])
}
