//! Tools that whoever runs the daemon writes himself: `config/tools/*.toml` in the home, a file a
//! tool, with prompts beside them and personas in `config/roles/*.md`. Read whole, with every
//! fault by file, line and field, so that a set can be taken or left.

use crate::{Home, file::read_settings};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fmt, fs,
    path::{Component, Path, PathBuf},
    time::SystemTime,
};

/// Larger files are none of ours.
const MOST_BYTES: u64 = 256 * 1024;
/// Tools of one home.
const MOST_TOOLS: usize = 64;

/// One tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Below the home.
    pub file: String,
    /// What it is called.
    pub name: String,
    /// For people.
    pub title: String,
    /// What a model reads to decide whether to call it.
    pub description: String,
    /// The JSON schema of its own fields.
    pub input: Value,
    /// What is asked; `{{field}}` stands for a field.
    pub prompt: String,
    /// Who the model is told to be.
    pub persona: Option<String>,
    /// Which model; none leaves the choice to the daemon.
    pub model: Option<String>,
    /// What the choice goes by: `fast`, `balanced`, `deep` or `vision`.
    pub category: String,
    /// How hard to think.
    pub effort: Option<String>,
    /// Whether files may go along.
    pub files: Files,
    /// What is to be done before the model is asked; none: it is asked at once.
    pub steps: Vec<String>,
}

/// Whether files go along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Files {
    /// Never.
    None,
    /// Where the caller names some.
    #[default]
    Optional,
    /// Always.
    Required,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Below the home.
    pub file: String,
    /// Where in it, counted from one.
    pub line: Option<usize>,
    /// What and why, beginning with the field.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, why } = self;
        match line {
            Some(line) => write!(f, "{file}:{line}: {why}"),
            None => write!(f, "{file}: {why}"),
        }
    }
}

/// The tools of a home and what is wrong with its files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Those that can be used, by name.
    pub tools: Vec<Definition>,
    /// Those that cannot.
    pub faults: Vec<Fault>,
}

/// As written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    title: Option<String>,
    description: String,
    input: Option<toml::Table>,
    prompt: Option<String>,
    prompt_file: Option<String>,
    persona: Option<String>,
    model: Option<String>,
    category: Option<String>,
    effort: Option<String>,
    #[serde(default)]
    files: Files,
    #[serde(default)]
    steps: Vec<String>,
}

/// Reads them all.
#[must_use]
pub fn read(home: &Home) -> Found {
    let mut found = Found::default();
    for path in files(&folder(home)) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let file = format!("config/tools/{name}");
        let fault = |(line, why)| Fault {
            file: file.clone(),
            line,
            why,
        };
        match one(home, &path).map_err(fault) {
            Err(fault) => found.faults.push(fault),
            Ok(tool) if found.tools.iter().any(|known| known.name == tool.name) => {
                let why = format!("'name': another file has a tool '{}' already", tool.name);
                found.faults.push(fault((None, why)));
            }
            Ok(_) if found.tools.len() == MOST_TOOLS => {
                found
                    .faults
                    .push(fault((None, format!("more than {MOST_TOOLS} tools"))));
            }
            Ok(tool) => found.tools.push(Definition {
                file: file.clone(),
                ..tool
            }),
        }
    }
    found.tools.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// What tells that a file changed: all there are, with their times and sizes.
#[must_use]
pub fn stamp(home: &Home) -> Vec<(PathBuf, Option<SystemTime>, u64)> {
    let folders = [folder(home), roles(home)];
    let entries = folders.iter().flat_map(|folder| entries(folder));
    entries
        .filter_map(|path| {
            let about = fs::metadata(&path).ok()?;
            Some((path, about.modified().ok(), about.len()))
        })
        .collect()
}

/// The owner's own words for answers in a language: `config/roles/language-LOCALE.md`.
///
/// # Errors
/// The name is no locale's, or the file cannot be read.
pub fn language(home: &Home, locale: &str) -> Result<Option<String>, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if locale.is_empty() || locale.len() > 35 || !locale.chars().all(plain) {
        return Err(format!(
            "'answers.locale': '{locale}' is no locale, such as de-DE"
        ));
    }
    let file = roles(home).join(format!("language-{locale}.md"));
    read_settings(&file, MOST_BYTES).map_err(|error| format!("{}: {error}", file.display()))
}

fn folder(home: &Home) -> PathBuf {
    home.root().join("config").join("tools")
}

fn roles(home: &Home) -> PathBuf {
    home.root().join("config").join("roles")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let is_toml = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "toml");
    entries(folder).into_iter().filter(is_toml).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// A line, where it is known, and what is wrong.
type Wrong = (Option<usize>, String);

