//! A server's lists in our rows. What is absent or of another type is simply not there.
//!
//! Written on 2026-11-21 from <https://docs.ollama.com/api/tags>, `…/api/ps` and
//! `…/api-reference/show-model-details`.

use exai_engine::ports::ollama::Shown;
use exai_protocol::event::{OllamaLoaded, OllamaModel};
use serde_json::Value;

fn text(value: &Value, field: &str) -> Option<String> {
    let text = value.get(field)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn number(value: &Value, field: &str) -> Option<u64> {
    value.get(field)?.as_u64()
}

fn rows<T>(body: &Value, row: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    let models = body.get("models")?;
    // A server without any says null.
    let Some(models) = models.as_array() else {
        return models.is_null().then(Vec::new);
    };
    Some(models.iter().filter_map(row).collect())
}

/// `/api/tags`; `None` when it is no such list.
pub(super) fn installed(body: &Value) -> Option<Vec<OllamaModel>> {
    rows(body, |row| {
        let details = row.get("details").unwrap_or(&Value::Null);
        Some(OllamaModel {
            name: text(row, "name").or_else(|| text(row, "model"))?,
            size: number(row, "size").unwrap_or(0),
            digest: text(row, "digest").unwrap_or_default(),
            modified_at: text(row, "modified_at").unwrap_or_default(),
            format: text(details, "format"),
            family: text(details, "family"),
            parameter_size: text(details, "parameter_size"),
            quantization_level: text(details, "quantization_level"),
        })
    })
}

/// `/api/ps`; `None` when it is no such list.
pub(super) fn loaded(body: &Value) -> Option<Vec<OllamaLoaded>> {
    rows(body, |row| {
        let size = number(row, "size").unwrap_or(0);
        let size_vram = number(row, "size_vram").unwrap_or(0);
        Some(OllamaLoaded {
            name: text(row, "name").or_else(|| text(row, "model"))?,
            size,
            size_vram,
            gpu_percent: share(size_vram, size),
            digest: text(row, "digest").unwrap_or_default(),
            expires_at: text(row, "expires_at"),
            context_length: number(row, "context_length"),
        })
    })
}

/// In percent, to a tenth.
fn share(part: u64, whole: u64) -> Option<f64> {
    let tenths = u128::from(part) * 1000 / u128::from((whole > 0).then_some(whole)?);
    Some(f64::from(u32::try_from(tenths).unwrap_or(1000).min(1000)) / 10.0)
}

/// `/api/show`.
pub(super) fn shown(name: &str, num_ctx: Option<u64>, body: &Value) -> Shown {
    let details = body.get("details").unwrap_or(&Value::Null);
    let info = body.get("model_info").and_then(Value::as_object);
    // Its name begins with the architecture's: `llama.context_length`.
    let context = info.and_then(|info| {
        let mut fields = info.iter();
        fields.find_map(|(field, value)| {
            field.ends_with(".context_length").then(|| value.as_u64())?
        })
    });
    let words = body.get("capabilities").and_then(Value::as_array);
    let words = words.into_iter().flatten().filter_map(Value::as_str);
    Shown {
        name: name.to_owned(),
        capabilities: words.map(str::to_owned).collect(),
        context_length: context,
        num_ctx,
        family: text(details, "family"),
        parameter_size: text(details, "parameter_size"),
        quantization_level: text(details, "quantization_level"),
        parameters: text(body, "parameters"),
        template: text(body, "template"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_is_not_guessed() {
        let body = json!({"models": [{"model": "a:latest"}, {"size": 3}, "x"]});
        let rows = installed(&body).unwrap();
        assert_eq!(
            (rows.len(), rows[0].name.as_str(), rows[0].family.as_ref()),
            (1, "a:latest", None)
        );
        let rows = loaded(&body).unwrap();
        assert_eq!((rows.len(), rows[0].gpu_percent), (1, None));
        assert_eq!(installed(&json!({"models": null})), Some(Vec::new()));
        assert_eq!(installed(&json!({"models": "many"})), None);
        assert_eq!(loaded(&json!({})), None);
        assert_eq!(
            shown("m", None, &json!([])),
            Shown {
                name: "m".into(),
                ..Shown::default()
            }
        );
    }

    #[test]
    fn shares_are_of_the_whole() {
        assert_eq!(share(1, 3), Some(33.3));
        assert_eq!(share(5, 0), None);
        assert_eq!(share(u64::MAX, 1), Some(100.0));
    }
}
