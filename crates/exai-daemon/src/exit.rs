//! The exit codes, as a documented part of the contract: scripts branch on them, so a number
//! never changes its meaning.

use crate::output;
use exai_protocol::Outcome;
use std::{fmt, process::ExitCode};

/// One documented way to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) number: u8,
    pub(crate) meaning: &'static str,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $meaning:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: Code = Code { number: $number, meaning: $meaning };)*

        /// All of them, for `--help` and for the test that keeps them apart.
        pub(crate) const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    /// Done.
    OK = 0, "done";
    /// Something failed that has no number of its own; `status`: no running daemon.
    FAILURE = 1, "failed; status: not running";
    /// As clap says it.
    USAGE = 2, "the command line cannot be understood";
    /// Settings that cannot be used.
    CONFIG = 3, "settings cannot be used";
    /// Nobody answers.
    NOT_RUNNING = 4, "no daemon answers";
    /// A foreign program listens where the daemon should.
    PORT_TAKEN = 5, "the port is taken by another program";
    /// Another home's daemon listens where ours should.
    OTHER_HOME = 6, "the port is taken by an exai of another home";
    /// The owner does not want a daemon.
    STOPPED = 7, "stopped by you; start --autostart refuses";
    /// It died or never answered.
    START_FAILED = 8, "the daemon did not come up";
    /// It would not end, or we may not end it.
    NOT_STOPPED = 9, "the daemon did not end";
    /// It answers, and not to us.
    REFUSED = 10, "the daemon refused us (token, protocol)";
    /// The lock of this home is held.
    ALREADY_RUNNING = 11, "run: a daemon of this home is already running";
    /// The home cannot be used.
    BAD_HOME = 12, "the home cannot be used";
    /// What `mcp-config` would change is not as it left it.
    CONFLICT = 13, "mcp-config: the file is not as expected; nothing was changed";
    /// See [`Outcome::ToolError`].
    TOOL_ERROR = 20, "call, chat: the tool failed";
    /// See [`Outcome::NotFound`].
    TOOL_NOT_FOUND = 21, "call, chat: no tool has that name";
    /// See [`Outcome::InvalidArgument`].
    INVALID_ARGUMENT = 22, "call, chat: the arguments do not fit";
    /// See [`Outcome::Timeout`].
    TIMEOUT = 23, "call, chat: a limit of time fired";
    /// See [`Outcome::OverCapacity`].
    OVER_CAPACITY = 24, "call, chat: no room, try again";
    /// See [`Outcome::OverBudget`].
    OVER_BUDGET = 25, "call, chat: over budget";
    /// See [`Outcome::Cancelled`].
    CANCELLED = 26, "call, chat: stopped";
    /// See [`Outcome::Unavailable`].
    UNAVAILABLE = 27, "call, chat: the daemon cannot serve it";
    /// See [`Outcome::TooLarge`].
    TOO_LARGE = 28, "call, chat: the result is too large";
    /// See [`Outcome::Expired`].
    EXPIRED = 29, "call, chat: the result is gone";
    /// See [`Outcome::OutcomeUnknown`].
    OUTCOME_UNKNOWN = 30, "call, chat: it may or may not have run";
    /// See [`Outcome::Internal`].
    INTERNAL = 31, "call, chat: a bug of ours";
}

impl Code {
    /// Says why on standard error, and ends this way.
    pub(crate) fn report(self, why: impl fmt::Display) -> ExitCode {
        output::error(&why.to_string());
        self.into()
    }

    /// An error that ends this way.
    pub(crate) fn because(self, why: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Failure {
            code: self,
            why: why.into(),
        })
    }

    /// How a call's end ends the command.
    pub(crate) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Ok => OK,
            Outcome::ToolError => TOOL_ERROR,
            Outcome::NotFound => TOOL_NOT_FOUND,
            Outcome::InvalidArgument => INVALID_ARGUMENT,
            Outcome::Timeout => TIMEOUT,
            Outcome::OverCapacity => OVER_CAPACITY,
            Outcome::OverBudget => OVER_BUDGET,
            Outcome::Cancelled => CANCELLED,
            Outcome::Unavailable => UNAVAILABLE,
            Outcome::TooLarge => TOO_LARGE,
            Outcome::Expired => EXPIRED,
            Outcome::OutcomeUnknown => OUTCOME_UNKNOWN,
            Outcome::Internal => INTERNAL,
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number)
    }
}

/// An error with its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    why: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Failure {}

/// The code that an error of a command ends with.
pub(crate) fn code_of(error: &anyhow::Error) -> Code {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.code;
        }
        if cause.is::<exai_config::HomeError>() {
            return BAD_HOME;
        }
        if cause.is::<exai_config::Faults>() {
            return CONFIG;
        }
    }
    FAILURE
}

/// An error in one sentence: its causes follow, unless it has named them already.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

/// Whether an error only says that nobody reads our output any more.
pub(crate) fn reader_is_gone(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The table under `--help`.
pub(crate) fn table() -> String {
    let lines: Vec<String> = ALL
        .iter()
        .map(|code| format!("  {:>3}  {}", code.number, code.meaning))
        .collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_means_two_things() {
        let mut numbers: Vec<u8> = ALL.iter().map(|code| code.number).collect();
        numbers.dedup();
        assert!(numbers.is_sorted() && numbers.len() == ALL.len());
        assert!(table().contains("  5  the port is taken"));
    }

    #[test]
    fn an_error_keeps_its_code_under_context() {
        use anyhow::Context;
        let error = Err::<(), _>(PORT_TAKEN.because("taken"))
            .context("starting")
            .unwrap_err();
        assert_eq!(code_of(&error), PORT_TAKEN);
        assert_eq!(code_of(&anyhow::anyhow!("else")), FAILURE);
        assert_eq!(code_of(&exai_config::HomeError::Nowhere.into()), BAD_HOME);
    }

    #[test]
    fn a_cause_is_told_once() {
        use anyhow::Context;
        let cause = || Err::<(), _>(anyhow::anyhow!("no space"));
        let error = cause().context("cannot write x").unwrap_err();
        assert_eq!(told(&error), "cannot write x: no space");
        let error = cause()
            .context("cannot write x: no space; free some")
            .unwrap_err();
        assert_eq!(told(&error), "cannot write x: no space; free some");
    }

    #[test]
    fn a_closed_pipe_is_recognised() {
        let gone = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(reader_is_gone(&gone.into()));
        assert!(!reader_is_gone(&anyhow::anyhow!("else")));
    }
}
