//! What a client is told whose patience ends before its call does: that the work goes on, for
//! how long already, how far it is, and how its result is had.

use crate::{continuing::NAME, parts};
use exai_protocol::{RawValue, call::CallToolRes};
use std::time::Duration;

/// A call that is still at work.
#[derive(Debug, Clone)]
pub(crate) struct GoesOn {
    /// Whether the daemon was heard to have it.
    pub(crate) heard: bool,
    /// The tool, where it is known.
    pub(crate) tool: Option<String>,
    /// The call, in one word.
    pub(crate) handle: String,
    /// How long it has been at work.
    pub(crate) since: Duration,
    /// The last it said.
    pub(crate) last: Option<String>,
    /// A call that nobody asks for is stopped after this.
    pub(crate) unwatched: Duration,
}

impl GoesOn {
    /// As a result that is no error.
    pub(crate) fn result(&self) -> CallToolRes {
        CallToolRes {
            request_id: "".into(),
            outputs: parts::only(&self.words()),
            text: None,
            error: None,
            structured: None,
            usage: None,
            timing: None,
            attached: None,
            replayed: None,
            age: None,
        }
    }

    fn words(&self) -> String {
        let since = lasted(self.since);
        let state = match &self.tool {
            _ if !self.heard => format!(
                "The exai daemon has not answered for {since}, so it is not known how the call \
                 stands; it is seen to as soon as the daemon answers, and never twice"
            ),
            Some(tool) => format!("{tool} is still at work, for {since} now"),
            None => format!("The call is still at work, for {since} now"),
        };
        let last = match self.last.as_deref() {
            Some(last) => format!(" The last it said: {last}."),
            None => String::new(),
        };
        let arguments = format!("{{\"handle\": {}}}", serde_json::Value::from(&*self.handle));
        format!(
            "{state}; this is not its result.{last}\nCall {NAME} \
             with {arguments} to wait for the result; repeat that as long as it says so. Do not \
             start the work again. It goes on meanwhile; if nobody asks for {}, it is stopped.",
            lasted(self.unwatched)
        )
    }

    /// Facts for programs.
    pub(crate) fn facts(&self) -> Option<Box<RawValue>> {
        let facts = serde_json::json!({
            "handle": self.handle,
            "state": if self.heard { "running" } else { "not_known" },
            "running_secs": (self.since.as_secs_f64() * 10.0).round() / 10.0,
            "last_progress": self.last,
        });
        RawValue::from_string(facts.to_string()).ok()
    }
}

/// A duration for people.
pub(crate) fn lasted(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        secs @ 1..120 => format!("{secs} s"),
        secs if secs % 60 == 0 => format!("{} min", secs / 60),
        secs => format!("{} min {} s", secs / 60, secs % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r14_it_says_what_goes_on_for_how_long_and_what_to_do() {
        let call = GoesOn {
            heard: true,
            tool: Some("chat".to_owned()),
            handle: "ab-7".to_owned(),
            since: Duration::from_secs(55),
            last: Some("running: 2nd attempt".to_owned()),
            unwatched: Duration::from_secs(600),
        };
        let words = call.words();
        for part in [
            "chat is still at work, for 55 s now",
            "The last it said: running: 2nd attempt.",
            "exai_continue with {\"handle\": \"ab-7\"}",
            "10 min",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        assert!(call.result().error.is_none());
        let heard = false;
        let words = GoesOn { heard, ..call }.words();
        assert!(words.contains("has not answered for 55 s"), "{words}");
        assert!(!words.contains("at work"), "{words}");
        for (secs, words) in [
            (1, "1 s"),
            (119, "119 s"),
            (120, "2 min"),
            (3723, "62 min 3 s"),
        ] {
            assert_eq!(lasted(Duration::from_secs(secs)), words);
        }
    }
}
