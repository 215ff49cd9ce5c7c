//! What of a wish can be done at a target, decided once for all dialects. Parameters a model
//! is not known to take are left out and said to be left out; what cannot be left out without
//! asking something else is refused before anything is sent.

use super::{Dialect, Quirks, Replay, SchemaStyle, SearchStyle, Target, ToolChoiceStyle, effort};
use crate::{
    chat::{
        Applied, ChatRequest, Effort, Image, Message, Part, Recency, Shape, TemperatureRule,
        ThinkingStyle, ToolChoice,
    },
    fault::Fault,
};

/// The decisions.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) max_output: u64,
    pub(super) temperature: Option<f64>,
    pub(super) thinking: ThinkingStyle,
    /// The provider's word.
    pub(super) effort: Option<String>,
    pub(super) search: bool,
    pub(super) choice: ToolChoice,
    pub(super) schema: SchemaStyle,
    /// Goes after the instructions: the schema, where nobody enforces it.
    pub(super) postscript: Option<String>,
    pub(super) applied: Applied,
}

impl Plan {
    /// Whether the model was told to think.
    pub(super) fn thinks(&self) -> bool {
        self.effort
            .as_deref()
            .is_some_and(|word| !effort::is_off(word))
    }
}

pub(super) fn make(target: &Target<'_>, request: &ChatRequest) -> Result<Plan, Fault> {
    refuse(target, request)?;
    let mut applied = Applied {
        model: request.model.clone(),
        ..Applied::default()
    };
    let max_output = max_output(target, request, &mut applied);
    let search = search(target, request, &mut applied);
    let thinking = target
        .traits
        .thinking_style
        .unwrap_or(target.quirks.thinking);
    let effort = effort_word(target, request, thinking, search, &mut applied);
    let temperature = temperature(target, request, &mut applied);
    let choice = choice(target, request, &mut applied);
    let (schema, postscript) = shape(target, request, &mut applied);
    applied.max_output = max_output;
    applied.search = search;
    applied.effort.clone_from(&effort);
    applied.temperature = temperature;
    Ok(Plan {
        max_output,
        temperature,
        thinking,
        effort,
        search,
        choice,
        schema,
        postscript,
        applied,
    })
}

/// What would change the question if it were left out.
fn refuse(target: &Target<'_>, request: &ChatRequest) -> Result<(), Fault> {
    if request.messages.is_empty() {
        return Err(Fault::unsupported("the request has no messages"));
    }
    if !request.tools.is_empty() && target.traits.tools == Some(false) {
        return Err(Fault::unsupported("the model cannot call tools"));
    }
    if let ToolChoice::Named(name) = &request.tool_choice
        && request.tools.iter().all(|tool| tool.name != *name)
    {
        let what = format!("the tool '{name}' must be called but is not offered");
        return Err(Fault::unsupported(what));
    }
    for image in images(&request.messages) {
        if target.traits.vision == Some(false) {
            return Err(Fault::unsupported("the model does not see images"));
        }
        if matches!(image, Image::Url(_)) && !target.quirks.image_urls {
            let what = "the endpoint fetches no images; send the image's bytes";
            return Err(Fault::unsupported(what));
        }
    }
    Ok(())
}

fn images(messages: &[Message]) -> impl Iterator<Item = &Image> {
    messages
        .iter()
        .flat_map(|message| match message {
            Message::User(parts) => parts.as_slice(),
            _ => &[],
        })
        .filter_map(|part| match part {
            Part::Image(image) => Some(image),
            Part::Text(_) => None,
        })
}

fn max_output(target: &Target<'_>, request: &ChatRequest, applied: &mut Applied) -> u64 {
    let wish = request.max_output.max(1);
    match target.traits.output {
        Some(most) if wish > most => {
            applied.change("max_output", wish, most, "the model writes no more");
            most
        }
        _ => wish,
    }
}

fn search(target: &Target<'_>, request: &ChatRequest, applied: &mut Applied) -> bool {
    if request.search.is_none() {
        return false;
    }
    let why = if target.quirks.search == SearchStyle::None {
        "the endpoint has no web search"
    } else if target.traits.search == Some(false) {
        "the model cannot search the web"
    } else if target.quirks.search_excludes_tools && !request.tools.is_empty() {
        "the provider does not search the web beside other tools"
    } else {
        unheard(target, request, applied);
        return true;
    };
    applied.change("web_search", true, false, why);
    false
}

/// What of a search's wishes this endpoint has no words for.
fn unheard(target: &Target<'_>, request: &ChatRequest, applied: &mut Applied) {
    let Some(wish) = &request.search else { return };
    let (count, recency, domains) = match (target.quirks.search, target.dialect) {
        (SearchStyle::Glm, _) => (true, true, wish.domains.len() == 1),
        (SearchStyle::OpenrouterPlugin, _) => (true, false, true),
        (SearchStyle::Builtin, Dialect::OpenaiResponses | Dialect::Anthropic) => {
            (false, false, true)
        }
        _ => (false, false, false),
    };
    let why = "the endpoint's search has no such setting";
    if let Some(wished) = wish.count.filter(|_| !count) {
        applied.change("web_search.count", wished, "not sent", why);
    }
    if wish.recency != Recency::Any && !recency {
        let wished = format!("{:?}", wish.recency).to_lowercase();
        applied.change("web_search.recency", wished, "not sent", why);
    }
    if !wish.domains.is_empty() && !domains {
        applied.change(
            "web_search.domains",
            wish.domains.join(", "),
            "not sent",
            why,
        );
    }
}

