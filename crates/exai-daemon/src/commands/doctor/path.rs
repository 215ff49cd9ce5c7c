//! PATH: whether a terminal and a client that goes by name find these programs, and whether
//! another copy comes first.

use super::{Check, checks::version_of};
use crate::{compose, lifecycle::spawn};
use std::path::{Path, PathBuf};

const NAME: &str = "path";

pub(super) async fn checks() -> Vec<Check> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut checks = Vec::new();
    for program in ["exai-daemon", "exai-shim"] {
        let Some(ours) = ours(program) else { continue };
        checks.push(match first(program, &path) {
            None => missing(program, &ours),
            Some(found) if same(&found, &ours) => {
                Check::ok(NAME, format!("{program} is {}", found.display()))
            }
            Some(found) => another(program, &found, &ours).await,
        });
    }
    checks
}

fn ours(program: &str) -> Option<PathBuf> {
    match program {
        "exai-daemon" => std::env::current_exe().ok(),
        _ => spawn::sibling(program),
    }
}

fn missing(program: &str, ours: &Path) -> Check {
    let directory = ours.parent().unwrap_or(ours).display().to_string();
    Check::warn(
        NAME,
        format!("{program} is not on PATH"),
        format!("put this line into your shell's start file: export PATH=\"{directory}:$PATH\""),
    )
    .because("a terminal does not find it; clients do, as their entries name the whole path")
}

async fn another(program: &str, found: &Path, ours: &Path) -> Check {
    let version = version_of(found).await;
    let says = match &version {
        Ok(version) => format!("which says {version:?}"),
        Err(why) => format!("which {why}"),
    };
    let what = format!(
        "{program} on PATH is {}, {says}, and not {} ({})",
        found.display(),
        ours.display(),
        compose::VERSION
    );
    let directory = ours.parent().unwrap_or(ours).display().to_string();
    Check::warn(
        NAME,
        what,
        format!(
            "remove {}, or put {directory} before its directory in PATH",
            found.display()
        ),
    )
    .because("two copies of different versions serve the same home in turn")
}

fn first(program: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(&file))
        .find(|path| is_program(path))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}
