//! `auto`: the first group of the kind of work's chain that has somebody who can do it; in a
//! group the healthy before the recovering, those with room before the full, the cheapest
//! first. Only where a chain has nobody, any other model is taken.

use super::{
    BreakerState, Candidate, ChoiceError, MOST, Moment, Refusal, named, needs, needs::Needs,
};
use crate::{
    catalogue::{Model, word},
    chat::Usage,
    listing::advice,
    price::{Usd, cost},
};
use exai_engine::ports::models::{Category, Wish};
use std::sync::Arc;

/// Tokens of an answer, for comparing prices; the ceiling would make every price one of output.
const TYPICAL_OUTPUT: u64 = 1500;

/// A model that can do it, and what it is weighed by; the smallest is the best.
struct Weighed<'a> {
    model: &'a Arc<Model>,
    weight: (usize, bool, u32, bool, u64),
    usd: Option<Usd>,
}

/// Everybody who can do it, and why the others cannot.
struct Field<'a> {
    able: Vec<Weighed<'a>>,
    /// Whether the search that is wanted is left out, because nobody could.
    no_search: bool,
    unfit: Vec<String>,
    resting: Vec<&'a str>,
    retry: Option<u64>,
}

pub(super) fn choose(
    now: &Moment<'_>,
    wish: &Wish,
    preface: Option<String>,
) -> Result<Vec<Candidate>, ChoiceError> {
    let category = category(wish, now);
    let chain = now.catalogue.chains().of_category(category);
    let field = weigh(now, wish, chain);
    let Some(first) = field.able.first() else {
        return Err(nobody(now, &field));
    };
    let off_chain = first.weight.0 == chain.len();
    let mut candidates = Vec::new();
    for one in &field.able {
        // Those no chain names are a last resort, not a fallback.
        if candidates.len() == MOST || (!candidates.is_empty() && one.weight.0 == chain.len()) {
            break;
        }
        let reason = if candidates.is_empty() {
            let why = why(one, category, off_chain, &field);
            preface
                .iter()
                .cloned()
                .chain([why])
                .collect::<Vec<_>>()
                .join("; ")
        } else {
            let chain = word(category);
            format!(
                "stands in for '{}': next of the chain '{chain}'",
                first.model.id
            )
        };
        let model = Arc::clone(one.model);
        candidates.push(Candidate { model, reason });
    }
    Ok(candidates)
}

/// The model a person set for all calls, where it can do this one.
pub(super) fn preferring(
    now: &Moment<'_>,
    wish: &Wish,
    default: &str,
) -> Result<Vec<Candidate>, ChoiceError> {
    let needs = Needs::of(wish, now.input);
    let preferred = named::resolve(now, default)
        .map_err(|error| error.message)
        .and_then(|(model, _)| {
            let state = now.endpoint(&model.endpoint);
            let lacking = state.and_then(|state| needs.lacking(&model, state));
            let open =
                state.is_some_and(|state| matches!(state.breaker, BreakerState::Open { .. }));
            match lacking {
                Some(lacking) => Err(format!("'{}' {lacking}", model.id)),
                None if open => Err(format!(
                    "'{}' has failed too often just now",
                    model.endpoint
                )),
                None => Ok(model),
            }
        });
    match preferred {
        Ok(model) => {
            let mut all = vec![Candidate {
                model,
                reason: format!("DEFAULT_MODEL is '{default}'"),
            }];
            let others = choose(now, wish, None).unwrap_or_default();
            let first = all[0].model.full_name();
            for mut other in others {
                if all.len() < MOST && other.model.full_name() != first {
                    other.reason = format!(
                        "stands in for '{default}': next of the chain '{}'",
                        word(category(wish, now))
                    );
                    all.push(other);
                }
            }
            Ok(all)
        }
        Err(why) => choose(now, wish, Some(format!("not DEFAULT_MODEL: {why}"))),
    }
}

/// A model that is settled, and those a person declared to stand in for it.
pub(super) fn with_stand_ins(
    now: &Moment<'_>,
    wish: &Wish,
    model: Arc<Model>,
    reason: String,
) -> Vec<Candidate> {
    let means = |name: &str| {
        let rows = now.catalogue.matches(name).rows;
        rows.iter().any(|row| row.full_name() == model.full_name())
    };
    let chain = now.catalogue.chains().of_model(&means);
    let named = model.id.clone();
    let mut all = vec![Candidate { model, reason }];
    if chain.is_empty() {
        return all;
    }
    for one in weigh(now, wish, chain).able {
        let known = all
            .iter()
            .any(|have| have.model.full_name() == one.model.full_name());
        if one.weight.0 < chain.len() && !known && all.len() < MOST {
            let model = Arc::clone(one.model);
            let reason = format!("stands in for '{named}': its chain says so");
            all.push(Candidate { model, reason });
        }
    }
    all
}

/// Pictures make it a matter of seeing, unless the wish says how hard the matter is.
fn category(wish: &Wish, now: &Moment<'_>) -> Category {
    let sees = Needs::of(wish, now.input).vision;
    match wish.category {
        Category::Balanced if sees => Category::Vision,
        other => other,
    }
}

