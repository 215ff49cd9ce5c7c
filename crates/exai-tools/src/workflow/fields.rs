//! The fields of a call. One table says how a field is read, what its schema is and what is
//! remembered of it, so that the three cannot differ.

use super::kind::Kind;
use crate::args::Args;
use exai_engine::tool::ToolError;
use serde_json::{Map, Value, json};

/// Longest text of one field, in bytes.
pub(super) const MOST_TEXT: usize = 400_000;
/// Most entries of one list.
pub(super) const MOST_ENTRIES: usize = 500;

/// A field of a tool's own.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) form: Form,
    /// Stands in the schema.
    pub(super) listed: bool,
    /// Is about one step alone, and nothing that later ones go on from.
    pub(super) passing: bool,
}

impl Field {
    /// One that stands in the schema.
    pub(super) const fn listed(name: &'static str, form: Form) -> Self {
        Self {
            name,
            form,
            listed: true,
            passing: false,
        }
    }

    /// One that is understood.
    pub(super) const fn known(name: &'static str, form: Form) -> Self {
        Self {
            name,
            form,
            listed: false,
            passing: false,
        }
    }

    /// One that says where a step belongs.
    pub(super) const fn passing(name: &'static str, form: Form, listed: bool) -> Self {
        Self {
            name,
            form,
            listed,
            passing: true,
        }
    }
}

/// What it holds.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Text,
    Texts,
    Flag,
    Count,
    Choice(&'static [&'static str]),
}

impl Form {
    fn schema(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Count => json!({ "type": "integer" }),
            Self::Choice(words) => json!({ "type": "string", "enum": words }),
        }
    }

    /// As it is remembered; nothing where nothing was sent.
    fn read(self, args: &Args, name: &'static str) -> Result<Option<Value>, ToolError> {
        if !args.has(name) {
            return Ok(None);
        }
        Ok(Some(match self {
            Self::Text => match text(args, name)? {
                Some(text) => json!(text),
                None => return Ok(None),
            },
            Self::Texts => json!(texts(args, name)?),
            Self::Flag => json!(args.flag(name, false)?),
            Self::Count => json!(args.number(name, 0, 0..=1_000_000)?),
            Self::Choice(words) => json!(args.choice(name, words, words[0])?),
        }))
    }
}

/// The tool's own fields of a call, as far as they were sent.
pub(super) fn own(kind: &Kind, args: &Args) -> Result<Map<String, Value>, ToolError> {
    let mut own = Map::new();
    for field in kind.fields.iter().filter(|field| !field.passing) {
        if let Some(value) = field.form.read(args, field.name)? {
            own.insert(field.name.to_owned(), value);
        }
    }
    Ok(own)
}

/// How a model is to be asked. It holds for the whole investigation, wherever it was said; a
/// later step's word counts more.
const WISHES: &[&str] = &[
    "model",
    "effort",
    "temperature",
    "max_output",
    "use_websearch",
    "use_assistant_model",
];
/// The predecessor's word for one of them.
const EFFORT: (&str, &str) = ("effort", "thinking_mode");

/// What this step says of that.
pub(super) fn wishes(kind: &Kind, args: &Args) -> Map<String, Value> {
    if kind.expert.is_none() {
        return Map::new();
    }
    let mut wishes = args.sent_of(WISHES);
    if let Some(effort) = args.sent_of(&[EFFORT.1]).remove(EFFORT.1) {
        wishes.entry(EFFORT.0).or_insert(effort);
    }
    wishes
}

/// A text within the limit; an empty one counts as not sent.
pub(super) fn text(args: &Args, name: &'static str) -> Result<Option<String>, ToolError> {
    let Some(text) = args.text(name)?.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    if text.len() > MOST_TEXT {
        return Err(ToolError::invalid(format!(
            "'{name}' has {} bytes, and at most {MOST_TEXT} are kept; put long material into a \
             file and name it in 'relevant_files'",
            text.len()
        )));
    }
    Ok(Some(text.to_owned()))
}

/// A list within the limit, each entry once.
pub(super) fn texts(args: &Args, name: &'static str) -> Result<Vec<String>, ToolError> {
    let mut kept: Vec<String> = Vec::new();
    for text in args.texts(name)? {
        if !text.trim().is_empty() && !kept.contains(&text) {
            kept.push(text);
        }
    }
    few(name, kept.len())?;
    Ok(kept)
}

pub(super) fn few(name: &str, count: usize) -> Result<(), ToolError> {
    if count > MOST_ENTRIES {
        return Err(ToolError::invalid(format!(
            "'{name}' has {count} entries, and at most {MOST_ENTRIES} are kept"
        )));
    }
    Ok(())
}

/// Every entry is read by models that pay for it: the fields every step is made of, and those of
/// its own that are worth their price. All others are understood as well, and named where they
/// are of use, in `required_actions` and `next_call`.
pub(super) fn schema(kind: &Kind) -> String {
    let mut fields = Map::new();
    let mut field = |name: &str, form: Form| {
        fields.insert(name.to_owned(), form.schema());
    };
    field("step", Form::Text);
    field("step_number", Form::Count);
    field("next_step_required", Form::Flag);
    field("findings", Form::Text);
    field("continuation_id", Form::Text);
    if kind.expert.is_some() {
        field("relevant_files", Form::Texts);
        field("confidence", Form::Text);
        field("model", Form::Text);
    }
    for own in kind.fields.iter().filter(|own| own.listed) {
        field(own.name, own.form);
    }
    json!({ "type": "object", "required": ["step"], "properties": fields }).to_string()
}
