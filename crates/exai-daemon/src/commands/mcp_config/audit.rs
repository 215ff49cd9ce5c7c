//! Whether a client's entry leads to this home and this copy of the shim, and putting it right.

use super::{
    clients,
    edit::{self, Says, Written},
    entry,
};
use crate::{cli::McpClient, context::Context, exit, lifecycle::spawn};
use anyhow::Result;
use exai_config::{Home, Strings};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What is wrong with an entry, if anything.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::commands) enum Finding {
    /// It leads here.
    Fine,
    /// The file is not what it should be.
    Unreadable(String),
    /// It leads elsewhere; each reason finishes "the entry …".
    Astray(Vec<String>),
}

/// A client's own file and its entry; `None` where there is neither.
pub(in crate::commands) fn look(
    context: &Context,
    client: McpClient,
    env: &dyn Strings,
) -> Option<(PathBuf, Finding)> {
    let place = clients::place(client, None, env).ok()?;
    let finding = match edit::says(&place) {
        Ok(None) => return None,
        Ok(Some(says)) => judge(context, &says, env),
        Err(error) => Finding::Unreadable(format!("{error:#}")),
    };
    Some((place.file, finding))
}

/// Puts the right entry in; where the file as it was is kept.
pub(in crate::commands) fn mend(
    context: &Context,
    client: McpClient,
    env: &dyn Strings,
) -> Result<(PathBuf, Option<PathBuf>)> {
    let place = clients::place(client, None, env)?;
    let shim = spawn::sibling("exai-shim");
    if shim.is_none() {
        return Err(exit::FAILURE.because("exai-shim is not beside exai-daemon".to_owned()));
    }
    let written = edit::write(&place, &entry(context, shim, env)?)?;
    let backup = match written {
        Written::Changed(backup) => Some(backup).filter(|backup| backup.exists()),
        Written::Already | Written::New => None,
    };
    Ok((place.file, backup))
}

pub(in crate::commands) fn name(client: McpClient) -> &'static str {
    clients::name(client)
}

pub(in crate::commands) fn word(client: McpClient) -> String {
    clients::word(client)
}

fn judge(context: &Context, says: &Says, env: &dyn Strings) -> Finding {
    let mut reasons = Vec::new();
    reasons.extend(wrong_program(&says.command, env));
    reasons.extend(wrong_home(&context.home, &says.env, env));
    let wanted = entry(context, spawn::sibling("exai-shim"), env);
    let wanted: BTreeMap<String, String> = wanted
        .map(|entry| entry.env.into_iter().collect())
        .unwrap_or_default();
    let network = &context.loaded.settings.network;
    for (name, here) in [
        ("EXAI_WS_PORT", network.port.to_string()),
        ("EXAI_WS_HOST", network.host.clone()),
    ] {
        let given = says.env.get(name);
        let leads_here = match (given, wanted.get(name)) {
            (Some(given), _) => *given == here,
            // Nobody says so to the client, and only our own environment says so to us.
            (None, wanted) => wanted.is_none(),
        };
        if !leads_here {
            let there = given.map_or_else(
                || "does not say".to_owned(),
                |given| format!("says {given} for"),
            );
            reasons.push(format!("{there} {name}, which is {here} here"));
        }
    }
    if reasons.is_empty() {
        Finding::Fine
    } else {
        Finding::Astray(reasons)
    }
}

fn wrong_program(command: &str, env: &dyn Strings) -> Option<String> {
    let path = Path::new(command);
    let found = if path.components().count() > 1 {
        path.is_file().then(|| path.to_owned())
    } else {
        let file = format!("{command}{}", std::env::consts::EXE_SUFFIX);
        let list = env.get("PATH").unwrap_or_default();
        std::env::split_paths(&list)
            .map(|directory| directory.join(&file))
            .find(|path| path.is_file())
    };
    let Some(found) = found else {
        return Some(format!("starts {command}, which does not exist"));
    };
    let ours = spawn::sibling("exai-shim")?.canonicalize().ok()?;
    let is_shim = found
        .file_stem()
        .is_some_and(|stem| stem.to_string_lossy().starts_with("exai-shim"));
    // A wrapper of the user's own is his affair.
    let other = is_shim && found.canonicalize().is_ok_and(|found| found != ours);
    other.then(|| {
        format!(
            "starts another copy, {}, and not {}",
            found.display(),
            ours.display()
        )
    })
}

fn wrong_home(home: &Home, given: &BTreeMap<String, String>, env: &dyn Strings) -> Option<String> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match given.get("EXAI_HOME") {
        Some(there) if real(Path::new(there)) == real(home.root()) => None,
        Some(there) => Some(format!(
            "names the home {there}, and this one is {}",
            home.root().display()
        )),
        None if home.is_default(env) => None,
        None => Some(format!(
            "names no home, which is the default one; this one is {}",
            home.root().display()
        )),
    }
}
