//! The language people are answered in, for every tool that asks a model: one sentence (or the
//! owner's own words for that language) behind the standing instructions of each request.

use exai_engine::{
    ports::models::{Answer, Document, Listing, Message, ModelFuture, Models, Wish},
    tool::{ToolCall, ToolError},
};
use serde_json::Value;
use std::sync::Arc;

/// Models that are told which language to answer in.
struct Speaking {
    models: Arc<dyn Models>,
    words: String,
}

/// The same models, told to answer in this language; `words` are the owner's own, if any.
#[must_use]
pub fn speaking(models: Arc<dyn Models>, locale: &str, words: Option<String>) -> Arc<dyn Models> {
    let usual = || {
        format!(
            "Answer in the language of the locale '{locale}'. Code, names, quotations and forms \
             that were asked for stay as they are."
        )
    };
    let words = words.unwrap_or_else(usual);
    Arc::new(Speaking { models, words })
}

impl Speaking {
    fn told(&self, mut wish: Wish) -> Wish {
        match wish.chat.messages.first_mut() {
            Some(Message::System(text)) => {
                text.push_str("\n\n");
                text.push_str(&self.words);
            }
            _ => {
                let words = Message::System(self.words.clone());
                wish.chat.messages.insert(0, words);
                wish.chat.cache.stable_messages += 1;
            }
        }
        wish
    }
}

impl Models for Speaking {
    fn ask<'a>(
        &'a self,
        call: &'a ToolCall,
        wish: Wish,
    ) -> ModelFuture<'a, Result<Answer, ToolError>> {
        self.models.ask(call, self.told(wish))
    }

    fn listing(&self) -> Arc<Listing> {
        self.models.listing()
    }

    fn refresh<'a>(
        &'a self,
        endpoint: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Vec<String>, ToolError>> {
        self.models.refresh(endpoint)
    }

    fn preview(&self, wish: Wish) -> Result<Value, ToolError> {
        self.models.preview(self.told(wish))
    }

    fn extract<'a>(
        &'a self,
        call: &'a ToolCall,
        endpoint: &'a str,
        document: Document,
    ) -> ModelFuture<'a, Result<String, ToolError>> {
        self.models.extract(call, endpoint, document)
    }
}
