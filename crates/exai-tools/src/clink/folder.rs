//! Where an agent works and what it is pointed to: looked at by the rules that hold for files
//! which are sent, before anything runs. The agent opens them itself.

use super::asked::Asked;
use crate::{
    files::{self, Entry, Wanted},
    kind,
};
use exai_engine::{
    ports::threads::{Sent, SentKind},
    tool::{ToolCall, ToolError},
};
use std::{fmt::Write as _, path::PathBuf};

/// More is not looked through for what must not be handed on.
const TOKENS: u64 = 10_000_000;

/// What was found.
pub(super) struct Looked {
    /// Where it works.
    pub(super) directory: PathBuf,
    /// What became of each file that was named.
    pub(super) entries: Vec<Entry>,
    /// Those it is told of.
    pub(super) sent: Vec<Sent>,
    /// The code of the marks they get in later turns.
    pub(super) mark: Option<String>,
}

pub(super) async fn look(asked: &Asked, call: &ToolCall) -> Result<Looked, ToolError> {
    let (directory, files) = (asked.directory.clone(), asked.files.clone());
    let roots = call.roots.clone();
    kind::on_a_thread(move || {
        let found = files::folder(&roots, &directory);
        let directory = found.map_err(|why| {
            ToolError::invalid(format!("'directory': {directory}: {why}. Nothing was run."))
        })?;
        let gathered = files::gather(&Wanted {
            roots,
            files,
            tokens: TOKENS,
            ..Wanted::default()
        });
        refuse_nothing(&gathered.entries)?;
        let texts = gathered.sent.iter().any(|sent| sent.kind == SentKind::Text);
        Ok(Looked {
            directory,
            entries: gathered.entries,
            sent: gathered.sent,
            mark: texts.then_some(gathered.mark),
        })
    })
    .await
}

fn refuse_nothing(entries: &[Entry]) -> Result<(), ToolError> {
    if entries.is_empty() || entries.iter().any(Entry::sent) {
        return Ok(());
    }
    let told: Vec<String> = entries.iter().map(|entry| format!("- {entry}")).collect();
    Err(ToolError::invalid(format!(
        "'files': none of them may be handed on, so nothing was run:\n{}",
        told.join("\n")
    )))
}

impl Looked {
    /// The task with what to look at.
    pub(super) fn task(&self, prompt: &str) -> String {
        let mut words = prompt.to_owned();
        if !self.sent.is_empty() {
            words.push_str("\n\nLook at these first:");
        }
        for sent in &self.sent {
            let path = if sent.path.is_empty() {
                &sent.name
            } else {
                &sent.path
            };
            let _ = write!(words, "\n- {path}");
            if sent.lines > 0 {
                let _ = write!(
                    words,
                    " (lines {}-{})",
                    sent.from,
                    sent.from + sent.lines - 1
                );
            }
        }
        words
    }
}
