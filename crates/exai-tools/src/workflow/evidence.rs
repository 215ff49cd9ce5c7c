//! What is cited is looked up: a file that is named has to be there, and a line of it too. It is
//! looked up the way files are read for models, so nothing is told of a file that may not be
//! read but that it may not. Reading waits for the disk: not for an event loop.

mod citations;

use super::step::Step;
use crate::files::Witness;
use citations::{Citation, citations};
use exai_engine::Folders;
use serde_json::{Value, json};

/// Files looked at for one step.
const MOST_FILES: usize = 50;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// Citations that were looked up.
    pub(super) checked: usize,
    /// Those that are wrong: what was cited, and why.
    pub(super) wrong: Vec<(String, String)>,
    /// What was not looked up, and why.
    pub(super) not_checked: Option<String>,
}

impl Evidence {
    /// Of what the caller sent.
    pub(super) fn of_steps(steps: &[Step], roots: &Folders) -> Self {
        Self::of(steps.iter().flat_map(of_step).collect(), roots)
    }

    /// Of what a model wrote.
    pub(super) fn of_text(text: &str, roots: &Folders) -> Self {
        Self::of(citations(text), roots)
    }

    fn of(mut cited: Vec<Citation>, roots: &Folders) -> Self {
        let mut once = Vec::new();
        for citation in cited.drain(..) {
            if !once.contains(&citation) {
                once.push(citation);
            }
        }
        if once.is_empty() {
            return Self::default();
        }
        if roots.is_empty() {
            let why = "no file was looked up: the client named no folder";
            return Self {
                not_checked: Some(why.to_owned()),
                ..Self::default()
            };
        }
        Self::looked_up(&once, roots)
    }

    fn looked_up(cited: &[Citation], roots: &Folders) -> Self {
        let mut paths: Vec<&str> = Vec::new();
        for citation in cited {
            if !paths.contains(&citation.path.as_str()) {
                paths.push(&citation.path);
            }
        }
        let over = paths.len().saturating_sub(MOST_FILES);
        paths.truncate(MOST_FILES);
        let witness = Witness::new(roots);
        let mut evidence = Self::default();
        for citation in cited {
            if paths.contains(&citation.path.as_str()) {
                evidence.checked += 1;
                if let Err(why) = citation.stands(&witness) {
                    evidence.wrong.push((citation.to_string(), why));
                }
            }
        }
        if over > 0 {
            let why = format!("{over} more files were cited; {MOST_FILES} are looked up a step");
            evidence.not_checked = Some(why);
        }
        evidence
    }

    /// For the answer; `None` where nothing was cited.
    pub(super) fn told(&self) -> Option<Value> {
        if self.checked == 0 && self.not_checked.is_none() {
            return None;
        }
        let wrong: Vec<Value> = self
            .wrong
            .iter()
            .map(|(cited, why)| json!({ "cited": cited, "why": why }))
            .collect();
        let mut told = json!({ "checked": self.checked, "wrong": wrong });
        if let Some(why) = &self.not_checked {
            told["not_checked"] = json!(why);
        }
        Some(told)
    }
}

fn of_step(step: &Step) -> Vec<Citation> {
    let mut cited = citations(&step.findings);
    let named = step.relevant_files.iter().chain(&step.files_checked);
    cited.extend(named.map(|path| Citation {
        path: path.clone(),
        lines: None,
    }));
    cited.extend(step.issues.iter().flat_map(of_issue));
    cited
}

/// An issue that names its place in fields.
fn of_issue(issue: &Value) -> Vec<Citation> {
    let text = |field: &str| issue.get(field).and_then(Value::as_str);
    let mut cited: Vec<Citation> = text("description").map(citations).unwrap_or_default();
    let path = text("file")
        .or_else(|| text("path"))
        .or_else(|| text("location"));
    if let Some(path) = path {
        let line = issue.get("line").and_then(Value::as_u64);
        let lines = line.map(|line| (line, line));
        match citations(path) {
            found if !found.is_empty() => cited.extend(found),
            _ if path.contains(char::is_whitespace) => {}
            _ => cited.push(Citation {
                path: path.to_owned(),
                lines,
            }),
        }
    }
    cited
}

impl Citation {
    fn stands(&self, witness: &Witness) -> Result<(), String> {
        let Some((from, to)) = self.lines else {
            return witness.is_there(&self.path);
        };
        for line in [from, to] {
            let line = usize::try_from(line).unwrap_or(usize::MAX);
            witness.stands(&self.path, Some(line))?;
        }
        match from > to {
            true => Err("the last line comes before the first".to_owned()),
            false => Ok(()),
        }
    }
}
