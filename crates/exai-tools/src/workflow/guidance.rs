//! What a caller is asked to do before the next step: by how far it is and how sure it says to
//! be. The words are each tool's own; which of them apply is decided here.

use super::{investigation::Investigation, step::Step, written::Written};

/// What a tool's words may depend on.
pub(super) struct View<'a> {
    pub(super) step: &'a Step,
    /// With the step in it.
    pub(super) all: &'a Investigation,
    /// What a tool's owner wants done, where he wrote it.
    pub(super) written: Option<&'a Written>,
}

/// The words of a tool that goes by confidence.
pub(super) struct Phases {
    /// Nothing has been looked at yet.
    pub(super) first: &'static [&'static str],
    /// There are hints.
    pub(super) searching: &'static [&'static str],
    /// There is an explanation, to be tested.
    pub(super) testing: &'static [&'static str],
    /// It is as good as known.
    pub(super) closing: &'static [&'static str],
}

/// What is asked for, and whether the next step is to be the last however many were planned.
#[derive(Default)]
pub(super) struct Guidance {
    pub(super) actions: Vec<String>,
    pub(super) last: bool,
}

impl Phases {
    pub(super) fn actions(&self, view: &View<'_>) -> Guidance {
        let confidence = view.all.confidence();
        let words = match confidence {
            _ if view.step.number == 1 => self.first,
            Some("medium" | "high" | "very_high" | "partial") => self.testing,
            Some("almost_certain" | "certain" | "complete") => {
                let closing = owned(self.closing);
                return Guidance {
                    last: true,
                    ..closing
                };
            }
            _ => self.searching,
        };
        owned(words)
    }
}

/// Words as they are sent.
pub(super) fn owned(words: &[&str]) -> Guidance {
    Guidance {
        actions: words.iter().map(|word| (*word).to_owned()).collect(),
        last: false,
    }
}
