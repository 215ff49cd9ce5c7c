//! The list of models as a table. What is not known is a dash.

use crate::output;
use serde::Deserialize;

/// What the daemon knows; fields it may add later are passed over.
#[derive(Deserialize)]
pub(super) struct Listing {
    #[serde(default)]
    endpoints: Vec<Endpoint>,
    #[serde(default)]
    models: Vec<Model>,
    #[serde(default)]
    advice: Vec<String>,
}

#[derive(Deserialize)]
struct Endpoint {
    name: String,
    #[serde(default)]
    title: String,
    ready: bool,
    lacks: Option<String>,
    #[serde(default)]
    breaker: String,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    endpoint: String,
    #[serde(default)]
    aliases: Vec<String>,
    context: Option<u64>,
    output: Option<u64>,
    #[serde(default)]
    abilities: Vec<String>,
    price: Option<Price>,
    ready: bool,
}

#[derive(Deserialize)]
struct Price {
    #[serde(rename = "in")]
    input: Option<f64>,
    #[serde(rename = "out")]
    output: Option<f64>,
}

impl Listing {
    /// The table; with `all`, of what cannot be asked now too, and why.
    pub(super) fn lines(&self, all: bool) -> Vec<String> {
        let mut shown: Vec<&Model> = self.models.iter().collect();
        shown.retain(|model| all || model.ready);
        let mut lines = Vec::new();
        if !shown.is_empty() {
            let mut rows = vec![head(all)];
            rows.extend(shown.into_iter().map(|model| row(model, all)));
            lines = output::columns(&rows);
        }
        if all && !self.endpoints.is_empty() {
            lines.push(String::new());
            let rows: Vec<Vec<String>> = self.endpoints.iter().map(endpoint).collect();
            lines.extend(output::columns(&rows));
        }
        lines
    }

    /// What to do where nothing can be asked.
    pub(super) fn advice(&self) -> impl Iterator<Item = &str> {
        let none = !self.models.iter().any(|model| model.ready);
        let words = none.then_some("no model can be asked now; --all shows what is known");
        words
            .into_iter()
            .chain(self.advice.iter().map(String::as_str))
    }
}

fn head(all: bool) -> Vec<String> {
    let mut head = vec![
        "MODEL",
        "AT",
        "READS",
        "WRITES",
        "$/M IN",
        "$/M OUT",
        "CAN",
        "ALSO CALLED",
    ];
    if all {
        head.insert(2, "NOW");
    }
    head.into_iter().map(str::to_owned).collect()
}

fn row(model: &Model, all: bool) -> Vec<String> {
    let usd = |price: Option<f64>| price.map_or_else(dash, |usd| format!("{usd:.2}"));
    let price = model.price.as_ref();
    let words = |list: &[String]| Some(list.join(",")).filter(|words| !words.is_empty());
    let mut row = vec![
        model.id.clone(),
        model.endpoint.clone(),
        tokens(model.context),
        tokens(model.output),
        usd(price.and_then(|price| price.input)),
        usd(price.and_then(|price| price.output)),
        words(&model.abilities).unwrap_or_else(dash),
        words(&model.aliases).unwrap_or_default(),
    ];
    if all {
        row.insert(2, if model.ready { "ready" } else { "no" }.to_owned());
    }
    row
}

fn endpoint(endpoint: &Endpoint) -> Vec<String> {
    let state = match (&endpoint.lacks, endpoint.ready) {
        (Some(lacks), _) => lacks.clone(),
        (None, true) if endpoint.breaker == "open" => "resting after failures".to_owned(),
        (None, true) => "ready".to_owned(),
        (None, false) => "cannot be used now".to_owned(),
    };
    vec![endpoint.name.clone(), endpoint.title.clone(), state]
}

fn tokens(number: Option<u64>) -> String {
    match number {
        None => dash(),
        Some(number) if number >= 10_000 => format!("{}k", number / 1000),
        Some(number) => number.to_string(),
    }
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = r#"{"endpoints":[{"name":"glm","title":"GLM","ready":true,"new":1},
        {"name":"kimi","title":"Kimi","ready":false,"lacks":"set KIMI_API_KEY"}],
        "models":[{"id":"glm-4.6","endpoint":"glm","ready":true,"context":200000,"output":8192,
          "price":{"in":0.6,"out":2.2},"abilities":["thinking"]},
         {"id":"k2","endpoint":"kimi","ready":false}],"advice":["Set a key."]}"#;

    #[test]
    fn ready_ones_first_and_the_rest_on_request() {
        let listing: Listing = serde_json::from_str(LISTING).unwrap();
        let short = listing.lines(false);
        assert_eq!(short.len(), 2, "{short:?}");
        let cells: Vec<&str> = short[1].split_whitespace().collect();
        assert_eq!(
            cells,
            ["glm-4.6", "glm", "200k", "8192", "0.60", "2.20", "thinking"]
        );
        let all = listing.lines(true).join("\n");
        assert!(
            all.contains("set KIMI_API_KEY") && all.contains("k2"),
            "{all}"
        );
        assert_eq!(listing.advice().collect::<Vec<_>>(), ["Set a key."]);
    }

    #[test]
    fn where_nothing_can_be_asked_it_says_so() {
        let listing: Listing = serde_json::from_str(r#"{"advice":["Set a key."]}"#).unwrap();
        assert!(listing.lines(false).is_empty());
        assert_eq!(listing.advice().count(), 2);
    }
}