fn one(home: &Home, path: &Path) -> Result<Definition, Wrong> {
    let text = text_of(path).map_err(|why| (None, why))?;
    let written: Written = toml::from_str(&text).map_err(|error| {
        let line = error.span().map(|span| line_at(&text, span.start));
        (line, error.message().to_owned())
    })?;
    let at = |field: &str, why: &str| (line_of(&text, field), format!("'{field}': {why}"));
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = written.name.unwrap_or_else(|| stem.into_owned());
    if !is_name(&name) {
        let why = "it must begin with a letter and hold only a-z, 0-9 and _, at most 40";
        return Err(at("name", why));
    }
    if written.description.trim().is_empty() || written.description.len() > 1000 {
        return Err(at("description", "it must hold 1 to 1000 bytes"));
    }
    let prompt = match (written.prompt, written.prompt_file) {
        (Some(prompt), None) => prompt,
        (None, Some(file)) => {
            beside(&folder(home), &file).map_err(|why| at("prompt_file", &why))?
        }
        _ => {
            return Err(at(
                "prompt",
                "there must be either 'prompt' or 'prompt_file'",
            ));
        }
    };
    if prompt.trim().is_empty() {
        return Err(at("prompt", "it is empty"));
    }
    let persona = written.persona.map(|persona| {
        beside(&roles(home), &format!("{persona}.md")).map_err(|why| at("persona", &why))
    });
    let input = schema(written.input).map_err(|why| at("input", &why))?;
    for field in placeholders(&prompt) {
        if input["properties"].get(field).is_none() {
            let why = format!("it names {{{{{field}}}}}, and 'input' has no such field");
            return Err(at("prompt", &why));
        }
    }
    let category = written.category.unwrap_or_else(|| "balanced".to_owned());
    if !["fast", "balanced", "deep", "vision"].contains(&category.as_str()) {
        return Err(at("category", "it must be fast, balanced, deep or vision"));
    }
    let efforts = ["off", "minimal", "low", "medium", "high", "max"];
    if let Some(effort) = &written.effort
        && !efforts.contains(&effort.as_str())
    {
        return Err(at(
            "effort",
            "it must be off, minimal, low, medium, high or max",
        ));
    }
    Ok(Definition {
        file: String::new(),
        title: written.title.unwrap_or_else(|| name.clone()),
        name,
        description: written.description,
        input,
        prompt,
        persona: persona.transpose()?,
        model: written.model.filter(|model| !model.is_empty()),
        category,
        effort: written.effort,
        files: written.files,
        steps: written.steps,
    })
}

fn text_of(path: &Path) -> Result<String, String> {
    match read_settings(path, MOST_BYTES) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err("there is no such file".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A file of that folder, and no other.
fn beside(folder: &Path, name: &str) -> Result<String, String> {
    let path = Path::new(name);
    if !path
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(format!("'{name}' leads out of {}", folder.display()));
    }
    text_of(&folder.join(path)).map_err(|why| format!("{}: {why}", folder.join(path).display()))
}

/// One text field, where nothing else is written.
fn schema(written: Option<toml::Table>) -> Result<Value, String> {
    let Some(written) = written else {
        return Ok(json!({
            "type": "object", "required": ["prompt"],
            "properties": { "prompt": { "type": "string" } },
        }));
    };
    let mut schema = serde_json::to_value(written).map_err(|error| error.to_string())?;
    schema["type"] = json!("object");
    let Some(properties) = schema["properties"].as_object() else {
        return Err("there must be [input.properties.NAME] for each field".to_owned());
    };
    if let Some((name, _)) = properties.iter().find(|(_, field)| !field.is_object()) {
        return Err(format!("the field '{name}' must be a table"));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        let known = required
            .as_str()
            .is_some_and(|name| properties.contains_key(name));
        if !known {
            return Err(format!("'required' names {required}, which is no field"));
        }
    }
    Ok(schema)
}

/// The fields a prompt names.
pub fn placeholders(prompt: &str) -> impl Iterator<Item = &str> {
    prompt.split("{{").skip(1).filter_map(|rest| {
        let (field, _) = rest.split_once("}}")?;
        Some(field.trim())
    })
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(plain)
}

fn line_at(text: &str, byte: usize) -> usize {
    text.get(..byte).unwrap_or(text).matches('\n').count() + 1
}

fn line_of(text: &str, field: &str) -> Option<usize> {
    let names = |line: &str| {
        let line = line.trim_start().trim_start_matches('[');
        line.strip_prefix(field)
            .is_some_and(|rest| rest.trim_start().starts_with(['=', ']', '.']))
    };
    text.lines().position(names).map(|at| at + 1)
}

#[cfg(test)]
mod tests;
