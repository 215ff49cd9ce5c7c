//! `upgrade`: `restart` with another program. The file is looked at first, and asked what it is:
//! what is no daemon is no reason to disturb the one that runs.

use super::restart;
use crate::{
    cli::Stop,
    compose,
    context::Context,
    exit::{self, Code},
    lifecycle::spawn,
    output,
};
use anyhow::Result;
use std::path::Path;

pub(super) async fn run(context: &Context, program: &Path) -> Result<Code> {
    let refused = |why: String| {
        exit::USAGE.because(format!(
            "{} cannot be the new daemon: {why}; the running one goes on",
            program.display()
        ))
    };
    // The daemon is started in another folder.
    let program = std::path::absolute(program).map_err(|error| refused(error.to_string()))?;
    match program.metadata() {
        Err(error) => return Err(refused(error.to_string())),
        Ok(file) if !file.is_file() => return Err(refused("it is no file".to_owned())),
        Ok(file) if !is_program(&file) => {
            return Err(refused("it is not executable (chmod +x)".to_owned()));
        }
        Ok(_) => {}
    }
    let version = spawn::introduced(&program).await.map_err(refused)?;
    output::hint(format!(
        "upgrading from the {} of this program to {version}",
        compose::VERSION
    ));
    let patient = Stop {
        force: false,
        drain: None,
    };
    restart::replace(context, &patient, Some(&program)).await
}

#[cfg(unix)]
fn is_program(file: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.permissions().mode() & 0o111 != 0
}

/// Windows tells by the name, when it is run. Untested here.
#[cfg(not(unix))]
fn is_program(_: &std::fs::Metadata) -> bool {
    true
}
