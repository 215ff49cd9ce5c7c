//! `codereview`: a change or some files, reviewed; the daemon reads the change itself.

use super::{
    super::{
        fields::{Field, Form},
        guidance::Phases,
        investigation::Investigation,
        kind::{Expert, Kind, Names, Needs, never},
    },
    CONFIDENCE, SEVERITIES,
};
use crate::change::Wanted;
use exai_engine::ports::models::Category;

pub(super) static KIND: Kind = Kind {
    name: "codereview",
    title: "Code review",
    description: "Another model reviews files, a git range or uncommitted work (git is read for you): one call, or step by step.",
    fields: &[
        Field::listed("range", Form::Text),
        Field::known("path", Form::Text),
        Field::known("compare_to", Form::Text),
        Field::known(
            "review_type",
            Form::Choice(&["full", "security", "performance", "quick"]),
        ),
        Field::known(
            "review_validation_type",
            Form::Choice(&["external", "internal"]),
        ),
        Field::known("focus_on", Form::Text),
        Field::known("standards", Form::Text),
        Field::known("severity_filter", Form::Choice(SEVERITIES)),
    ],
    steps: 2,
    at_once: true,
    change: Some(wanted),
    ladder: CONFIDENCE,
    expert: Some(Expert {
        prompt: include_str!("../../../prompts/codereview.md"),
        category: Category::Deep,
        may_be_skipped: true,
        needs: Needs::Evidence(2),
        declined_by: Some(("review_validation_type", "internal")),
    }),
    actions: |view| PHASES.actions(view),
    holds: never,
    names: Some(Names {
        pause: "pause_for_code_review",
        required: "codereview_required",
        status: "code_review_status",
        confidence: "review_confidence",
        complete: "complete_code_review",
        flag: "code_review_complete",
        sure: "code_review_complete_ready_for_implementation",
        skipped: "skipped_due_to_certain_review_confidence",
    }),
    written: None,
};

/// A range or what is not committed, unless only files are to be reviewed.
fn wanted(all: &Investigation) -> Option<Wanted> {
    let word = |field: &str| all.word(field).map(str::to_owned);
    let (range, since) = (word("range"), word("compare_to"));
    let here = range.is_none() && since.is_none();
    if here && !all.relevant_files().is_empty() && word("path").is_none() {
        return None;
    }
    Some(Wanted {
        path: word("path"),
        range,
        since,
        staged: here,
        unstaged: here,
        untracked: here,
        ..Wanted::default()
    })
}

const PHASES: Phases = Phases {
    first: &[
        "Read all of what is to be reviewed, and the code that calls it.",
        "Say what it is meant to do; check it against that, not against taste.",
        "Put the files into 'relevant_files'.",
    ],
    searching: &[
        "Look for what breaks: wrong results, lost errors, races, leaks, unbounded growth, holes.",
        "Try the edges: empty, huge, twice, at once, interrupted.",
        "Each finding goes into 'issues_found' with severity, description and file:line.",
    ],
    testing: &[
        "Try to refute each finding in the code; drop what you cannot show.",
        "Look for the same mistake elsewhere, and for what is not tested.",
    ],
    closing: &[
        "Order the findings by harm, each with the smallest fix.",
        "Then send 'next_call', which is the last step, and have it judged.",
    ],
};
