//! Tools that whoever runs the daemon wrote himself: a prompt, its fields, who is asked and what
//! has to be done first. They take the road of all tools that ask models: conversations, files
//! by the same rules, budgets, one record.

mod fields;
mod steps;
#[cfg(test)]
mod tests;

use crate::{
    Ports,
    args::Args,
    attempt::Attempt,
    chat::{
        self,
        report::{self, Beside},
    },
    kind,
    request::{self, Asked},
    wish,
    workflow::WrittenTool,
};
use exai_engine::{
    ports::{
        models::{Category, Effort, Wish},
        threads::{Open, Said},
    },
    tool::{Tool, ToolCall, ToolError, ToolOutput, ToolSpec},
};
use exai_protocol::{
    RawValue,
    tool::{Annotations, ToolEntry},
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// One tool, as its owner wrote it.
#[derive(Debug, Clone)]
pub struct Definition {
    /// What it is called.
    pub name: String,
    /// For people.
    pub title: String,
    /// What a model reads to decide whether to call it.
    pub description: String,
    /// The JSON schema of its own fields; an object.
    pub input: Value,
    /// What is asked; `{{field}}` stands for a field.
    pub prompt: String,
    /// Who the model is told to be.
    pub persona: Option<String>,
    /// Which model; none leaves the choice to the daemon.
    pub model: Option<String>,
    /// `fast`, `balanced`, `deep` or `vision`.
    pub category: String,
    /// How hard to think.
    pub effort: Option<String>,
    /// Whether files may go along, and whether some must.
    pub files: Files,
    /// What is to be done before the model is asked; none: it is asked at once.
    pub steps: Vec<String>,
}

/// Whether files go along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Never.
    None,
    /// Where the caller names some.
    Optional,
    /// Always.
    Required,
}

/// What its runs need.
struct Own {
    definition: Definition,
    name: &'static str,
    category: Category,
    effort: Option<Effort>,
    steps: Option<WrittenTool>,
    ports: Ports,
}

/// The tool of a definition.
///
/// # Errors
/// What is wrong with it, beginning with the field.
pub fn tool(definition: Definition, ports: &Ports) -> Result<Arc<dyn Tool>, String> {
    let effort = definition.effort.as_deref().map(str::parse).transpose();
    let effort = effort.map_err(|error| format!("'effort': {error}"))?;
    let category = match definition.category.as_str() {
        "fast" => Category::Fast,
        "balanced" => Category::Balanced,
        "deep" => Category::Deep,
        "vision" => Category::Vision,
        other => return Err(format!("'category': there is no '{other}'")),
    };
    let name = interned(&definition.name);
    let own = Own {
        name,
        category,
        effort,
        steps: steps::of(&definition, name, (category, effort)),
        ports: ports.clone(),
        definition,
    };
    let (spec, own) = (spec(&own.definition)?, Arc::new(own));
    Ok(kind::with(spec, own, async move |own, call| {
        answer(&own, &call).await
    }))
}

/// Names are kept for good, each once: conversations and records hold them as the tools of this
/// house do. They are as many as people write into files.
fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    kept
}

fn spec(definition: &Definition) -> Result<ToolSpec, String> {
    let schema = fields::schema(definition)?;
    let raw =
        RawValue::from_string(schema.to_string()).map_err(|error| format!("'input': {error}"))?;
    let mut spec = ToolSpec::new(ToolEntry {
        name: definition.name.clone(),
        description: definition.description.clone(),
        input_schema: raw,
        title: Some(definition.title.clone()),
        // It asks somebody outside, who is paid each time.
        annotations: Some(Annotations {
            read_only_hint: Some(false),
            destructive_hint: Some(false),
            idempotent_hint: Some(false),
            open_world_hint: Some(true),
        }),
        meta: None,
    });
    spec.waits = true;
    Ok(spec)
}

async fn answer(own: &Own, call: &ToolCall) -> Result<ToolOutput, ToolError> {
    let args = Args::of(call)?;
    let given = fields::given(&own.definition, call)?;
    if let Some(steps) = &own.steps {
        args.know(&fields::names(&own.definition));
        return steps::take(own, steps, call, args, given).await;
    }
    let files = match own.definition.files {
        Files::None => Vec::new(),
        _ => args.texts("files")?,
    };
    if own.definition.files == Files::Required && files.is_empty() {
        return Err(ToolError::invalid(
            "'files' is missing; this tool is about files: name at least one",
        ));
    }
    let mut wish = wish(own, &args)?;
    let prompt = fields::filled(&own.definition, &given);
    let id = args.text("continuation_id")?.map(str::trim);
    let threads = &*own.ports.threads;
    let open = threads.open(call, id.filter(|id| !id.is_empty())).await?;
    ask(own, call, &open, (&prompt, files), &mut wish).await
}

/// The owner's choice; the caller's where the owner made none.
fn wish(own: &Own, args: &Args) -> Result<Wish, ToolError> {
    let mut wish = wish::of(args, own.name)?;
    wish::or_of_file(&mut wish, own.definition.model.as_deref());
    wish.chat.effort = wish.chat.effort.or(own.effort);
    wish.category = own.category;
    Ok(wish)
}

async fn ask(
    own: &Own,
    call: &ToolCall,
    open: &Open,
    (prompt, files): (&str, Vec<String>),
    wish: &mut Wish,
) -> Result<ToolOutput, ToolError> {
    let (models, threads) = (&*own.ports.models, &*own.ports.threads);
    let asked = Asked {
        tool: own.name,
        system: own.definition.persona.as_deref(),
        prompt,
        files,
        images: Vec::new(),
        turns: Arc::clone(&open.turns),
        stands_alone: false,
    };
    let prepared = request::prepare(asked, call, (models, open), wish).await?;
    let attempt = Attempt::new(own.name, threads, open);
    let answered = models.ask(call, wish.clone()).await;
    let answer = match answered.and_then(report::with_text) {
        Ok(answer) => answer,
        Err(error) => {
            attempt.failed(&error);
            return Err(error);
        }
    };
    attempt.answered();
    let said = Said {
        question: prompt.to_owned(),
        ..prepared.said
    };
    let kept = chat::keep(threads, open, said, &answer).await;
    let beside = Beside {
        files: &prepared.entries,
        notes: &prepared.notes,
        kept: &kept,
        ..Beside::default()
    };
    report::output(&answer, &beside)
}
