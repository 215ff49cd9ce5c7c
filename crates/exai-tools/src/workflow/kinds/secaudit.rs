//! `secaudit`: a security audit along a fixed path of six stations.

use super::{
    super::{
        fields::{Field, Form},
        guidance::{View, owned},
        kind::{Expert, Kind, Names, Needs, never},
    },
    CONFIDENCE, SEVERITIES,
};
use exai_engine::ports::models::Category;

pub(super) static KIND: Kind = Kind {
    name: "secaudit",
    title: "Security audit",
    description: "Security audit in six steps, from attack surface to remedies; another model judges at the end.",
    fields: &[
        Field::known("security_scope", Form::Text),
        Field::known(
            "threat_level",
            Form::Choice(&["medium", "low", "high", "critical"]),
        ),
        Field::known("compliance_requirements", Form::Texts),
        Field::known(
            "audit_focus",
            Form::Choice(&[
                "comprehensive",
                "owasp",
                "compliance",
                "infrastructure",
                "dependencies",
            ]),
        ),
        Field::known("severity_filter", Form::Choice(SEVERITIES)),
    ],
    steps: 6,
    at_once: false,
    change: None,
    ladder: CONFIDENCE,
    expert: Some(Expert {
        prompt: include_str!("../../../prompts/secaudit.md"),
        category: Category::Deep,
        may_be_skipped: true,
        needs: Needs::Evidence(2),
        declined_by: None,
    }),
    actions: |view| owned(words(view)),
    holds: never,
    names: Some(Names {
        pause: "pause_for_security_audit",
        required: "secaudit_required",
        status: "security_audit_status",
        confidence: "audit_confidence",
        complete: "complete_security_audit",
        flag: "security_audit_complete",
        sure: "security_analysis_complete",
        skipped: "skipped_due_to_certain_audit_confidence",
    }),
    written: None,
};

/// What the next station is.
fn words(view: &View<'_>) -> &'static [&'static str] {
    match view.step.number {
        1 => &[
            "Map the attack surface: every place where data of others comes in, and what it may \
             reach. Name who could attack, and what they could win.",
            "Then authentication and sessions: who may be whom, how that is proved, how long it \
             lasts, and what happens when it is lost.",
            "Put the files into 'relevant_files'.",
        ],
        2 => &[
            "Authorisation: for every action, where is it decided, and can the decision be \
             walked around?",
            "Input: follow it to queries, commands, paths, templates, parsers and logs.",
            "Cryptography: what protects which secret, with which keys, from where.",
        ],
        3 => &[
            "Go through the OWASP Top Ten one by one; for each: found (file:line), not found, or \
             does not apply, and why.",
        ],
        4 => &[
            "Dependencies: versions with known holes, what they may do, who publishes them.",
            "Configuration: defaults, secrets in files and history, what listens where, what is \
             logged.",
        ],
        5 => &[
            "Check what the rules in 'compliance_requirements' ask for.",
            "Order what you found by how easily it is used and what it costs; for each the \
             remedy and how to see that it works.",
        ],
        _ => &[
            "Try to refute each finding; a finding nobody could use is none.",
            "When nothing is open, send \"next_step_required\": false and have it judged.",
        ],
    }
}
