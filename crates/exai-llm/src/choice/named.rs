//! A model somebody named: used, or the call fails with what would help.

use super::{ChoiceError, Moment, Refusal};
use crate::{
    catalogue::{Level, Model},
    listing::advice,
};
use exai_engine::ports::models::Pin;
use std::sync::Arc;

/// Names in an error, at most.
const NAMES: usize = 5;
/// How the reason begins.
const BY_NAME: &str = "asked for by name";

type Named = Result<(Arc<Model>, String), ChoiceError>;

/// The model a name means here and now.
pub(super) fn resolve(now: &Moment<'_>, name: &str) -> Named {
    let matches = now.catalogue.matches(name);
    let rows = &matches.rows;
    if rows.is_empty() {
        return unknown(now, name);
    }
    let usable = |model: &&Arc<Model>| now.barrier(model).is_none();
    let class = |test: fn(&Model) -> bool| -> Vec<&Arc<Model>> {
        let of_class = rows.iter().copied().filter(|model| test(model));
        of_class.filter(usable).collect()
    };
    let homes = class(|model| model.described && !model.alternate);
    let alternates = class(|model| model.described && model.alternate);
    let listed = class(|model| !model.described);
    // Where a model's home cannot be used, the first of the places that serve it too does.
    let alternate = alternates.into_iter().take(1).collect();
    let classes: [Vec<&Arc<Model>>; 3] = [homes, alternate, listed];
    let Some(best) = classes.into_iter().find(|class| !class.is_empty()) else {
        return Err(not_ready(now, name, rows));
    };
    match best.as_slice() {
        [model] => Ok((Arc::clone(model), called(matches.level, name, model))),
        several => {
            let names: Vec<String> = several.iter().map(|model| model.full_name()).collect();
            let message = format!(
                "'{name}' means several models; write the one you want: {}",
                names.join(", ")
            );
            Err(ChoiceError::new(Refusal::Ambiguous, message))
        }
    }
}

/// Nobody is said to have asked for what a tool chose.
pub(super) fn by_whom(reason: String, chosen: Option<&str>) -> String {
    match (chosen, reason.strip_prefix(BY_NAME)) {
        (Some(chosen), Some(rest)) => format!("{chosen}{rest}"),
        _ => reason,
    }
}

fn called(level: Level, name: &str, model: &Model) -> String {
    match level {
        Level::Alias => format!("{BY_NAME}, as '{name}'"),
        Level::Full | Level::Id if model.alternate && !name.contains('@') => format!(
            "{BY_NAME}; '{}' is the first endpoint serving it that can be used",
            model.endpoint
        ),
        Level::Full | Level::Id => BY_NAME.to_owned(),
    }
}

fn not_ready(now: &Moment<'_>, name: &str, rows: &[&Arc<Model>]) -> ChoiceError {
    let mut reasons: Vec<String> = Vec::new();
    for model in rows {
        if let Some(why) = now.barrier(model)
            && !reasons.contains(&why)
            && reasons.len() < NAMES
        {
            reasons.push(why);
        }
    }
    let message = format!(
        "the model '{name}' cannot be asked: {}.",
        reasons.join("; ")
    );
    ChoiceError::new(Refusal::NotReady, message + &ready_names(now))
}

/// What could be asked instead, in a sentence.
fn ready_names(now: &Moment<'_>) -> String {
    let usable = now.catalogue.models().iter();
    let usable = usable.filter(|model| model.described && now.barrier(model).is_none());
    let names: Vec<&str> = usable.map(|model| model.id.as_str()).take(NAMES).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(" Ready now: {}; `listmodels` has all.", names.join(", "))
}

/// A name the catalogue does not know: sent as it is where it is clear where to.
fn unknown(now: &Moment<'_>, name: &str) -> Named {
    if let Some((id, endpoint)) = now.catalogue.split(name) {
        let model = Model::undescribed(endpoint, id);
        if let Some(why) = now.barrier(&model) {
            let message = format!("the model '{id}' cannot be asked: {why}.");
            return Err(ChoiceError::new(Refusal::NotReady, message));
        }
        let reason = format!("{BY_NAME}; the catalogue does not describe it");
        return Ok((Arc::new(model), reason));
    }
    let mut ready = now.endpoints.iter().filter(|state| state.ready());
    let (first, second) = (ready.next(), ready.next());
    if first.is_none() {
        let message = format!("no model can be used. {}", advice(now.endpoints).join(" "));
        return Err(ChoiceError::new(Refusal::NothingReady, message));
    }
    if let (Some(only), None) = (first, second) {
        let endpoint = &only.resolved.name;
        let model = Model::undescribed(endpoint, name);
        let listed = now.catalogue.list_of(endpoint).is_some();
        if !listed && now.barrier(&model).is_none() {
            let reason = format!(
                "{BY_NAME}; nobody describes it, and '{endpoint}' is the only endpoint \
                 that can be used"
            );
            return Ok((Arc::new(model), reason));
        }
    }
    Err(ChoiceError::new(Refusal::Unknown, who_is(now, name)))
}

fn who_is(now: &Moment<'_>, name: &str) -> String {
    let mut message = format!("no model is called '{name}'.");
    let near = now.catalogue.near(name, NAMES);
    if let Some(ours) = now.catalogue.our_way(name) {
        message += &format!(" A model at an endpoint is written '{ours}'.");
    } else if !near.is_empty() {
        message += &format!(" Names like it: {}.", near.join(", "));
    } else {
        message += &ready_names(now);
    }
    let ready = now.endpoints.iter().find(|state| state.ready());
    if let Some(state) = ready {
        message += &format!(
            " To send a name the catalogue does not know, name its endpoint too: '{name}@{}'. \
             `exai-daemon models refresh` fetches the providers' own lists.",
            state.resolved.name
        );
    }
    message
}

/// The model a conversation has.
pub(super) fn pinned(now: &Moment<'_>, pin: &Pin) -> Named {
    let known = now.catalogue.at(&pin.endpoint, &pin.model).cloned();
    let model = known.unwrap_or_else(|| Arc::new(Model::undescribed(&pin.endpoint, &pin.model)));
    match now.barrier(&model) {
        None => Ok((model, "the conversation keeps its model".to_owned())),
        Some(why) => {
            let message = format!(
                "this conversation's model '{}' cannot be asked: {why}. To go on with another, \
                 name it in `model`.",
                pin.model
            );
            Err(ChoiceError::new(
                Refusal::NotReady,
                message + &ready_names(now),
            ))
        }
    }
}
