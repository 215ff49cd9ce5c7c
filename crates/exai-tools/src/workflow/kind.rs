//! What one tool is: its words, its own fields, how sure a caller may say to be, who judges at
//! the end, and what it asks for at each step. Nothing in it changes while the daemon runs.

use super::{
    fields::Field,
    guidance::{Guidance, View},
    investigation::Investigation,
    written::Written,
};
use crate::change::Wanted;
use exai_engine::ports::models::Category;

/// One tool.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    /// Fields of its own, beside those that all have.
    pub(super) fields: &'static [Field],
    /// Steps it takes where the caller names no number.
    pub(super) steps: u32,
    /// A call that names no step is the whole of it.
    pub(super) at_once: bool,
    /// What it reads of the repository, if anything.
    pub(super) change: Option<fn(&Investigation) -> Option<Wanted>>,
    /// Words for how sure the caller is, from not at all to entirely; none: it is not asked.
    pub(super) ladder: &'static [&'static str],
    /// Who judges at the end.
    pub(super) expert: Option<Expert>,
    /// What it asks of the caller before the next step.
    pub(super) actions: fn(&View<'_>) -> Guidance,
    /// What keeps a last step from being the last.
    pub(super) holds: fn(&View<'_>) -> Option<Hold>,
    /// What the predecessor called things, where it had this tool.
    pub(super) names: Option<Names>,
    /// The words of a tool that the home's owner wrote.
    pub(super) written: Option<Written>,
}

/// A model that judges.
pub(super) struct Expert {
    /// What it is told to be and to do; empty where the home's owner says that.
    pub(super) prompt: &'static str,
    pub(super) category: Category,
    /// Whether a caller who is entirely sure may do without.
    pub(super) may_be_skipped: bool,
    /// What there must be to judge.
    pub(super) needs: Needs,
    /// Fields and the word in them with which the caller declines.
    pub(super) declined_by: Option<(&'static str, &'static str)>,
}

/// What there must be to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// The last step is enough.
    Nothing,
    /// A file, or so many steps with findings, or an issue.
    Evidence(usize),
}

/// The last step is not the last: why, and what state that is.
pub(super) struct Hold {
    pub(super) why: String,
    /// A person has to decide.
    pub(super) user: bool,
    /// The predecessor's status for it.
    pub(super) alias: &'static str,
}

/// The predecessor's names, given beside ours.
pub(super) struct Names {
    pub(super) pause: &'static str,
    pub(super) required: &'static str,
    pub(super) status: &'static str,
    /// How sure, within that.
    pub(super) confidence: &'static str,
    pub(super) complete: &'static str,
    pub(super) flag: &'static str,
    pub(super) sure: &'static str,
    pub(super) skipped: &'static str,
}

impl Kind {
    /// Whether a call may name files at all.
    pub(super) fn takes_files(&self) -> bool {
        self.written.as_ref().is_none_or(|written| written.files.0)
    }

    /// Where a call names files.
    pub(super) fn files_field(&self) -> &'static str {
        match self.written {
            Some(_) => "files",
            None => "relevant_files",
        }
    }
}

/// Nothing ever holds it.
pub(super) fn never(_: &View<'_>) -> Option<Hold> {
    None
}
