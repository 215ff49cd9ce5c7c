//! The tools of this home (`config/tools/*.toml`), looked at again while the daemon runs. A set
//! with a fault is not taken: the last good one stays, and the faults are told by `status` and
//! `doctor`, with file, line and field, until they are mended. At the start there is no last
//! good one; then those without a fault are taken.

use exai_config::{
    Home, Settings,
    own_tools::{self, Files, Found},
};
use exai_engine::{Engine, tool::Tool};
use exai_tools::own::{self, Definition};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);

/// What is wrong with them now; shared with whoever tells it.
#[derive(Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Vec<String>>>);

impl Faults {
    fn told(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What somebody else tells, and these.
    pub(crate) fn beside(
        &self,
        others: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    ) -> Box<dyn Fn() -> Vec<String> + Send + Sync> {
        let faults = self.clone();
        Box::new(move || {
            let mut all = others();
            all.extend(faults.told());
            all
        })
    }

    pub(crate) fn set(&self, faults: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }
}

/// The language of answers and the owner's own words for it, where one is set.
pub(crate) fn language(
    home: &Home,
    settings: &Settings,
    warnings: &mut Vec<String>,
) -> Option<(String, Option<String>)> {
    let locale = settings.answers.locale.clone()?;
    match own_tools::language(home, &locale) {
        Ok(words) => Some((locale, words)),
        Err(fault) => {
            warnings.push(format!(
                "{fault}; answers are in the language of their questions"
            ));
            None
        }
    }
}

/// Keeps the engine's list of them true.
pub(crate) struct Keeper {
    pub(crate) home: Home,
    pub(crate) ports: exai_tools::Ports,
    /// Names that are ours.
    pub(crate) taken: BTreeSet<String>,
    pub(crate) faults: Faults,
}

impl Keeper {
    /// The first look, before anybody calls.
    pub(crate) fn begin(&self, engine: &Engine) {
        let (tools, faults) = self.made(own_tools::read(&self.home));
        self.tell(&faults, "they are left out");
        engine.replace_tools("own", tools);
        self.faults.set(faults);
    }

    /// Follows the files for as long as it is polled.
    pub(crate) async fn follow(self, engine: Arc<Engine>) {
        let keeper = Arc::new(self);
        let mut seen = None;
        loop {
            let home = keeper.home.clone();
            let looked = tokio::task::spawn_blocking(move || own_tools::stamp(&home)).await;
            let now = looked.ok();
            if seen.is_some() && now != seen {
                let (keeper, engine) = (Arc::clone(&keeper), Arc::clone(&engine));
                drop(tokio::task::spawn_blocking(move || keeper.again(&engine)).await);
            }
            seen = now;
            tokio::time::sleep(LOOK).await;
        }
    }

    fn again(&self, engine: &Engine) {
        let (tools, faults) = self.made(own_tools::read(&self.home));
        if faults.is_empty() {
            tracing::info!(tools = tools.len(), "the home's own tools were read again");
            engine.replace_tools("own", tools);
        } else {
            self.tell(&faults, "nothing is changed, the last good set stays");
        }
        self.faults.set(faults);
    }

    fn tell(&self, faults: &[String], then: &str) {
        for fault in faults {
            tracing::error!("{fault}; {then}");
        }
    }

    fn made(&self, found: Found) -> (Vec<Arc<dyn Tool>>, Vec<String>) {
        let mut faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
        let mut tools = Vec::new();
        for found in found.tools {
            let file = found.file.clone();
            if self.taken.contains(&found.name) {
                let name = &found.name;
                faults.push(format!("{file}: 'name': '{name}' is a tool of exai's own"));
                continue;
            }
            match own::tool(definition(found), &self.ports) {
                Ok(tool) => tools.push(tool),
                Err(why) => faults.push(format!("{file}: {why}")),
            }
        }
        (tools, faults)
    }
}

fn definition(found: own_tools::Definition) -> Definition {
    Definition {
        name: found.name,
        title: found.title,
        description: found.description,
        input: found.input,
        prompt: found.prompt,
        persona: found.persona,
        model: found.model,
        category: found.category,
        effort: found.effort,
        files: match found.files {
            Files::None => own::Files::None,
            Files::Optional => own::Files::Optional,
            Files::Required => own::Files::Required,
        },
        steps: found.steps,
    }
}
