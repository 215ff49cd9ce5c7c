//! `docgen`: every file documented, one a step, and counted. No model is asked.

use super::super::{
    fields::{Field, Form},
    guidance::{View, owned},
    kind::{Hold, Kind, Names},
};

const DONE: &str = "num_files_documented";
const ALL: &str = "total_files_to_document";

pub(super) static KIND: Kind = Kind {
    name: "docgen",
    title: "Document code",
    description: "Document code file by file, counted until all are done. Asks no model.",
    fields: &[
        Field::known("document_complexity", Form::Flag),
        Field::known("document_flow", Form::Flag),
        Field::known("update_existing", Form::Flag),
        Field::known("comments_on_complex_logic", Form::Flag),
        Field::listed(DONE, Form::Count),
        Field::listed(ALL, Form::Count),
    ],
    steps: 2,
    at_once: false,
    change: None,
    ladder: &[],
    expert: None,
    actions: |view| owned(words(view)),
    holds,
    names: Some(Names {
        pause: "pause_for_documentation_analysis",
        required: "docgen_required",
        status: "documentation_analysis_status",
        confidence: "current_confidence",
        complete: "complete_documentation_analysis",
        flag: "documentation_analysis_complete",
        sure: "documentation_analysis_complete",
        skipped: "skipped_due_to_complete_analysis",
    }),
    written: None,
};

fn words(view: &View<'_>) -> &'static [&'static str] {
    match view.step.number {
        1 => &[
            "Find every file that is to be documented, count them, and write nothing yet.",
            "Send the count in 'total_files_to_document' and the list in 'relevant_files'.",
            "Look at how this project documents things; do it the same way.",
        ],
        _ => &[
            "Document one file, whole: what it is for, what each public thing promises, what \
             would surprise a reader. Never change what the code does.",
            "A fault you find is reported in 'findings', not mended.",
            "Count it in 'num_files_documented'.",
        ],
    }
}

/// The counters have to agree.
fn holds(view: &View<'_>) -> Option<Hold> {
    let (done, all) = (view.all.count(DONE)?, view.all.count(ALL)?);
    (done < all).then(|| Hold {
        why: format!(
            "{} of {all} files are documented; document the rest, one a step, and count them in \
             '{DONE}'.",
            done
        ),
        user: false,
        alias: "documentation_analysis_required",
    })
}
