//! Whether this shim is inside an agent's command line that exai itself runs as a model. There
//! it serves no tools: the daemon waits for that model, and a model that calls the daemon would
//! have it wait for itself, or start another of its kind without end.

use exai_config::Strings;
use exai_protocol::{Code, WireError, call::CallToolRes, error::Ran};

/// Set by exai for the command lines it runs.
const DEPTH: &str = "EXAI_CLI_DEPTH";
/// Ancestors that are looked at.
#[cfg(target_os = "linux")]
const ANCESTORS: usize = 32;

/// Looks at our own environment, and at what the processes that led to us were started with:
/// agents hand little of their environment on to their servers.
pub(crate) fn is_inside(env: &dyn Strings) -> bool {
    env.get(DEPTH).is_some_and(|depth| counts(depth.as_bytes())) || an_ancestor_is()
}

fn counts(depth: &[u8]) -> bool {
    !depth.is_empty() && depth != b"0"
}

/// The answer to a call.
pub(crate) fn refused(tool: &str) -> CallToolRes {
    let message = format!(
        "exai runs this agent as a model (EXAI_CLI_DEPTH is set), so its tools are switched off \
         here: a model that calls exai would make it wait for itself. {tool:?} was not run; \
         answer without exai's tools."
    );
    CallToolRes::failed(
        "".into(),
        WireError::new(Code::Unavailable, message).ran(Ran::No),
    )
}

#[cfg(target_os = "linux")]
fn an_ancestor_is() -> bool {
    let parent = |pid: &u32| parent_of(*pid).filter(|parent| *parent > 1);
    std::iter::successors(parent(&std::process::id()), parent)
        .take(ANCESTORS)
        .any(|pid| {
            // What belongs to others cannot be read, and is not ours.
            std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| says_so(&environ))
        })
}

#[cfg(target_os = "linux")]
fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Elsewhere the environment of others is not for us to read; our own has to do.
#[cfg(not(target_os = "linux"))]
fn an_ancestor_is() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn says_so(environ: &[u8]) -> bool {
    let depths = environ.split(|&byte| byte == 0).filter_map(|variable| {
        let value = variable.strip_prefix(DEPTH.as_bytes())?;
        value.strip_prefix(b"=")
    });
    depths.into_iter().any(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_config::strings::fixed;

    #[test]
    fn nought_and_nothing_are_outside() {
        for (depth, inside) in [("", false), ("0", false), ("1", true), ("2", true)] {
            assert_eq!(is_inside(&fixed([(DEPTH, depth)])), inside, "{depth:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        assert!(says_so(b"A=1\0EXAI_CLI_DEPTH=1\0"));
        for environ in [
            &b"XEXAI_CLI_DEPTH=1\0"[..],
            b"EXAI_CLI_DEPTHS=1\0",
            b"EXAI_CLI_DEPTH=0\0",
            b"EXAI_CLI_DEPTH=\0",
            b"",
        ] {
            assert!(!says_so(environ), "{}", String::from_utf8_lossy(environ));
        }
        assert!(parent_of(std::process::id()).is_some());
    }
}
