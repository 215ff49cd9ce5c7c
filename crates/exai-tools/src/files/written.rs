//! The way back: a file that a tool writes for the caller. It goes through the same doors as what
//! is read, is never one that exists, and never one that would hold keys.

use super::roots::Places;
use exai_engine::Folders;

/// Whether [`write_new`] would; so that nothing is begun whose end could not be kept.
pub(crate) fn may_write(roots: &Folders, asked: &str) -> Result<(), String> {
    let places = Places::of(roots);
    let found = places.room_for(asked)?;
    found.is_free()
}

/// Writes a new file below these folders; returns its name below its root.
pub(crate) fn write_new(roots: &Folders, asked: &str, text: &str) -> Result<String, String> {
    let places = Places::of(roots);
    let found = places.room_for(asked)?;
    found.write_new(text.as_bytes())?;
    Ok(found.name.clone())
}
