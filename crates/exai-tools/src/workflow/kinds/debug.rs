//! `debug`: from a symptom to its cause.

use super::{
    super::{
        guidance::Phases,
        kind::{Expert, Kind, Names, Needs, never},
    },
    CONFIDENCE,
};
use exai_engine::ports::models::Category;

pub(super) static KIND: Kind = Kind {
    name: "debug",
    title: "Debug",
    description: "Find a root cause step by step: you investigate, another model tests your explanation at the end.",
    fields: &[],
    steps: 3,
    at_once: false,
    change: None,
    ladder: CONFIDENCE,
    expert: Some(Expert {
        prompt: include_str!("../../../prompts/debug.md"),
        category: Category::Deep,
        may_be_skipped: true,
        needs: Needs::Evidence(2),
        declined_by: None,
    }),
    actions: |view| PHASES.actions(view),
    holds: never,
    names: Some(Names {
        pause: "pause_for_investigation",
        required: "investigation_required",
        status: "investigation_status",
        confidence: "current_confidence",
        complete: "complete_investigation",
        flag: "investigation_complete",
        sure: "certain_confidence_proceed_with_fix",
        skipped: "skipped_due_to_certain_confidence",
    }),
    written: None,
};

const PHASES: Phases = Phases {
    first: &[
        "Read the code where the symptom shows before you explain anything, and the code that \
         leads there.",
        "Make it fail, or find in logs, tests and history when it fails and when it does not.",
        "Write down what you saw, with file:line. Where it shows is not always where it is; that \
         there is no fault in the code is an answer too.",
    ],
    searching: &[
        "Follow the values and the control flow from the symptom backwards to where they first \
         go wrong.",
        "Name at least two explanations in 'hypothesis', and for each what would refute it.",
        "Look at configuration, dependencies, concurrency and recent changes.",
    ],
    testing: &[
        "Try to refute your hypothesis in the code, with file:line for every link of the chain.",
        "Look for the same mistake elsewhere.",
        "List what is wrong in 'issues_found' (severity, description) and the files it is about \
         in 'relevant_files'.",
    ],
    closing: &[
        "Complete the chain from cause to symptom; every link needs file:line.",
        "Name the smallest fix, what it could break, and the test that fails without it.",
        "If nothing is open, send 'next_call', which is the last step, and have it judged.",
    ],
};
