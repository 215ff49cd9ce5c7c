//! What a command line's failure means and what mends it. There is no status and no code, so
//! its own words decide, and they are always told.

use crate::{
    dialect::class_of_words,
    fault::{Fault, FaultClass},
    provider::CommandSpec,
};
use std::{io, process::ExitStatus};

/// It did not even start.
pub(super) fn not_started(spec: &CommandSpec, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::NotFound => not_installed(spec),
        _ => {
            let program = &spec.program;
            let what = format!("{program} cannot be run: {error}");
            Fault::new(FaultClass::Unreachable, what)
        }
    }
}

pub(super) fn not_installed(spec: &CommandSpec) -> Fault {
    let program = &spec.program;
    let mut what = format!("{program} is not on the daemon's PATH");
    if !spec.install.is_empty() {
        what = format!("{what}; install it: {}", spec.install);
    }
    let what = format!("{what}; then restart the daemon from a shell that finds it");
    Fault::new(FaultClass::NotInstalled, what)
}

/// It ended and said, or showed, that it failed. `said` is the best there is of its words.
pub(super) fn failed(spec: &CommandSpec, status: Option<ExitStatus>, said: &str) -> Fault {
    let program = &spec.program;
    let ended = match status {
        Some(status) => ended(status),
        None => "was ended".to_owned(),
    };
    let class = class_of_words(said);
    let mut what = match said {
        "" => format!("{program} {ended} without a word"),
        said => format!("{program} {ended}: {said}"),
    };
    if class == FaultClass::Auth {
        what = format!("{program} is not logged in, or its login ended: {said}");
    }
    Fault::new(class, what)
}

/// It ended as if all were well, and what it printed is no answer.
pub(super) fn no_answer(spec: &CommandSpec, mut fault: Fault, printed: &str) -> Fault {
    let program = &spec.program;
    fault.detail = match printed {
        "" => format!("{program} ended without an error and without an answer"),
        printed => format!("{program} ended without an error, and this is no answer: {printed}"),
    };
    fault
}

fn ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was killed by signal {signal}");
    }
    match status.code() {
        Some(code) => format!("ended with exit code {code}"),
        None => "ended without an exit code".to_owned(),
    }
}
