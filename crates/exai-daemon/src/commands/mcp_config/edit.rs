//! Writing into somebody else's file, and taking it back. The backup beside the file is the
//! file as it was; whether it can be put back is decided by doing our edit on it again: if
//! that gives what stands there now, nobody else has changed anything.

use super::{
    clients::{Entry, Place, SERVER, json_entry, root_keys},
    json_text::{self, Unfit},
    toml_text,
};
use crate::{cli::McpClient, exit};
use anyhow::{Context, Result};
use exai_config::atomic;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

/// Larger files are no settings.
const MOST: u64 = 64 << 20;

/// What a write did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing: it is there.
    Already,
    /// There was no file.
    New,
    /// The old file is there.
    Changed(PathBuf),
}

/// What an undo did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undone {
    /// The bytes of before.
    Restored,
    /// The file was ours alone.
    Removed,
    /// Somebody changed the file since; our entry is out of it.
    EntryTaken,
    /// There was nothing of ours.
    Nothing,
}

/// An entry in the form of its file, as found or as wanted.
#[derive(Debug, Clone, PartialEq)]
enum Form {
    Json(Value),
    Toml(String),
}

/// Puts the entry into the file.
pub(super) fn write(place: &Place, entry: &Entry) -> Result<Written> {
    let file = real(&place.file)?;
    let wanted = match place.client {
        McpClient::Codex => Form::Toml(toml_text::section(entry)),
        client => Form::Json(json_entry(client, entry)),
    };
    let unfit = |Unfit(why): Unfit| {
        exit::CONFLICT.because(format!(
            "{}: {why}; nothing was changed. Put the entry in by hand: run this without --write \
             to see it",
            file.display()
        ))
    };
    let Some(current) = read(&file)? else {
        let text = inserted(place.client, "", &wanted).map_err(unfit)?;
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        store(&file, &text, atomic::PRIVATE)?;
        return Ok(Written::New);
    };
    let found = found(place.client, &current).map_err(unfit)?;
    if found.as_ref() == Some(&wanted) {
        return Ok(Written::Already);
    }
    let backup = backup(&file);
    if let Some(before) = before(place.client, &backup, &current, found.as_ref())? {
        // Done again from the start, as undo will do it.
        let text = inserted(place.client, &before, &wanted).map_err(unfit)?;
        store(&file, &text, mode(&file))?;
    } else {
        let text = inserted(place.client, &current, &wanted).map_err(unfit)?;
        store(&backup, &current, mode(&file))?;
        store(&file, &text, mode(&file))?;
    }
    Ok(Written::Changed(backup))
}

/// What an entry that stands there says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Says {
    /// What is started.
    pub(super) command: String,
    /// With which variables.
    pub(super) env: BTreeMap<String, String>,
}

/// Reads the entry, whoever wrote it; `None` where there is no file or no entry.
pub(super) fn says(place: &Place) -> Result<Option<Says>> {
    let Some(text) = read(&real(&place.file)?)? else {
        return Ok(None);
    };
    let form = found(place.client, &text).map_err(|Unfit(why)| anyhow::anyhow!(why))?;
    let value = match form {
        None => return Ok(None),
        Some(Form::Json(value)) => value,
        Some(Form::Toml(section)) => {
            let table: toml::Table = section.parse()?;
            let entry = table.get("mcp_servers").and_then(|all| all.get(SERVER));
            serde_json::to_value(entry)?
        }
    };
    let command = match &value["command"] {
        Value::Array(words) => words.first().and_then(Value::as_str),
        word => word.as_str(),
    };
    let env = [&value["env"], &value["environment"]];
    let env = env.into_iter().filter_map(Value::as_object).flatten();
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    Ok(Some(Says {
        command: command.unwrap_or_default().to_owned(),
        env: env.filter_map(text).collect(),
    }))
}

