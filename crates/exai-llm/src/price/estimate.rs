//! Tokens before anyone has counted them. A first guess from bytes, and a factor for each
//! model that follows what the provider reports: the median of the last ratios, because one
//! odd call must not bend the next.

use crate::chat::{ChatRequest, Message, Part, Shape};
use std::collections::VecDeque;

/// Bytes of plain text to a token, before anything is known.
const BYTES: f64 = 4.0;
/// Tokens to a character beyond ASCII; Han is near one, accented Latin below.
const WIDE: f64 = 0.7;
/// What a turn costs beside its text.
const TURN: f64 = 4.0;
/// A picture, where its size is not looked at.
const IMAGE: f64 = 1200.0;
/// Ratios remembered.
const KEPT: usize = 32;
/// How far the worst calls are expected from the estimate until seen.
const UNSURE: f64 = 1.5;

/// What a request holds, weighed without a tokenizer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Size {
    /// The first guess in tokens, pictures left out.
    pub text: f64,
    /// Pictures.
    pub images: usize,
}

impl Size {
    /// Weighs a request: turns, tools and schema.
    #[must_use]
    pub fn of(request: &ChatRequest) -> Self {
        let mut size = Self::default();
        for message in &request.messages {
            size.text += TURN;
            size.message(message);
        }
        for tool in &request.tools {
            size.words(&tool.name);
            size.words(&tool.description);
            size.words(&tool.parameters.to_string());
        }
        if let Shape::Schema { schema, .. } = &request.shape {
            size.words(&schema.to_string());
        }
        size
    }

    /// A guess at the tokens of a text that came.
    #[must_use]
    pub fn of_text(text: &str) -> u64 {
        let mut size = Self::default();
        size.words(text);
        size.text.ceil() as u64
    }

    fn message(&mut self, message: &Message) {
        match message {
            Message::System(text) => self.words(text),
            Message::User(parts) => {
                for part in parts {
                    match part {
                        Part::Text(text) => self.words(text),
                        Part::Image(_) => self.images += 1,
                    }
                }
            }
            Message::Assistant(turn) => {
                self.words(&turn.text);
                for call in &turn.tool_calls {
                    self.words(&call.name);
                    self.words(&call.arguments);
                }
                if let Some(carry) = &turn.carry {
                    self.words(&carry.items.to_string());
                }
            }
            Message::Tool(result) => self.words(&result.content),
        }
    }

    fn words(&mut self, text: &str) {
        let ascii = text.bytes().filter(u8::is_ascii).count();
        let wide = text.chars().count() - ascii;
        self.text += ascii as f64 / BYTES + wide as f64 * WIDE;
    }
}

/// A guess and how far to trust it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// The likely number of tokens.
    pub tokens: u64,
    /// A number the report should not exceed: what is reserved.
    pub at_most: u64,
    /// Reports it rests on.
    pub seen: usize,
}

/// Guesses for one model.
#[derive(Debug, Clone, Default)]
pub struct Estimator {
    ratios: VecDeque<f64>,
}

impl Estimator {
    /// Starts from what the catalogue knows of the model.
    #[must_use]
    pub fn with_bytes_per_token(bytes: f64) -> Self {
        let mut ratios = VecDeque::new();
        if bytes.is_finite() && bytes > 0.1 {
            ratios.push_back(BYTES / bytes);
        }
        Self { ratios }
    }

    /// Learns from a report. Calls with pictures and tiny ones teach nothing about text.
    pub fn learn(&mut self, size: &Size, reported: u64) {
        if size.images > 0 || size.text < 16.0 || reported == 0 {
            return;
        }
        if self.ratios.len() == KEPT {
            self.ratios.pop_front();
        }
        // A report that far off counts something else (a search's results, say).
        self.ratios
            .push_back((reported as f64 / size.text).clamp(0.1, 10.0));
    }

    /// The guess for a request.
    #[must_use]
    pub fn guess(&self, size: &Size) -> Estimate {
        let mut sorted: Vec<f64> = self.ratios.iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(1.0);
        let worst = sorted.last().copied().unwrap_or(1.0);
        let spread = if sorted.len() < 8 { UNSURE } else { 1.1 };
        let images = size.images as f64 * IMAGE;
        let tokens = (size.text * middle + images).ceil();
        let at_most = (size.text * worst * spread + images * 2.0).ceil();
        Estimate {
            tokens: tokens as u64,
            at_most: at_most.max(tokens) as u64,
            seen: sorted.len(),
        }
    }
}
