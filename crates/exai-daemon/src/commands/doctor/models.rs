//! What a model could be asked with: keys that are set, command lines and local servers that
//! are here, each with the exact line that has it used, and what to do when there is nothing.

use super::{Check, Verdict, repair::Repair};
use crate::{context::Context, models};
use exai_config::Home;
use exai_llm::{
    choice::EndpointState,
    cli::{self, Environment, Found},
    dialect::Dialect,
    http::{Ask, Http},
    keys::file_trouble,
    listing,
    provider::{KeyState, Providers, Resolved, Standing},
};
use std::{collections::BTreeMap, time::Duration};

const NAME: &str = "models";
/// A server on this machine answers at once or not at all.
const LOCAL: Duration = Duration::from_millis(800);

pub(super) async fn checks(context: &Context) -> Vec<Check> {
    let mut warnings = Vec::new();
    let providers = match models::providers(&context.home, &mut warnings) {
        Ok((providers, None)) => providers,
        Ok((_, Some(fault))) => {
            return vec![Check::fail(NAME, "no model is asked".to_owned(), &fault)];
        }
        Err(error) => return vec![Check::fail(NAME, error.to_string(), "please report it")],
    };
    let variables = &context.loaded.variables;
    let resolved = providers.resolve(&|name| variables.get(name));
    let programs = cli::found(&providers, &Environment::new(std::env::vars_os()));
    let servers = servers(&resolved).await;
    let mut checks: Vec<Check> = warnings
        .into_iter()
        .map(|warning| Check::warn(NAME, warning, "correct the file"))
        .collect();
    let (sound, spoilt): (Vec<Resolved>, Vec<Resolved>) = resolved
        .iter()
        .cloned()
        .partition(|one| trouble(one, &context.home).is_none());
    checks.extend(spoilt.iter().filter_map(|one| key_file(one, &context.home)));
    checks.push(usable(&sound, &programs, &servers));
    checks.extend(
        programs
            .iter()
            .filter(|found| !found.enabled)
            .map(|found| program(found, &context.home)),
    );
    checks.extend(servers.iter().map(|found| server(found, &context.home)));
    checks.extend(missing(&providers, &programs));
    checks
}

/// What is wrong with the file of an endpoint's key, where that is all it lacks.
fn trouble(one: &Resolved, home: &Home) -> Option<String> {
    let ready = one.standing == Standing::Ready;
    ready.then(|| file_trouble(home.root(), &one.key)).flatten()
}

fn key_file(one: &Resolved, home: &Home) -> Option<Check> {
    let found = format!("{} cannot be asked: {}", one.name, trouble(one, home)?);
    let KeyState::File(file) = &one.key else {
        return None;
    };
    let path = home.root().join(file);
    let check = Check::fail(NAME, found, format!("chmod 600 {}", path.display()))
        .because("a key that others can read is no secret: it is refused at every call");
    Some(if path.is_file() {
        check.repaired_by(Repair::Private { path, mode: 0o600 })
    } else {
        Check {
            fix: Some(format!("put the key into {}, chmod 600", path.display())),
            ..check
        }
    })
}

/// What is ready, or what to do.
fn usable(resolved: &[Resolved], programs: &[Found], servers: &[&Resolved]) -> Check {
    let ready: Vec<&str> = resolved
        .iter()
        .filter(|one| one.standing == Standing::Ready)
        .filter(|one| {
            one.endpoint.dialect != Dialect::Cli
                || programs.iter().any(|found| found.endpoint == one.name)
        })
        .map(|one| one.name.as_str())
        .collect();
    if !ready.is_empty() {
        return Check::ok(NAME, format!("ready: {}", ready.join(", ")));
    }
    let here = programs.iter().map(|found| found.endpoint.as_str());
    let here: BTreeMap<&str, ()> = here
        .chain(servers.iter().map(|one| one.name.as_str()))
        .map(|name| (name, ()))
        .collect();
    let states: Vec<EndpointState<'_>> = resolved
        .iter()
        .map(|one| EndpointState {
            found: Some(here.contains_key(one.name.as_str())),
            ..EndpointState::idle(one)
        })
        .collect();
    Check::warn(
        NAME,
        "no model can be asked yet; all else works",
        listing::advice(&states).join(" "),
    )
}

fn program(found: &Found, home: &Home) -> Check {
    let state = if found.logged_in {
        "logged in".to_owned()
    } else {
        format!("no sign of a login: run `{}` first", found.login)
    };
    let what = format!(
        "{} is here: {} ({state})",
        found.title,
        found.program.display()
    );
    offer(what, &found.line, home)
}

fn server(found: &Resolved, home: &Home) -> Check {
    let url = found.base_url.as_deref().unwrap_or_default();
    let what = format!("{} answers at {url}", found.endpoint.title);
    offer(
        what,
        &format!("providers.{}.enabled = true", found.name),
        home,
    )
}

fn offer(what: String, line: &str, home: &Home) -> Check {
    let file = home.root().join("config").join("providers.toml");
    Check {
        name: NAME,
        verdict: Verdict::Ok,
        found: what,
        fix: Some(format!(
            "put this line at the top of {}, then `exai-daemon restart`: {line}",
            file.display()
        )),
        why: None,
        repair: None,
    }
}

/// Command lines that should be used and are not here.
fn missing(providers: &Providers, programs: &[Found]) -> Vec<Check> {
    let all = providers.endpoints.iter().filter(|(_, one)| one.enabled);
    let missing = all.filter_map(|(name, one)| {
        let spec = one.command.as_ref()?;
        let here = programs.iter().any(|found| found.endpoint == *name);
        (!here).then(|| {
            let found = format!("{name} is enabled, and {} is not on PATH", spec.program);
            Check::warn(NAME, found, format!("install it: {}", spec.install))
        })
    });
    missing.collect()
}

/// Ollama's server, where nobody has enabled it and it answers.
async fn servers(resolved: &[Resolved]) -> Vec<&Resolved> {
    let Ok(http) = Http::new(concat!("exai/", env!("CARGO_PKG_VERSION"))) else {
        return Vec::new();
    };
    let mut here = Vec::new();
    for one in resolved {
        let offered = matches!(one.standing, Standing::Offered(_));
        if let (Dialect::Ollama, true, Some(url)) = (one.endpoint.dialect, offered, &one.base_url) {
            let ask = Ask::get(format!("{url}/api/version")).connect(LOCAL);
            if http
                .whole(ask, LOCAL)
                .await
                .is_ok_and(|whole| whole.status == 200)
            {
                here.push(one);
            }
        }
    }
    here
}
