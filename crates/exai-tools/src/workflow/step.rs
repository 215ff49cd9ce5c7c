//! One step as the caller sent it. What is kept of it in its conversation is this, but for the
//! two texts that have places of their own there.

use super::{
    fields::{self, few, text, texts},
    kind::Kind,
};
use crate::args::Args;
use exai_engine::{ports::threads::Turn, tool::ToolError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Most steps of one investigation.
const MOST_STEPS: u64 = 10_000;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    /// Counts from one; 0 until it is known which it is.
    pub(super) number: u32,
    /// Steps there will be, as far as the caller can tell.
    pub(super) total: u32,
    /// Whether another is to follow.
    pub(super) more: bool,
    /// What the step does.
    #[serde(skip)]
    pub(super) text: String,
    /// What it found out.
    #[serde(skip)]
    pub(super) findings: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) files_checked: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) relevant_files: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) relevant_context: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) images: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) issues: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) confidence: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hypothesis: Option<String>,
    /// The tool's own fields.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) own: Map<String, Value>,
    /// How a model is to be asked.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) wishes: Map<String, Value>,
    /// How it goes on from what was there.
    pub(super) how: How,
    /// The branch it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) branch: Option<String>,
    /// What became of it, in our words.
    pub(super) status: String,
}

/// How a step goes on from what was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum How {
    /// It is the first of an investigation.
    #[default]
    Begins,
    /// It follows the one before it.
    Follows,
    /// It takes the place of the one of this number, which stays on record.
    Revises(u32),
    /// It goes back to before the one of this number; what came after is on record, elsewhere.
    Backtracks(u32),
    /// It begins a branch after the one of this number.
    Branches(u32),
}

/// What a caller wants of the order of steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) backtrack_from: Option<u32>,
    pub(super) revises: Option<u32>,
    /// A revision, of the step of the same number where none is named.
    pub(super) is_revision: bool,
    pub(super) branch_from: Option<u32>,
    pub(super) is_branch: bool,
    pub(super) branch: Option<String>,
}

/// Fields with which they are said.
pub(crate) const ORDER: [&str; 6] = [
    "backtrack_from_step",
    "revises_step_number",
    "is_step_revision",
    "branch_from_step",
    "is_branch_point",
    "branch_id",
];

impl Order {
    pub(super) fn of(args: &Args) -> Result<Self, ToolError> {
        let [backtrack, revises, revision, from, branches, branch] = ORDER;
        Ok(Self {
            backtrack_from: count(args, backtrack)?,
            revises: count(args, revises)?,
            is_revision: args.flag(revision, false)?,
            branch_from: count(args, from)?,
            is_branch: args.flag(branches, false)?,
            branch: text(args, branch)?,
        })
    }
}

fn count(args: &Args, name: &'static str) -> Result<Option<u32>, ToolError> {
    if !args.has(name) {
        return Ok(None);
    }
    let number = args.number(name, 1, 1..=MOST_STEPS)?;
    Ok(u32::try_from(number).ok())
}

impl Step {
    /// Reads it, and what it wants of the order.
    pub(super) fn of(kind: &Kind, args: &Args) -> Result<(Self, Order), ToolError> {
        args.required_text("step")?;
        let number = count(args, "step_number")?;
        let total = count(args, "total_steps")?;
        // A tool that can do all at once does so where nothing is said of steps.
        let more = !(kind.at_once && number.is_none() && total.is_none());
        let step = Self {
            number: number.unwrap_or(0),
            total: total.unwrap_or(0),
            more: args.flag("next_step_required", more)?,
            text: text(args, "step")?.unwrap_or_default(),
            findings: text(args, "findings")?.unwrap_or_default(),
            files_checked: texts(args, "files_checked")?,
            relevant_files: texts(args, "relevant_files")?,
            relevant_context: texts(args, "relevant_context")?,
            images: texts(args, "images")?,
            issues: issues(args)?,
            confidence: confidence(kind, args)?,
            hypothesis: text(args, "hypothesis")?,
            own: fields::own(kind, args)?,
            wishes: fields::wishes(kind, args),
            ..Self::default()
        };
        Ok((step, Order::of(args)?))
    }

    /// The step a turn keeps, where it keeps one.
    pub(super) fn kept(turn: &Turn) -> Option<Self> {
        let state = turn.said.state.as_ref()?.get("workflow")?;
        let step: Self = serde_json::from_value(state.clone()).ok()?;
        Some(Self {
            text: turn.said.question.clone(),
            findings: turn.said.findings.clone().unwrap_or_default(),
            ..step
        })
    }

    /// As its turn keeps it.
    pub(super) fn state(&self) -> Value {
        json!({ "workflow": self })
    }
}

/// Objects with a severity and a description; a bare text is a description.
fn issues(args: &Args) -> Result<Vec<Value>, ToolError> {
    const FIELD: &str = "issues_found";
    let listed = args.list(FIELD)?;
    few(FIELD, listed.len())?;
    listed
        .iter()
        .map(|issue| match issue {
            Value::Object(_) => Ok(issue.clone()),
            Value::String(text) => Ok(json!({ "description": text })),
            other => Err(ToolError::invalid(format!(
                "'{FIELD}' must be a list of objects with 'severity' and 'description'; got {other}"
            ))),
        })
        .collect()
}

fn confidence(kind: &Kind, args: &Args) -> Result<Option<String>, ToolError> {
    let Some(first) = kind.ladder.first() else {
        return Ok(None);
    };
    if !args.has("confidence") {
        return Ok(None);
    }
    let word = args.choice("confidence", kind.ladder, first)?;
    Ok(Some(word.to_owned()))
}
