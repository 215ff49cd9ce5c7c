//! From arguments to a wish.

use crate::args::Args;
use exai_engine::{
    ports::models::{Category, ChatRequest, Effort, ModelRow, Models, Pin, WebSearch, Wish},
    tool::ToolError,
};

/// What a model takes where nobody knows.
const CONTEXT: u64 = 160_000;
/// The predecessor's word for [`Effort`].
const THINKING: &str = "thinking_mode";

/// Everything but the words to be said.
pub(crate) fn of(args: &Args, tool: &str) -> Result<Wish, ToolError> {
    let effort = effort(args)?;
    let search = args.flag("use_websearch", false)?;
    Ok(Wish {
        tool: tool.into(),
        model: model(args)?,
        category: match effort {
            Some(Effort::High | Effort::Max) => Category::Deep,
            _ => Category::Balanced,
        },
        chat: ChatRequest {
            effort,
            temperature: args.decimal("temperature", 0.0..=2.0)?,
            max_output: args.number("max_output", 0, 1..=10_000_000)?,
            search: search.then(WebSearch::default),
            ..ChatRequest::default()
        },
        confirmed: args.flag("confirm_cost", false)?,
        ..Wish::default()
    })
}

/// `None` and `auto` leave the choice to the daemon; so do empty words, which models send.
fn model(args: &Args) -> Result<Option<String>, ToolError> {
    let named = args.text("model")?.map(str::trim);
    Ok(named.filter(|name| !name.is_empty()).map(str::to_owned))
}

/// The model that a tool's own file names, where its caller names none.
pub(crate) fn or_of_file(wish: &mut Wish, model: Option<&str>) {
    let open = wish.model.as_deref().is_none_or(str::is_empty);
    if let Some(model) = model.filter(|_| open) {
        wish.model = Some(model.to_owned());
        wish.chosen = Some("named in the tool's own file".to_owned());
    }
}

fn effort(args: &Args) -> Result<Option<Effort>, ToolError> {
    let word = |field| -> Result<Option<Effort>, ToolError> {
        match args.text(field)?.filter(|word| !word.is_empty()) {
            None => Ok(None),
            Some(word) => word
                .parse()
                .map(Some)
                .map_err(|error| ToolError::invalid(format!("'{field}': {error}"))),
        }
    };
    Ok(word("effort")?.or(word(THINKING)?))
}

/// Tokens the model that will be asked takes: the named one, else the conversation's.
pub(crate) fn context(models: &dyn Models, named: Option<&str>, pin: Option<&Pin>) -> u64 {
    let listing = models.listing();
    let means = |known: &str, name: &str| known.eq_ignore_ascii_case(name);
    let named = named.filter(|name| !name.eq_ignore_ascii_case("auto"));
    let called = |model: &ModelRow, name: &str| {
        means(&model.id, name) || model.aliases.iter().any(|alias| means(alias, name))
    };
    let there = |model: &ModelRow, name: &str| {
        let (id, endpoint) = name.rsplit_once('@').unwrap_or((name, ""));
        means(&model.endpoint, endpoint) && called(model, id)
    };
    let fits = |model: &&ModelRow| match (named, pin) {
        (Some(name), _) => called(model, name) || there(model, name),
        (None, Some(pin)) => model.id == pin.model && model.endpoint == pin.endpoint,
        (None, None) => false,
    };
    let models = listing.models.iter().filter(fits);
    models
        .filter_map(|model| model.context)
        .min()
        .unwrap_or(CONTEXT)
}
