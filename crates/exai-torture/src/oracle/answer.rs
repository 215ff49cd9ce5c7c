//! An answer, whichever way it came.

use crate::work::Expect;
use serde_json::Value;

/// Words of an error kept for the report.
const KEPT: usize = 300;

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The result that was asked for.
    Right,
    /// A result that was not asked for; its beginning.
    Wrong(String),
    /// An error.
    Failed {
        code: String,
        /// Whether it says that it ran: `yes`, `no`, `unknown`; empty if it does not say.
        ran: String,
        /// What it says is known, for an unknown outcome.
        known: String,
        words: String,
    },
}

impl Answer {
    /// The `result` of an MCP answer, or its `error`.
    pub(crate) fn of_mcp(answer: &Value, expect: &Expect) -> Self {
        if let Some(error) = answer.get("error") {
            let code = error["data"]["code"].as_str().unwrap_or("PROTOCOL");
            return Self::failed(
                code,
                "no",
                "",
                error["message"].as_str().unwrap_or_default(),
            );
        }
        let (result, meta) = (&answer["result"], &answer["result"]["_meta"]);
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        if result["isError"] == true {
            let word = |name: &str| meta[name].as_str().unwrap_or_default();
            let known = meta["exai/error"]["known"].as_str().unwrap_or_default();
            return Self::failed(word("exai/code"), word("exai/ran"), known, text);
        }
        Self::of_text(text, expect)
    }

    /// A `call_tool_res` frame.
    pub(crate) fn of_frame(frame: &Value, expect: &Expect) -> Self {
        let error = &frame["error"];
        if error.is_object() {
            let word = |name: &str| error[name].as_str().unwrap_or_default();
            let known = error["metadata"]["known"].as_str().unwrap_or_default();
            return Self::failed(word("code"), word("ran"), known, word("message"));
        }
        Self::of_text(
            frame["outputs"][0]["text"].as_str().unwrap_or_default(),
            expect,
        )
    }

    fn of_text(text: &str, expect: &Expect) -> Self {
        if expect.fits(text) {
            Self::Right
        } else {
            Self::Wrong(short(text))
        }
    }

    pub(crate) fn failed(code: &str, ran: &str, known: &str, words: &str) -> Self {
        Self::Failed {
            code: code.to_owned(),
            ran: ran.to_owned(),
            known: known.to_owned(),
            words: short(words),
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(KEPT).collect()
}
