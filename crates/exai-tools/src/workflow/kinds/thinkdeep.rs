//! `thinkdeep`: a hard question thought through, and then judged by somebody else.

use super::{
    super::{
        fields::{Field, Form},
        guidance::Phases,
        kind::{Expert, Kind, Names, Needs, never},
    },
    CONFIDENCE,
};
use exai_engine::ports::models::Category;

pub(super) static KIND: Kind = Kind {
    name: "thinkdeep",
    title: "Think deep",
    description: "Think a hard question through in steps; another model challenges your conclusion at the end.",
    fields: &[
        Field::known("problem_context", Form::Text),
        Field::known("focus_areas", Form::Texts),
    ],
    steps: 3,
    at_once: false,
    change: None,
    ladder: CONFIDENCE,
    expert: Some(Expert {
        prompt: include_str!("../../../prompts/thinkdeep.md"),
        category: Category::Deep,
        may_be_skipped: true,
        needs: Needs::Nothing,
        declined_by: None,
    }),
    actions: |view| PHASES.actions(view),
    holds: never,
    names: Some(Names {
        pause: "pause_for_thinkdeep",
        required: "thinkdeep_required",
        status: "thinkdeep_status",
        confidence: "current_confidence",
        complete: "complete_thinking",
        flag: "thinking_complete",
        sure: "deep_thinking_complete_ready_for_implementation",
        skipped: "skipped_due_to_certain_thinking_confidence",
    }),
    written: None,
};

const PHASES: Phases = Phases {
    first: &[
        "Say what exactly is to be decided or understood, and by what a good answer is known.",
        "Gather the facts: read the code, documents and numbers it rests on.",
        "List what is assumed, and which assumptions would change the answer.",
    ],
    searching: &[
        "Work out at least two answers that differ in kind, each in its strongest form.",
        "Find facts that tell them apart, with file:line or source.",
        "Look at limits: load, failure, cost, people, what comes later.",
    ],
    testing: &[
        "Argue against the answer you lean to, as its best opponent would.",
        "Test it on the worst cases you can name.",
        "Say what would have to be true for another answer to win.",
    ],
    closing: &[
        "State the answer, why it wins, what it costs and what stays uncertain.",
        "Name the first step and how to notice early that it is wrong.",
        "Then send 'next_call', which is the last step, and have it judged.",
    ],
};
