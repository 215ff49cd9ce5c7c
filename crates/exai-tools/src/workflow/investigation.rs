//! What is known so far: the steps in force, gathered anew from the conversation at every call.
//! A step that was revised or gone back on is on record there, and counts for nothing here.

use super::{
    kind::Kind,
    step::{How, Step},
};
use exai_engine::ports::threads::Turn;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Investigation {
    /// Those in force, by number.
    pub(super) steps: BTreeMap<u32, Step>,
    /// How many others took the place of one of these.
    pub(super) revisions: usize,
    /// The branch it is on.
    pub(super) branch: Option<String>,
    /// What the expert said last.
    pub(super) verdict: Option<String>,
}

impl Investigation {
    /// The newest one of this tool among the turns that lead here, and how many of them come
    /// before it.
    pub(super) fn of(kind: &Kind, turns: &[Turn]) -> (Self, usize) {
        let mine = |turn: &Turn| match turn.said.tool == kind.name {
            true => Step::kept(turn),
            false => None,
        };
        let begins = |turn: &Turn| mine(turn).is_some_and(|step| step.how == How::Begins);
        let first = turns.iter().rposition(begins);
        let first = first.or_else(|| turns.iter().position(|turn| mine(turn).is_some()));
        let Some(first) = first else {
            return (Self::default(), turns.len());
        };
        let mut all = Self::default();
        for turn in &turns[first..] {
            if let Some(step) = mine(turn) {
                all.verdict = turn.said.expert.clone().or(all.verdict);
                all.add(step);
            }
        }
        (all, first)
    }

    /// Takes one more; it takes the place of an earlier one of its number.
    pub(super) fn add(&mut self, step: Step) {
        self.branch.clone_from(&step.branch);
        match step.how {
            How::Backtracks(at) => self.steps.retain(|number, _| *number < at),
            How::Branches(at) => self.steps.retain(|number, _| *number <= at),
            How::Begins | How::Follows | How::Revises(_) => {}
        }
        if self.steps.insert(step.number, step).is_some() {
            self.revisions += 1;
        }
    }

    pub(super) fn last_number(&self) -> u32 {
        self.steps.keys().next_back().copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> u32 {
        let named = self.steps.values().map(|step| step.total).max();
        named.unwrap_or(0).max(self.last_number())
    }

    /// What it is about: the first step's words.
    pub(super) fn request(&self) -> &str {
        self.steps.values().next().map_or("", |step| &step.text)
    }

    /// Each once, in the order in which they came.
    fn gathered<'a>(&'a self, of: impl Fn(&'a Step) -> &'a [String]) -> Vec<&'a str> {
        let mut all: Vec<&str> = Vec::new();
        for one in self.steps.values().flat_map(of) {
            if !all.contains(&one.as_str()) {
                all.push(one);
            }
        }
        all
    }

    pub(super) fn files_checked(&self) -> Vec<&str> {
        self.gathered(|step| &step.files_checked)
    }

    pub(super) fn relevant_files(&self) -> Vec<&str> {
        self.gathered(|step| &step.relevant_files)
    }

    pub(super) fn relevant_context(&self) -> Vec<&str> {
        self.gathered(|step| &step.relevant_context)
    }

    pub(super) fn images(&self) -> Vec<&str> {
        self.gathered(|step| &step.images)
    }

    /// Each once.
    pub(super) fn issues(&self) -> Vec<&Value> {
        let mut all: Vec<&Value> = Vec::new();
        for issue in self.steps.values().flat_map(|step| &step.issues) {
            if !all.contains(&issue) {
                all.push(issue);
            }
        }
        all
    }

    /// Steps that found something out.
    pub(super) fn findings(&self) -> usize {
        let with = |step: &&Step| !step.findings.is_empty();
        self.steps.values().filter(with).count()
    }

    pub(super) fn hypotheses(&self) -> Vec<(u32, &str)> {
        let all = self.steps.values();
        all.filter_map(|step| Some((step.number, step.hypothesis.as_deref()?)))
            .collect()
    }

    /// As last said.
    pub(super) fn confidence(&self) -> Option<&str> {
        let mut newest = self.steps.values().rev();
        newest.find_map(|step| step.confidence.as_deref())
    }

    /// The tool's own fields, each as last said.
    pub(super) fn own(&self) -> Map<String, Value> {
        let mut own = Map::new();
        for step in self.steps.values() {
            own.extend(step.own.clone());
        }
        own
    }

    /// How a model is to be asked, each wish as last said.
    pub(super) fn wishes(&self) -> Map<String, Value> {
        let mut wishes = Map::new();
        for step in self.steps.values() {
            wishes.extend(step.wishes.clone());
        }
        wishes
    }

    /// One of them as a word.
    pub(super) fn word(&self, field: &str) -> Option<&str> {
        self.own_field(field).and_then(Value::as_str)
    }

    /// One of them as a number.
    pub(super) fn count(&self, field: &str) -> Option<u64> {
        self.own_field(field).and_then(Value::as_u64)
    }

    /// One of them as a yes or no.
    pub(super) fn flag(&self, field: &str) -> Option<bool> {
        self.own_field(field).and_then(Value::as_bool)
    }

    fn own_field(&self, field: &str) -> Option<&Value> {
        let mut newest = self.steps.values().rev();
        newest.find_map(|step| step.own.get(field))
    }
}
