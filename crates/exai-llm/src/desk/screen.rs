//! What the caller sees while a model is asked: one sentence about where things stand, and the
//! text as it grows. From the first piece of text on, nothing may be tried again: the caller
//! would read two answers.

use crate::{catalogue::Model, chat::StreamItem};
use exai_engine::{ports::models::Watch, progress::ProgressHandle};

/// The caller's view.
pub(super) struct Screen {
    progress: ProgressHandle,
    watch: Watch,
    thinking: bool,
    reached: bool,
}

impl Screen {
    pub(super) fn new(progress: ProgressHandle, watch: Watch) -> Self {
        Self {
            progress,
            watch,
            thinking: false,
            reached: false,
        }
    }

    /// Says where things stand.
    pub(super) fn say(&self, stage: &'static str, message: String) {
        self.progress.say(stage, message);
    }

    /// A new request begins.
    pub(super) fn asks(&mut self, model: &Model) {
        self.thinking = false;
        let (model, endpoint) = (&model.id, &model.endpoint);
        self.say("asking", format!("asking {model} at {endpoint}"));
    }

    /// Shows the next piece.
    pub(super) fn show(&mut self, item: &StreamItem) {
        match item {
            StreamItem::Text(text) if !text.is_empty() && self.watch == Watch::Text => {
                self.reached = true;
                self.progress.stream(text);
            }
            StreamItem::Reasoning(_) if !self.thinking => {
                self.thinking = true;
                self.say("thinking", "the model is thinking".to_owned());
            }
            StreamItem::Search(search) => {
                let found = search.sources.len();
                self.say(
                    "searching",
                    format!("the web was searched: {found} sources"),
                );
            }
            _ => {}
        }
    }

    /// Whether text has reached the caller.
    pub(super) fn reached(&self) -> bool {
        self.reached
    }
}
