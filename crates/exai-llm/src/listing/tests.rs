//! Rows that say what is known, and advice that says what to do.

use super::*;
use crate::provider::{Providers, Resolved};

fn world(variables: &[&str]) -> (Catalogue, Vec<Resolved>) {
    let set: Vec<String> = variables.iter().map(|name| (*name).to_owned()).collect();
    let env = move |name: &str| {
        set.iter()
            .any(|known| known == name)
            .then(|| "k".to_owned())
    };
    let providers = Providers::shipped().unwrap();
    (
        Catalogue::shipped(&providers).unwrap(),
        providers.resolve(&env),
    )
}

fn states(resolved: &[Resolved]) -> Vec<EndpointState<'_>> {
    resolved.iter().map(EndpointState::idle).collect()
}

#[test]
fn rows_say_what_is_ready_and_what_is_missing() {
    let (catalogue, resolved) = world(&["GLM_API_KEY"]);
    let listing = listing(&catalogue, &states(&resolved));
    assert!(listing.advice.is_empty());
    let endpoint = |name: &str| {
        listing
            .endpoints
            .iter()
            .find(|row| row.name == name)
            .unwrap()
    };
    let glm = endpoint("glm");
    assert!(glm.ready && glm.lacks.is_none());
    assert_eq!(glm.key_from.as_deref(), Some("GLM_API_KEY"));
    assert_eq!((glm.breaker.as_str(), glm.concurrency), ("closed", 4));
    assert_eq!(
        endpoint("kimi").lacks.as_deref(),
        Some("set KIMI_API_KEY or MOONSHOT_API_KEY")
    );
    let model = |id: &str| listing.models.iter().find(|row| row.id == id).unwrap();
    let ready = model("glm-4.6");
    assert!(ready.ready && ready.described);
    assert_eq!(ready.efforts, ["off", "high"]);
    assert_eq!(ready.price.as_ref().unwrap().input, Some(0.6));
    assert_eq!(model("glm-5.3").efforts, ["low", "high", "max"]);
    assert!(!model("kimi-k2.6").ready);
    assert_eq!(model("MiniMax-M2").price, None);
    assert!(model("gpt-4o").efforts.is_empty());
}

#[test]
fn advice_begins_with_what_is_already_here() {
    let (_, resolved) = world(&[]);
    let mut states = states(&resolved);
    let told = advice(&states);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("GLM_API_KEY (GLM (Z.ai))"), "{told:?}");
    assert!(told[1].contains("ollama"), "{told:?}");
    for state in &mut states {
        state.found = Some(state.resolved.name == "ollama");
    }
    let told = advice(&states);
    assert!(told[0].starts_with("Ollama is here"), "{told:?}");
    assert!(
        told[0].contains("providers.ollama.enabled = true"),
        "{told:?}"
    );
}

#[test]
fn a_ban_is_told() {
    let providers = Providers::shipped().unwrap();
    let env = |name: &str| (name == "ALLOWED_PROVIDERS").then(|| "nobody".to_owned());
    let resolved = providers.resolve(&env);
    let told = advice(&states(&resolved));
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("ALLOWED_PROVIDERS"), "{told:?}");
}
