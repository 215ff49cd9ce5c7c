//! `precommit`: the gate before a commit; the daemon reads the change itself.

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
    name: "precommit",
    title: "Precommit",
    description: "Another model checks what is about to be committed (git is read for you): one call, or step by step.",
    fields: &[
        Field::known("path", Form::Text),
        Field::listed("compare_to", Form::Text),
        Field::known("include_staged", Form::Flag),
        Field::known("include_unstaged", Form::Flag),
        Field::known("include_untracked", Form::Flag),
        Field::known("precommit_type", Form::Choice(&["external", "internal"])),
        Field::known("focus_on", Form::Text),
        Field::known("severity_filter", Form::Choice(SEVERITIES)),
    ],
    steps: 3,
    at_once: true,
    change: Some(wanted),
    ladder: CONFIDENCE,
    expert: Some(Expert {
        prompt: include_str!("../../../prompts/precommit.md"),
        category: Category::Deep,
        may_be_skipped: true,
        needs: Needs::Evidence(2),
        declined_by: Some(("precommit_type", "internal")),
    }),
    actions: |view| PHASES.actions(view),
    holds: never,
    names: Some(Names {
        pause: "pause_for_validation",
        required: "precommit_required",
        status: "validation_status",
        confidence: "assessment_confidence",
        complete: "complete_validation",
        flag: "validation_complete",
        sure: "validation_complete_ready_for_commit",
        skipped: "skipped_due_to_certain_validation_confidence",
    }),
    written: None,
};

/// What is not committed, and what was since a ref.
fn wanted(all: &Investigation) -> Option<Wanted> {
    let word = |field: &str| all.word(field).map(str::to_owned);
    Some(Wanted {
        path: word("path"),
        since: word("compare_to"),
        staged: all.flag("include_staged").unwrap_or(true),
        unstaged: all.flag("include_unstaged").unwrap_or(true),
        untracked: all.flag("include_untracked").unwrap_or(true),
        ..Wanted::default()
    })
}

const PHASES: Phases = Phases {
    first: &[
        "'changes' lists what is about to be committed. Read every hunk of it in its file.",
        "Say what the change is for, and whether all of it belongs to that.",
        "Look for what is missing: a caller, a test, a document, a migration.",
    ],
    searching: &[
        "Run the tests that cover it, and say which ran.",
        "Follow each changed or renamed symbol to its uses.",
        "Each finding goes into 'issues_found' with severity, description and file:line.",
    ],
    testing: &[
        "Try to refute each finding in the code; drop what you cannot show.",
        "Look for leftovers: debug output, secrets, dead code, unfinished branches.",
    ],
    closing: &[
        "Say whether it may be committed, and what has to happen first.",
        "Then send 'next_call', which is the last step, and have it judged.",
    ],
};
