//! An agent's command line as an endpoint: what is run for one answer, what it may know of our
//! environment, and how one sees that it is there and logged in.

use super::check::is_variable;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommandSpec {
    /// A name that is looked for on `PATH`, or an absolute path.
    pub program: String,
    /// For one answer, without tools, without a conversation, reading standard input.
    pub args: Vec<String>,
    /// Added where a model is named: `{model}` stands for it. Empty where it cannot be.
    pub model_args: Vec<String>,
    /// The model's name that means "whichever it is set to": `model_args` are left out.
    pub default_model: String,
    /// Variables it inherits besides the few every program needs; a `*` at the end stands for
    /// any rest. No key is handed on unless it is listed here.
    pub inherit: Vec<String>,
    /// Variables it is given.
    pub env: BTreeMap<String, String>,
    /// Any of these there: somebody has logged in. A hint; running it is the proof.
    pub signs: Vec<Sign>,
    /// What a person types to log in; the program itself where it is empty.
    pub login: String,
    /// How it is installed, in words.
    pub install: String,
    /// How it is run to work in a folder by itself; absent where it only answers.
    pub agent: Option<AgentSpec>,
}

/// How an agent is run for work in a folder. The whole of the arguments is the manner's, those
/// of a model, `resume` and `last`, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentSpec {
    /// So that it changes nothing.
    pub read: Manner,
    /// So that it may change files there; absent where it cannot be let.
    pub write: Option<Manner>,
    /// Added to go on with a session of its own: `{session}` stands for it. Empty where it
    /// cannot, or where its answers name none.
    pub resume: Vec<String>,
    /// What comes last.
    pub last: Vec<String>,
}

/// One manner of running it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manner {
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables it is given, over those of `command.env`.
    pub env: BTreeMap<String, String>,
}

/// A file that shows that somebody has logged in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sign {
    /// Its path. `~` at the start is the user's home, `$NAME` a variable's value; where that
    /// is not set, the sign is not looked for.
    pub file: String,
    /// What it must hold; empty where being there is enough.
    pub holds: String,
}

impl CommandSpec {
    /// What a person types to log in.
    #[must_use]
    pub fn login(&self) -> &str {
        if self.login.is_empty() {
            &self.program
        } else {
            &self.login
        }
    }

    /// The arguments for a model.
    #[must_use]
    pub fn arguments(&self, model: &str) -> Vec<String> {
        self.args
            .iter()
            .cloned()
            .chain(self.naming(model))
            .collect()
    }

    /// The arguments that name a model; none for the one it is set to.
    pub(crate) fn naming(&self, model: &str) -> impl Iterator<Item = String> {
        let named = !model.is_empty() && model != self.default_model();
        let models = self.model_args.iter().filter(move |_| named);
        models.map(move |arg| arg.replace("{model}", model))
    }

    /// The name that means "whichever it is set to".
    #[must_use]
    pub fn default_model(&self) -> &str {
        if self.default_model.is_empty() {
            "default"
        } else {
            &self.default_model
        }
    }

    pub(super) fn faults(&self) -> Vec<&'static str> {
        let mut faults = Vec::new();
        let program = std::path::Path::new(&self.program);
        let bare = program.components().count() == 1 && !self.program.contains(['/', '\\']);
        if self.program.is_empty() || !(bare || program.is_absolute()) {
            faults.push("command.program is neither a program's name nor an absolute path");
        }
        if !self.model_args.is_empty() && !self.model_args.iter().any(|arg| arg.contains("{model}"))
        {
            faults.push("command.model_args nowhere says {model}");
        }
        let agent = self.agent.iter();
        let manners = agent.flat_map(|agent| std::iter::once(&agent.read).chain(&agent.write));
        let given: Vec<&str> = std::iter::once(&self.env)
            .chain(manners.map(|manner| &manner.env))
            .flat_map(|env| env.keys().map(String::as_str))
            .collect();
        let names = self.inherit.iter().map(|name| name.trim_end_matches('*'));
        if !names.chain(given.iter().copied()).all(is_variable) {
            faults.push("command.inherit or command.env names something that is no variable");
        }
        if given.iter().any(|name| name.starts_with("EXAI_"))
            || self.inherit.iter().any(|name| name.starts_with("EXAI_"))
        {
            faults.push("command.inherit and command.env may not name variables of exai");
        }
        if let Some(agent) = &self.agent
            && !agent.resume.is_empty()
            && !agent.resume.iter().any(|arg| arg.contains("{session}"))
        {
            faults.push("command.agent.resume nowhere says {session}");
        }
        faults
    }
}
