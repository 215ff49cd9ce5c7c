//! Names nobody reads. A misspelt setting that is silently ignored costs its owner an evening,
//! so each is named together with what was probably meant.

use crate::keys::{self, OTHER_NAMES, RETIRED};
use exai_protocol::names::closest;

/// The warning for an environment name, unless it is known or not ours.
pub(super) fn variable(place: &str, name: &str) -> Option<String> {
    if let Some((_, why)) = RETIRED.iter().find(|(retired, _)| *retired == name) {
        return Some(format!(
            "{place} is a setting of the predecessor without effect here: {why}"
        ));
    }
    if !name.starts_with("EXAI_") || all().any(|known| known == name) {
        return None;
    }
    let lower: Vec<String> = all().map(str::to_lowercase).collect();
    let near = closest(name, lower.iter().map(String::as_str));
    Some(match near.first() {
        Some(near) => {
            let near = near.to_uppercase();
            format!("{place} is not a setting of exai and has no effect; did you mean {near}?")
        }
        None => format!("{place} is not a setting of exai and has no effect"),
    })
}

/// The warning for a TOML path or a flag.
pub(super) fn key(place: &str, path: &str) -> String {
    let meant = keys::all()
        .find(|key| key.env.contains(&path))
        .map(|key| key.path);
    let near = closest(path, keys::all().map(|key| key.path));
    let path: String = crate::faults::short(path);
    match meant.or(near.first().copied()) {
        Some(near) => format!("{place}: `{path}` is not a setting; did you mean `{near}`?"),
        None => format!("{place}: `{path}` is not a setting"),
    }
}

fn all() -> impl Iterator<Item = &'static str> {
    let table = keys::all().flat_map(|key| key.env.iter().copied());
    table.chain(OTHER_NAMES.iter().map(|(name, _)| *name))
}
