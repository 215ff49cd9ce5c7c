//! `threads`: conversations with models. They are read from the database itself, with or without
//! a running daemon; what changes them is asked of the daemon, which owns that file.

mod change;

use super::{call::follow, chat, next_step};
use crate::{
    cli::{Threads, ThreadsList},
    compose,
    context::Context,
    exit::{self, Code},
    funds,
    output::{self, tame},
};
use anyhow::Result;
use exai_engine::ports::threads::{
    Found, ListQuery, Listed, SearchQuery, Thread, ThreadError, ThreadRow, workspace,
};
use exai_protocol::{UnixMillis, WireError};
use exai_store::Reader;
use exai_tools::{moment, transcript};

pub(super) async fn run(context: &Context, action: &Threads) -> Result<Code> {
    match action {
        Threads::List(options) => list(context, options),
        Threads::Search { words, list } => search(context, &words.join(" "), list),
        Threads::Show { id, json } => show(context, id, *json),
        Threads::Export { id, markdown } => export(context, id, *markdown),
        Threads::Resume { id, chat } => {
            let mut options = chat.as_ref().clone();
            options.thread = Some(id.clone());
            chat::run(context, &options).await
        }
        Threads::Rename { id, title } => change::rename(context, id, &title.join(" ")).await,
        Threads::Delete { id } => change::delete(context, id).await,
        Threads::Import { file } => change::import(context, file).await,
    }
}

/// The file, where there is one; looking makes none.
fn reader(context: &Context) -> Result<Option<Reader>> {
    let file = context.home.database();
    Ok(file.exists().then(|| Reader::open(&file)).transpose()?)
}

/// Those last used before this are no more.
fn oldest(context: &Context) -> UnixMillis {
    let limits = funds::thread_limits(&context.loaded.settings.threads);
    limits.oldest((compose::system_clock())())
}

fn folders(options: &ThreadsList) -> Result<Vec<String>> {
    if !options.here {
        return Ok(Vec::new());
    }
    let here = std::env::current_dir()?;
    Ok(vec![workspace(&here.display().to_string())])
}

fn list(context: &Context, options: &ThreadsList) -> Result<Code> {
    let query = ListQuery {
        workspaces: folders(options)?,
        most: options.limit,
    };
    let listed = match reader(context)? {
        Some(reader) => reader.threads(&query, oldest(context))?,
        None => Listed::default(),
    };
    if options.json {
        let threads = serde_json::json!({ "threads": listed.rows, "of": listed.of });
        output::json(&threads)?;
        return Ok(exit::OK);
    }
    let rows: Vec<Vec<String>> = listed.rows.iter().map(cells).collect();
    for line in output::columns(&rows) {
        output::line(line)?;
    }
    if listed.rows.is_empty() {
        next_step("no conversations; `exai-daemon chat` begins one");
    } else if listed.of > listed.rows.len() {
        let more = listed.of - listed.rows.len();
        next_step(&format!("{more} older ones: --limit, or `threads search`"));
    }
    Ok(exit::OK)
}

fn cells(row: &ThreadRow) -> Vec<String> {
    let turns = if row.turns == 1 { "turn" } else { "turns" };
    vec![
        row.id.clone(),
        at(row.touched_at),
        format!("{} {turns}", row.turns),
        tame(&row.title),
        tame(&row.workspace),
    ]
}

fn at(moment: UnixMillis) -> String {
    let mut text = moment::show(moment.as_secs_f64());
    text.truncate("2026-03-01 10:00".len());
    text
}

fn search(context: &Context, words: &str, options: &ThreadsList) -> Result<Code> {
    let query = SearchQuery {
        words: words.to_owned(),
        workspaces: folders(options)?,
        most: options.limit,
    };
    if query.is_wordless() {
        let why = "there is no word to look for; `exai-daemon threads search WORDS` wants one at \
                   least, and `exai-daemon threads list` shows all conversations";
        return Err(exit::USAGE.because(why));
    }
    let found: Vec<Found> = match reader(context)? {
        Some(reader) => reader.search_threads(&query, oldest(context))?,
        None => Vec::new(),
    };
    if options.json {
        output::json(&found)?;
        return Ok(exit::OK);
    }
    for one in &found {
        output::line(cells(&one.thread).join("  ").trim_end())?;
        let snippet = tame(&one.snippet).replace('\n', " ");
        output::line(format!("  turn {}: {snippet}", one.turn))?;
    }
    if found.is_empty() {
        next_step("no turn holds all of these words");
    }
    Ok(exit::OK)
}

/// One conversation, or how the command ends without it.
fn one(context: &Context, id: &str) -> Result<Result<Thread, Code>> {
    let found = match reader(context)? {
        Some(reader) => reader.thread(id)?,
        None => Err(ThreadError::Unknown(id.to_owned())),
    };
    Ok(found
        .map_err(|error| follow::code(Some(&WireError::new(error.code(), format!("{error}."))))))
}

fn show(context: &Context, id: &str, json: bool) -> Result<Code> {
    let thread = match one(context, id)? {
        Ok(thread) => thread,
        Err(code) => return Ok(code),
    };
    if json {
        output::json(&thread)?;
        return Ok(exit::OK);
    }
    output::line(tame(transcript::markdown(&thread).trim_end()))?;
    for failure in &thread.failures {
        let (at, why) = (at(failure.at), tame(&failure.why));
        next_step(&format!("a question failed {at} ({}): {why}", failure.code));
    }
    Ok(exit::OK)
}

fn export(context: &Context, ids: &[String], markdown: bool) -> Result<Code> {
    for id in ids {
        let thread = match one(context, id)? {
            Ok(thread) => thread,
            Err(code) => return Ok(code),
        };
        let text = if markdown {
            transcript::markdown(&thread)
        } else {
            transcript::json_lines(&thread)
        };
        output::raw(text.as_bytes())?;
    }
    Ok(exit::OK)
}
