//! `chat`: a question to a model, from a terminal, a pipe or a conversation. The answer alone
//! goes to standard output; what it took and where it came from to standard error.

mod answer;
mod question;
mod session;

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
use anyhow::Result;
use exai_client::Client;
use exai_protocol::call::CallToolRes;
use question::Question;
use serde_json::Value;
use std::io::IsTerminal as _;

pub(super) async fn run(context: &Context, options: &Chat) -> Result<Code> {
    let question = match question::asked(options).await? {
        Some(question) => question,
        None => return session::run(context, options).await,
    };
    let connection = Connection::named(context, "exai-daemon-chat").await?;
    let code = once(&connection.client, options, question).await;
    connection.close().await;
    code
}

/// One question and its answer.
async fn once(client: &Client, options: &Chat, prompt: String) -> Result<Code> {
    let question = Question::of(options)?;
    let mut arguments = question.arguments(&prompt);
    let mut interrupts = Interrupts::new();
    loop {
        let asking = Asking {
            arguments: &arguments,
            roots: &question.roots,
        };
        let mut live = Live::rendered(output::data_is_watched() && !options.json);
        let result = ask(client, options, &asking, &mut interrupts, &mut live).await?;
        let Some(result) = result else {
            return Ok(exit::CANCELLED);
        };
        if answer::wants_consent(&result)
            && may_ask(options)
            && consent(&result, &mut interrupts).await?
        {
            question::consented(&mut arguments);
            continue;
        }
        if options.json {
            return answer::tell_json(&result);
        }
        return answer::tell(&result, live, options.quiet).map(|(code, _)| code);
    }
}

/// A call to be made.
struct Asking<'a> {
    arguments: &'a Value,
    roots: &'a [String],
}

/// Asks and follows; `None` when the person did not want to see the end.
async fn ask(
    client: &Client,
    options: &Chat,
    asking: &Asking<'_>,
    interrupts: &mut Interrupts,
    live: &mut Live,
) -> Result<Option<CallToolRes>> {
    let mut spec = spec(client, "chat", asking.arguments)?;
    spec.roots = Some(asking.roots.to_vec());
    spec.timeout_ms = options.timeout.map(milliseconds);
    let stream = client.operate(spec).await;
    let mut progress = Progress::new("chat", options.quiet);
    match follow(stream, interrupts, &mut progress, live).await? {
        Some(result) => Ok(Some(whole(client, result).await)),
        None => Ok(None),
    }
}

/// Somebody is there to be asked.
fn may_ask(options: &Chat) -> bool {
    !options.json && !options.quiet && output::watched() && std::io::stdin().is_terminal()
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
