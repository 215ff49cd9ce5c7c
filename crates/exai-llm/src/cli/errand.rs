//! What a command line is run with: for an answer alone, without tools; for work in a folder, as
//! its settings let it read or write there.

use crate::{chat::Errand, fault::Fault, provider::CommandSpec};
use std::collections::BTreeMap;

/// Longest name of a session.
const MOST_NAME: usize = 200;

/// Arguments, and variables beside those every run is given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) arguments: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
}

impl Order {
    pub(super) fn of(
        spec: &CommandSpec,
        model: &str,
        errand: Option<&Errand>,
    ) -> Result<Self, Fault> {
        let Some(errand) = errand else {
            return Ok(Self {
                arguments: spec.arguments(model),
                env: BTreeMap::new(),
            });
        };
        let program = &spec.program;
        let refused = |what: &str| Fault::unsupported(format!("{program} {what}"));
        let Some(agent) = &spec.agent else {
            return Err(refused("only answers; its settings have no command.agent"));
        };
        let manner = match (errand.write, &agent.write) {
            (false, _) => &agent.read,
            (true, Some(manner)) => manner,
            (true, None) => {
                return Err(refused(
                    "cannot be let write: command.agent.write is absent",
                ));
            }
        };
        let mut arguments = manner.args.clone();
        arguments.extend(spec.naming(model));
        if let Some(session) = &errand.session {
            // The agent said it, and it becomes an argument of the agent's.
            if !is_name(session) || agent.resume.is_empty() {
                return Err(refused(
                    "cannot go on with the session it named; begin a new one",
                ));
            }
            let resume = agent.resume.iter();
            arguments.extend(resume.map(|part| part.replace("{session}", session)));
        }
        arguments.extend(agent.last.iter().cloned());
        Ok(Self {
            arguments,
            env: manner.env.clone(),
        })
    }
}

/// Whether it cannot be taken for an option, nor for anything else than a name.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let begins = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric());
    begins && text.len() <= MOST_NAME && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{AgentSpec, Manner};

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn spec(write: bool) -> CommandSpec {
        let manner = |args, mode: &str| Manner {
            args: words(args),
            env: [("MODE".to_owned(), mode.to_owned())].into(),
        };
        CommandSpec {
            program: "agent".to_owned(),
            args: words("answer"),
            model_args: words("--model {model}"),
            agent: Some(AgentSpec {
                read: manner("work --look", "look"),
                write: write.then(|| manner("work --change", "change")),
                resume: words("resume {session}"),
                last: words("-"),
            }),
            ..CommandSpec::default()
        }
    }

    fn errand(write: bool, session: Option<&str>) -> Errand {
        Errand {
            write,
            session: session.map(str::to_owned),
            ..Errand::default()
        }
    }

    #[test]
    fn it_reads_unless_it_is_asked_to_write() {
        for (write, session, model, expected, mode) in [
            (false, None, "default", "work --look -", "look"),
            (true, None, "m", "work --change --model m -", "change"),
            (
                false,
                Some("a-1"),
                "default",
                "work --look resume a-1 -",
                "look",
            ),
        ] {
            let order = Order::of(&spec(true), model, Some(&errand(write, session))).unwrap();
            assert_eq!(order.arguments, words(expected));
            assert_eq!(order.env["MODE"], mode);
        }
        let order = Order::of(&spec(true), "m", None).unwrap();
        assert_eq!(order.arguments, words("answer --model m"));
        assert!(order.env.is_empty());
    }

    #[test]
    fn what_an_agent_named_cannot_become_an_option() {
        for session in ["--yes", "-", "", "a b", "a\n", "$(x)", &"x".repeat(300)] {
            let fault = Order::of(&spec(true), "default", Some(&errand(false, Some(session))));
            assert!(
                fault.unwrap_err().detail.contains("begin a new one"),
                "{session}"
            );
        }
        let fault = Order::of(&spec(false), "default", Some(&errand(true, None))).unwrap_err();
        assert!(fault.detail.contains("cannot be let write"), "{fault:?}");
        let fault = Order::of(&CommandSpec::default(), "m", Some(&errand(false, None)));
        assert!(fault.unwrap_err().detail.contains("only answers"));
    }
}
