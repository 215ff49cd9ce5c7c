//! Writing turns: a conversation begins with its first one, in the same transaction.

use super::{Outcome, gone, limits::ThreadLimits};
use crate::money;
use exai_engine::ports::threads::{Failure, Imported, ThreadError, Turn};
use exai_protocol::{Principal, UnixMillis};
use rusqlite::{Connection, OptionalExtension as _, named_params, params};
use serde::Serialize;
use std::sync::Arc;

/// Letters of a title.
const TITLE: usize = 80;
/// Letters of why a turn failed.
const WHY: usize = 500;
/// Failures remembered of one conversation.
const FAILURES: i64 = 50;

/// A turn to be kept.
pub(super) struct New {
    pub(super) key: Arc<str>,
    pub(super) principal: Principal,
    pub(super) workspace: String,
    /// Turns there were when it was opened.
    pub(super) count: u32,
    pub(super) turn: Turn,
}

pub(super) fn append(
    db: &Connection,
    new: &New,
    oldest: UnixMillis,
    limits: &ThreadLimits,
) -> Outcome<u32> {
    let known = "SELECT id, turns FROM threads WHERE key = ?1";
    let known: Option<(i64, u32)> = db
        .prepare_cached(known)?
        .query_row([&*new.key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let thread = match known {
        Some((id, turns)) if turns == new.count => id,
        // The lease keeps others out; this is for another process that writes here.
        Some(_) => return Ok(Err(ThreadError::Busy(new.key.to_string()))),
        None if new.count == 0 => begin(db, new)?,
        None => {
            let told = gone::told(db, None, &new.key)?;
            return Ok(Err(
                told.unwrap_or_else(|| ThreadError::Unknown(new.key.to_string()))
            ));
        }
    };
    turn(db, thread, &new.turn)?;
    let sweep = gone::Sweep {
        oldest,
        bytes: limits.bytes,
        keep: thread,
    };
    sweep.make(db, new.turn.at)?;
    Ok(Ok(new.turn.number))
}

fn begin(db: &Connection, new: &New) -> rusqlite::Result<i64> {
    let thread = Begun {
        key: &new.key,
        principal: &new.principal,
        workspace: &new.workspace,
        title: &title_of(&new.turn.said.question),
        tool: &new.turn.said.tool,
        at: new.turn.at,
    };
    thread.insert(db)
}

struct Begun<'a> {
    key: &'a str,
    principal: &'a Principal,
    workspace: &'a str,
    title: &'a str,
    tool: &'a str,
    at: UnixMillis,
}

impl Begun<'_> {
    fn insert(&self, db: &Connection) -> rusqlite::Result<i64> {
        db.prepare_cached(
            "INSERT INTO threads (key, principal, workspace, title, tool, created_at, touched_at, \
             turns, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 0, 0)",
        )?
        .insert(params![
            self.key,
            self.principal.as_str(),
            self.workspace,
            self.title,
            self.tool,
            money::sum_column(self.at.0)
        ])
    }
}

