//! The models of this home: its providers and catalogue, the shipped ones beneath, joined with
//! the purse. A file that cannot be read is said and left out; the daemon runs all the same.

use anyhow::{Context as _, Result, anyhow};
mod look;

pub(crate) use look::around;

use exai_config::{Home, Loaded, Source, Variables, atomic};
use exai_engine::{Engine, ports::purse::Purse};
use exai_llm::{
    catalogue::{Catalogue, Fetched},
    cli::{Environment, Runner},
    desk::{Models, Setup},
    endpoint::Live,
    files::Files,
    herald::Herald,
    http::Http,
    keys::Keys,
    provider::{Providers, Standing},
};
use exai_protocol::{WallClock, event::EventBody, health::ProviderHealth};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, Weak},
};

/// What the models of a home are made of.
pub(crate) struct Materials<'a> {
    pub(crate) home: &'a Home,
    pub(crate) variables: &'a Variables,
    /// Places at endpoints as the owner set them, by name.
    pub(crate) places: &'a BTreeMap<String, u32>,
    pub(crate) purse: Arc<dyn Purse>,
    pub(crate) clock: WallClock,
    pub(crate) crier: Arc<Crier>,
}

/// Takes what happens at providers to the engine's bus, once there is one.
#[derive(Default)]
pub(crate) struct Crier(OnceLock<Weak<Engine>>);

impl Crier {
    pub(crate) fn join(&self, engine: &Arc<Engine>) {
        // Set by the composition alone, before anybody is asked.
        let _ = self.0.set(Arc::downgrade(engine));
    }

    /// The way in.
    pub(crate) fn herald(self: &Arc<Self>) -> Herald {
        let crier = Arc::clone(self);
        Arc::new(move |body| crier.cry(body))
    }

    fn cry(&self, body: EventBody) {
        if let Some(engine) = self.0.get().and_then(Weak::upgrade) {
            engine.publish(body);
        }
    }
}

/// Places at endpoints that somebody set; what nobody set is the endpoints' own.
pub(crate) fn places(loaded: &Loaded) -> BTreeMap<String, u32> {
    let set = |name: &str| {
        let origin = loaded.origin(&format!("limits.providers.{name}"));
        origin.is_some_and(|origin| origin.origin != Source::Default)
    };
    let limits = loaded.settings.limits.providers.iter();
    limits
        .filter(|(name, _)| set(name))
        .map(|(name, most)| (name.clone(), u32::try_from(*most).unwrap_or(u32::MAX)))
        .collect()
}

/// Reads the home's files and makes the desk. Nobody is asked anything yet.
pub(crate) fn open(materials: &Materials<'_>, warnings: &mut Vec<String>) -> Result<Arc<Models>> {
    let (providers, fault) = providers(materials.home, warnings)?;
    let catalogue = catalogue(materials.home, &providers, warnings)?;
    let variables = materials.variables.clone();
    let env: exai_llm::keys::Env = Arc::new(move |name| variables.get(name));
    let http = Http::new(concat!("exai/", env!("CARGO_PKG_VERSION")))
        .map_err(|fault| anyhow!("no HTTP client: {fault}"))?;
    let keys = Arc::new(Keys::new(
        materials.home.root().to_owned(),
        Arc::clone(&env),
    ));
    let herald = materials.crier.herald();
    let resolved = providers.resolve(&*env);
    let runner = Runner::new(materials.home.run_dir().join("cli"), environment());
    runner.end_left_over();
    let live = resolved.into_iter().map(|mut resolved| {
        if let Some(places) = materials.places.get(&resolved.name) {
            resolved.endpoint.limits.concurrency = *places;
        }
        if let Some(fault) = &fault {
            resolved.standing = Standing::Lacks(fault.clone());
        }
        let (name, clock) = (resolved.name.clone(), Arc::clone(&materials.clock));
        let (http, keys, herald) = (http.clone(), Arc::clone(&keys), Arc::clone(&herald));
        let live = Live::new(resolved, http, keys, clock, herald);
        live.run_with(&runner);
        (name, live)
    });
    let lists = lists_dir(materials.home);
    Ok(Models::new(Setup {
        endpoints: live.collect::<BTreeMap<_, _>>(),
        catalogue,
        purse: Arc::clone(&materials.purse),
        files: Files::new(
            materials.home.data_dir().join("files"),
            Arc::clone(&materials.clock),
        ),
        runner,
        default_model: materials.variables.get("DEFAULT_MODEL"),
        keep: Arc::new(move |fetched| keep(&lists, fetched)),
        clock: Arc::clone(&materials.clock),
    }))
}

