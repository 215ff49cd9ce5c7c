//! The kinds of failure that mean something to whoever looks after a server.

use crate::fault::{Fault, FaultClass};

/// A word for a failure.
pub(super) fn of(fault: &Fault) -> &'static str {
    let said = fault.detail.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&[
        "more system memory",
        "out of memory",
        "cudamalloc",
        "insufficient memory",
    ]) {
        return "oom";
    }
    if says(&["file does not exist", "not found", "no such model"])
        && fault.class != FaultClass::Unreachable
    {
        return "missing_model";
    }
    match fault.class {
        FaultClass::Unreachable => "unreachable",
        FaultClass::NotFound => "missing_model",
        FaultClass::Overloaded | FaultClass::RateLimited => "busy",
        FaultClass::Timeout => "timeout",
        FaultClass::Truncated => "truncated",
        _ => "failed",
    }
}

/// What to do about it.
pub(super) fn next_step(kind: &str, url: &str) -> String {
    match kind {
        "unreachable" => format!(
            "Start it with `ollama serve`, or set OLLAMA_HOST to where it listens (now {url})."
        ),
        "missing_model" => "See `exai-daemon ollama models` for what is installed and \
                            https://ollama.com/library for what can be pulled."
            .to_owned(),
        "oom" => "Unload another model, or take a smaller one.".to_owned(),
        "busy" | "timeout" => {
            "Try again in a moment; `exai-daemon ollama ps` shows what it holds.".to_owned()
        }
        "truncated" => "Do it again: a pull goes on where it stopped.".to_owned(),
        _ => "Its own log says more.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_say_more_than_its_status() {
        for (class, detail, kind) in [
            (
                FaultClass::Server,
                "model requires more system memory (9 GiB) than is available",
                "oom",
            ),
            (FaultClass::Server, "CUDA error: out of memory", "oom"),
            (
                FaultClass::Server,
                "pull model manifest: file does not exist",
                "missing_model",
            ),
            (FaultClass::NotFound, "model 'x' not found", "missing_model"),
            (
                FaultClass::Overloaded,
                "server busy, please try again",
                "busy",
            ),
            (FaultClass::Unreachable, "host not found", "unreachable"),
            (FaultClass::Timeout, "", "timeout"),
            (FaultClass::Truncated, "", "truncated"),
            (FaultClass::Malformed, "", "failed"),
        ] {
            let found = of(&Fault::new(class, detail));
            assert_eq!(found, kind, "{class:?} {detail}");
            assert!(!next_step(found, "http://h").is_empty());
        }
    }
}
