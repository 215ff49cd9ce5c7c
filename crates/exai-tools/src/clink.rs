//! `clink`: hands a task to another agent that is installed on this machine, in the caller's
//! project, reading unless it is asked to write. To everything behind the tools it is an ask like
//! any other, that is work in a folder: permits, places, records and budgets hold for it. The
//! agent goes on with a session of its own; what it does not know of the conversation it is told.

mod asked;
mod folder;

use crate::{
    Ports,
    args::Args,
    attempt::Attempt,
    chat::report::{self, Beside, Kept},
    kind,
    request::{self, Prepared},
    spec::{self, Effect, Words},
    wish,
};
use asked::Asked;
use exai_engine::{
    ports::{
        models::{Answer, Errand, Models},
        threads::{Open, Said, Threads},
    },
    tool::{Tool, ToolCall, ToolError, ToolOutput, ToolSpec},
};
use exai_protocol::Code;
use folder::Looked;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const NAME: &str = "clink";
/// Agents read and try things for longer than a model thinks.
const MOST_TIME: Duration = Duration::from_secs(30 * 60);

pub(crate) fn spec() -> ToolSpec {
    let words = Words {
        name: NAME,
        title: "Another agent",
        description: "Hands a task to another coding agent installed here (Claude Code, Codex, \
             Gemini CLI, opencode). It works in your project, and only reads unless write is true.",
        schema: r#"{"type":"object","required":["prompt"],"properties":{"prompt":{"type":"string"},"agent":{"type":"string","description":"Such as claude, codex, gemini, opencode; needed where several can be used."},"role":{"type":"string","enum":["default","planner","codereviewer"]},"files":{"type":"array","items":{"type":"string"},"description":"What it should look at first."},"directory":{"type":"string","description":"A folder of your project; default: its root."},"write":{"type":"boolean","default":false,"description":"Let it change files."},"model":{"type":"string"},"continuation_id":{"type":"string"},"fresh":{"type":"boolean","description":"Begin a new session of the agent's."},"confirm_cost":{"type":"boolean"}}}"#,
    };
    let mut spec = spec::spec(&words, Effect::Anything);
    (spec.waits, spec.deadline) = (true, Some(MOST_TIME));
    spec
}

pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let given = (Arc::clone(&ports.models), Arc::clone(&ports.threads));
    kind::with(spec(), given, async move |(models, threads), call| {
        answer(&*models, &*threads, &call).await
    })
}

async fn answer(
    models: &dyn Models,
    threads: &dyn Threads,
    call: &ToolCall,
) -> Result<ToolOutput, ToolError> {
    let args = Args::of(call)?;
    let asked = Asked::of(&args, &models.listing().endpoints)?;
    let looked = folder::look(&asked, call).await?;
    let open = threads.open(call, asked.thread.as_deref()).await?;
    let own = session(&open, &asked, &looked);
    let known = own.as_ref().map_or(0, |(_, turn)| *turn);
    let errand = Errand {
        directory: looked.directory.clone(),
        write: asked.write,
        session: own.map(|(session, _)| session),
    };
    let resumed = errand.session.is_some();
    let mut wish = wish::of(&args, NAME)?;
    wish.model = Some(asked.model.clone());
    wish.chosen.clone_from(&asked.chosen);
    wish.errand = Some(errand);
    let unknown = open.turns.iter().filter(|turn| turn.number > known);
    let task = request::Asked {
        tool: NAME,
        system: Some(&asked.manners()),
        prompt: &looked.task(&asked.prompt),
        files: Vec::new(),
        images: Vec::new(),
        turns: unknown.cloned().collect(),
        stands_alone: true,
    };
    let prepared = request::prepare(task, call, (models, &open), &mut wish).await?;
    let attempt = Attempt::new(NAME, threads, &open);
    let answered = models.ask(call, wish).await.and_then(report::with_text);
    let answer = match answered {
        Ok(answer) => answer,
        Err(error) => {
            attempt.failed(&error);
            return Err(what_to_look_at(error, &asked, resumed));
        }
    };
    attempt.answered();
    let kept = keep(threads, &open, (&asked, &looked), &answer).await;
    let errand = (&asked, &looked, resumed);
    output(&answer, errand, &prepared, &kept, args.unused())
}

/// The agent's own session in this conversation, and the turn that left it. Where there are
/// branches the session may hold what was said in another, so it is not gone on with.
fn session(open: &Open, asked: &Asked, looked: &Looked) -> Option<(String, u32)> {
    let directory = looked.directory.to_string_lossy();
    let branched = open.turns.len() as u64 != u64::from(open.count);
    if asked.fresh || branched {
        return None;
    }
    open.turns.iter().rev().find_map(|turn| {
        let state = turn.said.state.as_ref()?;
        let same = turn.said.tool == NAME
            && state["agent"] == *asked.agent
            && state["directory"] == *directory;
        let session = state["session"].as_str().filter(|_| same)?;
        Some((session.to_owned(), turn.number))
    })
}

/// What only an agent may have left behind, or may have lost.
fn what_to_look_at(mut error: ToolError, asked: &Asked, resumed: bool) -> ToolError {
    if asked.write && error.code != Code::InvalidArgument {
        error.message.push_str(
            " It was let change files: see what it changed before you ask again, nothing is taken \
             back.",
        );
    }
    if resumed {
        error.message.push_str(
            " It was to go on with a session of its own; if that is gone, ask again with \
             fresh: true, and a new one is told what was said.",
        );
    }
    error
}

/// The model of the conversation stays whose it was: an agent is asked for by name.
async fn keep(
    threads: &dyn Threads,
    open: &Open,
    (asked, looked): (&Asked, &Looked),
    answer: &Answer,
) -> Kept {
    let said = Said {
        tool: NAME.to_owned(),
        question: asked.prompt.clone(),
        files: looked.sent.clone(),
        mark: looked.mark.clone(),
        answer: Some(answer.turn.text.clone()),
        state: Some(json!({
            "agent": asked.agent,
            "directory": looked.directory.to_string_lossy(),
            "session": answer.session,
        })),
        spent: Some(answer.spent.clone()),
        ..Said::default()
    };
    match threads.append(open, said).await {
        Ok(turn) => Kept::As {
            id: Arc::clone(&open.id),
            turn,
        },
        Err(error) => Kept::Not(error.to_string()),
    }
}

fn output(
    answer: &Answer,
    (asked, looked, resumed): (&Asked, &Looked, bool),
    prepared: &Prepared,
    kept: &Kept,
    unused: Option<String>,
) -> Result<ToolOutput, ToolError> {
    let directory = looked.directory.to_string_lossy();
    let mode = if asked.write {
        "could write"
    } else {
        "only read"
    };
    let again = if resumed {
        ", in its session from before"
    } else {
        ""
    };
    let words = format!("It worked in {directory} and {mode}{again}.");
    let facts: Value = json!({
        "agent": asked.agent,
        "directory": directory,
        "write": asked.write,
        "resumed": resumed,
        "session": answer.session,
    });
    let beside = Beside {
        files: &looked.entries,
        notes: &prepared.notes,
        kept,
        errand: Some((&words, &facts)),
        unused,
        ..Beside::default()
    };
    report::output(answer, &beside)
}
