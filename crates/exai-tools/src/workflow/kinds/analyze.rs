//! `analyze`: what a body of code is, how it holds together and where it will not.

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
    name: "analyze",
    title: "Analyze",
    description: "Assess code step by step (architecture, performance, security, quality); another model judges at the end.",
    fields: &[
        Field::known(
            "analysis_type",
            Form::Choice(&[
                "general",
                "architecture",
                "performance",
                "security",
                "quality",
            ]),
        ),
        Field::known(
            "output_format",
            Form::Choice(&["detailed", "summary", "actionable"]),
        ),
    ],
    steps: 3,
    at_once: false,
    change: None,
    ladder: CONFIDENCE,
    expert: Some(Expert {
        prompt: include_str!("../../../prompts/analyze.md"),
        category: Category::Deep,
        may_be_skipped: false,
        needs: Needs::Evidence(1),
        declined_by: None,
    }),
    actions: |view| PHASES.actions(view),
    holds: never,
    names: Some(Names {
        pause: "pause_for_analysis",
        required: "analyze_required",
        status: "analysis_status",
        confidence: "analysis_confidence",
        complete: "complete_analysis",
        flag: "analysis_complete",
        sure: "analysis_complete_ready_for_implementation",
        skipped: "skipped_due_to_complete_analysis",
    }),
    written: None,
};

const PHASES: Phases = Phases {
    first: &[
        "Find the entry points, the parts and the data that flow between them; read them.",
        "Say what the code is for and what it promises, before you judge it.",
        "Put the files that carry the weight into 'relevant_files'.",
    ],
    searching: &[
        "Follow one typical and one failing case through all parts, with file:line.",
        "Note what is coupled, repeated, unbounded or untested.",
        "Compare what names and comments say with what the code does.",
    ],
    testing: &[
        "Measure or count what you claim; a number beats an impression.",
        "Ask of each weakness who suffers from it and when.",
        "Look for what is good and must not be lost.",
    ],
    closing: &[
        "Order what you found by what it costs to leave it.",
        "Then send 'next_call', which is the last step, and have it judged.",
    ],
};
