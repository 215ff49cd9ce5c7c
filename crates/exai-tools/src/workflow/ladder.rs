//! What becomes of a step: another is to follow, something holds it, or it is the last, and then
//! whether a model judges the whole. The caller's word for how sure it is decides, never more
//! than it said; a caller who wants no model gets none.

use super::{
    guidance::View,
    investigation::Investigation,
    kind::{Expert, Hold, Kind, Needs},
};

/// What is to happen.
pub(super) enum Verdict<'a> {
    /// The caller goes on.
    Pause,
    /// It is not the last after all.
    Held(Hold),
    /// It is over, without a model.
    Done(Why),
    /// A model judges.
    Ask(&'a Expert),
}

/// Why no model was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// This tool has none.
    NoExpert,
    /// The caller wants none.
    Declined,
    /// The caller is entirely sure.
    Sure,
    /// There is nothing to judge.
    NothingToJudge,
}

impl Why {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NoExpert => "this tool asks no model; the result is your own work",
            Self::Declined => "you asked for none",
            Self::Sure => "you said to be entirely sure",
            Self::NothingToJudge => {
                "there is nothing to judge yet: no relevant file, no issue, too few findings"
            }
        }
    }
}

/// Decides.
pub(super) fn decide<'a>(
    kind: &'a Kind,
    view: &View<'_>,
    wanted: bool,
    change: bool,
) -> Verdict<'a> {
    if let Some(hold) = (kind.holds)(view).filter(|hold| hold.user || !view.step.more) {
        return Verdict::Held(hold);
    }
    if view.step.more {
        return Verdict::Pause;
    }
    let Some(expert) = &kind.expert else {
        return Verdict::Done(Why::NoExpert);
    };
    let declined = |(field, word): (&str, &str)| view.all.word(field) == Some(word);
    if !wanted || expert.declined_by.is_some_and(declined) {
        return Verdict::Done(Why::Declined);
    }
    let top = kind.ladder.last().copied();
    if expert.may_be_skipped && top.is_some() && view.all.confidence() == top {
        return Verdict::Done(Why::Sure);
    }
    if change || enough(expert.needs, view) {
        return Verdict::Ask(expert);
    }
    Verdict::Done(Why::NothingToJudge)
}

/// Whether there is anything at all to judge.
pub(super) fn any(all: &Investigation) -> bool {
    !all.relevant_files().is_empty() || !all.issues().is_empty() || all.findings() > 0
}

fn enough(needs: Needs, view: &View<'_>) -> bool {
    match needs {
        Needs::Nothing => true,
        Needs::Evidence(findings) => {
            !view.all.relevant_files().is_empty()
                || !view.all.issues().is_empty()
                || view.all.findings() >= findings
        }
    }
}