/// The environment of this process, for the command lines that serve as endpoints: each gets
/// only the names its entry lists.
pub(crate) fn environment() -> Environment {
    Environment::new(std::env::vars_os())
}

/// The endpoints that can be asked, as they are now.
pub(crate) fn health(desk: &Models) -> Vec<ProviderHealth> {
    let ready = |live: &&Arc<Live>| live.resolved().standing == Standing::Ready;
    let row = |live: &Arc<Live>| {
        let health = live.health();
        ProviderHealth {
            name: live.resolved().name.clone(),
            breaker: health.breaker.as_str().to_owned(),
            cause: health.cause.map(|fault| fault.class.as_str().to_owned()),
            in_flight: u64::from(health.in_flight),
            concurrency: u64::from(health.concurrency),
            queued: health.queued as u64,
        }
    };
    desk.endpoints().values().filter(ready).map(row).collect()
}

/// What an owner should know of an endpoint; nothing when all is well.
pub(crate) fn trouble(at: &ProviderHealth) -> Option<String> {
    let cause = at.cause.as_deref()?;
    let name = &at.name;
    (at.breaker != "closed").then(|| {
        format!("the model endpoint '{name}' is not asked for the moment: {cause}; it is tried again by itself")
    })
}

/// The home's providers over the shipped ones, and why none of them may be asked: a file of the home that cannot be read may
/// say where prompts must not go, so until it is mended they go nowhere.
pub(crate) fn providers(
    home: &Home,
    warnings: &mut Vec<String>,
) -> Result<(Providers, Option<String>)> {
    let path = home.root().join("config").join("providers.toml");
    let name = path.display().to_string();
    let shipped = || {
        Providers::shipped().context("the shipped providers.toml is broken; this is a bug in exai")
    };
    let fault = match std::fs::read_to_string(&path) {
        Ok(text) => match Providers::with(&name, &text) {
            Ok(providers) => return Ok((providers, None)),
            Err(error) => error.to_string(),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((shipped()?, None));
        }
        Err(error) => format!("{name}: {error}"),
    };
    warnings.push(format!("{fault}; no model is asked until it is mended"));
    let first = fault.lines().next().unwrap_or_default();
    Ok((
        shipped()?,
        Some(format!("mend {first}, and restart the daemon")),
    ))
}

fn catalogue(home: &Home, providers: &Providers, warnings: &mut Vec<String>) -> Result<Catalogue> {
    let path = home.root().join("config").join("models.toml");
    let shipped = || {
        Catalogue::shipped(providers)
            .context("the shipped models.toml is broken; this is a bug in exai")
    };
    let own = match text(&path, "the shipped model list is used", warnings) {
        None => shipped()?,
        Some(text) => {
            Catalogue::with(&path.display().to_string(), &text, providers).or_else(|error| {
                warnings.push(format!("{error}; the shipped model list is used"));
                shipped()
            })?
        }
    };
    warnings.extend(own.notes().iter().cloned());
    Ok(kept(&lists_dir(home), warnings)
        .iter()
        .fold(own, |catalogue, fetched| catalogue.and(fetched)))
}

/// A file's text; `None` when there is none, or when it cannot be read, which is said.
fn text(path: &Path, instead: &str, warnings: &mut Vec<String>) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            warnings.push(format!("{}: {error}; {instead}", path.display()));
            None
        }
    }
}

fn lists_dir(home: &Home) -> PathBuf {
    home.data_dir().join("models")
}

/// Providers' own lists, as they were last fetched.
fn kept(dir: &Path, warnings: &mut Vec<String>) -> Vec<Fetched> {
    let Ok(files) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let paths = files.filter_map(|file| file.ok().map(|file| file.path()));
    let mut lists = Vec::new();
    for path in paths.filter(|path| path.extension().is_some_and(|kind| kind == "json")) {
        let instead = "fetch it again with `exai-daemon models refresh`";
        let Some(text) = text(&path, instead, warnings) else {
            continue;
        };
        match Fetched::from_json(&text) {
            Ok(fetched) => lists.push(fetched),
            Err(error) => warnings.push(format!("{}: {error}; {instead}", path.display())),
        }
    }
    lists
}

fn keep(dir: &Path, fetched: &Fetched) -> Result<(), String> {
    let path = dir.join(format!("{}.json", fetched.endpoint));
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    atomic::write(&path, fetched.to_json().as_bytes(), 0o600).map_err(|error| error.to_string())
}
