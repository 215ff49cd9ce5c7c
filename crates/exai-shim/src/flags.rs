//! The two flags of a program that editors start: nothing may reach stdout by accident, so
//! everything else on the command line is an error on stderr.

use std::ffi::OsString;

/// Exit code for a command line that makes no sense (`EX_USAGE`).
pub(crate) const USAGE: u8 = 64;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Flags {
    /// Serve MCP on stdin and stdout.
    Serve,
    /// Print this and exit well.
    Print(String),
    /// Complain and exit with [`USAGE`].
    Refuse(String),
}

const HELP: &str = "\
exai-shim: the MCP stdio server of exai. An editor or agent starts it and speaks MCP with it;
it passes tool calls to exai-daemon, and starts the daemon where none runs.

usage: exai-shim [--version | --help]

It takes no other arguments. Settings come from the home (EXAI_HOME), its .env and
config/exai.toml, and the environment; `exai-daemon config --origin` shows them, and
`exai-daemon mcp-config CLIENT` prints the entry for your editor.
";

pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Flags {
    let Some(first) = arguments.next() else {
        return Flags::Serve;
    };
    let text = first.to_string_lossy();
    if arguments.next().is_some() {
        return Flags::Refuse(format!("exai-shim takes one argument at most\n\n{HELP}"));
    }
    match text.as_ref() {
        "--version" | "-V" | "version" => {
            Flags::Print(format!("exai-shim {}\n", env!("CARGO_PKG_VERSION")))
        }
        "--help" | "-h" | "help" => Flags::Print(HELP.to_owned()),
        other => Flags::Refuse(format!("exai-shim does not know {other:?}\n\n{HELP}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> Flags {
        parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn two_flags_and_nothing_else() {
        assert_eq!(of(&[]), Flags::Serve);
        assert!(matches!(of(&["--version"]), Flags::Print(text) if text.starts_with("exai-shim ")));
        assert!(matches!(of(&["--help"]), Flags::Print(text) if text.contains("usage:")));
        assert!(matches!(of(&["--stdio"]), Flags::Refuse(text) if text.contains("--stdio")));
        assert!(matches!(of(&["--version", "x"]), Flags::Refuse(_)));
    }
}
