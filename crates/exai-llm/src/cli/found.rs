//! Whether a command line is there, and whether somebody seems to have logged in. It looks at
//! files only and runs nothing: `doctor` and the list of models ask it again and again.

use super::Environment;
use crate::provider::{CommandSpec, Providers, Sign};
use std::path::{Path, PathBuf};

/// A file that may hold a login is not read beyond this.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// A command line that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The endpoint it would serve.
    pub endpoint: String,
    /// For people.
    pub title: String,
    /// Where it is.
    pub program: PathBuf,
    /// Whether a sign of a login was found. Some keep it where we do not look: no sign is no
    /// proof.
    pub logged_in: bool,
    /// What a person types to log in.
    pub login: String,
    /// Whether it is used already.
    pub enabled: bool,
    /// The line that has it used, for `config/providers.toml` in the home.
    pub line: String,
}

/// All command lines of these endpoints that are there, by the endpoints' names.
#[must_use]
pub fn found(providers: &Providers, environment: &Environment) -> Vec<Found> {
    let all = providers.endpoints.iter().filter_map(|(name, endpoint)| {
        let spec = endpoint.command.as_ref()?;
        Some(Found {
            program: look(spec, environment)?,
            endpoint: name.clone(),
            title: endpoint.title.clone(),
            logged_in: spec.signs.iter().any(|sign| is_there(sign, environment)),
            login: spec.login().to_owned(),
            enabled: endpoint.enabled,
            line: format!("providers.{name}.enabled = true"),
        })
    });
    all.collect()
}

/// Where the program is, if anywhere.
#[must_use]
pub fn look(spec: &CommandSpec, environment: &Environment) -> Option<PathBuf> {
    let program = Path::new(&spec.program);
    if program.is_absolute() {
        return with_extensions(program, environment);
    }
    let path = environment.get("PATH")?;
    std::env::split_paths(path)
        // A relative entry means the working directory, and nothing is read from there.
        .filter(|directory| directory.is_absolute())
        .find_map(|directory| with_extensions(&directory.join(program), environment))
}

#[cfg(unix)]
fn with_extensions(path: &Path, _: &Environment) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let meta = path.metadata().ok()?;
    (meta.is_file() && meta.permissions().mode() & 0o111 != 0).then(|| path.to_owned())
}

/// Untested here: `claude` is `claude.exe` or, from npm, `claude.cmd`.
#[cfg(not(unix))]
fn with_extensions(path: &Path, environment: &Environment) -> Option<PathBuf> {
    let known = environment.get("PATHEXT").and_then(|list| list.to_str());
    let known = known.unwrap_or(".COM;.EXE;.BAT;.CMD");
    let named = path.extension().is_some().then(|| path.to_owned());
    let extended = known.split(';').map(|extension| {
        let mut whole = path.as_os_str().to_owned();
        whole.push(extension);
        PathBuf::from(whole)
    });
    named
        .into_iter()
        .chain(extended)
        .find(|path| path.is_file())
}

fn is_there(sign: &Sign, environment: &Environment) -> bool {
    let Some(path) = expand(&sign.file, environment) else {
        return false;
    };
    let Ok(meta) = path.metadata() else {
        return false;
    };
    if !meta.is_file() || meta.len() == 0 {
        return false;
    }
    sign.holds.is_empty()
        || (meta.len() <= MOST_BYTES
            && std::fs::read(&path)
                .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(&sign.holds)))
}

fn expand(file: &str, environment: &Environment) -> Option<PathBuf> {
    let (first, rest) = file.split_once('/').unwrap_or((file, ""));
    let start = match first.strip_prefix('$') {
        Some(variable) => environment.get(variable)?,
        None if first == "~" => {
            let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
            environment.get(home)?
        }
        None => return Some(PathBuf::from(file)).filter(|path| path.is_absolute()),
    };
    let start = PathBuf::from(start);
    start.is_absolute().then(|| start.join(rest))
}
