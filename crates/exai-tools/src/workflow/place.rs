//! Where in its conversation a step belongs: after the turns that are there, before one that is
//! gone back on, or on a branch. Revisions, what was gone back on and branches are turns like
//! others, with the parent they go on from; nothing is ever taken away.

use super::{
    investigation::Investigation,
    kind::Kind,
    step::{How, Order, Step},
};
use exai_engine::{
    ports::threads::{Open, Threads, Turn},
    tool::{ToolCall, ToolError},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// A step's place.
pub(super) struct Place {
    /// The conversation, ending where the step goes on.
    pub(super) open: Open,
    /// Turns that are no part of the investigation.
    pub(super) before: Arc<[Turn]>,
    /// The investigation with the step in it.
    pub(super) all: Investigation,
    /// What the caller should know.
    pub(super) notes: Vec<String>,
    /// Other ends of the investigation, where it has branches.
    pub(super) branches: Vec<Value>,
}

impl Place {
    /// What the next step goes on from: the conversation as it stands, or this very step where
    /// that could mean a branch.
    pub(super) fn next_id(&self) -> String {
        let Open { id, count, .. } = &self.open;
        match self.branches.is_empty() || self.all.branch.is_some() {
            true => id.to_string(),
            false => format!("{id}#{}", count + 1),
        }
    }
}

/// Finds it, and completes the step with what follows from it.
pub(super) async fn of(
    kind: &Kind,
    threads: &dyn Threads,
    call: &ToolCall,
    mut open: Open,
    (step, order): (&mut Step, &Order),
) -> Result<Place, ToolError> {
    // All turns; those of other branches have to be fetched.
    let mut every = Arc::clone(&open.turns);
    if open.count as usize > open.turns.len() {
        every = threads.load(&call.principal, &open.id).await?.turns.into();
    }
    let mut notes = Vec::new();
    if let Some(branch) = order.branch.as_deref().filter(|_| !order.is_branch) {
        open.turns = on_branch(kind, &open, &every, branch)?;
    }
    let (all, first) = Investigation::of(kind, &open.turns);
    let fresh = step.number == 1
        && order.revises.is_none()
        && !order.is_revision
        && order.backtrack_from.is_none();
    if all.steps.is_empty() || fresh {
        refuse_backward_order(order, &all)?;
        step.how = How::Begins;
    } else {
        step.how = how(step, order, &all)?;
    }
    if let Some(keep) = kept(kind, &open.turns, first, step.how) {
        open.turns = open.turns[..keep].into();
        if let How::Backtracks(at) = step.how {
            notes.push(gone_back(at));
        }
        if keep == first {
            // Nothing of it is left, and what came before is no part of it.
            step.how = How::Begins;
        }
    }
    let (mut all, first) = match step.how {
        How::Begins => (Investigation::default(), open.turns.len()),
        _ => Investigation::of(kind, &open.turns),
    };
    complete(kind, step, order, &all, open.count, &mut notes);
    let known = open.turns[..first].iter();
    let between = open.turns[first..].iter();
    let between = between.filter(|turn| turn.said.tool != kind.name);
    let before: Vec<Turn> = known.chain(between).cloned().collect();
    all.add(step.clone());
    Ok(Place {
        branches: branches(kind, &open.id, &every, step),
        before: before.into(),
        all,
        notes,
        open,
    })
}

/// There is nothing to go back to, or to revise.
fn refuse_backward_order(order: &Order, all: &Investigation) -> Result<(), ToolError> {
    if !all.steps.is_empty() {
        return Ok(());
    }
    let named = [
        ("backtrack_from_step", order.backtrack_from),
        ("revises_step_number", order.revises),
        ("branch_from_step", order.branch_from),
    ];
    match named
        .into_iter()
        .find_map(|(field, at)| at.zip(Some(field)))
    {
        None => Ok(()),
        Some((at, field)) => Err(ToolError::invalid(format!(
            "'{field}' names step {at}, and this tool has no steps in this conversation yet; send \
             the 'continuation_id' of the one that has, or leave '{field}' out"
        ))),
    }
}

fn how(step: &Step, order: &Order, all: &Investigation) -> Result<How, ToolError> {
    let there = |field: &str, at: u32| match all.steps.contains_key(&at) {
        true => Ok(at),
        false => Err(no_step(field, at, all)),
    };
    if let Some(at) = order.backtrack_from {
        return there("backtrack_from_step", at).map(How::Backtracks);
    }
    if order.is_branch || order.branch_from.is_some() {
        let at = order.branch_from.unwrap_or_else(|| all.last_number());
        return there("branch_from_step", at).map(How::Branches);
    }
    if let Some(at) = order.revises {
        return there("revises_step_number", at).map(How::Revises);
    }
    if order.is_revision && step.number == 0 {
        return Ok(How::Revises(all.last_number()));
    }
    if order.is_revision {
        return there("step_number", step.number).map(How::Revises);
    }
    Ok(match all.steps.contains_key(&step.number) {
        true => How::Revises(step.number),
        false => How::Follows,
    })
}

fn no_step(field: &str, at: u32, all: &Investigation) -> ToolError {
    let known: Vec<String> = all.steps.keys().map(u32::to_string).collect();
    ToolError::invalid(format!(
        "'{field}' names step {at}; the steps there are: {}",
        known.join(", ")
    ))
}

/// How many of these turns it goes on from; `None` for all.
fn kept(kind: &Kind, turns: &[Turn], first: usize, how: How) -> Option<usize> {
    let number = |turn: &Turn| match turn.said.tool == kind.name {
        true => Step::kept(turn).map(|step| step.number),
        false => None,
    };
    let run = turns.get(first..)?;
    match how {
        How::Begins | How::Follows | How::Revises(_) => None,
        How::Backtracks(at) => run
            .iter()
            .position(|turn| number(turn) == Some(at))
            .map(|found| first + found),
        How::Branches(at) => run
            .iter()
            .rposition(|turn| number(turn) == Some(at))
            .map(|found| first + found + 1),
    }
}

/// What the caller left out.
fn complete(
    kind: &Kind,
    step: &mut Step,
    order: &Order,
    all: &Investigation,
    count: u32,
    notes: &mut Vec<String>,
) {
    let last = all.last_number();
    match step.how {
        How::Revises(at) => step.number = at,
        _ if step.number == 0 => step.number = last + 1,
        _ => {}
    }
    if step.total == 0 {
        let usual = if step.more { kind.steps } else { step.number };
        step.total = all.total().max(usual);
    }
    step.total = step.total.max(step.number);
    step.branch = match step.how {
        How::Branches(_) => {
            let name = order.branch.clone();
            Some(name.unwrap_or_else(|| format!("branch-{}", count + 1)))
        }
        _ => all.branch.clone(),
    };
    if step.number > last + 1 {
        notes.push(format!(
            "step {} came without the steps {}-{} before it; only what was sent is judged",
            step.number,
            last + 1,
            step.number - 1
        ));
    }
}

fn gone_back(at: u32) -> String {
    format!(
        "what was step {at} and all after it no longer count; they stay on record in this \
         conversation"
    )
}

/// The turns that lead to the end of a branch.
fn on_branch(
    kind: &Kind,
    open: &Open,
    every: &[Turn],
    branch: &str,
) -> Result<Arc<[Turn]>, ToolError> {
    let is_on = |turn: &&Turn| {
        turn.said.tool == kind.name
            && Step::kept(turn).is_some_and(|step| step.branch.as_deref() == Some(branch))
    };
    if open.turns.iter().rev().find(is_on).is_some() {
        return Ok(Arc::clone(&open.turns));
    }
    let Some(end) = every.iter().rev().find(is_on) else {
        return Err(ToolError::invalid(format!(
            "'branch_id' names '{branch}', and there is no such branch; to begin it, send \
             'is_branch_point': true and 'branch_from_step'"
        )));
    };
    let mut path: Vec<Turn> = Vec::new();
    let mut next = Some(end.number);
    for turn in every.iter().rev() {
        if Some(turn.number) == next {
            next = turn.parent;
            path.push(turn.clone());
        }
    }
    path.reverse();
    Ok(path.into())
}

/// The end of every other branch, as something that can be gone on from.
fn branches(kind: &Kind, id: &str, every: &[Turn], step: &Step) -> Vec<Value> {
    let named = |turn: &Turn| match turn.said.tool == kind.name {
        true => Step::kept(turn).map(|kept| (kept.branch.clone(), kept)),
        false => None,
    };
    let any = step.branch.is_some()
        || every
            .iter()
            .any(|turn| named(turn).is_some_and(|(branch, _)| branch.is_some()));
    if !any {
        return Vec::new();
    }
    let mut ends: Vec<(Option<String>, u32, u32)> = Vec::new();
    for turn in every {
        let Some((branch, kept)) = named(turn) else {
            continue;
        };
        match ends.iter_mut().find(|(known, _, _)| *known == branch) {
            Some(end) => *end = (branch, kept.number, turn.number),
            None => ends.push((branch, kept.number, turn.number)),
        }
    }
    let others = ends.into_iter().filter(|(name, _, _)| *name != step.branch);
    let told = others.map(|(name, number, turn)| {
        json!({
            "branch_id": name,
            "steps": number,
            "continuation_id": format!("{id}#{turn}"),
        })
    });
    told.collect()
}
