//! Tools with steps that the home's owner wrote: his words for what is to be done and asked, and
//! all else as every investigation has it, so that there is one form of answers, one way to go
//! back on a step and one to have it judged.

use super::{
    expert::{Matter, section},
    fields,
    guidance::{Guidance, View},
    investigation::Investigation,
    kind::{Expert, Kind, Needs, never},
    run::{self, Ports},
    step::{Order, Step},
};
use crate::{args::Args, wish};
use exai_engine::{
    ports::{
        models::{Category, Effort, Models, Wish},
        threads::Threads,
    },
    tool::{ToolCall, ToolError, ToolOutput},
};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// How a model says what it lacks: a file, or a word of a person.
const LACKING: &str = include_str!("../../prompts/lacking.md");

/// What its owner says.
pub(crate) struct Written {
    pub(crate) name: &'static str,
    /// What is to be done before each next step.
    pub(crate) steps: Vec<String>,
    /// Who the model is told to be.
    pub(crate) persona: Option<String>,
    /// Which model, where the caller names none.
    pub(crate) model: Option<String>,
    pub(crate) category: Category,
    pub(crate) effort: Option<Effort>,
    /// Whether files may go along, and whether some must.
    pub(crate) files: (bool, bool),
}

/// What a call says, read by the tool's own schema.
pub(crate) struct Sent {
    /// The owner's prompt with the caller's fields in it.
    pub(crate) question: String,
    pub(crate) fields: Map<String, Value>,
    pub(crate) number: u32,
    pub(crate) files: Vec<String>,
}

/// Such a tool.
pub(crate) struct WrittenTool(Kind);

impl WrittenTool {
    pub(crate) fn new(written: Written) -> Self {
        Self(Kind {
            name: written.name,
            title: "",
            description: "",
            fields: &[],
            steps: last(&written),
            at_once: false,
            change: None,
            ladder: &[],
            expert: Some(Expert {
                prompt: "",
                category: written.category,
                may_be_skipped: false,
                needs: Needs::Nothing,
                declined_by: None,
            }),
            actions: |view| actions(view).unwrap_or_default(),
            holds: never,
            names: None,
            written: Some(written),
        })
    }

    /// Takes one step of it.
    pub(crate) async fn step(
        &self,
        (models, threads): (&dyn Models, &dyn Threads),
        call: &ToolCall,
        args: Args,
        sent: Sent,
    ) -> Result<ToolOutput, ToolError> {
        let step = Step {
            number: sent.number,
            total: self.0.steps,
            more: sent.number < self.0.steps,
            text: sent.question,
            findings: fields::text(&args, "findings")?.unwrap_or_default(),
            relevant_files: sent.files,
            own: sent.fields,
            wishes: fields::wishes(&self.0, &args),
            ..Step::default()
        };
        let order = Order::of(&args)?;
        let ports = Ports {
            models,
            threads,
            call,
        };
        run::take(&self.0, &ports, args, (step, order)).await
    }
}

/// The model's turn comes after the owner's last step.
fn last(written: &Written) -> u32 {
    u32::try_from(written.steps.len()).unwrap_or(u32::MAX - 1) + 1
}

fn actions(view: &View<'_>) -> Option<Guidance> {
    let at = usize::try_from(view.step.number).ok()?.checked_sub(1)?;
    let words = view.written?.steps.get(at)?;
    Some(Guidance {
        actions: vec![words.clone()],
        last: false,
    })
}

impl Written {
    /// What holds for a call that leaves it open.
    pub(super) fn wish(&self, wish: &mut Wish) {
        wish::or_of_file(wish, self.model.as_deref());
        wish.chat.effort = wish.chat.effort.or(self.effort);
    }

    /// Nobody is asked about files where there are none.
    pub(super) fn refuse(&self, step: &Step, all: &Investigation) -> Result<(), ToolError> {
        let (_, must) = self.files;
        if !must || step.more || !all.relevant_files().is_empty() {
            return Ok(());
        }
        Err(ToolError::invalid(
            "'files' is missing; this tool is about files: name at least one",
        ))
    }

    /// Who the model is to be, and how it says what it lacks.
    pub(super) fn system(&self) -> String {
        let (takes_files, _) = self.files;
        let asks_files = |line: &&str| line.contains("files_needed");
        let lacking = LACKING
            .lines()
            .filter(|line| takes_files || !asks_files(line));
        let lacking: Vec<&str> = lacking.collect();
        let persona = self.persona.as_deref().unwrap_or_default();
        [persona, &lacking.join("\n")]
            .join("\n\n")
            .trim()
            .to_owned()
    }

    /// The owner's question as it was last filled in, and what was found out by his steps.
    pub(super) fn question(&self, matter: &Matter<'_>) -> String {
        let all = &matter.place.all;
        let newest = all.steps.values().next_back();
        let mut text = newest.map(|step| step.text.clone()).unwrap_or_default();
        if all.findings() > 0 {
            text.push_str("\n\n# What was done and found out\n");
        }
        for (number, step) in &all.steps {
            if step.findings.is_empty() {
                continue;
            }
            // What a step found is what the one before it asked for.
            let asked = usize::try_from(*number).ok().and_then(|n| n.checked_sub(2));
            let asked = asked.and_then(|at| self.steps.get(at));
            let asked = asked.map_or("Known before", String::as_str);
            let _ = write!(text, "\n## {asked}\n\n{}\n", step.findings);
        }
        let wrong = matter.evidence.wrong.iter();
        let wrong: Vec<String> = wrong
            .map(|(cited, why)| format!("{cited}: {why}"))
            .collect();
        let title = "Citations that were looked up and are wrong";
        section(&mut text, title, &wrong);
        if let Some(verdict) = &all.verdict {
            let _ = write!(text, "\n# What was answered before\n\n{verdict}\n");
        }
        text
    }
}
