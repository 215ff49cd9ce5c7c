//! Frames that mean a call and cannot be one: no name, arguments that are none, nested too
//! deep. Their sender is answered at the edge; here they get their record, like any failure.

use super::backlog::Behind;
use crate::{engine::Engine, sessions::Session};
use exai_protocol::{Code, RawValue, RequestId, WireError, error::Ran, limits::MAX_DEPTH, scan};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Longest name of a tool that does not exist, as it is kept.
const MAX_NAME_BYTES: usize = 256;
/// Most words of a refusal that are kept.
const MAX_WORDS_BYTES: usize = 4 * 1024;
/// Stands where no name could be read.
const UNNAMED: &str = "(unnamed)";

/// What is known of a call that never became one.
pub struct Refusal<'a> {
    /// Who asked.
    pub session: &'a Session,
    /// Its id, where one could be read.
    pub request_id: Option<RequestId>,
    /// The tool's name as the client knows it, where one could be read.
    pub name: Option<&'a str>,
    /// What stands where arguments should.
    pub arguments: Option<&'a RawValue>,
    /// What its sender is told.
    pub message: &'a str,
}

impl Engine {
    /// Records a call that was refused before it became one.
    ///
    /// # Errors
    /// [`Behind`], and nothing was recorded: then its sender must not be answered yet either.
    pub fn record_refusal(&self, refusal: Refusal<'_>) -> Result<(), Behind> {
        if self.backlog().is_full() {
            return Err(Behind);
        }
        let id = refusal.request_id.unwrap_or_else(|| self.mint_request_id());
        let snapshot = self.registry().snapshot();
        let asked = refusal.name.unwrap_or(UNNAMED);
        let tool = snapshot
            .find(asked, true)
            .map_or_else(|| kept_name(asked), |(name, _)| Arc::clone(name));
        // Values too deep to be read back would spoil the line they stand in.
        let readable = |raw: &&RawValue| scan::check(raw.get().as_bytes(), MAX_DEPTH).is_ok();
        let shown = refusal.arguments.filter(readable);
        let mut facts = self.facts_of(refusal.session, id, tool, shown);
        if let Some(arguments) = refusal.arguments {
            let hash = Sha256::digest(arguments.get().as_bytes());
            facts.args_bytes = arguments.get().len() as u64;
            facts.args_hash = u64::from_be_bytes(hash.first_chunk().copied().unwrap_or_default());
        }
        let words = cut(refusal.message, MAX_WORDS_BYTES);
        let error = WireError::new(Code::InvalidArgument, words).ran(Ran::No);
        self.record_answer(&Arc::new(facts), error);
        Ok(())
    }
}

/// A name that no tool has comes from outside, at any length.
pub(super) fn kept_name(asked: &str) -> Arc<str> {
    Arc::from(cut(asked, MAX_NAME_BYTES))
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
