//! What a provider hands out for a beginning it has kept (Kimi's context cache), to be shown
//! again with the next request that begins alike. Only ever a saving: losing it changes nothing.

use crate::{chat::ChatRequest, fault::header};
use exai_engine::ports::models::Pin;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The header it comes in.
const SAVED: &str = "msh-context-cache-token-saved";
/// Conversations remembered; beyond it all are forgotten, and begin anew.
const MOST: usize = 1024;
/// A longer one is no token.
const LONGEST: usize = 4096;

/// Tokens by model and conversation.
#[derive(Default)]
pub(super) struct Remembered {
    tokens: Mutex<HashMap<(Pin, String), String>>,
}

impl Remembered {
    /// Shows what was handed out for this conversation.
    pub(super) fn show(&self, model: &Pin, request: &mut ChatRequest) {
        if let Some(key) = &request.cache.key
            && request.cache.token.is_none()
        {
            let known = self.lock().get(&(model.clone(), key.clone())).cloned();
            request.cache.token = known;
        }
    }

    /// Takes what was handed out.
    pub(super) fn take(&self, model: &Pin, request: &ChatRequest, headers: &[(String, String)]) {
        let token = header(headers, SAVED).filter(|token| !token.is_empty());
        let token = token.filter(|token| token.len() <= LONGEST);
        if let (Some(key), Some(token)) = (&request.cache.key, token) {
            let mut tokens = self.lock();
            if tokens.len() >= MOST {
                tokens.clear();
            }
            tokens.insert((model.clone(), key.clone()), token.to_owned());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Pin, String), String>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::CacheHint;

    fn request(key: &str) -> ChatRequest {
        ChatRequest {
            cache: CacheHint {
                key: Some(key.to_owned()),
                ..CacheHint::default()
            },
            ..ChatRequest::default()
        }
    }

    #[test]
    fn a_token_is_shown_to_the_same_model_in_the_same_conversation_only() {
        let remembered = Remembered::default();
        let (kimi, other) = (pin("kimi"), pin("other"));
        let headers = [("Msh-Context-Cache-Token-Saved".to_owned(), "t-1".to_owned())];
        remembered.take(&kimi, &request("a"), &headers);
        let shown = |pin: &Pin, key: &str| {
            let mut request = request(key);
            remembered.show(pin, &mut request);
            request.cache.token
        };
        assert_eq!(shown(&kimi, "a").as_deref(), Some("t-1"));
        assert_eq!(shown(&kimi, "b"), None);
        assert_eq!(shown(&other, "a"), None);
    }

    fn pin(endpoint: &str) -> Pin {
        Pin {
            endpoint: endpoint.to_owned(),
            model: "m".to_owned(),
        }
    }
}
