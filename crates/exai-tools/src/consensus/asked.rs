//! What a consensus is asked: the question, whom, from which side, and what follows the answers.

use crate::args::Args;
use exai_engine::{ports::models::Listing, tool::ToolError};
use exai_protocol::Code;
use serde_json::Value;
use std::collections::BTreeSet;

/// Fewer are no consensus.
const FEWEST: usize = 2;
/// More cost more than they say.
const MOST: usize = 10;
/// Asked where nobody was named.
const DEFAULT: usize = 3;

/// From which side a model answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stance {
    For,
    Against,
    Neutral,
}

impl Stance {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::For => "for",
            Self::Against => "against",
            Self::Neutral => "neutral",
        }
    }
}

/// One that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) model: String,
    pub(super) stance: Stance,
    /// Instead of the stance's own words.
    pub(super) stance_prompt: Option<String>,
    /// Most tokens this one writes at a time; else what holds for all.
    pub(super) max_output: Option<u64>,
}

/// What each does with the others' answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Second {
    None,
    Revise,
    Critique,
}

/// See the module.
pub(super) struct Asked {
    pub(super) prompt: String,
    pub(super) seats: Vec<Seat>,
    pub(super) second: Second,
    pub(super) rank: bool,
    pub(super) judge: Option<String>,
    /// With fewer answers there is no result.
    pub(super) quorum: usize,
    pub(super) files: Vec<String>,
    pub(super) images: Vec<String>,
    pub(super) thread: Option<String>,
}

impl Asked {
    pub(super) fn of(args: &Args, listing: &Listing) -> Result<Self, ToolError> {
        if args.number("step_number", 1, 0..=10_000)? > 1 {
            return Err(ToolError::invalid(
                "'step_number': consensus asks all models in its first call, and there are no \
                 further steps; its answers are in the result of that call",
            ));
        }
        // The predecessor's words for the question and its files are understood.
        let prompt = match args.text("prompt")? {
            None if args.text("step")?.is_some() => args.required_text("step")?,
            _ => args.required_text("prompt")?,
        };
        let mut files = args.texts("files")?;
        files.extend(args.texts("relevant_files")?);
        let seats = seats(args, listing)?;
        let most = seats.len() as u64;
        let majority = most / 2 + 1;
        let text = |field| -> Result<Option<String>, ToolError> {
            let text = args.text(field)?.map(str::trim);
            Ok(text.filter(|text| !text.is_empty()).map(str::to_owned))
        };
        Ok(Self {
            prompt: prompt.to_owned(),
            second: match args.choice("second_round", &["none", "revise", "critique"], "none")? {
                "revise" => Second::Revise,
                "critique" => Second::Critique,
                _ => Second::None,
            },
            rank: args.flag("rank", false)?,
            judge: text("judge")?,
            quorum: usize::try_from(args.number("quorum", majority, 1..=most)?)
                .unwrap_or(usize::MAX),
            files,
            images: args.texts("images")?,
            thread: text("continuation_id")?,
            seats,
        })
    }

    /// How many rounds of requests there are to be.
    pub(super) fn stages(&self) -> u32 {
        let second = self.second != Second::None;
        1 + u32::from(second) + u32::from(self.rank) + u32::from(self.judge.is_some())
    }
}

fn seats(args: &Args, listing: &Listing) -> Result<Vec<Seat>, ToolError> {
    let named = args.list("models")?;
    let seats = if named.is_empty() {
        chosen(listing)
    } else {
        let seats = named.iter().enumerate().map(|(at, value)| seat(at, value));
        seats.collect::<Result<_, _>>()?
    };
    if !(FEWEST..=MOST).contains(&seats.len()) {
        return Err(wrong_number(seats.len(), named.is_empty()));
    }
    let mut seen = BTreeSet::new();
    for seat in &seats {
        if !seen.insert((seat.model.to_lowercase(), seat.stance)) {
            let (model, stance) = (&seat.model, seat.stance.as_str());
            return Err(ToolError::invalid(format!(
                "'models' names {model} twice with the stance '{stance}'; each pair may stand once"
            )));
        }
    }
    Ok(seats)
}

/// Too few or too many; where nobody was named, too few can be used.
fn wrong_number(got: usize, chosen: bool) -> ToolError {
    if chosen {
        let why = format!(
            "a consensus needs {FEWEST} models, and {got} can be used now. Set the key of a \
             provider you have, in .env in the home or in the environment, and run `exai-daemon \
             restart` (`listmodels` says which keys are missing); or name the models in 'models'"
        );
        return ToolError::new(Code::Unavailable, why);
    }
    ToolError::invalid(format!(
        "'models' must be {FEWEST} to {MOST} models; {got} are named (listmodels lists all)"
    ))
}

/// `{"model":…,"stance":…}`, or a model's name alone.
fn seat(at: usize, value: &Value) -> Result<Seat, ToolError> {
    let wrong = |what: &str| ToolError::invalid(format!("'models[{at}]' {what}"));
    let field = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.trim()),
        Some(_) => Err(wrong(&format!("has a '{name}' that is no string"))),
    };
    let max_output = match value.get("max_output") {
        None | Some(Value::Null) => None,
        Some(most) => Some(
            most.as_u64()
                .filter(|most| (1..=10_000_000).contains(most))
                .ok_or_else(|| {
                    wrong("has a 'max_output' that is no whole number from 1 to 10000000")
                })?,
        ),
    };
    let (model, stance, own) = match value {
        Value::String(model) => (model.trim(), "", ""),
        Value::Object(_) => (field("model")?, field("stance")?, field("stance_prompt")?),
        _ => return Err(wrong("must be a model's name, or an object with 'model'")),
    };
    if model.is_empty() {
        return Err(wrong("names no model"));
    }
    let stance = match stance.to_lowercase().as_str() {
        "" | "neutral" => Stance::Neutral,
        "for" | "support" => Stance::For,
        "against" | "oppose" => Stance::Against,
        other => {
            return Err(wrong(&format!(
                "has the stance '{other}'; write for, against or neutral"
            )));
        }
    };
    Ok(Seat {
        model: model.to_owned(),
        stance,
        stance_prompt: Some(own.to_owned()).filter(|own| !own.is_empty()),
        max_output,
    })
}

/// The first of each endpoint that can be used now, then more of theirs: what differs most.
fn chosen(listing: &Listing) -> Vec<Seat> {
    let ready = || {
        listing
            .models
            .iter()
            .filter(|row| row.ready && row.described)
    };
    let mut endpoints = BTreeSet::new();
    let firsts = ready().filter(|row| endpoints.insert(row.endpoint.clone()));
    let mut names: Vec<String> = Vec::new();
    for row in firsts.collect::<Vec<_>>().into_iter().chain(ready()) {
        let name = format!("{}@{}", row.id, row.endpoint);
        if names.len() < DEFAULT && !names.contains(&name) {
            names.push(name);
        }
    }
    let seat = |model| Seat {
        model,
        stance: Stance::Neutral,
        stance_prompt: None,
        max_output: None,
    };
    names.into_iter().map(seat).collect()
}
