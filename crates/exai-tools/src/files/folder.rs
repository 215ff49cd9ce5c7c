//! A folder in which somebody else is to work for the caller: by the rules that hold for files.

use super::roots::Places;
use exai_engine::Folders;
use std::path::PathBuf;

/// Where it is, without links. What is not absolute is looked for in each of these folders, so
/// that `.` is the first of them.
pub(crate) fn folder(roots: &Folders, asked: &str) -> Result<PathBuf, String> {
    let places = Places::of(roots);
    let found = places.find(asked)?;
    match found.is_folder() {
        true => Ok(PathBuf::from(found.path())),
        false => Err("it is no folder".to_owned()),
    }
}
