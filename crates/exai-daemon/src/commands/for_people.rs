//! Errors in a person's words. The daemon tells them to agents, which call tools and fill in
//! fields; whoever sits at a terminal has commands and options for the same.

use exai_protocol::WireError;
use serde_json::Value;

type Words = [(&'static str, &'static str)];

/// Tools that the daemon sends an agent to, and the commands for the same. The longer ones first.
const TOOLS: &Words = &[
    (
        "`threads` (action list or search) finds",
        "`exai-daemon threads list` or `threads search WORDS` finds",
    ),
    ("(listmodels lists all)", "(`exai-daemon models` lists all)"),
    ("`listmodels` has all", "`exai-daemon models` has all"),
    ("`listmodels`", "`exai-daemon models --all`"),
    ("tools_search names all", "`exai-daemon tools` names all"),
];

/// Fields of a call, and the options for the same.
const FIELDS: &Words = &[
    ("eave 'continuation_id' out", "eave --thread out"),
    (
        "send the call again with `confirm_cost: true` (command line: `--yes`)",
        "send it again with `--yes`",
    ),
    ("name its folder in 'path'", "go to its folder"),
    (
        "name the files to be looked at in 'relevant_files'",
        "name the files to be looked at with --file",
    ),
    ("name others, or lower 'quorum'", "or name others"),
    ("'relevant_files'", "--file"),
    ("'files'", "--file"),
    ("'images'", "--image"),
    ("'models'", "--models"),
    ("'model'", "--model"),
    ("'max_output'", "--max-output"),
    ("'effort'", "--effort"),
    ("'temperature'", "--temperature"),
    ("'continuation_id'", "--thread"),
    ("'range'", "RANGE"),
];

/// What follows a failure of the model that was to judge, to an agent.
const KEPT: &str = "The step itself is kept (";

/// What was said, to a person who asked by a command of its own.
pub(super) fn told(error: &WireError) -> String {
    let said = error.to_string();
    let facts = error.metadata.as_deref();
    let facts = facts.and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let thread = facts
        .as_ref()
        .and_then(|facts| facts.pointer("/workflow/continuation_id")?.as_str());
    let said = match (said.split_once(KEPT), thread) {
        (Some((before, _)), Some(id)) => format!(
            "{before}What was sent is kept: the same command with `--thread {id}` has it judged, \
             and `exai-daemon threads show {id}` shows it."
        ),
        _ => said,
    };
    in_words(&said)
}

/// The same to one who called a tool and wrote its fields.
pub(super) fn told_of_a_call(error: &WireError) -> String {
    replaced(&error.to_string(), TOOLS)
}

fn in_words(said: &str) -> String {
    replaced(&replaced(said, TOOLS), FIELDS)
}

fn replaced(said: &str, words: &Words) -> String {
    let words = words.iter();
    words.fold(said.to_owned(), |said, (agent, person)| {
        said.replace(agent, person)
    })
}

#[cfg(test)]
mod tests {
    use super::{in_words, told};
    use exai_engine::ports::threads::ThreadError;
    use exai_protocol::{Code, RawValue, WireError};

    #[test]
    fn what_an_agent_is_told_of_conversations_a_person_is_told_as_commands() {
        let id = || "t-1".to_owned();
        let why = || "30 days".to_owned();
        for error in [
            ThreadError::Unknown(id()),
            ThreadError::Expired {
                id: id(),
                why: why(),
            },
            ThreadError::Deleted(id()),
            ThreadError::Full {
                id: id(),
                why: why(),
            },
        ] {
            let told = in_words(&error.to_string());
            assert!(told.contains("--thread out"), "{told}");
            assert!(
                !told.contains("continuation_id") && !told.contains("(action"),
                "{told}"
            );
        }
    }

    #[test]
    fn nobody_is_sent_to_an_option_that_is_none() {
        let told = in_words("the quorum is 2; ask again, name others, or lower 'quorum'.");
        assert_eq!(told, "the quorum is 2; ask again, or name others.");
    }

    #[test]
    fn a_verdict_that_failed_names_the_command_that_goes_on() {
        let message = "no key. The step itself is kept (continuation_id t-1, step 1): send it.";
        let mut error = WireError::new(Code::Unavailable, message);
        error.metadata =
            RawValue::from_string(r#"{"workflow":{"continuation_id":"t-1"}}"#.to_owned()).ok();
        let told = told(&error);
        assert!(
            told.contains("no key.") && told.contains("`--thread t-1`"),
            "{told}"
        );
        assert!(!told.contains("continuation_id"), "{told}");
    }
}
