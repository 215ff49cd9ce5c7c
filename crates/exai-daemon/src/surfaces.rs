//! What each client sees of the tools: the home's `config/profiles.toml` over the shipped one,
//! looked at again while the daemon runs. A file with a fault leaves the last good one in force;
//! at the start there is none, and then only what tells how things are may be called, because
//! the file may have said what must not be.

use crate::{named::owner, own_tools::Faults};
use anyhow::{Context as _, Result};
use exai_config::{
    Home,
    profiles::{Profiles, Scope},
};
use exai_engine::{
    Engine,
    surface::{Reach, Rules, Surfaces},
};
use exai_protocol::Principal;
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Between two looks at the file.
const LOOK: Duration = Duration::from_secs(1);
/// A larger file is none of ours.
const MOST_BYTES: u64 = 1024 * 1024;
/// What may be called while nobody knows what may be called.
const ALWAYS: [&str; 3] = ["self-check", "status", "version"];

/// What tells of all clients' calls or of the home's set-up, and so is for the owner's clients.
const OF_ALL: [&str; 5] = [
    "activity",
    "health",
    "self-check",
    "status",
    "toolcall_log_tail",
];

/// Hands work to a program that exai does not confine.
const AGENT: &str = "clink";

/// The profiles in force.
struct InForce {
    profiles: Profiles,
    /// The profile of clients that wish for none.
    wished: String,
    closed: bool,
}

impl Surfaces for InForce {
    fn rules(&self, who: &Principal, client: &str, profile: &str) -> Arc<Rules> {
        let wished = if profile.is_empty() {
            &self.wished
        } else {
            profile
        };
        let key = Some(who.as_str()).filter(|_| *who != owner());
        let mut chosen = self.profiles.of(key, client, wished);
        if key.is_some() {
            chosen.deny.extend(OF_ALL.map(str::to_owned));
        }
        // An agent's program reads what it likes: a key that is to read only some folders has it
        // where its owner wrote so in as many words.
        if chosen.roots.is_some() && !chosen.within.iter().any(|tool| tool == AGENT) {
            chosen.deny.push(AGENT.to_owned());
        }
        let allow = match self.closed {
            true => ALWAYS.map(str::to_owned).to_vec(),
            false => chosen.allow,
        };
        Arc::new(Rules {
            profile: chosen.profile,
            tools: chosen.tools,
            others: chosen.others,
            allow,
            within: chosen.within,
            deny: chosen.deny,
            roots: chosen.roots.map(Into::into),
            reach: match chosen.scope {
                Scope::All => Reach::All,
                Scope::Write => Reach::Write,
                Scope::Read => Reach::Read,
            },
        })
    }
}

/// What is in force from the start, read before there is an engine.
pub(crate) struct Ahead(InForce);

impl Ahead {
    pub(crate) fn read(
        home: &Home,
        wished: &str,
        warnings: &mut Vec<String>,
        faults: &Faults,
    ) -> Result<Self> {
        let (profiles, closed) = match read(&file(home)) {
            Ok(profiles) => (profiles, false),
            Err(fault) => {
                let only = ALWAYS.join(", ");
                let told = format!("{fault}; until it is mended only {only} may be called");
                tracing::error!("{told}");
                faults.set(vec![told]);
                let why = "the shipped profiles.toml is broken; this is a bug in exai";
                (Profiles::shipped().context(why)?, true)
            }
        };
        let all: Vec<&str> = profiles.names().collect();
        if !wished.is_empty() && !all.contains(&wished) {
            let all = all.join(", ");
            warnings.push(format!(
                "tools.profile is '{wished}', and there is no such profile; known: {all}"
            ));
        }
        Ok(Self(InForce {
            profiles,
            wished: wished.to_owned(),
            closed,
        }))
    }

    pub(crate) fn enforce(self, engine: &Engine) {
        engine.set_surfaces(Arc::new(self.0));
    }
}

/// What is wrong with a home's file, if there is one and anything is.
pub(crate) fn fault(home: &Home) -> Option<String> {
    read(&file(home)).err()
}

/// Follows the file for as long as it is polled; `faults` are what is wrong with it now.
pub(crate) async fn follow(engine: Arc<Engine>, home: Home, wished: String, faults: Faults) {
    let file = file(&home);
    let mut seen = stamp(&file).await;
    loop {
        tokio::time::sleep(LOOK).await;
        let now = stamp(&file).await;
        if now == seen {
            continue;
        }
        seen = now;
        let path = file.clone();
        let Ok(found) = tokio::task::spawn_blocking(move || read(&path)).await else {
            continue;
        };
        match found {
            Ok(profiles) => {
                tracing::info!("the profiles of tools were read again");
                faults.set(Vec::new());
                engine.set_surfaces(Arc::new(InForce {
                    profiles,
                    wished: wished.clone(),
                    closed: false,
                }));
            }
            Err(fault) => {
                let told = format!(
                    "{fault}; nothing of it is used, and what was known before stays in force"
                );
                tracing::error!("{told}");
                faults.set(vec![told]);
            }
        }
    }
}

fn file(home: &Home) -> PathBuf {
    home.root().join("config").join("profiles.toml")
}

fn read(file: &Path) -> Result<Profiles, String> {
    let name = file.display().to_string();
    match std::fs::metadata(file) {
        Ok(meta) if meta.len() > MOST_BYTES => {
            let bytes = meta.len();
            Err(format!("{name}: {bytes} bytes are no file of profiles"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Profiles::shipped().map_err(|error| error.to_string())
        }
        _ => match std::fs::read_to_string(file) {
            Ok(text) => Profiles::with(&name, &text).map_err(|error| error.to_string()),
            Err(error) => Err(format!("{name}: {error}")),
        },
    }
}

async fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let meta = tokio::fs::metadata(file).await.ok()?;
    Some((meta.modified().ok()?, meta.len()))
}
