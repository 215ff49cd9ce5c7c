//! `refactor`: where code could be better without doing anything else.

use super::super::{
    fields::{Field, Form},
    guidance::Phases,
    kind::{Expert, Kind, Names, Needs, never},
};
use exai_engine::ports::models::Category;

pub(super) static KIND: Kind = Kind {
    name: "refactor",
    title: "Refactor",
    description: "Find what is worth refactoring, step by step; another model judges at the end.",
    fields: &[
        Field::known(
            "refactor_type",
            Form::Choice(&["codesmells", "decompose", "modernize", "organization"]),
        ),
        Field::known("focus_areas", Form::Texts),
        Field::known("style_guide_examples", Form::Texts),
    ],
    steps: 3,
    at_once: false,
    change: None,
    ladder: &["exploring", "incomplete", "partial", "complete"],
    expert: Some(Expert {
        prompt: include_str!("../../../prompts/refactor.md"),
        category: Category::Deep,
        may_be_skipped: true,
        needs: Needs::Evidence(2),
        declined_by: None,
    }),
    actions: |view| PHASES.actions(view),
    holds: never,
    names: Some(Names {
        pause: "pause_for_refactoring_analysis",
        required: "refactor_required",
        status: "refactoring_status",
        confidence: "refactor_confidence",
        complete: "complete_refactoring",
        flag: "refactoring_complete",
        sure: "refactoring_analysis_complete_ready_for_implementation",
        skipped: "skipped_due_to_complete_refactoring_confidence",
    }),
    written: None,
};

const PHASES: Phases = Phases {
    first: &[
        "Read the code and the tests that hold its behaviour; where there are none, say so first.",
        "Find out what changes often and what hurts when it does.",
        "Put the files into 'relevant_files'.",
    ],
    searching: &[
        "Look for functions and files that do several things, repeated knowledge, hidden state, \
         names that mislead.",
        "Each opportunity goes into 'issues_found': its kind, where it begins and ends \
         (file:line), and what it costs today.",
    ],
    testing: &[
        "For each opportunity: which steps, each keeping the tests green, and who else is touched.",
        "Drop what is only taste.",
    ],
    closing: &[
        "Order the opportunities by gain and risk, and name the first.",
        "Then send 'next_call', which is the last step, and have it judged.",
    ],
};