fn weigh<'a>(now: &Moment<'a>, wish: &Wish, chain: &[Vec<String>]) -> Field<'a> {
    let needs = Needs::of(wish, now.input);
    let mut field = Field {
        able: Vec::new(),
        no_search: false,
        unfit: Vec::new(),
        resting: Vec::new(),
        retry: None,
    };
    let catalogue = now.catalogue;
    let groups: Vec<Vec<&Arc<Model>>> = chain
        .iter()
        .map(|names| {
            names
                .iter()
                .flat_map(|name| catalogue.matches(name).rows)
                .collect()
        })
        .collect();
    for model in catalogue.models() {
        let Some(state) = now.endpoint(&model.endpoint) else {
            continue;
        };
        if state.barrier(&model.id).is_some() {
            continue;
        }
        if let Some(why) = needs.lacking(model, state) {
            field.unfit.push(format!("'{}' {why}", model.id));
            continue;
        }
        if let BreakerState::Open {
            retry_after_secs, ..
        } = &state.breaker
        {
            if !field.resting.contains(&state.resolved.name.as_str()) {
                field.resting.push(&state.resolved.name);
            }
            field.retry = field.retry.into_iter().chain(*retry_after_secs).min();
            continue;
        }
        let group = groups
            .iter()
            .position(|group| group.iter().any(|one| Arc::ptr_eq(one, model)))
            .unwrap_or(groups.len());
        let usd = expected(model, needs.input);
        let recovering = state.breaker != BreakerState::Closed;
        let price = usd.map_or(u64::MAX, Usd::picos);
        field.able.push(Weighed {
            model,
            weight: (
                group,
                recovering,
                needs.doubts(model),
                state.is_full(),
                price,
            ),
            usd,
        });
    }
    if needs.search {
        let able = |one: &Weighed<'_>| needs::searches(now, one.model);
        field.no_search = !field.able.iter().any(able);
        if !field.no_search {
            field.able.retain(able);
        }
    }
    // Stable: among equals the catalogue's order decides, a model's home before its others.
    field.able.sort_by(|a, b| {
        let key = |one: &Weighed<'_>| (one.weight, one.model.alternate);
        key(a).cmp(&key(b))
    });
    let mut seen: Vec<&str> = Vec::new();
    // The same model at another endpoint of the same name is no other candidate's equal.
    field.able.retain(|one| {
        let new = !one.model.alternate || !seen.contains(&one.model.id.as_str());
        seen.push(&one.model.id);
        new
    });
    field
}

fn expected(model: &Model, input: u64) -> Option<Usd> {
    let usage = Usage {
        input: Some(input),
        output: Some(TYPICAL_OUTPUT),
        ..Usage::default()
    };
    cost(Some(&usage), model.price.as_ref()).amount()
}

fn why(one: &Weighed<'_>, category: Category, off_chain: bool, field: &Field<'_>) -> String {
    let kind = word(category);
    let mut why = if off_chain {
        format!("auto ({kind}): no model of the chain '{kind}' can be used, this one can")
    } else if one.weight.0 == 0 {
        format!("auto ({kind}): the best ready model of the chain '{kind}'")
    } else {
        format!("auto ({kind}): the first of the chain '{kind}' that can be used")
    };
    match one.usd {
        Some(usd) => why += &format!(", about {usd}"),
        None => why += ", price unknown",
    }
    if field.no_search {
        why += "; no ready model can search the web";
    }
    if !field.resting.is_empty() {
        why += &format!("; passed over after failures: {}", field.resting.join(", "));
    }
    why
}

fn nobody(now: &Moment<'_>, field: &Field<'_>) -> ChoiceError {
    if !field.resting.is_empty() {
        let message = format!(
            "no model can be asked just now: {} failed too often and rest for a moment. Try \
             again shortly; `status` shows when.",
            field.resting.join(", ")
        );
        let mut error = ChoiceError::new(Refusal::Resting, message);
        error.retry_after_secs = field.retry;
        return error;
    }
    let ready = now.endpoints.iter().find(|state| state.ready());
    if let Some(state) = ready.filter(|_| field.unfit.is_empty()) {
        let name = &state.resolved.name;
        let message = format!(
            "'{name}' can be used, but exai knows no model of it. Fetch its list with \
             `exai-daemon models refresh {name}`, or name one as 'MODEL@{name}'."
        );
        return ChoiceError::new(Refusal::NotReady, message);
    }
    if field.unfit.is_empty() {
        let message = format!("no model can be used. {}", advice(now.endpoints).join(" "));
        return ChoiceError::new(Refusal::NothingReady, message);
    }
    let shown = field
        .unfit
        .iter()
        .take(4)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    let message = format!(
        "no ready model can do this: {shown}. Send less, or make another model ready: \
         `listmodels` shows all and what they lack."
    );
    ChoiceError::new(Refusal::NothingFits, message)
}
