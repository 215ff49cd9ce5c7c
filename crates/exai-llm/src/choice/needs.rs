//! What a wish needs of a model, and whether a model has it.

use super::{EndpointState, Moment};
use crate::{
    catalogue::Model,
    dialect::{Dialect, SearchStyle},
};
use exai_engine::ports::models::{Message, Part, ToolChoice, Wish};

/// Room for an answer where the caller named no ceiling.
const LEAST_ANSWER: u64 = 2048;
/// Tokens a model is trusted with that nobody described.
const SAFE_CONTEXT: u64 = 32_000;

/// The needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    pub(super) vision: bool,
    pub(super) tools: bool,
    pub(super) search: bool,
    pub(super) documents: bool,
    pub(super) input: u64,
    pub(super) output: u64,
}

impl Needs {
    pub(super) fn of(wish: &Wish, input: u64) -> Self {
        let is_image = |part: &Part| matches!(part, Part::Image(_));
        let vision = wish.chat.messages.iter().any(|message| match message {
            Message::User(parts) => parts.iter().any(is_image),
            _ => false,
        });
        let tools = !wish.chat.tools.is_empty() && wish.chat.tool_choice != ToolChoice::Never;
        Self {
            vision,
            tools,
            search: wish.chat.search.is_some(),
            documents: !wish.documents.is_empty(),
            input,
            output: match wish.chat.max_output {
                0 => LEAST_ANSWER,
                said => said,
            },
        }
    }

    /// Why the model cannot do it, in words that follow its name; `None` when it can, or when
    /// nobody knows.
    pub(super) fn lacking(&self, model: &Model, at: &EndpointState<'_>) -> Option<String> {
        let traits = &model.traits;
        if self.vision && traits.vision == Some(false) {
            return Some("does not see pictures".to_owned());
        }
        if self.tools && traits.tools == Some(false) {
            return Some("does not call tools".to_owned());
        }
        if self.documents && at.resolved.endpoint.files.is_none() {
            return Some("has no provider that reads documents".to_owned());
        }
        let room = effective_context(model, at)?;
        let needed = self.input.saturating_add(self.answer(model));
        (needed > room).then(|| format!("reads {room} tokens; about {needed} are needed"))
    }

    fn answer(&self, model: &Model) -> u64 {
        model
            .traits
            .output
            .map_or(self.output, |most| most.min(self.output))
    }

    /// How much of what is needed nobody vouches for.
    pub(super) fn doubts(&self, model: &Model) -> u32 {
        let traits = &model.traits;
        let blind = self.vision && traits.vision.is_none();
        let idle = self.tools && traits.tools.is_none();
        let long = self.input.saturating_add(self.output) > SAFE_CONTEXT;
        let narrow = long && traits.context.is_none();
        u32::from(blind) + u32::from(idle) + u32::from(narrow) + u32::from(!model.described)
    }
}

/// Tokens that can be read there: some local servers read fewer than the model could.
pub(crate) fn effective_context(model: &Model, at: &EndpointState<'_>) -> Option<u64> {
    let endpoint = &at.resolved.endpoint;
    let pinned = match endpoint.dialect {
        Dialect::Ollama => endpoint.quirks.num_ctx,
        _ => None,
    };
    match (model.traits.context, pinned) {
        (Some(context), Some(pinned)) => Some(context.min(pinned)),
        (context, pinned) => context.or(pinned),
    }
}

/// Whether the model can use its provider's web search.
pub(super) fn searches(now: &Moment<'_>, model: &Model) -> bool {
    let style = now
        .endpoint(&model.endpoint)
        .map(|state| state.resolved.endpoint.quirks.search);
    model.traits.search != Some(false) && style.is_some_and(|style| style != SearchStyle::None)
}
