//! Names that are written much like another, for a person who mistyped one.

use super::Model;
use std::collections::BTreeSet;

/// The nearest names; none that has little in common with the wanted one.
pub(super) fn nearest<'a>(
    wanted: &str,
    models: impl Iterator<Item = &'a Model>,
    most: usize,
) -> Vec<String> {
    // Longer names than any in use are not worth the time of comparing them.
    let wanted: Vec<char> = wanted.to_lowercase().chars().take(128).collect();
    let mut found: BTreeSet<(usize, String)> = BTreeSet::new();
    for model in models {
        let names = model.aliases.iter().chain([&model.id]);
        let best = names.filter_map(|name| distance(&wanted, name)).min();
        if let Some(best) = best {
            found.insert((best, model.id.clone()));
        }
    }
    let mut names = Vec::new();
    for (_, name) in found {
        if !names.contains(&name) && names.len() < most {
            names.push(name);
        }
    }
    names
}

/// Edits from one to the other, where they are few; a name that contains the wanted one is
/// near whatever else it holds.
fn distance(wanted: &[char], name: &str) -> Option<usize> {
    let name: Vec<char> = name.to_lowercase().chars().take(256).collect();
    let short = wanted.len() < 3;
    if !short && name.windows(wanted.len()).any(|part| part == wanted) {
        return Some(1);
    }
    let bound = (wanted.len() / 3).max(1);
    if name.len().abs_diff(wanted.len()) > bound {
        return None;
    }
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (i, a) in wanted.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in name.iter().enumerate() {
            let replaced = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row.last().copied().filter(|edits| *edits <= bound)
}