/// Takes the entry back.
pub(super) fn undo(place: &Place) -> Result<Undone> {
    let file = real(&place.file)?;
    let Some(current) = read(&file)? else {
        return Ok(Undone::Nothing);
    };
    let conflict = |why: &str| {
        exit::CONFLICT.because(format!(
            "{}: {why}; nothing was changed. The file as it was before is {}, where there is \
             one: compare them by hand",
            file.display(),
            backup(&file).display()
        ))
    };
    let found = found(place.client, &current).map_err(|Unfit(why)| conflict(&why))?;
    let Some(entry) = found else {
        return Ok(Undone::Nothing);
    };
    let kept = read(&backup(&file))?;
    if let Some(before) = before(place.client, &backup(&file), &current, Some(&entry))? {
        if kept.is_none() {
            forget(&file)?;
            return Ok(Undone::Removed);
        }
        store(&file, &before, mode(&file))?;
        forget(&backup(&file))?;
        return Ok(Undone::Restored);
    }
    let had_one = kept
        .as_deref()
        .is_some_and(|before| !matches!(self::found(place.client, before), Ok(None)));
    if had_one {
        return Err(conflict(
            "it was changed since, and it had an entry of that name before",
        ));
    }
    match removed(place.client, &current) {
        Ok(Some(text)) => {
            store(&file, &text, mode(&file))?;
            if kept.is_some() {
                forget(&backup(&file))?;
            }
            Ok(Undone::EntryTaken)
        }
        Ok(None) => Ok(Undone::Nothing),
        Err(Unfit(why)) => Err(conflict(&format!("it was changed since, and {why}"))),
    }
}

/// What the file was before an edit of ours, if that edit is all that happened since: the
/// backup's text, or an empty one where the file is ours alone.
fn before(
    client: McpClient,
    backup: &Path,
    current: &str,
    found: Option<&Form>,
) -> Result<Option<String>> {
    let Some(found) = found else { return Ok(None) };
    let before = read(backup)?.unwrap_or_default();
    let leads_here = inserted(client, &before, found).is_ok_and(|text| text == current);
    Ok(Some(before).filter(|_| leads_here))
}

fn inserted(client: McpClient, text: &str, entry: &Form) -> Result<String, Unfit> {
    match entry {
        Form::Json(value) => {
            let after = json_text::insert(text, root_keys(client), SERVER, value)?;
            let sound = json_text::find(&after, root_keys(client), SERVER)?.as_ref() == Some(value);
            if sound {
                Ok(after)
            } else {
                Err(Unfit("its layout is not understood".to_owned()))
            }
        }
        Form::Toml(section) => toml_text::insert(text, section),
    }
}

fn found(client: McpClient, text: &str) -> Result<Option<Form>, Unfit> {
    Ok(match client {
        McpClient::Codex => toml_text::find(text)?.map(Form::Toml),
        client => json_text::find(text, root_keys(client), SERVER)?.map(Form::Json),
    })
}

fn removed(client: McpClient, text: &str) -> Result<Option<String>, Unfit> {
    match client {
        McpClient::Codex => toml_text::remove(text),
        client => match json_text::remove(text, root_keys(client), SERVER)? {
            // What we leave must be what it was without us; else nobody should write it.
            Some(after) if json_text::find(&after, root_keys(client), SERVER)?.is_some() => {
                Err(Unfit("its layout is not understood".to_owned()))
            }
            after => Ok(after),
        },
    }
}

/// `settings.json` → `settings.json.before-exai`.
fn backup(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".before-exai");
    file.with_file_name(name)
}

/// People keep such files as links into a repository of theirs: what is changed is the file
/// at the end, and the link stays.
fn real(file: &Path) -> Result<PathBuf> {
    match std::fs::canonicalize(file) {
        Ok(real) => Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(file.to_owned()),
        Err(error) => Err(error).with_context(|| format!("cannot find {}", file.display())),
    }
}

fn read(file: &Path) -> Result<Option<String>> {
    let cannot = || format!("cannot read {}", file.display());
    match file.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(cannot),
        Ok(meta) if meta.len() > MOST || !meta.is_file() => {
            return Err(exit::CONFLICT.because(format!("{} is no settings file", file.display())));
        }
        Ok(_) => {}
    }
    std::fs::read_to_string(file).map(Some).with_context(cannot)
}

fn store(file: &Path, text: &str, mode: u32) -> Result<()> {
    Ok(atomic::write(file, text.as_bytes(), mode)?)
}

fn forget(file: &Path) -> Result<()> {
    std::fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))
}

#[cfg(unix)]
fn mode(file: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .map_or(atomic::PRIVATE, |meta| meta.permissions().mode() & 0o777)
}

#[cfg(not(unix))]
fn mode(_file: &Path) -> u32 {
    atomic::PRIVATE
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