fn effort_word(
    target: &Target<'_>,
    request: &ChatRequest,
    style: ThinkingStyle,
    search: bool,
    applied: &mut Applied,
) -> Option<String> {
    let Quirks {
        efforts,
        search_excludes_thinking,
        ..
    } = target.quirks;
    let words = target.traits.efforts.as_ref().unwrap_or(efforts);
    let knows = target.traits.thinking == Some(true) && style != ThinkingStyle::None;
    let wish = request.effort;
    let barred = search && *search_excludes_thinking && knows;
    if barred && words.iter().any(|word| effort::is_off(word)) {
        let asked = wish.map_or("default", Effort::as_str);
        if wish != Some(Effort::Off) {
            let why = "the provider does not search the web while thinking";
            applied.change("effort", asked, "off", why);
        }
        return effort::choose(Effort::Off, words).map(|(word, _)| word.to_owned());
    }
    let wish = wish?;
    if !knows {
        if wish != Effort::Off {
            let why = "the model is not known to take an effort";
            applied.change("effort", wish.as_str(), "not sent", why);
        }
        return None;
    }
    let Some((word, exact)) = effort::choose(wish, words) else {
        let why = "the endpoint has no effort levels";
        applied.change("effort", wish.as_str(), "not sent", why);
        return None;
    };
    if !exact {
        let why = format!("it takes {}", words.join(", "));
        applied.change("effort", wish.as_str(), word, why);
    }
    Some(word.to_owned())
}

fn temperature(target: &Target<'_>, request: &ChatRequest, applied: &mut Applied) -> Option<f64> {
    let wish = request.temperature?;
    let thinks = target.traits.thinking == Some(true);
    let fixed = thinks && target.quirks.thinkers_fix_temperature;
    if fixed || target.traits.temperature == TemperatureRule::Fixed {
        let why = "the model sets its own temperature";
        applied.change("temperature", wish, "not sent", why);
        return None;
    }
    if !wish.is_finite() {
        applied.change("temperature", wish, "not sent", "it is no number");
        return None;
    }
    let most = target.quirks.temperature_max;
    let fits = wish.clamp(0.0, most);
    if fits != wish {
        let why = format!("the endpoint takes 0 to {most}");
        applied.change("temperature", wish, fits, why);
    }
    Some(fits)
}

fn choice(target: &Target<'_>, request: &ChatRequest, applied: &mut Applied) -> ToolChoice {
    let wish = &request.tool_choice;
    if request.tools.is_empty() {
        return ToolChoice::Auto;
    }
    let only_auto = matches!(
        target.quirks.tool_choice,
        ToolChoiceStyle::AutoOnly | ToolChoiceStyle::Absent
    );
    match wish {
        // Where "never" cannot be said, the tools are not offered.
        ToolChoice::Never | ToolChoice::Auto => wish.clone(),
        ToolChoice::Required | ToolChoice::Named(_) if only_auto => {
            let wish = match wish {
                ToolChoice::Named(name) => name.as_str(),
                _ => "required",
            };
            let why = "the endpoint lets the model decide";
            applied.change("tool_choice", wish, "auto", why);
            ToolChoice::Auto
        }
        ToolChoice::Required | ToolChoice::Named(_) => wish.clone(),
    }
}

fn shape(
    target: &Target<'_>,
    request: &ChatRequest,
    applied: &mut Applied,
) -> (SchemaStyle, Option<String>) {
    let style = target.quirks.schema;
    let word = match style {
        SchemaStyle::JsonSchema => "json_schema",
        SchemaStyle::JsonObject => "json_object",
        SchemaStyle::Prompt => "prompt",
    };
    match &request.shape {
        Shape::Text => (style, None),
        Shape::Json => {
            // Anthropic enforces schemas, but has no word for "some JSON".
            let asked = style == SchemaStyle::Prompt || target.dialect == Dialect::Anthropic;
            let sent = if asked { "prompt" } else { "json_object" };
            applied.shape = Some(sent.to_owned());
            let ask = "Answer with one JSON object and nothing else.";
            (style, Some(ask.to_owned()))
        }
        Shape::Schema { schema, .. } => {
            applied.shape = Some(word.to_owned());
            if style == SchemaStyle::JsonSchema {
                return (style, None);
            }
            let why = "the endpoint does not enforce schemas; it is told in the instructions";
            applied.change("shape", "json_schema", word, why);
            let ask = format!(
                "Answer with one JSON object and nothing else. It must satisfy this JSON Schema: {schema}"
            );
            (style, Some(ask))
        }
    }
}

/// Whether this turn's thoughts go back: only while tools are being called, that is, with
/// turns after the last thing a user said.
pub(super) fn replays(target: &Target<'_>, messages: &[Message], at: usize) -> bool {
    target.quirks.replay_reasoning == Replay::ToolTurns
        && messages[at..]
            .iter()
            .all(|later| !matches!(later, Message::User(_)))
}

/// The instructions: all system turns that stand before the conversation, and what we add.
pub(super) fn instructions(messages: &[Message], postscript: Option<&str>) -> String {
    let standing = messages.iter().filter_map(|message| match message {
        Message::System(text) => Some(text.as_str()),
        _ => None,
    });
    standing.chain(postscript).collect::<Vec<_>>().join("\n\n")
}
