//! From a wish and a conversation to the request: what was said before, then the question with
//! its files. How much of each there is room for is decided here.

use super::wish;
use crate::{
    args::Args,
    files::{self, Entry, Fence, Wanted, tokens_of},
    history::{self, Receiver},
    kind,
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
pub(super) struct Prepared {
    /// What became of each file.
    pub(super) entries: Vec<Entry>,
    /// What the caller should know of the earlier turns.
    pub(super) notes: Vec<String>,
    /// The turn so far.
    pub(super) said: Said,
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

/// Puts the earlier turns, the files and the question into the wish.
pub(super) async fn prepare(
    args: &Args,
    call: &ToolCall,
    (models, open): (&dyn Models, &Open),
    wish: &mut Wish,
) -> Result<Prepared, ToolError> {
    let prompt = args.required_text("prompt")?;
    wish.pin = open.pin();
    wish.thread = Some(open.id.clone());
    let instructions = instructions(args, open)?;
    if let Some(text) = &instructions {
        wish.chat.messages.push(Message::System(text.clone()));
    }
    let job = job(args, call, (models, open), wish)?;
    let count = job.wanted.files.len() + job.wanted.images.len();
    if count > 0 {
        call.progress.say("files", format!("reading {count}"));
    }
    let (history, gathered) = if job.reads_files() {
        kind::on_a_thread(move || Ok(read(job))).await?
    } else {
        read(job)
    };
    refuse_nothing(&gathered.entries)?;
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
            question: prompt.to_owned(),
            instructions,
            mark: texts.then_some(gathered.mark),
            files: gathered.sent,
            ..Said::default()
        },
    })
}

/// Those of this call, else those of the conversation.
fn instructions(args: &Args, open: &Open) -> Result<Option<String>, ToolError> {
    let given = args.text("system")?.filter(|text| !text.trim().is_empty());
    let kept = || open.turns.last()?.said.instructions.clone();
    Ok(given.map(str::to_owned).or_else(kept))
}

fn job(
    args: &Args,
    call: &ToolCall,
    (models, open): (&dyn Models, &Open),
    wish: &Wish,
) -> Result<Job, ToolError> {
    let (files, images) = (args.texts("files")?, args.texts("images")?);
    let context = wish::context(models, wish.model.as_deref(), wish.pin.as_ref());
    let prompt = args.text("prompt")?.unwrap_or_default();
    let given: usize = wish.chat.messages.iter().map(system_bytes).sum();
    let output = match wish.chat.max_output {
        // What one that thinks hard may get.
        0 => DEFAULT_MAX_OUTPUT * 4,
        named => named,
    };
    let room = (context / MARGIN.1 * MARGIN.0)
        .saturating_sub(output.min(context / 2))
        .saturating_sub(tokens_of(prompt.len() + given));
    let before = if files.is_empty() {
        room
    } else {
        room / BEFORE_SHARE
    };
    Ok(Job {
        wanted: Wanted {
            roots: call.roots.to_vec(),
            files,
            images,
            tokens: context / FILE_SHARE.1 * FILE_SHARE.0,
            known: Vec::new(),
        },
        receiver: Receiver {
            tool: "chat",
            roots: call.roots.to_vec(),
            room: before,
        },
        room,
        turns: Arc::clone(&open.turns),
    })
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
