//! `mcp-config`: the entry that makes an MCP client start the shim: printed, put into the
//! client's own file with a backup, or taken back so that the file is what it was.

pub(super) mod audit;
mod clients;
mod edit;
mod json_text;
mod surroundings;
mod toml_text;

use super::next_step;
use crate::{
    cli::{McpClient, McpConfig},
    context::Context,
    exit::{self, Code},
    lifecycle::spawn,
    output,
};
use anyhow::Result;
use clients::{Entry, Place};
use edit::{Undone, Written};
use exai_config::{ProcessEnv, Strings};
use std::path::PathBuf;

pub(super) fn run(context: &Context, options: &McpConfig) -> Result<Code> {
    let shim = spawn::sibling("exai-shim");
    let entry = entry(context, shim.clone(), &ProcessEnv)?;
    let place = clients::place(options.client, options.file.as_deref(), &ProcessEnv);
    if options.undo {
        return undo(&place?, options.client);
    }
    if options.write {
        let place = place?;
        if shim.is_none() {
            return Err(exit::FAILURE.because(format!(
                "{} does not exist; install exai-shim beside exai-daemon first",
                entry.command
            )));
        }
        surroundings::about_the_token(context, &ProcessEnv);
        return write(&place, options.client, &entry);
    }
    output::raw(clients::snippet(options.client, &entry).as_bytes())?;
    surroundings::about_the_token(context, &ProcessEnv);
    if let Ok(place) = &place {
        next_step(&format!(
            "belongs into {}; `exai-daemon mcp-config {} --write` puts it there",
            place.file.display(),
            clients::word(options.client)
        ));
    }
    if shim.is_none() {
        output::warning(format!("{} does not exist yet", entry.command));
    }
    Ok(exit::OK)
}

fn entry(context: &Context, shim: Option<PathBuf>, env: &dyn Strings) -> Result<Entry> {
    let shim = match shim {
        Some(shim) => shim,
        None => std::env::current_exe()?
            .with_file_name(format!("exai-shim{}", std::env::consts::EXE_SUFFIX)),
    };
    let utf8 = |path: &std::path::Path| match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(exit::FAILURE.because(format!(
            "{} is not Unicode, which these files cannot hold; install exai elsewhere",
            path.display()
        ))),
    };
    let mut around = Vec::new();
    if !context.home.is_default(env) {
        around.push(("EXAI_HOME".to_owned(), utf8(context.home.root())?));
    }
    around.extend(surroundings::of(context, env));
    let limit = context.loaded.settings.calls.call_timeout;
    Ok(Entry {
        command: utf8(&shim)?,
        env: around,
        limit_secs: limit.as_secs().saturating_add(60),
    })
}

fn write(place: &Place, client: McpClient, entry: &Entry) -> Result<Code> {
    let file = place.file.display();
    match edit::write(place, entry)? {
        Written::Already => output::line(format!("{file}: the entry is there already"))?,
        Written::New => output::line(format!("{file}: created with the entry"))?,
        Written::Changed(backup) => {
            output::line(format!("{file}: the entry is in place"))?;
            output::hint(format!("the file as it was: {}", backup.display()));
        }
    }
    next_step(&format!(
        "restart {} to use it; `exai-daemon mcp-config {} --undo` takes it back",
        clients::name(client),
        clients::word(client)
    ));
    Ok(exit::OK)
}

fn undo(place: &Place, client: McpClient) -> Result<Code> {
    let file = place.file.display();
    output::line(match edit::undo(place)? {
        Undone::Restored => format!("{file}: as it was before"),
        Undone::Removed => format!("{file}: removed; it did not exist before"),
        Undone::EntryTaken => {
            format!("{file}: changed since, so only our entry was taken out; the rest stands")
        }
        Undone::Nothing => format!("{file}: no entry of exai there; nothing was changed"),
    })?;
    next_step(&format!("restart {} to notice", clients::name(client)));
    Ok(exit::OK)
}
