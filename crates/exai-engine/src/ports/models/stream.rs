//! What comes back, whatever the dialect: one stream type. A stream that ended well has
//! exactly one [`StreamItem::Done`], its last item.

use super::{AssistantTurn, Carry, ToolCall};
use serde::{Deserialize, Serialize};

/// One step of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamItem {
    /// More of the answer.
    Text(String),
    /// More of the thoughts.
    Reasoning(String),
    /// A whole call; pieces of arguments are of no use to anyone.
    ToolCall(ToolCall),
    /// A search the provider ran.
    Search(Searched),
    /// What it cost in tokens; the last one counts.
    Usage(Usage),
    /// The end.
    Done(Done),
}

/// Tokens as the provider counted them. Zero is zero; `None` is "it did not say".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Read, cached ones included.
    pub input: Option<u64>,
    /// Of `input`, those read from a cache.
    pub cached: Option<u64>,
    /// Of `input`, those written to a cache at a price of their own.
    pub cache_written: Option<u64>,
    /// Written, thoughts included.
    pub output: Option<u64>,
    /// Of `output`, those thought.
    pub reasoning: Option<u64>,
    /// Searches billed.
    pub searches: Option<u64>,
    /// What the provider itself says it cost, in millionths of a dollar (OpenRouter).
    pub stated_micros: Option<u64>,
    /// What it took there, where the provider says so (Ollama).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
}

/// What an answer took at its provider, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timing {
    /// Loading the model.
    pub load_us: Option<u64>,
    /// Reading the prompt.
    pub read_us: Option<u64>,
    /// Writing the answer.
    pub write_us: Option<u64>,
}

impl Usage {
    /// Adds another round of the same answer.
    pub fn add(&mut self, more: &Self) {
        let sum = |mine: &mut Option<u64>, more: Option<u64>| {
            if let Some(more) = more {
                *mine = Some(mine.unwrap_or(0).saturating_add(more));
            }
        };
        sum(&mut self.input, more.input);
        sum(&mut self.cached, more.cached);
        sum(&mut self.cache_written, more.cache_written);
        sum(&mut self.output, more.output);
        sum(&mut self.reasoning, more.reasoning);
        sum(&mut self.searches, more.searches);
        sum(&mut self.stated_micros, more.stated_micros);
        if let Some(more) = more.timing {
            let mine = self.timing.get_or_insert_default();
            sum(&mut mine.load_us, more.load_us);
            sum(&mut mine.read_us, more.read_us);
            sum(&mut mine.write_us, more.write_us);
        }
    }
}

/// A search that really ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Searched {
    /// What was looked for, as far as the provider says.
    pub queries: Vec<String>,
    /// What was found, as far as the provider says.
    pub sources: Vec<Source>,
}

/// A page a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its title, or nothing.
    #[serde(default)]
    pub title: String,
    /// Its address.
    pub url: String,
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Why it stopped.
    pub reason: DoneReason,
    /// What the provider wants back unchanged with this turn.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub carry: Option<Carry>,
}

/// Why an answer stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoneReason {
    /// It was finished.
    Stop,
    /// The output ceiling was reached: the text is cut.
    Length,
    /// It waits for tools.
    ToolCalls,
    /// The provider withheld the rest.
    ContentFilter,
    /// The context is full: the text is cut.
    ContextFull,
    /// The provider paused; sending the turn back unchanged continues it.
    Pause,
    /// A reason we do not know, in the provider's word.
    Other(String),
}

/// Gathers a stream into a turn, for those who keep conversations.
#[derive(Debug, Default, Clone)]
pub struct Collector {
    /// What the model said.
    pub turn: AssistantTurn,
    /// The last usage reported.
    pub usage: Option<Usage>,
    /// Everything searched; `None` when no search ran.
    pub searched: Option<Searched>,
    /// The session it can be gone on with, where an agent named one.
    pub session: Option<String>,
    /// How it ended; `None` while it has not.
    pub reason: Option<DoneReason>,
}

impl Collector {
    /// Takes the next item.
    pub fn take(&mut self, item: StreamItem) {
        match item {
            StreamItem::Text(text) => self.turn.text.push_str(&text),
            StreamItem::Reasoning(text) => self.turn.reasoning.push_str(&text),
            StreamItem::ToolCall(call) => self.turn.tool_calls.push(call),
            StreamItem::Usage(usage) => self.usage = Some(usage),
            StreamItem::Search(more) => {
                let all = self.searched.get_or_insert_default();
                all.queries.extend(more.queries);
                for source in more.sources {
                    if all.sources.iter().all(|known| known.url != source.url) {
                        all.sources.push(source);
                    }
                }
            }
            StreamItem::Done(done) => {
                self.reason = Some(done.reason);
                self.turn.carry = done.carry;
            }
        }
    }
}
