//! From a wish and a conversation to the request: what was said before, then the question with
//! its files. How much of each there is room for is decided here.

use crate::{
    files::{self, Entry, Fence, Wanted, tokens_of},
    history::{self, Receiver},
    kind, wish,
};
use exai_engine::{
    ports::{
        models::{Category, DEFAULT_MAX_OUTPUT, Message, Models, Part, Wish},
        threads::{Open, Said, SentKind, Turn},
    },
    tool::{ToolCall, ToolError},
};
use std::sync::Arc;

/// Of the context, what files may take: the rest is for the question, the thoughts, the answer.
const FILE_SHARE: (u64, u64) = (3, 5);
/// Of the context, what is left alone: tokens are estimated.
const MARGIN: (u64, u64) = (9, 10);
/// With files, this share of the room is for what was said before.
const BEFORE_SHARE: u64 = 3;

/// What goes into a result and into the conversation, beside the answer.
pub(crate) struct Prepared {
    /// What became of each file.
    pub(crate) entries: Vec<Entry>,
    /// What the caller should know of the earlier turns.
    pub(crate) notes: Vec<String>,
    /// The turn so far.
    pub(crate) said: Said,
}

struct Job {
    wanted: Wanted,
    receiver: Receiver,
    room: u64,
    turns: Arc<[Turn]>,
}

impl Job {
    fn reads_files(&self) -> bool {
        let wanted = !self.wanted.files.is_empty() || !self.wanted.images.is_empty();
        wanted || self.turns.iter().any(|turn| !turn.said.files.is_empty())
    }
}

/// What is to be sent.
pub(crate) struct Asked<'a> {
    /// The tool that asks; earlier turns of others say whose they are.
    pub(crate) tool: &'static str,
    /// Standing instructions.
    pub(crate) system: Option<&'a str>,
    /// The question as the model reads it, without files.
    pub(crate) prompt: &'a str,
    /// Files to go along.
    pub(crate) files: Vec<String>,
    /// Pictures to go along.
    pub(crate) images: Vec<String>,
    /// What was said before.
    pub(crate) turns: Arc<[Turn]>,
    /// Whether the question stands without the files, where none of them can be read.
    pub(crate) stands_alone: bool,
}

/// Puts the earlier turns, the files and the question into the wish.
pub(crate) async fn prepare(
    asked: Asked<'_>,
    call: &ToolCall,
    (models, open): (&dyn Models, &Open),
    wish: &mut Wish,
) -> Result<Prepared, ToolError> {
    let (prompt, stands_alone) = (asked.prompt, asked.stands_alone);
    wish.pin = open.pin();
    wish.thread = Some(open.id.clone());
    if let Some(text) = asked.system {
        wish.chat.messages.push(Message::System(text.to_owned()));
    }
    let job = job(asked, call, models, wish);
    let count = job.wanted.files.len() + job.wanted.images.len();
    if count > 0 {
        call.progress.say("files", format!("reading {count}"));
    }
    let (history, gathered) = if job.reads_files() {
        kind::on_a_thread(move || Ok(read(job))).await?
    } else {
        read(job)
    };
    if !stands_alone {
        refuse_nothing(&gathered.entries)?;
    }
    wish.chat.messages.extend(history.messages);
    wish.chat.cache.stable_messages = wish.chat.messages.len();
    wish.documents = gathered.documents;
    if !gathered.images.is_empty() {
        wish.category = Category::Vision;
    }
    let text = files::before(prompt, &gathered.text, &Fence::of(&gathered.mark));
    let mut parts = vec![Part::Text(text)];
    parts.extend(gathered.images.into_iter().map(Part::Image));
    history::ask(&mut wish.chat.messages, parts);
    let mut sent = gathered.sent.iter();
    let texts = sent.any(|sent| sent.kind == SentKind::Text);
    Ok(Prepared {
        entries: gathered.entries,
        notes: history.notes,
        said: Said {
            tool: wish.tool.to_string(),
            mark: texts.then_some(gathered.mark),
            files: gathered.sent,
            ..Said::default()
        },
    })
}

/// The instructions a conversation has.
pub(crate) fn instructions(open: &Open) -> Option<String> {
    open.turns.last()?.said.instructions.clone()
}

fn job(asked: Asked<'_>, call: &ToolCall, models: &dyn Models, wish: &Wish) -> Job {
    let context = wish::context(models, wish.model.as_deref(), wish.pin.as_ref());
    let given: usize = wish.chat.messages.iter().map(system_bytes).sum();
    let output = match wish.chat.max_output {
        // What one that thinks hard may get.
        0 => DEFAULT_MAX_OUTPUT * 4,
        named => named,
    };
    let room = (context / MARGIN.1 * MARGIN.0)
        .saturating_sub(output.min(context / 2))
        .saturating_sub(tokens_of(asked.prompt.len() + given));
    let before = if asked.files.is_empty() {
        room
    } else {
        room / BEFORE_SHARE
    };
    Job {
        wanted: Wanted {
            roots: call.roots.clone(),
            files: asked.files,
            images: asked.images,
            tokens: context / FILE_SHARE.1 * FILE_SHARE.0,
            known: Vec::new(),
        },
        receiver: Receiver {
            tool: asked.tool,
            roots: call.roots.clone(),
            room: before,
        },
        room,
        turns: asked.turns,
    }
}

fn system_bytes(message: &Message) -> usize {
    match message {
        Message::System(text) => text.len(),
        _ => 0,
    }
}

fn read(job: Job) -> (history::History, files::Gathered) {
    let Job {
        mut wanted,
        receiver,
        room,
        turns,
    } = job;
    let mut history = history::render(&turns, &receiver);
    wanted.tokens = wanted.tokens.min(room.saturating_sub(history.tokens));
    wanted.known = std::mem::take(&mut history.known);
    let gathered = files::gather(&wanted);
    (history, gathered)
}

/// A model asked about files of which it got none can only invent.
fn refuse_nothing(entries: &[Entry]) -> Result<(), ToolError> {
    if entries.is_empty() || entries.iter().any(Entry::sent) {
        return Ok(());
    }
    let told: Vec<String> = entries.iter().map(|entry| format!("- {entry}")).collect();
    Err(ToolError::invalid(format!(
        "none of the files could be read, so nothing was sent and nothing was paid:\n{}",
        told.join("\n")
    )))
}
