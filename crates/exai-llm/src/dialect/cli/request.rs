//! One text out of a conversation. Turns are fenced with a mark made of their own contents:
//! what is quoted in a turn cannot pretend to be another turn, because no text contains the
//! fingerprint of a text it is part of.

use super::super::{
    Target, WireRequest,
    plan::{Plan, instructions},
};
use crate::{
    chat::{AssistantTurn, ChatRequest, Message, Part, ToolChoice},
    fault::Fault,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Text is cut here at the latest: more than this per token that was allowed is more than was
/// allowed, in any language.
const BYTES_PER_TOKEN: u64 = 8;

pub(in crate::dialect) fn write(
    _target: &Target<'_>,
    request: &ChatRequest,
    mut plan: Plan,
) -> Result<WireRequest, Fault> {
    if !request.tools.is_empty() && request.tool_choice != ToolChoice::Never {
        let what = "an agent's command line calls no tools of ours";
        return Err(Fault::unsupported(what));
    }
    let most = plan.max_output.saturating_mul(BYTES_PER_TOKEN);
    let why = "a command line knows no ceiling; longer text is cut";
    let cut = format!("{most} bytes");
    plan.applied.change("max_output", plan.max_output, cut, why);
    if let Some(wished) = plan.applied.temperature.take() {
        let why = "a command line takes no temperature";
        plan.applied.change("temperature", wished, "not sent", why);
    }
    Ok(WireRequest {
        path: String::new(),
        headers: Vec::new(),
        body: json!({
            "model": request.model,
            "input": input(&request.messages, plan.postscript.as_deref())?,
            "max_bytes": most,
        }),
        applied: plan.applied,
    })
}

/// What goes to standard input.
fn input(messages: &[Message], postscript: Option<&str>) -> Result<String, Fault> {
    let standing = instructions(messages, postscript);
    let turns: Vec<(String, String)> = messages
        .iter()
        .filter(|message| !matches!(message, Message::System(_)))
        .map(turn)
        .collect::<Result<_, _>>()?;
    match turns.as_slice() {
        [] => return Err(Fault::unsupported("the request has nothing to answer")),
        [(_, text)] if standing.is_empty() => return Ok(text.clone()),
        _ => {}
    }
    let mark = mark(&standing, &turns);
    let mut text = String::new();
    if !standing.is_empty() {
        fenced(&mut text, &mark, "instructions", &standing);
    }
    for (who, words) in &turns {
        fenced(&mut text, &mark, who, words);
    }
    let _ = writeln!(
        text,
        "The lines with {mark} only separate the parts above. Follow the instructions, if any, \
         and answer the last part with your next turn and nothing else."
    );
    Ok(text)
}

fn fenced(text: &mut String, mark: &str, who: &str, words: &str) {
    let _ = write!(text, "--- {mark} {who} ---\n{words}\n");
    if !words.ends_with('\n') {
        text.push('\n');
    }
}

fn mark(standing: &str, turns: &[(String, String)]) -> String {
    let mut all = Sha256::new();
    all.update(standing);
    for (who, words) in turns {
        all.update(who);
        all.update(words);
    }
    let digest = all.finalize();
    digest[..6].iter().fold(String::new(), |mut mark, byte| {
        let _ = write!(mark, "{byte:02x}");
        mark
    })
}

fn turn(message: &Message) -> Result<(String, String), Fault> {
    Ok(match message {
        Message::System(text) => ("instructions".to_owned(), text.clone()),
        Message::User(parts) => ("user".to_owned(), user(parts)?),
        Message::Assistant(turn) => ("assistant".to_owned(), assistant(turn)),
        Message::Tool(result) => {
            let kind = if result.is_error {
                "failure of"
            } else {
                "result of"
            };
            (format!("{kind} {}", result.name), result.content.clone())
        }
    })
}

fn user(parts: &[Part]) -> Result<String, Fault> {
    let texts = parts.iter().map(|part| match part {
        Part::Text(text) => Ok(text.as_str()),
        Part::Image(_) => Err(Fault::unsupported(
            "an agent's command line takes text only, no images",
        )),
    });
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n\n"))
}

fn assistant(turn: &AssistantTurn) -> String {
    let calls = turn
        .tool_calls
        .iter()
        .map(|call| format!("[called {} with {}]", call.name, call.arguments));
    std::iter::once(turn.text.clone())
        .filter(|text| !text.is_empty())
        .chain(calls)
        .collect::<Vec<_>>()
        .join("\n\n")
}
