//! A conversation: a line is a question. The daemon keeps the turns; here is only which
//! conversation it is.

use super::{Asking, Manner, answer, ask, question::Question};
use crate::{
    cli::Chat,
    commands::{Interrupts, call::live::Live},
    context::Context,
    dial::Connection,
    exit::{self, Code},
    output::{self, Tone, paint},
};
use anyhow::Result;
use exai_client::Client;
use std::{io::BufRead as _, time::Duration};
use tokio::sync::mpsc;

/// Lines that come this close together were pasted, and are one question.
const PASTED: Duration = Duration::from_millis(40);
/// Lines that may wait while an answer runs.
const WAITING: usize = 256;

const HELP: &str = "A line is a question. /new begins anew, /model NAME takes another model \
     (/model alone: the daemon chooses), /exit or Ctrl-D ends. Ctrl-C stops an answer.";

pub(super) async fn run(context: &Context, options: &Chat) -> Result<Code> {
    let question = Question::of(options)?;
    let connection = Connection::named(context, "exai-daemon-chat").await?;
    if !options.quiet {
        output::hint(paint(Tone::Quiet, HELP));
        if question.carries() {
            let words = "The files and pictures you named go with every question.";
            output::hint(paint(Tone::Quiet, words));
        }
    }
    let code = converse(&connection.client, options, question).await;
    connection.close().await;
    code
}

/// What a line asks for.
enum Line<'l> {
    Nothing,
    End,
    New,
    Help,
    Model(Option<&'l str>),
    Question(&'l str),
}

impl<'l> Line<'l> {
    fn of(line: &'l str) -> Self {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "" => Self::Nothing,
            "/exit" | "/quit" => Self::End,
            "/new" | "/clear" => Self::New,
            "/help" => Self::Help,
            "/model" => Self::Model(Some(rest).filter(|name| !name.is_empty())),
            _ => Self::Question(line),
        }
    }
}

async fn converse(client: &Client, options: &Chat, mut question: Question) -> Result<Code> {
    let mut interrupts = Interrupts::new();
    let mut lines = lines();
    // Words on the command line are the first question.
    let mut first = Some(options.prompt.join(" ")).filter(|words| !words.is_empty());
    loop {
        let text = match first.take() {
            Some(text) => text,
            None => match next(&mut lines, &mut interrupts, options.quiet).await {
                Some(text) => text,
                None => return Ok(exit::OK),
            },
        };
        match Line::of(&text) {
            Line::Nothing => {}
            Line::End => return Ok(exit::OK),
            Line::Help => output::hint(HELP),
            Line::New => {
                question.thread(None);
                output::hint("a new conversation");
            }
            Line::Model(name) => {
                question.model(name);
                output::hint(format!("model: {}", name.unwrap_or("the daemon chooses")));
            }
            Line::Question(words) => {
                one(client, options, &mut question, words, &mut interrupts).await?;
            }
        }
    }
}

/// One question. What was not answered is not kept, so that the next question does not build on
/// half a turn.
async fn one(
    client: &Client,
    options: &Chat,
    question: &mut Question,
    words: &str,
    interrupts: &mut Interrupts,
) -> Result<()> {
    let arguments = question.arguments(words);
    let asking = Asking {
        tool: "chat",
        manner: Manner::of(options),
        arguments: &arguments,
        roots: &question.roots,
    };
    let mut live = Live::rendered(output::data_is_watched());
    let result = ask(client, &asking, interrupts, &mut live).await?;
    let told = match result {
        Some(result) => {
            if answer::wants_consent(&result) {
                output::hint("(with --yes it is asked whatever it costs)");
            }
            answer::tell(&result, live, options.quiet)?.1
        }
        None => None,
    };
    match told.map(|told| told.thread) {
        Some(Some(id)) => question.thread(Some(&id)),
        Some(None) => output::hint("(the next question will not know of this one)"),
        None => output::hint("(not answered; this question is not part of the conversation)"),
    }
    Ok(())
}

/// The next question; `None` at the end of the input, or when Ctrl-C came twice.
async fn next(
    lines: &mut mpsc::Receiver<String>,
    interrupts: &mut Interrupts,
    quiet: bool,
) -> Option<String> {
    let mut asked_to_end = false;
    if !quiet {
        output::prompt("> ");
    }
    let mut question = loop {
        tokio::select! {
            line = lines.recv() => break line?,
            () = interrupts.next() => {
                if std::mem::replace(&mut asked_to_end, true) {
                    return None;
                }
                output::hint("\n(Ctrl-C again, or Ctrl-D, to end)");
                output::prompt("> ");
            }
        }
    };
    // A command is never part of a paste.
    if matches!(Line::of(&question), Line::Question(_)) && !is_piped() {
        while let Ok(Some(more)) = tokio::time::timeout(PASTED, lines.recv()).await {
            question.push('\n');
            question.push_str(&more);
        }
    }
    Some(question)
}

/// From a pipe lines come all at once, and each is a question.
fn is_piped() -> bool {
    use std::io::IsTerminal as _;
    !std::io::stdin().is_terminal()
}

/// Standard input, line by line, on a thread that may wait.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(WAITING);
    drop(tokio::task::spawn_blocking(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    }));
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_question_or_a_command() {
        assert!(matches!(Line::of("  "), Line::Nothing));
        assert!(matches!(Line::of("/exit"), Line::End));
        assert!(matches!(Line::of("/new"), Line::New));
        assert!(matches!(
            Line::of("/model  qwen3:32b "),
            Line::Model(Some("qwen3:32b"))
        ));
        assert!(matches!(Line::of("/model"), Line::Model(None)));
        assert!(matches!(
            Line::of("/etc/hosts holds what?"),
            Line::Question(_)
        ));
        assert!(matches!(Line::of(" why? "), Line::Question("why?")));
    }
}
