//! From words on a command line to a JSON object. The tool's schema decides what a word is:
//! `--arg port=80` is a number where a number is wanted, and a text where a text is.

use crate::{cli::Call, exit, output};
use anyhow::{Context, Result};
use exai_protocol::names::closest;
use serde_json::{Map, Value};
use std::io::Read as _;

/// Larger input is a mistake: no frame carries it.
const MOST: u64 = 64 << 20;

/// What a person gave, before the schema is known.
pub(super) struct Given {
    whole: Option<String>,
    single: Vec<(String, String)>,
}

/// Reads everything that can be read before the daemon is asked.
pub(super) fn given(options: &Call) -> Result<Given> {
    let whole = match options.json.as_deref() {
        Some("-") => Some(bounded(std::io::stdin().lock()).context("cannot read standard input")?),
        Some(text) => match text.strip_prefix('@') {
            Some(path) => {
                let file =
                    std::fs::File::open(path).with_context(|| format!("cannot open {path}"))?;
                Some(bounded(file).with_context(|| format!("cannot read {path}"))?)
            }
            None => Some(text.to_owned()),
        },
        None => None,
    };
    Ok(Given {
        whole,
        single: options.args.clone(),
    })
}

fn bounded(from: impl std::io::Read) -> Result<String> {
    let mut text = String::new();
    from.take(MOST).read_to_string(&mut text)?;
    Ok(text)
}

impl Given {
    /// The arguments as JSON. A whole object without further words stays what it was, byte for
    /// byte.
    pub(super) fn shaped(self, schema: Option<&str>) -> Result<String> {
        let bad = |why: String| exit::USAGE.because(why);
        let whole = self.whole.unwrap_or_else(|| "{}".to_owned());
        let mut object: Map<String, Value> = serde_json::from_str(&whole)
            .map_err(|error| bad(format!("--json is no JSON object: {error}")))?;
        if self.single.is_empty() {
            return Ok(whole.trim().to_owned());
        }
        let schema: Value = schema
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        for (name, word) in self.single {
            point_out(&schema, &name);
            let value = typed(&word, wanted(&schema, &name))
                .map_err(|wanted| bad(format!("--arg {name}: `{word}` is no {wanted}")))?;
            object.insert(name, value);
        }
        Ok(Value::Object(object).to_string())
    }
}

/// A misspelt argument would be ignored by the tool, and its effect looked for in vain.
fn point_out(schema: &Value, name: &str) {
    let Some(known) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let open = |more: &Value| *more != Value::Bool(false);
    if known.contains_key(name) || schema.get("additionalProperties").is_some_and(open) {
        return;
    }
    let meant = match closest(name, known.keys().map(String::as_str)).first() {
        Some(meant) => format!("; did you mean {meant}?"),
        None => String::new(),
    };
    output::warning(format!("the tool has no argument {name}{meant}"));
}

/// The types a schema allows for a property.
fn wanted<'s>(schema: &'s Value, name: &str) -> Vec<&'s str> {
    match schema
        .pointer("/properties")
        .and_then(|all| all.get(name))
        .and_then(|one| one.get("type"))
    {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn typed(word: &str, wanted: Vec<&str>) -> Result<Value, String> {
    let parsed = serde_json::from_str::<Value>(word).ok();
    if wanted.is_empty() {
        return Ok(parsed.unwrap_or_else(|| Value::from(word)));
    }
    let fits = |value: &Value| {
        wanted.iter().any(|wanted| match *wanted {
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "null" => value.is_null(),
            _ => false,
        })
    };
    match parsed.filter(fits) {
        Some(value) => Ok(value),
        None if wanted.contains(&"string") => Ok(Value::from(word)),
        // One word for a list of words.
        None if wanted.contains(&"array") => Ok(word.split(',').map(str::trim).collect()),
        None => Err(wanted.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"properties":{"ms":{"type":"integer"},"text":{"type":"string"},
        "on":{"type":"boolean"},"names":{"type":"array"},"maybe":{"type":["integer","null"]}}}"#;

    fn shaped(whole: Option<&str>, words: &[(&str, &str)]) -> Result<String> {
        let single = words
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Given {
            whole: whole.map(str::to_owned),
            single,
        }
        .shaped(Some(SCHEMA))
    }

    #[test]
    fn the_schema_decides_what_a_word_is() {
        for (name, word, json) in [
            ("ms", "500", r#"{"ms":500}"#),
            ("text", "500", r#"{"text":"500"}"#),
            ("text", "a=b c", r#"{"text":"a=b c"}"#),
            ("on", "true", r#"{"on":true}"#),
            ("names", "a, b", r#"{"names":["a","b"]}"#),
            ("names", r#"["x"]"#, r#"{"names":["x"]}"#),
            ("maybe", "null", r#"{"maybe":null}"#),
            ("unknown", "7", r#"{"unknown":7}"#),
            ("unknown", "seven", r#"{"unknown":"seven"}"#),
        ] {
            assert_eq!(shaped(None, &[(name, word)]).unwrap(), json);
        }
    }

    #[test]
    fn a_word_that_cannot_fit_is_named() {
        let error = shaped(None, &[("ms", "soon")]).unwrap_err();
        assert_eq!(exit::code_of(&error), exit::USAGE);
        assert_eq!(error.to_string(), "--arg ms: `soon` is no integer");
    }

    #[test]
    fn a_whole_object_is_kept_and_words_go_on_top() {
        assert_eq!(
            shaped(Some(r#" {"b": 1.00} "#), &[]).unwrap(),
            r#"{"b": 1.00}"#
        );
        assert_eq!(
            shaped(Some(r#"{"ms":1}"#), &[("ms", "2")]).unwrap(),
            r#"{"ms":2}"#
        );
        for broken in ["[]", "{", "1", ""] {
            assert!(shaped(Some(broken), &[]).is_err(), "{broken}");
        }
    }
}
