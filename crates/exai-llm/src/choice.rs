//! Who could answer a wish, in what order, and why: a pure function of the catalogue, the
//! endpoints' state and the wish. A model asked for by name is used, or the call fails; a
//! conversation keeps its model; `auto` chooses, and says what for.

mod auto;
mod error;
mod named;
mod needs;
mod state;
#[cfg(test)]
mod tests;

pub use error::{ChoiceError, Refusal};
pub use state::{BreakerState, EndpointState};

pub(crate) use needs::effective_context;

use crate::catalogue::{Catalogue, Model};
use exai_engine::ports::models::Wish;
use std::sync::Arc;

/// The most models one call is tried with.
pub const MOST: usize = 4;

/// A model that could answer.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The model, with its endpoint, traits and price.
    pub model: Arc<Model>,
    /// Why this one, in words for the result.
    pub reason: String,
}

/// What choosing rests on, beside the wish.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The models.
    pub catalogue: &'a Catalogue,
    /// All endpoints as they are now.
    pub endpoints: &'a [EndpointState<'a>],
    /// The model a person set for calls that name none (`DEFAULT_MODEL`); `auto` and nothing
    /// leave it to us.
    pub default_model: Option<&'a str>,
    /// Tokens of the request, estimated.
    pub input: u64,
}

/// The models to ask, the first one first; the others only when those before them failed
/// before the first text.
///
/// # Errors
/// [`ChoiceError`], which says what to do.
pub fn candidates(now: &Moment<'_>, wish: &Wish) -> Result<Vec<Candidate>, ChoiceError> {
    let named = wish
        .model
        .as_deref()
        .map(str::trim)
        .filter(|name| !is_auto(name));
    if let Some(name) = named {
        let (model, reason) = named::resolve(now, name)?;
        let reason = named::by_whom(reason, wish.chosen.as_deref());
        return Ok(auto::with_stand_ins(now, wish, model, reason));
    }
    if let Some(pin) = &wish.pin {
        let (model, reason) = named::pinned(now, pin)?;
        return Ok(auto::with_stand_ins(now, wish, model, reason));
    }
    let asked_for_auto = wish.model.as_deref().is_some_and(is_auto);
    let default = now
        .default_model
        .map(str::trim)
        .filter(|name| !is_auto(name));
    match default {
        Some(default) if !asked_for_auto => auto::preferring(now, wish, default),
        _ => auto::choose(now, wish, None),
    }
}

fn is_auto(name: &str) -> bool {
    let name = name.trim();
    name.is_empty() || name.eq_ignore_ascii_case("auto")
}

impl<'a> Moment<'a> {
    /// The endpoint of this name.
    pub(crate) fn endpoint(&self, name: &str) -> Option<&'a EndpointState<'a>> {
        self.endpoints
            .iter()
            .find(|state| state.resolved.name == name)
    }

    /// Why a model cannot be asked at all; `None` when it can.
    pub(crate) fn barrier(&self, model: &Model) -> Option<String> {
        match self.endpoint(&model.endpoint) {
            Some(state) => state.barrier(&model.id),
            None => Some(format!("there is no endpoint '{}'", model.endpoint)),
        }
    }
}
