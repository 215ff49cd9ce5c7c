//! Who else could read what is the owner's alone: the home's private parts, the token, settings
//! with secrets in them, providers' key files. Looked at before anything is opened, because
//! opening some of them closes them.

use super::Check;
use exai_config::Home;

/// Nothing to see where permissions are access lists.
#[cfg(not(unix))]
pub(super) fn checks(_home: &Home) -> Vec<Check> {
    Vec::new()
}

#[cfg(unix)]
pub(super) fn checks(home: &Home) -> Vec<Check> {
    use super::repair::Repair;
    use std::path::{Path, PathBuf};

    const NAME: &str = "access";
    const DIRECTORY: u32 = 0o700;
    const FILE: u32 = 0o600;
    let directories = [home.logs(), home.run_dir(), home.data_dir()];
    let mut files = vec![home.token_file(), home.previous_token_file()];
    let env_file = home.env_file(&exai_config::ProcessEnv);
    if holds_secrets(&env_file) {
        files.push(env_file);
    }
    let judge = |(path, mode): (PathBuf, u32)| {
        let open = mode_of(&path)? & 0o077;
        (open != 0).then(|| {
            let path_shown = path.display();
            Check::fail(
                NAME,
                format!("{path_shown} can be read by other users of this machine"),
                format!("chmod {mode:o} {path_shown}"),
            )
            .because("whoever reads it can use your daemon and your keys")
            .repaired_by(Repair::Private {
                path: path.clone(),
                mode,
            })
        })
    };
    fn mode_of(path: &Path) -> Option<u32> {
        use std::os::unix::fs::PermissionsExt as _;
        let meta = path.symlink_metadata().ok()?;
        (!meta.is_symlink()).then(|| meta.permissions().mode() & 0o777)
    }
    let directories = directories.map(|path| (path, DIRECTORY));
    let files = files.into_iter().map(|path| (path, FILE));
    let mut checks: Vec<Check> = directories
        .into_iter()
        .chain(files)
        .filter_map(judge)
        .collect();
    if checks.is_empty() {
        checks.push(Check::ok(
            NAME,
            "the home's private parts are the owner's alone",
        ));
    }
    checks
}

/// Whether a settings file has a line that looks like a key or the token.
#[cfg(unix)]
fn holds_secrets(path: &std::path::Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().any(|line| {
        let name = line.trim().trim_start_matches("export ").split('=').next();
        let set = line
            .split_once('=')
            .is_some_and(|(_, value)| !value.trim().is_empty());
        let secret = |name: &str| name.ends_with("_KEY") || name.ends_with("TOKEN");
        set && name.is_some_and(|name| secret(name.trim()))
    })
}
