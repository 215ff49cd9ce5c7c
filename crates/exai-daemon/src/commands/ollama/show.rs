//! Servers, models and memory as tables. What a server did not say is a dash.

use crate::{cli::OllamaAction, output};
use anyhow::{Context as _, Result};
use exai_protocol::event::{OllamaLoaded, OllamaModel, OllamaPull, OllamaStatus};
use serde::de::DeserializeOwned;
use serde_json::Value;

fn read<T: DeserializeOwned>(value: &Value) -> Result<T> {
    serde_json::from_value(value.clone()).context("the daemon's answer cannot be read")
}

pub(super) fn any_reachable(value: &Value) -> bool {
    let mut rows = value.as_array().into_iter().flatten();
    rows.any(|row| row["reachable"] == true)
}

pub(super) fn lines(action: &OllamaAction, value: &Value) -> Result<Vec<String>> {
    Ok(match action {
        OllamaAction::Status => read::<Vec<OllamaStatus>>(value)?
            .iter()
            .map(status)
            .collect(),
        OllamaAction::Models => models(&read::<Vec<OllamaModel>>(value)?),
        OllamaAction::Ps | OllamaAction::Load { .. } | OllamaAction::Unload { .. } => {
            loaded(&read::<Vec<OllamaLoaded>>(value)?)
        }
        OllamaAction::Pull { .. } => {
            let pull: OllamaPull = read(value)?;
            vec![format!(
                "{} is here ({})",
                pull.model,
                size(pull.total.unwrap_or(0))
            )]
        }
        OllamaAction::Show { .. } | OllamaAction::Rm { .. } => shown(value),
    })
}

fn status(status: &OllamaStatus) -> String {
    let (name, url) = (&status.endpoint, &status.url);
    match (&status.version, &status.why) {
        (Some(version), _) => format!("{name}: version {version} at {url}"),
        (None, why) => {
            let why = why.as_deref().unwrap_or("no answer");
            format!("{name}: not reachable at {url}: {why}")
        }
    }
}

fn models(models: &[OllamaModel]) -> Vec<String> {
    if models.is_empty() {
        return vec!["no model is installed; `exai-daemon ollama pull NAME` gets one".to_owned()];
    }
    let head = [
        "model",
        "size",
        "parameters",
        "quantization",
        "digest",
        "changed",
    ];
    let row = |model: &OllamaModel| {
        vec![
            model.name.clone(),
            size(model.size),
            dash(model.parameter_size.as_deref()),
            dash(model.quantization_level.as_deref()),
            model.digest.chars().take(12).collect(),
            model.modified_at.chars().take(10).collect(),
        ]
    };
    table(&head, models.iter().map(row))
}

fn loaded(models: &[OllamaLoaded]) -> Vec<String> {
    if models.is_empty() {
        return vec!["no model is loaded".to_owned()];
    }
    let head = ["model", "memory", "in video memory", "context", "until"];
    let row = |model: &OllamaLoaded| {
        let share = model.gpu_percent.map(|percent| format!("{percent:.0} %"));
        vec![
            model.name.clone(),
            size(model.size),
            share.unwrap_or_else(|| "-".to_owned()),
            model
                .context_length
                .map_or_else(|| "-".to_owned(), |n| n.to_string()),
            dash(model.expires_at.as_deref()),
        ]
    };
    table(&head, models.iter().map(row))
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let head = head.iter().map(|word| (*word).to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    output::columns(&rows)
}

/// One fact a line; texts of many lines last.
fn shown(value: &Value) -> Vec<String> {
    let Some(fields) = value.as_object() else {
        return Vec::new();
    };
    let (mut short, mut long) = (Vec::new(), Vec::new());
    for (name, value) in fields {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Array(words) => {
                let words = words.iter().filter_map(Value::as_str);
                words.collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        };
        match text.contains('\n') {
            false => short.push(vec![name.clone(), text]),
            true => long.extend([format!("{name}:"), text]),
        }
    }
    let mut lines = output::columns(&short);
    lines.extend(long);
    lines
}

fn dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty())
        .unwrap_or("-")
        .to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "for showing")]
fn size(bytes: u64) -> String {
    match bytes as f64 {
        big if big >= 1e9 => format!("{:.1} GB", big / 1e9),
        small => format!("{:.1} MB", small / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn memory_is_a_row_a_model() {
        let rows = json!([{"name": "qwen3:32b", "size": 25_000_000_000_u64, "size_vram": 12_500_000_000_u64,
            "gpu_percent": 50.0, "digest": "x"}]);
        assert_eq!(
            lines(&OllamaAction::Ps, &rows).unwrap(),
            [
                "model      memory   in video memory  context  until",
                "qwen3:32b  25.0 GB  50 %             -        -"
            ]
        );
        assert_eq!(
            lines(&OllamaAction::Ps, &json!([])).unwrap(),
            ["no model is loaded"]
        );
    }

    #[test]
    fn what_is_not_there_is_not_shown() {
        let value =
            json!({"name": "m", "family": null, "capabilities": ["a", "b"], "template": "x\ny"});
        let action = OllamaAction::Show { model: "m".into() };
        assert_eq!(
            lines(&action, &value).unwrap(),
            ["name          m", "capabilities  a, b", "template:", "x\ny"]
        );
    }
}
