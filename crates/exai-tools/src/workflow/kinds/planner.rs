//! `planner`: a plan in steps that can be revised and branched. No model is asked.

use super::super::{
    fields::{Field, Form},
    guidance::{View, owned},
    kind::{Kind, Names, never},
};

/// From so many steps on, the first ones are for thinking.
const LONG: u32 = 5;

pub(super) static KIND: Kind = Kind {
    name: "planner",
    title: "Planner",
    description: "Plan in steps that are kept and can be revised, gone back on and branched. Asks no model.",
    fields: &[
        Field::passing("is_step_revision", Form::Flag, false),
        Field::passing("revises_step_number", Form::Count, true),
        Field::passing("is_branch_point", Form::Flag, false),
        Field::passing("branch_from_step", Form::Count, true),
        Field::passing("branch_id", Form::Text, true),
        Field::passing("more_steps_needed", Form::Flag, false),
    ],
    steps: 4,
    at_once: false,
    change: None,
    ladder: &[],
    expert: None,
    actions: |view| owned(words(view)),
    holds: never,
    names: Some(Names {
        pause: "pause_for_planning",
        required: "planner_required",
        status: "planning_status",
        confidence: "current_confidence",
        complete: "complete_planning",
        flag: "planning_complete",
        sure: "planning_complete",
        skipped: "skipped_by_tool_design",
    }),
    written: None,
};

fn words(view: &View<'_>) -> &'static [&'static str] {
    let long = view.step.total >= LONG;
    match view.step.number {
        1 if long => &[
            "Before the next step: what is in the plan, what is not, and by what it is done?",
            "Read the code and documents the plan touches; name what you found with file:line.",
            "Name at least two ways to go about it and what speaks against each.",
        ],
        2 if long => &[
            "Choose the way, and say why. A way worth keeping in sight becomes a branch \
             (is_branch_point, branch_from_step, branch_id).",
            "List what binds the plan: interfaces, data, people, order.",
        ],
        3 if long => &[
            "List what could go wrong, how it would be noticed and what then.",
            "Name the first thing to do that teaches the most.",
        ],
        1 => &[
            "Say what is to be reached and what is out of scope.",
            "Read what the plan touches before the next step.",
        ],
        _ => &[
            "Write the next step so that somebody else could do it: what, where, and how to see \
             that it is done.",
            "If an earlier step turned out wrong, revise it (is_step_revision, \
             revises_step_number) or go back (backtrack_from_step); nothing is lost.",
        ],
    }
}
