//! The bare stdio twin: answers each JSON-RPC line at once with a canned result of a given
//! size. A process of its own, so that pipes and wake-ups cost what they cost the shim.

use anyhow::Result;
use std::io::{BufRead as _, Write as _};

/// Answers until the end of the input. Notifications get no answer.
pub(crate) fn respond(bytes: usize) -> Result<()> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut line = String::new();
    loop {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let Some(id) = id(&line) {
            output.write_all(answer(id, bytes).as_bytes())?;
            output.flush()?;
        }
    }
}

/// The digits after `"id":`.
fn id(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(r#""id":"#)?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    Some(&rest[..end]).filter(|id| !id.is_empty())
}

/// A line of about `bytes` bytes.
fn answer(id: &str, bytes: usize) -> String {
    let head =
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":""#);
    let tail = "\"}]}}\n";
    let fill = bytes.saturating_sub(head.len() + tail.len());
    format!("{head}{}{tail}", "x".repeat(fill))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_json_of_the_wanted_size() {
        let line = r#"{"jsonrpc":"2.0","id":42,"method":"tools/call"}"#;
        let answer = answer(id(line).unwrap(), 500);
        assert_eq!(answer.len(), 500);
        let value: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(value["id"], 42);
        assert_eq!(id(r#"{"method":"notifications/initialized"}"#), None);
    }
}
