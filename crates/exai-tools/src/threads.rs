//! `threads`: the conversations that are kept: found by their words, read, named, taken out and
//! removed. To go on with one is the business of the tool that takes its `continuation_id`; which
//! that is, and with what, `resume` says.

mod lines;
mod resume;

#[cfg(test)]
mod tests;

use crate::{
    args::Args,
    kind,
    spec::{self, Effect, Words},
    transcript,
};
use exai_engine::{
    ports::threads::{ListQuery, SearchQuery, Threads, workspace},
    tool::{Tool, ToolCall, ToolError, ToolOutput, ToolSpec},
};
use std::sync::Arc;

const ACTIONS: [&str; 7] = [
    "list", "search", "show", "resume", "rename", "export", "delete",
];

pub(crate) fn spec() -> ToolSpec {
    let words = Words {
        name: "threads",
        title: "Conversations",
        description: "Earlier conversations with models: find, read, resume (says which call goes \
             on), rename, export (Markdown), delete.",
        schema: r#"{"type":"object","properties":{"action":{"type":"string","enum":["list","search","show","resume","rename","export","delete"],"default":"list"},"continuation_id":{"type":"string"},"text":{"type":"string","description":"Words to search, or the new title."},"turn":{"type":"integer","minimum":1,"description":"Show only this one, whole."},"everywhere":{"type":"boolean","default":false,"description":"Not only of this project."},"limit":{"type":"integer","minimum":1,"maximum":100,"default":10}}}"#,
    };
    spec::spec(&words, Effect::Removes)
}

pub(crate) fn tool(threads: &Arc<dyn Threads>) -> Arc<dyn Tool> {
    kind::with(spec(), Arc::clone(threads), async move |threads, call| {
        answer(&*threads, &call).await
    })
}

/// The command line's door for conversations from elsewhere. Not for a model: what it brought
/// would stand there as said by another.
pub(crate) fn import(threads: &Arc<dyn Threads>) -> Arc<dyn Tool> {
    let threads = Arc::clone(threads);
    let words = Words {
        name: "threads_import",
        title: "Import conversations",
        description: "Takes conversations over from JSON lines.",
        schema: r#"{"type":"object","required":["name","text"],"properties":{"name":{"type":"string"},"text":{"type":"string"}}}"#,
    };
    let mut spec = spec::spec(&words, Effect::Acts);
    spec.operator = true;
    kind::with(spec, threads, async move |threads, call| {
        take_over(&*threads, &call).await
    })
}

async fn take_over(threads: &dyn Threads, call: &ToolCall) -> Result<ToolOutput, ToolError> {
    let args = Args::of(call)?;
    let name = args.required_text("name")?;
    let read = transcript::read(name, args.required_text("text")?).map_err(ToolError::invalid)?;
    let mut told = Vec::new();
    for thread in read.threads {
        let (id, turns) = (thread.id.clone(), thread.turns.len());
        let new = threads.import(&call.principal, thread).await?;
        told.push(if new {
            format!("{id}: {turns} turns")
        } else {
            format!("{id}: is here already, left as it is")
        });
    }
    told.extend(read.notes);
    Ok(ToolOutput::text(&told.join("\n")))
}

async fn answer(threads: &dyn Threads, call: &ToolCall) -> Result<ToolOutput, ToolError> {
    let args = Args::of(call)?;
    let action = args.choice("action", &ACTIONS, "list")?;
    let who = &call.principal;
    let text = match action {
        "list" => list(threads, call, &args).await?,
        "search" => search(threads, call, &args).await?,
        "show" => {
            let turn = args.number("turn", 0, 1..=u64::from(u32::MAX))?;
            let thread = threads.load(who, id(&args)?).await?;
            lines::show(&thread, turn)?
        }
        "resume" => resume::resume(&threads.load(who, id(&args)?).await?)?,
        "export" => {
            let thread = threads.load(who, id(&args)?).await?;
            transcript::markdown(&thread)
        }
        "rename" => {
            let (id, title) = (id(&args)?, args.required_text("text")?);
            threads.rename(who, id, title).await?;
            format!("Renamed: {}", title.trim())
        }
        _ => {
            let id = id(&args)?;
            threads.delete(who, id).await?;
            format!("Deleted: {id}")
        }
    };
    Ok(ToolOutput::text(&text))
}

/// Which conversation is meant; `id`, as this tool once called it, will do.
fn id(args: &Args) -> Result<&str, ToolError> {
    let named = match args.text("continuation_id")? {
        Some(id) => Some(id),
        None => args.text("id")?,
    };
    let named = named.map(str::trim).filter(|id| !id.is_empty());
    named.ok_or_else(|| {
        ToolError::invalid("'continuation_id' is missing; action list or search finds it")
    })
}

/// The folders a list is about; empty: all.
fn folders(call: &ToolCall, args: &Args) -> Result<Vec<String>, ToolError> {
    if args.flag("everywhere", false)? {
        return Ok(Vec::new());
    }
    Ok(call.roots.iter().map(|root| workspace(root)).collect())
}

fn most(args: &Args) -> Result<usize, ToolError> {
    let most = args.number("limit", 10, 1..=100)?;
    Ok(usize::try_from(most).unwrap_or(usize::MAX))
}

async fn list(threads: &dyn Threads, call: &ToolCall, args: &Args) -> Result<String, ToolError> {
    let workspaces = folders(call, args)?;
    let query = ListQuery {
        most: most(args)?,
        workspaces,
    };
    let anywhere = query.workspaces.is_empty();
    let listed = threads.list(&call.principal, query).await?;
    if !listed.rows.is_empty() {
        return Ok(lines::list(&listed, anywhere));
    }
    Ok(nothing("No conversations", anywhere))
}

async fn search(threads: &dyn Threads, call: &ToolCall, args: &Args) -> Result<String, ToolError> {
    let workspaces = folders(call, args)?;
    let query = SearchQuery {
        words: args.required_text("text")?.to_owned(),
        most: most(args)?,
        workspaces,
    };
    if query.is_wordless() {
        return Err(ToolError::invalid(format!(
            "'text' must hold a word to look for; got '{}', and punctuation means nothing here",
            query.words
        )));
    }
    let anywhere = query.workspaces.is_empty();
    let found = threads.search(&call.principal, query).await?;
    if !found.is_empty() {
        return Ok(lines::found(&found, anywhere));
    }
    Ok(nothing("No turn holds all of these words", anywhere))
}

fn nothing(what: &str, anywhere: bool) -> String {
    if anywhere {
        return format!("{what}.");
    }
    format!("{what} in this project; 'everywhere' looks at all.")
}
