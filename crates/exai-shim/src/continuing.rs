//! `exai_continue`: the way to the result of a call that outlasted its client's patience, and to
//! the further parts of an answer that was too long to be shown.

use exai_client::Handle;
use exai_protocol::{
    Code, RawValue, WireError, call::CallToolRes, error::Ran, names, object::RawObject,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// Its name.
pub(crate) const NAME: &str = "exai_continue";

/// As it is listed. It changes nothing: the work was asked for by the call that began it.
pub(crate) const ENTRY: &str = concat!(
    r#"{"name":"exai_continue","title":"Continue","description":"#,
    r#""Waits for the result of a call that is still at work, or gives the next page of a long answer; "#,
    r#"only with a handle that an answer told you.","#,
    r#""inputSchema":{"type":"object","properties":{"#,
    r#""handle":{"type":"string"},"#,
    r#""page":{"type":"integer","description":"From 1."}},"#,
    r#""required":["handle"]},"#,
    r#""annotations":{"readOnlyHint":true,"destructiveHint":false,"idempotentHint":true,"openWorldHint":false}}"#,
);

/// Longest handle that is looked at.
const LONGEST: usize = 2048;

/// Whether a client means this tool, however it decorates names.
pub(crate) fn is_meant(name: &str) -> bool {
    // Every call passes here; most names end in something else.
    name.contains(NAME) && names::resolve(name, |name| name == NAME).is_some()
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) handle: Handle,
    pub(crate) page: Option<usize>,
}

impl Asked {
    /// Reads the arguments, or says what is wrong with them.
    pub(crate) fn read(arguments: Option<&RawValue>) -> Result<Self, Box<CallToolRes>> {
        let wrong = |message: String| {
            let error = WireError::new(Code::InvalidArgument, message).ran(Ran::No);
            Box::new(CallToolRes::failed("".into(), error))
        };
        let arguments = arguments.map_or("{}", RawValue::get);
        let object = RawObject::parse(arguments).map_err(|error| {
            wrong(format!(
                "the arguments of {NAME} must be an object: {error}"
            ))
        })?;
        let missing = || {
            wrong(format!(
                "handle is missing: {NAME} takes the handle (a string) that a call told you. \
                 If you lost it, make the same call again: it joins the work that goes on"
            ))
        };
        let handle = object.string("handle").ok().flatten().ok_or_else(missing)?;
        let handle = Some(handle.as_ref()).filter(|handle| handle.len() <= LONGEST);
        let handle = handle
            .and_then(|handle| handle.parse().ok())
            .ok_or_else(|| {
                wrong(
                    "handle is none of exai's: give it exactly as it was told, without anything \
                 added. If you lost it, make the same call again: it joins the work that goes on"
                        .to_owned(),
                )
            })?;
        let page = match object.any("page").map(RawValue::get) {
            None | Some("null") => None,
            Some(page) => {
                let number = page.parse().ok().filter(|page| *page >= 1);
                Some(number.ok_or_else(|| {
                    wrong(format!(
                        "page must be a whole number, 1 or more, not {page:.40}"
                    ))
                })?)
            }
        };
        Ok(Self { handle, page })
    }
}

/// The end of a call that was asked for by its handle, in words that fit.
pub(crate) fn told(mut result: CallToolRes, handle: &str) -> CallToolRes {
    let Some(error) = &mut result.error else {
        return result;
    };
    match (error.code, error.ran) {
        (Code::Expired, None) => {
            error.message = format!(
                "exai knows no call with the handle {handle:?}: it was never accepted, it is \
                 another user's, or it is so long ago that it is forgotten. Nothing was run now. \
                 If the handle is right, make the call anew."
            );
        }
        (Code::Expired, Some(_)) => {
            error.message = format!(
                "The call with the handle {handle:?} ended, and its result is no longer kept. \
                 Check its effects before you run it again."
            );
        }
        // The call's own end: it was refused in the moment in which its client was told that it
        // goes on.
        (Code::Unavailable, Some(Ran::No)) if result.replayed == Some(true) => {
            error.message = format!(
                "The call with the handle {handle:?} was refused before it began: {}. It did not \
                 run, and is over: make the call anew.",
                error.message
            );
        }
        (Code::Unavailable, Some(Ran::No)) => {
            // It is the question that was not sent.
            error.message = format!(
                "The exai daemon cannot be asked at the moment. The call with the handle \
                 {handle:?} is not lost: what was accepted is kept. Call {NAME} with the same \
                 handle again in a moment; `exai-daemon status` says more."
            );
            error.ran = Some(Ran::Unknown);
        }
        _ => {}
    }
    result
}

