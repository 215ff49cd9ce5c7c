//! Wishes × endpoints.

use crate::fixture::{Scene, all, folder, read, settle};
use exai_llm::{
    chat::{ChatRequest, WebSearch},
    dialect::write,
    provider::Providers,
};
use serde_json::{Map, Value, json};

fn wishes() -> Vec<(String, ChatRequest)> {
    of(read(&folder("wishes.json")))
}

fn of(wishes: Value) -> Vec<(String, ChatRequest)> {
    let Value::Object(wishes) = wishes else {
        panic!("wishes are no object");
    };
    wishes
        .into_iter()
        .map(|(name, wish)| (name, serde_json::from_value(wish).unwrap()))
        .collect()
}

#[test]
fn every_wish_is_written_as_documented_at_every_endpoint() {
    let mut faults = Vec::new();
    let wishes = wishes();
    for (path, fixture) in all("requests") {
        let scene = Scene::of(&fixture);
        let mut written = Map::new();
        let own = fixture
            .get("own_wishes")
            .cloned()
            .map(of)
            .unwrap_or_default();
        for (name, wish) in wishes.iter().chain(&own) {
            let mut wish = wish.clone();
            fixture["model"]
                .as_str()
                .unwrap()
                .clone_into(&mut wish.model);
            let told = match write(&scene.target(), &wish) {
                Ok(wire) => json!({
                    "path": wire.path,
                    "headers": wire.headers,
                    "body": wire.body,
                    "applied": wire.applied,
                }),
                Err(fault) => json!({"refused": fault.detail}),
            };
            written.insert(name.clone(), told);
        }
        settle(&path, fixture, Value::Object(written), &mut faults);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_shipped_endpoint_has_its_row() {
    let rows = all("requests");
    for name in Providers::shipped().unwrap().endpoints.keys() {
        assert!(
            rows.iter().any(|(_, row)| row["endpoint"] == **name),
            "{name} has no row"
        );
    }
}

#[test]
fn a_models_name_arrives_unchanged() {
    for (_, row) in all("requests") {
        let scene = Scene::of(&row);
        for model in ["qwen3:32b", "vendor/model:free", "~z-ai/glm-latest", "Ünï"] {
            let mut wish = ChatRequest {
                model: model.to_owned(),
                messages: vec![exai_llm::chat::Message::user("x")],
                ..ChatRequest::default()
            };
            wish.max_output = 10;
            let wire = write(&scene.target(), &wish).unwrap();
            match wire.body.get("model") {
                Some(sent) => assert_eq!(sent, model),
                None => assert!(wire.path.starts_with("/models/"), "{}", wire.path),
            }
            assert_eq!(wire.applied.model, model);
        }
    }
}

/// `use_websearch: false` is no search, whatever an endpoint could do.
#[test]
fn no_wish_to_search_is_no_search() {
    for (_, row) in all("requests") {
        let scene = Scene::of(&row);
        for (name, wish) in wishes() {
            let quiet = ChatRequest {
                search: None,
                ..wish
            };
            if let Ok(wire) = write(&scene.target(), &quiet) {
                let sent = wire.body.to_string().to_lowercase();
                for word in ["web_search", "googlesearch", "plugins", "search_engine"] {
                    assert!(!sent.contains(word), "{}: {name}: {word}", scene.name);
                }
                assert!(!wire.applied.search);
            }
        }
    }
}

/// Everything that was wished and not sent is said.
#[test]
fn a_search_that_cannot_be_is_reported() {
    for (_, row) in all("requests") {
        let scene = Scene::of(&row);
        let wish = ChatRequest {
            model: "m".into(),
            messages: vec![exai_llm::chat::Message::user("x")],
            search: Some(WebSearch::default()),
            ..ChatRequest::default()
        };
        let wire = write(&scene.target(), &wish).unwrap();
        let told = wire
            .applied
            .changes
            .iter()
            .any(|change| change.field == "web_search");
        assert_ne!(wire.applied.search, told, "{}", scene.name);
        let sent = wire.body.to_string().to_lowercase();
        let asked = ["web_search", "googlesearch", "\"web\""]
            .iter()
            .any(|w| sent.contains(w));
        assert_eq!(asked, wire.applied.search, "{}: {sent}", scene.name);
    }
}

/// Thoughts and signatures go back only to the endpoint and model they came from.
#[test]
fn nothing_carried_from_elsewhere_is_sent() {
    for (path, row) in all("requests") {
        let scene = Scene::of(&row);
        for (name, wish) in wishes() {
            if let Ok(wire) = write(&scene.target(), &wish) {
                let sent = wire.body.to_string();
                let place = format!("{}: {name}", path.display());
                assert!(!sent.contains("thoughts of another"), "{place}: {sent}");
            }
        }
    }
}
