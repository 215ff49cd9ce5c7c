//! What clients ask for: one call of each kind of tool there is, and what its answer must say.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Repeats in what `test_bulk` answers.
const PATTERN: &str = "abcdefghijklmnopqrstuvwxyz0123456789-";
/// Traces in one folder.
const SHELF: u64 = 1000;

/// A call to be made.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    /// Unique in this run.
    pub(crate) token: u64,
    pub(crate) tool: &'static str,
    pub(crate) arguments: Value,
    pub(crate) expect: Expect,
}

/// What a call's answer must be, where it comes to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Exactly this text.
    Text(String),
    /// So many bytes of the pattern.
    Bulk(usize),
    /// A result of any wording.
    Anything,
    /// An error with this code.
    Error(&'static str),
}

/// How large an answer a client can be asked to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appetite {
    Small,
    /// 30 MB.
    Huge,
}

impl Job {
    /// Whether it may run at most once.
    pub(crate) fn once(&self) -> bool {
        self.tool.ends_with("_once")
    }

    /// Whether it leaves a line for every run.
    pub(crate) fn counts(&self) -> bool {
        self.tool.starts_with("test_count")
    }

    /// Whether the daemon answers it from memory, without an entry in its journal.
    pub(crate) fn instant(&self) -> bool {
        self.tool == "version" || matches!(self.expect, Expect::Error("TOOL_NOT_FOUND"))
    }
}

impl Expect {
    /// Whether a result's text is what was asked for.
    pub(crate) fn fits(&self, text: &str) -> bool {
        match self {
            Self::Text(wanted) => text == wanted,
            Self::Bulk(bytes) => {
                text.len() == *bytes
                    && text
                        .as_bytes()
                        .chunks(PATTERN.len())
                        .all(|chunk| PATTERN.as_bytes().starts_with(chunk))
            }
            Self::Anything => !text.is_empty(),
            Self::Error(_) => false,
        }
    }
}

/// Where the runs of a call leave their lines.
pub(crate) fn trace(folder: &Path, token: u64) -> PathBuf {
    folder
        .join((token / SHELF).to_string())
        .join(token.to_string())
}

/// Any call.
pub(crate) fn any(rng: &mut fastrand::Rng, token: u64, traces: &Path, appetite: Appetite) -> Job {
    let ms = if rng.u8(..4) == 0 {
        rng.u64(..2500)
    } else {
        rng.u64(..300)
    };
    let (tool, arguments, expect) = match rng.u8(..100) {
        0..30 => counted("test_count_once", traces, token, ms),
        30..50 => counted("test_count", traces, token, ms),
        50..62 => ("version", json!({}), Expect::Anything),
        62..67 => (
            "test_sleep",
            json!({ "ms": ms }),
            text(format!("slept {ms} ms")),
        ),
        67..72 => (
            "test_sleep_once",
            json!({ "ms": ms }),
            text(format!("slept {ms} ms")),
        ),
        72..77 => flood(rng),
        77..82 => streamed(rng, token),
        82..86 => block(rng),
        86..89 => ("test_panic", json!({}), Expect::Error("INTERNAL")),
        89..91 => ("test_panic_once", json!({}), Expect::Error("INTERNAL")),
        91..93 => ("test_nobody", json!({}), Expect::Error("TOOL_NOT_FOUND")),
        93..95 => (
            "test_count_once",
            json!({ "file": 7 }),
            Expect::Error("INVALID_ARGUMENT"),
        ),
        _ => bulk(rng, appetite),
    };
    Job {
        token,
        tool,
        arguments,
        expect,
    }
}

/// A call that may run once, and says so if it ran twice.
pub(crate) fn once(token: u64, traces: &Path, ms: u64) -> Job {
    let (tool, arguments, expect) = counted("test_count_once", traces, token, ms);
    Job {
        token,
        tool,
        arguments,
        expect,
    }
}

type Made = (&'static str, Value, Expect);

fn text(text: String) -> Expect {
    Expect::Text(text)
}

fn counted(tool: &'static str, traces: &Path, token: u64, ms: u64) -> Made {
    let arguments = json!({ "file": trace(traces, token), "ms": ms });
    (tool, arguments, text("counted".to_owned()))
}

fn flood(rng: &mut fastrand::Rng) -> Made {
    let count = rng.u32(..3000);
    let tool = if rng.bool() {
        "test_flood"
    } else {
        "test_flood_once"
    };
    (
        tool,
        json!({ "count": count }),
        text(format!("said {count} messages")),
    )
}

fn streamed(rng: &mut fastrand::Rng, token: u64) -> Made {
    let words = format!("the answer to {token} grows word by word and ends here");
    let tool = if rng.bool() {
        "test_stream"
    } else {
        "test_stream_once"
    };
    (
        tool,
        json!({ "text": words, "ms": rng.u64(..80) }),
        text(words),
    )
}

fn block(rng: &mut fastrand::Rng) -> Made {
    let ms = rng.u64(..600);
    let tool = if rng.bool() {
        "test_block"
    } else {
        "test_block_once"
    };
    (tool, json!({ "ms": ms }), text(format!("blocked {ms} ms")))
}

fn bulk(rng: &mut fastrand::Rng, appetite: Appetite) -> Made {
    let huge = appetite == Appetite::Huge && rng.u8(..30) == 0;
    let bytes = if huge {
        30_000_000
    } else {
        rng.usize(..400_000)
    };
    let tool = if rng.bool() {
        "test_bulk"
    } else {
        "test_bulk_once"
    };
    (tool, json!({ "bytes": bytes }), Expect::Bulk(bytes))
}
