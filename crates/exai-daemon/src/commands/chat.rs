//! `chat`: a question to a model, from a terminal, a pipe or a conversation. The answer alone
//! goes to standard output; what it took and where it came from to standard error.

pub(super) mod answer;
mod question;
mod session;
mod verdict;

use super::{
    Interrupts,
    call::{
        follow::{follow, milliseconds, spec, whole},
        live::Live,
        show::Progress,
    },
};
use crate::{
    cli::Chat,
    context::Context,
    dial::Connection,
    exit::{self, Code},
    output,
};
use anyhow::{Context as _, Result};
use exai_client::Client;
use exai_protocol::call::CallToolRes;
use question::Question;
use serde_json::{Map, Value};
use std::io::IsTerminal as _;

/// How a person wants to be answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) json: bool,
    pub(super) quiet: bool,
    pub(super) timeout: Option<f64>,
}

impl Manner {
    fn of(options: &Chat) -> Self {
        Self {
            json: options.json,
            quiet: options.quiet,
            timeout: options.timeout,
        }
    }
}

/// One question to a tool that asks models, whole.
pub(super) struct Whole {
    pub(super) tool: &'static str,
    pub(super) manner: Manner,
    pub(super) arguments: Map<String, Value>,
    pub(super) roots: Vec<String>,
}

impl Whole {
    /// An argument, where there is one.
    pub(super) fn put(&mut self, name: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.arguments.insert(name.to_owned(), value);
        }
    }

    /// Files as the daemon finds them; what a person names is open.
    pub(super) fn files(&mut self, named: &[String]) -> Result<Vec<Value>> {
        let (files, roots) = question::placed(named)?;
        self.roots.extend(roots);
        self.roots.sort();
        self.roots.dedup();
        let here = here()?;
        self.roots.retain(|root| !here.contains(root));
        self.roots.splice(0..0, here);
        Ok(files.into_iter().map(Value::String).collect())
    }
}

/// The folder a person is in; what a conversation is about.
pub(super) fn here() -> Result<Vec<String>> {
    let here = std::env::current_dir().context("the working directory is gone")?;
    Ok(vec![here.display().to_string()])
}

/// The words of a question and what comes through a pipe.
pub(super) async fn question(words: &str) -> Result<String> {
    question::whole(words).await
}

pub(super) async fn run(context: &Context, options: &Chat) -> Result<Code> {
    let prompt = match question::asked(options).await? {
        Some(prompt) => prompt,
        None => return session::run(context, options).await,
    };
    let question = Question::of(options)?;
    let Value::Object(arguments) = question.arguments(&prompt) else {
        return Ok(exit::USAGE);
    };
    let whole = Whole {
        tool: "chat",
        manner: Manner::of(options),
        arguments,
        roots: question.roots,
    };
    once(context, whole).await
}

/// One question and its answer.
pub(super) async fn once(context: &Context, whole: Whole) -> Result<Code> {
    let name = format!("exai-daemon-{}", whole.tool);
    let connection = Connection::named(context, &name).await?;
    let code = answered(&connection.client, whole).await;
    connection.close().await;
    code
}

async fn answered(client: &Client, whole: Whole) -> Result<Code> {
    let mut arguments = Value::Object(whole.arguments);
    let mut interrupts = Interrupts::new();
    let manner = whole.manner;
    loop {
        let asking = Asking {
            tool: whole.tool,
            manner,
            arguments: &arguments,
            roots: &whole.roots,
        };
        let mut live = Live::rendered(output::data_is_watched() && !manner.json);
        let result = ask(client, &asking, &mut interrupts, &mut live).await?;
        let Some(result) = result else {
            return Ok(exit::CANCELLED);
        };
        if answer::wants_consent(&result)
            && may_ask(manner)
            && consent(&result, &mut interrupts).await?
        {
            question::consented(&mut arguments);
            continue;
        }
        if manner.json {
            return answer::tell_json(&result);
        }
        return answer::tell(&result, live, manner.quiet).map(|(code, _)| code);
    }
}

/// A call to be made.
struct Asking<'a> {
    tool: &'static str,
    manner: Manner,
    arguments: &'a Value,
    roots: &'a [String],
}

/// Asks and follows; `None` when the person did not want to see the end.
async fn ask(
    client: &Client,
    asking: &Asking<'_>,
    interrupts: &mut Interrupts,
    live: &mut Live,
) -> Result<Option<CallToolRes>> {
    let mut spec = spec(client, asking.tool, asking.arguments)?;
    spec.roots = Some(asking.roots.to_vec());
    spec.timeout_ms = asking.manner.timeout.map(milliseconds);
    let stream = client.operate(spec).await;
    let mut progress = Progress::new(asking.tool, asking.manner.quiet);
    match follow(stream, interrupts, &mut progress, live).await? {
        Some(result) => Ok(Some(whole(client, result).await)),
        None => Ok(None),
    }
}

/// Somebody is there to be asked.
fn may_ask(manner: Manner) -> bool {
    !manner.json && !manner.quiet && output::watched() && std::io::stdin().is_terminal()
}

/// Tells the price, and asks. Whatever is no yes is a no.
async fn consent(result: &CallToolRes, interrupts: &mut Interrupts) -> Result<bool> {
    if let Some(error) = &result.error {
        output::warning(output::tame(&error.message));
    }
    output::hint("Ask all the same? [y/N]");
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    tokio::select! {
        line = line => Ok(matches!(line??.trim(), "y" | "Y" | "yes")),
        () = interrupts.next() => Ok(false),
    }
}
