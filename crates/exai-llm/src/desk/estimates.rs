//! What is learned of each model's way of counting tokens, from what its provider reports.

use crate::{
    chat::{ChatRequest, Usage},
    price::{Estimate, Estimator, Size},
};
use exai_engine::ports::models::Pin;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Models learned about; beyond it the ones not heard of yet stay strangers.
const MOST: usize = 4096;

/// An estimator a model.
#[derive(Default)]
pub(super) struct Estimates {
    models: Mutex<HashMap<Pin, Estimator>>,
}

impl Estimates {
    /// What a request will probably be to this model.
    pub(super) fn guess(&self, model: &Pin, size: &Size) -> Estimate {
        let models = self.lock();
        let known = models.get(model);
        known.map_or_else(
            || Estimator::default().guess(size),
            |known| known.guess(size),
        )
    }

    /// What it was. A search's results are counted by the provider and unknown to us, so such
    /// a report teaches nothing.
    pub(super) fn learn(&self, model: &Pin, request: &ChatRequest, usage: Option<&Usage>) {
        let reported = usage.and_then(|usage| usage.input);
        let Some(reported) = reported.filter(|_| request.search.is_none()) else {
            return;
        };
        let mut models = self.lock();
        if models.len() < MOST || models.contains_key(model) {
            let size = Size::of(request);
            models
                .entry(model.clone())
                .or_default()
                .learn(&size, reported);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Pin, Estimator>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
