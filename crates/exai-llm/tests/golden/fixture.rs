//! Reading fixtures, and writing them anew when asked to.

use exai_llm::{
    chat::ModelTraits,
    dialect::{Quirks, Target},
    provider::{Endpoint, Providers},
};
use serde_json::Value;
use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// All fixtures of a folder, by file name.
pub(crate) fn all(name: &str) -> Vec<(PathBuf, Value)> {
    let mut found: Vec<_> = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .map(|path| (path.clone(), read(&path)))
        .collect();
    found.sort_by(|one, two| one.0.cmp(&two.0));
    for (path, fixture) in &found {
        let source = fixture["written_from"].as_str().unwrap_or_default();
        assert!(
            source.len() > 10,
            "{} names no documentation",
            path.display()
        );
        let date = fixture["date"].as_str().unwrap_or_default();
        assert_eq!(date.len(), 10, "{} has no date", path.display());
    }
    found
}

pub(crate) fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares what was computed with what the fixture expects, or writes it there.
pub(crate) fn settle(path: &Path, mut fixture: Value, computed: Value, faults: &mut Vec<String>) {
    if fixture["expect"] == computed {
        return;
    }
    if std::env::var("EXAI_GOLDEN").as_deref() == Ok("update") {
        fixture["expect"] = computed;
        let text = format!("{}\n", serde_json::to_string_pretty(&fixture).unwrap());
        // Beside other tests that read the same files.
        let fresh = path.with_extension("new");
        let mut file = File::create(&fresh).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        std::fs::rename(fresh, path).unwrap();
        return;
    }
    let expected = serde_json::to_string_pretty(&fixture["expect"]).unwrap();
    let computed = serde_json::to_string_pretty(&computed).unwrap();
    let at = expected
        .lines()
        .zip(computed.lines())
        .find(|(one, two)| one != two);
    faults.push(format!("{}: first difference: {at:?}", path.display()));
}

/// The endpoint a fixture names, as shipped, and the traits it gives the model.
pub(crate) struct Scene {
    pub(crate) name: String,
    endpoint: Endpoint,
    traits: ModelTraits,
}

impl Scene {
    pub(crate) fn of(fixture: &Value) -> Self {
        let name = fixture["endpoint"].as_str().unwrap().to_owned();
        let mut endpoint = Providers::shipped().unwrap().endpoints[&name].clone();
        if let Some(quirks) = fixture.get("quirks") {
            endpoint.quirks = serde_json::from_value::<Quirks>(quirks.clone()).unwrap();
        }
        let traits = fixture
            .get("traits")
            .cloned()
            .unwrap_or_else(|| serde_json::json!({}));
        Self {
            name,
            endpoint,
            traits: serde_json::from_value(traits).unwrap(),
        }
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target {
            endpoint: &self.name,
            dialect: self.endpoint.dialect,
            quirks: &self.endpoint.quirks,
            traits: &self.traits,
        }
    }
}
