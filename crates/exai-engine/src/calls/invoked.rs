//! A call that names another tool in its arguments becomes that tool's call, at the door.

use super::submit::Submission;
use crate::{
    registry::Snapshot,
    surface::INVOKE,
    tool::{no_arguments, raw},
};
use exai_protocol::{RawValue, object::RawObject};
use std::sync::Arc;

/// The submission as it is meant. What cannot be unwrapped stays as it is: then the tool itself
/// is run, which says what is wrong.
pub(super) fn unwrapped(submission: Submission, snapshot: &Snapshot) -> Submission {
    let found = snapshot.find(&submission.name, submission.operator);
    if found.is_none_or(|(name, _)| **name != *INVOKE) {
        return submission;
    }
    match inner(&submission.arguments) {
        Some((name, arguments)) => Submission {
            name,
            arguments,
            ..submission
        },
        None => submission,
    }
}

fn inner(arguments: &RawValue) -> Option<(String, Arc<RawValue>)> {
    let object = RawObject::parse(arguments.get()).ok()?;
    let name = object.string("name").ok()??.trim().to_owned();
    let arguments = match object.any("arguments") {
        None => no_arguments(),
        Some(value) if value.get().starts_with('{') => Arc::from(value.to_owned()),
        Some(value) if value.get() == "null" => no_arguments(),
        // Some models write the object as a string.
        Some(_) => {
            let text = object.string("arguments").ok()??.trim().to_owned();
            RawObject::parse(&text).ok()?;
            raw(text)
        }
    };
    let is_itself = name == INVOKE;
    (!name.is_empty() && !is_itself).then_some((name, arguments))
}

#[cfg(test)]
mod tests {
    use super::inner;
    use crate::tool::raw;

    fn of(json: &str) -> Option<(String, String)> {
        let (name, arguments) = inner(&raw(json.to_owned()))?;
        Some((name, arguments.get().to_owned()))
    }

    #[test]
    fn what_is_meant_is_found_and_nothing_is_guessed() {
        let chat = |arguments: &str| Some(("chat".to_owned(), arguments.to_owned()));
        for (json, expected) in [
            (
                r#"{"name":"chat","arguments":{"a": 1}}"#,
                chat(r#"{"a": 1}"#),
            ),
            (r#"{"name":" chat "}"#, chat("{}")),
            (r#"{"name":"chat","arguments":null}"#, chat("{}")),
            (
                r#"{"name":"chat","arguments":"{\"a\":1}"}"#,
                chat(r#"{"a":1}"#),
            ),
            (r#"{"name":"chat","arguments":"x"}"#, None),
            (r#"{"name":"chat","arguments":[1]}"#, None),
            (r#"{"name":"tool_invoke","arguments":{}}"#, None),
            (r#"{"name":""}"#, None),
            (r#"{"name":7}"#, None),
            ("{}", None),
        ] {
            assert_eq!(of(json), expected, "{json}");
        }
    }
}
