//! What a model says, in nobody's dialect; the wire files turn it into each one.

/// A call the model asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// Its id, where the dialect has ids.
    pub id: String,
    /// The tool.
    pub name: String,
    /// JSON, as text: what a model really sends.
    pub arguments: String,
    /// The provider's own tool, spelled `builtin_function` (Kimi).
    pub builtin: bool,
}

/// What it took. `input` includes what was cached, `output` includes what was thought; the
/// wire files divide as each dialect does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read.
    pub input: u64,
    /// Of these, from a cache.
    pub cached: u64,
    /// Of these, put into a cache.
    pub cache_written: u64,
    /// Tokens written.
    pub output: u64,
    /// Of these, thought.
    pub reasoning: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            input: 10,
            cached: 0,
            cache_written: 0,
            output: 5,
            reasoning: 0,
        }
    }
}

/// Where chat completions put usage in a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UsagePlace {
    /// A last event without choices, if `stream_options.include_usage` asked for it (OpenAI).
    #[default]
    WhenAsked,
    /// In the event with the finish reason, asked or not (DeepSeek, GLM).
    WithFinish,
    /// Inside the choice (Kimi).
    InChoice,
}

/// Why it stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// It was done.
    Stop,
    /// The output ceiling.
    Length,
    /// Tools are to be run.
    ToolCalls,
    /// The provider would not.
    Filtered,
    /// Exactly this word.
    Word(String),
    /// No word at all.
    Missing,
}

impl From<&str> for Finish {
    fn from(word: &str) -> Self {
        Self::Word(word.to_owned())
    }
}

/// A search the provider ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) query: String,
    /// Title and address.
    pub(super) found: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) reasoning: Vec<String>,
    pub(super) text: Vec<String>,
    pub(super) calls: Vec<ToolCall>,
    pub(super) search: Option<Search>,
    pub(super) usage: Option<Usage>,
    pub(super) usage_place: UsagePlace,
    pub(super) finish: Option<Finish>,
    /// The model it claims to be; otherwise the one asked for.
    pub(super) model: Option<String>,
    /// Where chat completions put thoughts.
    pub(super) reasoning_field: &'static str,
    /// The dialect's closing mark (`[DONE]`, `message_stop`) is sent.
    pub(super) closing_mark: bool,
    /// Bytes by which the last event is made larger.
    pub(super) padding: usize,
}

impl Answer {
    pub(super) fn of(text: &str) -> Self {
        let text = if text.is_empty() {
            Vec::new()
        } else {
            vec![text.to_owned()]
        };
        Self {
            reasoning: Vec::new(),
            text,
            calls: Vec::new(),
            search: None,
            usage: Some(Usage::default()),
            usage_place: UsagePlace::default(),
            finish: None,
            model: None,
            reasoning_field: "reasoning_content",
            closing_mark: true,
            padding: 0,
        }
    }

    /// The reason that follows from the answer, unless the script has another.
    pub(super) fn finish(&self) -> Finish {
        match &self.finish {
            Some(finish) => finish.clone(),
            None if self.calls.is_empty() => Finish::Stop,
            None => Finish::ToolCalls,
        }
    }

    pub(super) fn whole_text(&self) -> String {
        self.text.concat()
    }

    pub(super) fn whole_reasoning(&self) -> String {
        self.reasoning.concat()
    }

    pub(super) fn searches(&self) -> u64 {
        u64::from(self.search.is_some())
    }
}

/// At most `count` pieces of about the same number of characters; together they are the text.
pub(super) fn pieces(text: &str, count: usize) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let size = characters.len().div_ceil(count.max(1)).max(1);
    characters
        .chunks(size)
        .map(|piece| piece.iter().collect())
        .collect()
}