/// One asks for a call at a time; the others of this window wait for their turn, and then find
/// its end.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<Handle, Arc<Turn<()>>>>);

impl Turns {
    /// Waits for the turn.
    pub(crate) async fn of(&self, handle: &Handle) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever has or wants a turn holds it twice with the table.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(handle.clone()).or_default())
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(arguments: &Value) -> Result<Asked, String> {
        let raw = RawValue::from_string(arguments.to_string()).unwrap();
        Asked::read(Some(&raw)).map_err(|result| {
            let error = result.error.unwrap();
            assert_eq!(error.code, Code::InvalidArgument);
            error.message
        })
    }

    #[test]
    fn its_entry_is_a_tool_that_says_it_changes_nothing() {
        let entry: Value = serde_json::from_str(ENTRY).unwrap();
        assert_eq!(entry["name"], NAME);
        assert_eq!(entry["inputSchema"]["required"], json!(["handle"]));
        assert!(entry["description"].as_str().unwrap().len() < 400);
    }

    #[test]
    fn it_is_meant_however_it_is_decorated() {
        for name in [
            "exai_continue",
            "mcp__exai__exai_continue",
            "exai_continue_exai",
        ] {
            assert!(is_meant(name), "{name}");
        }
        for name in ["chat", "continue", "exai_continues", "my_exai_continue"] {
            assert!(!is_meant(name), "{name}");
        }
    }

    #[test]
    fn a_refusal_of_the_call_is_its_end_and_one_of_the_question_is_not() {
        let refused = || {
            let error = WireError::new(Code::Unavailable, "the disk is full").ran(Ran::No);
            CallToolRes::failed("r".into(), error)
        };
        let of_the_call = CallToolRes {
            replayed: Some(true),
            ..refused()
        };
        let error = told(of_the_call, "h").error.unwrap();
        assert_eq!(error.ran, Some(Ran::No));
        let says = |words| error.message.contains(words);
        assert!(
            says("the disk is full") && says("make the call anew"),
            "{error:?}"
        );
        let error = told(refused(), "h").error.unwrap();
        assert_eq!(error.ran, Some(Ran::Unknown));
        assert!(error.message.contains("is not lost"), "{error:?}");
    }

    #[test]
    fn bad_arguments_are_named_with_what_is_allowed() {
        let handle = "00000000000000ab00000000000000cd-7";
        let asked = read(&json!({ "handle": handle, "page": 2, "more": 1 })).unwrap();
        assert_eq!(
            (asked.handle.to_string().as_str(), asked.page),
            (handle, Some(2))
        );
        assert_eq!(
            read(&json!({ "handle": handle, "page": null }))
                .unwrap()
                .page,
            None
        );
        for (arguments, words) in [
            (json!({}), "handle is missing"),
            (json!({ "handle": 7 }), "handle is missing"),
            (json!({ "handle": "what" }), "none of exai's"),
            (json!({ "handle": "x".repeat(9_000) }), "none of exai's"),
            (json!({ "handle": handle, "page": 0 }), "1 or more, not 0"),
            (json!({ "handle": handle, "page": "2" }), "whole number"),
        ] {
            let error = read(&arguments).unwrap_err();
            assert!(error.contains(words), "{arguments}: {error}");
        }
        assert!(Asked::read(None).is_err());
    }

    #[tokio::test]
    async fn turns_are_taken_one_by_one_and_forgotten() {
        let turns = Turns::default();
        let handle: Handle = "00000000000000ab00000000000000cd-7".parse().unwrap();
        let first = turns.of(&handle).await;
        let second = turns.of(&handle);
        tokio::pin!(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        drop(second.await);
        let other: Handle = "a/b".parse().unwrap();
        drop(turns.of(&other).await);
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}
