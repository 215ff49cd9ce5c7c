//! The lists people and models read: endpoints as they are now, models with what is known of
//! them, and what to do when nothing can be used. One place for these sentences, so that
//! `listmodels`, `doctor` and a refused call say the same.

#[cfg(test)]
mod tests;

use crate::{
    catalogue::{Catalogue, Model},
    choice::{EndpointState, effective_context},
    dialect::{Quirks, efforts},
    price::Price,
    provider::{Endpoint, KeyState, Standing},
};
use exai_engine::ports::models::{EndpointRow, Listing, ModelRow, PriceRow};
use std::collections::BTreeSet;

/// Everything that is known, as it is now.
#[must_use]
pub fn listing(catalogue: &Catalogue, endpoints: &[EndpointState<'_>]) -> Listing {
    Listing {
        endpoints: endpoints.iter().map(endpoint_row).collect(),
        models: catalogue
            .models()
            .iter()
            .map(|model| model_row(model, endpoints))
            .collect(),
        advice: if endpoints.iter().any(EndpointState::ready) {
            Vec::new()
        } else {
            advice(endpoints)
        },
    }
}

fn endpoint_row(state: &EndpointState<'_>) -> EndpointRow {
    let resolved = state.resolved;
    EndpointRow {
        name: resolved.name.clone(),
        title: resolved.endpoint.title.clone(),
        dialect: resolved.endpoint.dialect.as_str().to_owned(),
        base_url: resolved.base_url.clone(),
        ready: state.ready(),
        lacks: state.lacks().map(str::to_owned),
        key_from: (resolved.key != KeyState::NotNeeded).then(|| resolved.key_from()),
        agent: agent(&resolved.endpoint),
        breaker: state.breaker.as_str().to_owned(),
        breaker_cause: state.breaker.cause().map(str::to_owned),
        in_flight: state.in_flight,
        concurrency: state.concurrency,
    }
}

fn agent(endpoint: &Endpoint) -> Option<String> {
    let command = endpoint.command.as_ref()?;
    command.agent.as_ref()?;
    Some(command.default_model().to_owned())
}

fn model_row(model: &Model, endpoints: &[EndpointState<'_>]) -> ModelRow {
    let there = |state: &&EndpointState<'_>| state.resolved.name == model.endpoint;
    let state = endpoints.iter().find(there);
    ModelRow {
        id: model.id.clone(),
        endpoint: model.endpoint.clone(),
        aliases: model.aliases.clone(),
        context: state.map_or(model.traits.context, |at| effective_context(model, at)),
        output: model.traits.output,
        abilities: model.abilities.clone(),
        efforts: state.map_or_else(Vec::new, |at| {
            effort_words(model, &at.resolved.endpoint.quirks)
        }),
        price: model.price.as_ref().map(price_row),
        ready: state.is_some_and(|at| at.barrier(&model.id).is_none()),
        described: model.described,
    }
}

/// Words of our scale that mean something to it, and exactly what they say.
fn effort_words(model: &Model, quirks: &Quirks) -> Vec<String> {
    let style = model.traits.thinking_style.unwrap_or(quirks.thinking);
    if model.traits.thinking != Some(true) || style == crate::chat::ThinkingStyle::None {
        return Vec::new();
    }
    let words = model.traits.efforts.as_ref().unwrap_or(&quirks.efforts);
    let known = efforts(words).into_iter();
    known.map(|effort| effort.as_str().to_owned()).collect()
}

fn price_row(price: &Price) -> PriceRow {
    PriceRow {
        input: price.input,
        output: price.output,
        cached: price.cached,
        search: price.search,
        date: price.date.clone(),
    }
}

/// What to do to have a model: what is already there first, then keys, then what else there
/// is. Nothing when a person forbade everything but that.
#[must_use]
pub fn advice(endpoints: &[EndpointState<'_>]) -> Vec<String> {
    let mut sentences = Vec::new();
    let offered = |state: &EndpointState<'_>| match &state.resolved.standing {
        Standing::Offered(how) => Some(how.clone()),
        _ => None,
    };
    for state in endpoints.iter().filter(|state| state.found == Some(true)) {
        if let Some(how) = offered(state) {
            let title = &state.resolved.endpoint.title;
            sentences.push(format!("{title} is here and needs no key: {how}."));
        }
    }
    let mut keys: Vec<String> = Vec::new();
    let mut variables = BTreeSet::new();
    for (variable, title) in endpoints.iter().filter_map(key_wanted) {
        // One key opens several endpoints of an account; it is named once.
        if variables.insert(variable) {
            keys.push(format!("{variable} ({title})"));
        }
    }
    if !keys.is_empty() {
        sentences.push(format!(
            "Set the key of a provider you have, in .env in the home or in the environment, \
             and run `exai-daemon restart`: {}.",
            keys.join(", ")
        ));
    }
    let local: Vec<&str> = endpoints
        .iter()
        .filter(|state| state.found != Some(true) && offered(state).is_some())
        .map(|state| state.resolved.name.as_str())
        .collect();
    if !local.is_empty() {
        sentences.push(format!(
            "Without a key: start a local server, or log in to an agent's command line, and \
             set providers.NAME.enabled = true in config/providers.toml in the home, for NAME \
             one of {}.",
            local.join(", ")
        ));
    }
    let barred: Vec<&str> = endpoints
        .iter()
        .filter(|state| matches!(state.resolved.standing, Standing::Barred(_)))
        .map(|state| state.resolved.name.as_str())
        .collect();
    if !barred.is_empty() {
        sentences.push(format!(
            "ALLOWED_PROVIDERS or DISABLED_PROVIDERS forbids {}.",
            barred.join(", ")
        ));
    }
    sentences
}

/// The variable that should hold its key, and the endpoint's title.
fn key_wanted<'a>(state: &EndpointState<'a>) -> Option<(&'a str, &'a str)> {
    let resolved = state.resolved;
    let missing = match (&resolved.standing, &resolved.key) {
        (Standing::Lacks(_), KeyState::Missing(variables)) => variables.first()?,
        _ => return None,
    };
    Some((missing, &resolved.endpoint.title))
}
