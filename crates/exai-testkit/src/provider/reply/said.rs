//! What the model says: text, thoughts, calls, a search, what it took, why it stopped.

use super::{Content, Reply};
use crate::provider::{
    Finish, ToolCall, Usage, UsagePlace,
    answer::{Answer, Search, pieces},
};

impl Reply {
    #[track_caller]
    fn answer(mut self, change: impl FnOnce(&mut Answer)) -> Self {
        match &mut self.content {
            Content::Answer(answer) => change(answer),
            other => panic!("only Reply::text has something to say, not {other:?}"),
        }
        self
    }

    /// In about this many pieces of the same size.
    #[must_use]
    pub fn chunks(self, count: usize) -> Self {
        self.answer(|answer| answer.text = pieces(&answer.whole_text(), count))
    }

    /// In exactly these pieces.
    #[must_use]
    pub fn pieces<T: Into<String>>(self, text: impl IntoIterator<Item = T>) -> Self {
        self.answer(|answer| answer.text = text.into_iter().map(Into::into).collect())
    }

    /// Thinks this first, in two pieces.
    #[must_use]
    pub fn reasoning(self, thought: &str) -> Self {
        self.answer(|answer| answer.reasoning = pieces(thought, 2))
    }

    /// Where chat completions put the thought: `reasoning_content` unless it is said.
    #[must_use]
    pub fn reasoning_field(self, field: &'static str) -> Self {
        self.answer(|answer| answer.reasoning_field = field)
    }

    /// Calls a tool; the arguments are text, because models err.
    #[must_use]
    pub fn tool_call(self, id: &str, name: &str, arguments: impl ToString) -> Self {
        self.call(id, name, arguments.to_string(), false)
    }

    /// Calls the provider's own tool (Kimi's `$web_search`).
    #[must_use]
    pub fn builtin_call(self, id: &str, name: &str, arguments: impl ToString) -> Self {
        self.call(id, name, arguments.to_string(), true)
    }

    fn call(self, id: &str, name: &str, arguments: String, builtin: bool) -> Self {
        self.answer(|answer| {
            answer.calls.push(ToolCall {
                id: id.to_owned(),
                name: name.to_owned(),
                arguments,
                builtin,
            });
        })
    }

    /// The provider has searched, and found these (title, address). Ollama cannot say so.
    #[must_use]
    pub fn searched(self, query: &str, found: &[(&str, &str)]) -> Self {
        self.answer(|answer| {
            answer.search = Some(Search {
                query: query.to_owned(),
                found: found
                    .iter()
                    .map(|(title, url)| ((*title).to_owned(), (*url).to_owned()))
                    .collect(),
            });
        })
    }

    /// What it took.
    #[must_use]
    pub fn usage(self, usage: Usage) -> Self {
        self.answer(|answer| answer.usage = Some(usage))
    }

    /// Tokens in and out.
    #[must_use]
    pub fn tokens(self, input: u64, output: u64) -> Self {
        self.usage(Usage {
            input,
            output,
            ..Usage::default()
        })
    }

    /// Where chat completions put it.
    #[must_use]
    pub fn usage_place(self, place: UsagePlace) -> Self {
        self.answer(|answer| answer.usage_place = place)
    }

    /// It does not say what it took.
    #[must_use]
    pub fn no_usage(self) -> Self {
        self.answer(|answer| answer.usage = None)
    }

    /// Why it stopped; a `&str` goes out as it is.
    #[must_use]
    pub fn finish(self, reason: impl Into<Finish>) -> Self {
        let reason = reason.into();
        self.answer(|answer| answer.finish = Some(reason))
    }

    /// The model it says it is.
    #[must_use]
    pub fn model(self, model: &str) -> Self {
        self.answer(|answer| answer.model = Some(model.to_owned()))
    }

    /// The dialect's closing mark (`[DONE]`, `message_stop`) never comes.
    #[must_use]
    pub fn no_closing_mark(self) -> Self {
        self.answer(|answer| answer.closing_mark = false)
    }

    /// The last event is this much larger.
    #[must_use]
    pub fn huge_last_event(self, bytes: usize) -> Self {
        self.answer(|answer| answer.padding = bytes)
    }
}
