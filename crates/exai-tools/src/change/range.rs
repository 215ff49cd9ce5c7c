//! Which revisions a wish means: a range, what was committed since a line was left, what is
//! staged, what is not.

use super::{Wanted, git::Git};
use exai_engine::tool::ToolError;

/// Each part's name and what git is asked for it.
pub(super) async fn parts(
    git: &Git,
    wanted: &Wanted,
) -> Result<Vec<(String, Vec<String>)>, ToolError> {
    let mut parts = Vec::new();
    if let Some(range) = &wanted.range {
        let (from, to) = ends(git, range).await?;
        parts.push((format!("committed in {range}"), vec![from, to]));
    }
    if let Some(since) = &wanted.since {
        let (from, to) = ends(git, &format!("{since}...HEAD")).await?;
        parts.push((format!("committed since {since}"), vec![from, to]));
    }
    let born = git.has_commits().await;
    if wanted.staged {
        // Before the first commit everything staged is new, and git knows that.
        parts.push(("staged".to_owned(), vec!["--cached".to_owned()]));
    }
    if wanted.unstaged && (born || wanted.staged) {
        parts.push(("not staged".to_owned(), Vec::new()));
    }
    Ok(parts)
}

/// Two commits. Three dots begin where the lines parted; a single revision is what it changed.
async fn ends(git: &Git, range: &str) -> Result<(String, String), ToolError> {
    let head = |word: &str| match word.trim() {
        "" => "HEAD".to_owned(),
        word => word.to_owned(),
    };
    if let Some((from, to)) = range.split_once("...") {
        let (from, to) = (git.commit(&head(from)).await?, git.commit(&head(to)).await?);
        return Ok((git.merge_base(&from, &to).await?, to));
    }
    if let Some((from, to)) = range.split_once("..") {
        return Ok((git.commit(&head(from)).await?, git.commit(&head(to)).await?));
    }
    let to = git.commit(range.trim()).await?;
    let before = git.commit(&format!("{to}~1")).await;
    // The first commit has nothing before it; the empty tree has this name everywhere.
    let nothing = || "4b825dc642cb6eb9a060e54bf8d69288fbee4904".to_owned();
    Ok((before.unwrap_or_else(|_| nothing()), to))
}