fn turn(db: &Connection, thread: i64, turn: &Turn) -> rusqlite::Result<()> {
    let said = &turn.said;
    let files = (!said.files.is_empty()).then(|| json(&said.files));
    let (state, spent) = (said.state.as_ref().map(json), said.spent.as_ref().map(json));
    let carry = said.carry.as_ref().map(json);
    let at = money::sum_column(turn.at.0);
    db.prepare_cached(
        "INSERT INTO turns (thread, number, parent, at, tool, question, instructions, findings, \
         files, mark, answer, expert, state, endpoint, model, spent, carry) VALUES (:thread, \
         :number, :parent, :at, :tool, :question, :instructions, :findings, :files, :mark, \
         :answer, :expert, :state, :endpoint, :model, :spent, :carry)",
    )?
    .execute(named_params! {
        ":thread": thread,
        ":number": turn.number,
        ":parent": turn.parent,
        ":at": at,
        ":tool": said.tool,
        ":question": said.question,
        ":instructions": said.instructions,
        ":findings": said.findings,
        ":files": files,
        ":mark": said.mark,
        ":answer": said.answer,
        ":expert": said.expert,
        ":state": state,
        ":endpoint": said.pin.as_ref().map(|pin| &pin.endpoint),
        ":model": said.pin.as_ref().map(|pin| &pin.model),
        ":spent": spent,
        ":carry": carry,
    })?;
    let texts = [
        Some(&said.question),
        said.instructions.as_ref(),
        said.findings.as_ref(),
        said.answer.as_ref(),
        said.expert.as_ref(),
        files.as_ref(),
        state.as_ref(),
        spent.as_ref(),
        carry.as_ref(),
    ];
    let bytes: usize = texts.iter().flatten().map(|text| text.len()).sum();
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX / 2);
    db.prepare_cached(
        "UPDATE threads SET turns = MAX(turns, ?2), bytes = bytes + ?3, \
         touched_at = MAX(touched_at, ?4) WHERE id = ?1",
    )?
    .execute(params![thread, turn.number, bytes, at])?;
    Ok(())
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) fn failure(
    db: &Connection,
    key: &str,
    failure: &Failure,
    at: UnixMillis,
) -> rusqlite::Result<()> {
    let why: String = failure.why.chars().take(WHY).collect();
    db.prepare_cached(
        "INSERT INTO turn_failures (thread, at, tool, code, why) \
         SELECT id, ?2, ?3, ?4, ?5 FROM threads WHERE key = ?1",
    )?
    .execute(params![
        key,
        money::sum_column(at.0),
        failure.tool,
        failure.code,
        why
    ])?;
    db.prepare_cached(
        "DELETE FROM turn_failures WHERE thread = (SELECT id FROM threads WHERE key = ?1) \
         AND id NOT IN (SELECT id FROM turn_failures WHERE thread = \
         (SELECT id FROM threads WHERE key = ?1) ORDER BY id DESC LIMIT ?2)",
    )?
    .execute(params![key, FAILURES])?;
    Ok(())
}

pub(super) fn rename(db: &Connection, key: &str, title: &str) -> Outcome<()> {
    let changed = db
        .prepare_cached("UPDATE threads SET title = ?2 WHERE key = ?1")?
        .execute([key, title])?;
    if changed == 1 {
        return Ok(Ok(()));
    }
    Ok(Err(ThreadError::Unknown(key.to_owned())))
}

/// Its turns keep their times; it counts as used now, or one of last year would expire at once.
pub(super) fn import(
    db: &Connection,
    who: &Principal,
    thread: &Imported,
    now: UnixMillis,
) -> Outcome<bool> {
    let known = "SELECT 1 FROM threads WHERE key = ?1";
    let known = db
        .prepare_cached(known)?
        .query_row([&thread.id], |_| Ok(()))
        .optional()?;
    let Some(first) = thread.turns.first().filter(|_| known.is_none()) else {
        return Ok(Ok(false));
    };
    let title = match title_of(&thread.title) {
        title if title.is_empty() => title_of(&first.said.question),
        title => title,
    };
    let begun = Begun {
        key: &thread.id,
        principal: who,
        workspace: &thread.workspace,
        title: &title,
        tool: &first.said.tool,
        at: first.at,
    };
    let id = begun.insert(db)?;
    for one in &thread.turns {
        turn(db, id, one)?;
    }
    db.prepare_cached("UPDATE threads SET touched_at = ?2 WHERE id = ?1")?
        .execute([id, money::sum_column(now.0)])?;
    db.prepare_cached("DELETE FROM threads_gone WHERE key = ?1")?
        .execute([&thread.id])?;
    Ok(Ok(true))
}

/// One line, not too long.
pub(super) fn title_of(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let line = line.unwrap_or_default();
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut title: String = line.chars().take(TITLE).map(plain).collect();
    if line.chars().nth(TITLE).is_some() {
        title.push('…');
    }
    title
}
