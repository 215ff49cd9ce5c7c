//! `tracer`: how a call flows, or what depends on what. No model is asked.

use super::super::{
    fields::{Field, Form},
    guidance::{View, owned},
    kind::{Hold, Kind, Names},
};

const MODE: &str = "trace_mode";

pub(super) static KIND: Kind = Kind {
    name: "tracer",
    title: "Tracer",
    description: "Trace how code runs (precision) or what depends on it (dependencies), step by step. Asks no model.",
    fields: &[
        Field::listed(MODE, Form::Choice(&["ask", "precision", "dependencies"])),
        Field::listed("target_description", Form::Text),
    ],
    steps: 3,
    at_once: false,
    change: None,
    ladder: &[],
    expert: None,
    actions: |view| owned(words(view)),
    holds,
    names: Some(Names {
        pause: "pause_for_tracing",
        required: "tracer_required",
        status: "tracing_status",
        confidence: "current_confidence",
        complete: "trace_summary",
        flag: "tracing_complete",
        sure: "tracing_complete",
        skipped: "skipped_by_tool_design",
    }),
    written: None,
};

fn words(view: &View<'_>) -> &'static [&'static str] {
    let dependencies = view.all.word(MODE) == Some("dependencies");
    match (view.step.number, dependencies) {
        (1, false) => &[
            "Find the exact place of the target: file, line, signature.",
            "Read it, and every function it calls, as far as they are yours.",
        ],
        (1, true) => &[
            "Find the exact place of the target: file, line, kind.",
            "Find what it uses, and everything that uses it: calls, types, imports, configuration.",
        ],
        (_, false) => &[
            "Follow each call in order; note condition, loop, error path and side effect, each \
             with file:line.",
            "At the end draw it as an indented tree in the order of execution, branches named by \
             their condition, places at the right; then the side effects as a table.",
        ],
        (_, true) => &[
            "Go one level further in both directions; note what kind of dependency each one is, \
             with file:line.",
            "At the end draw two trees, what it uses and what uses it, then cycles and what is \
             coupled too closely.",
        ],
    }
}

/// Which of the two it is to be, somebody has to say.
fn holds(view: &View<'_>) -> Option<Hold> {
    (view.all.word(MODE) == Some("ask")).then(|| Hold {
        why: "Ask the person which trace is meant, and send it in 'trace_mode': 'precision' (how \
              it runs: calls in order, conditions, side effects) or 'dependencies' (what it uses \
              and what uses it)."
            .to_owned(),
        user: true,
        alias: "mode_selection_required",
    })
}
