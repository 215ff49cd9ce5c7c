//! The composition root: settings become an engine with its ports, its tools and its edge.
//! The only place that knows all the rooms of the house.

use crate::{
    announced::Announced,
    control::{Daemon, Facts, HomeLogs},
    funds::Funds,
    limits, models,
    named::NamedKeys,
    own_tools, runner, surfaces,
};
use anyhow::Result;
use exai_config::{
    Home, KeyFolder, ProcessEnv, Settings, TokenStore, Variables, clock, token::Keyring,
};
use exai_engine::{
    Config, Engine, Ports,
    admission::Limits,
    calls::RetentionLimits,
    ports::{ledger::MemoryLedger, recorder::Recorder, vitals::Identity},
    quotas::{Quotas, Rate},
};
use exai_llm::ollama::Manager;
use exai_protocol::{BootId, WallClock, hello::ServerInfo, version::PROTOCOL};
use exai_tools::library::Library;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

/// The commit this was built from, where the build said so.
pub(crate) const BUILD: &str = match option_env!("EXAI_BUILD") {
    Some(build) => build,
    None => "unknown",
};
/// The product's version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a result frame holds besides the result, generously.
const ENVELOPE: usize = 1024;

/// What the composition is given.
pub(crate) struct Materials<'a> {
    pub(crate) home: &'a Home,
    pub(crate) settings: &'a Settings,
    pub(crate) warnings: Vec<String>,
    pub(crate) test_tools: bool,
    pub(crate) port: u16,
    pub(crate) recorder: Recorder,
    pub(crate) boot_id: BootId,
    pub(crate) log_troubles: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    pub(crate) funds: &'a Funds,
    pub(crate) variables: &'a Variables,
    pub(crate) places: BTreeMap<String, u32>,
}

/// The wall clock, as everyone here is given it.
pub(crate) fn system_clock() -> WallClock {
    clock::wall_clock(&ProcessEnv)
}

/// A name for this run that no other run has.
pub(crate) fn fresh_boot_id() -> Result<BootId> {
    let bits = getrandom::u64()
        .map_err(|error| anyhow::anyhow!("no randomness from the system: {error}"))?;
    Ok(BootId::new(format!("{bits:016x}")))
}

/// What the composition gives.
pub(crate) struct Composed {
    pub(crate) engine: Arc<Engine>,
    pub(crate) daemon: Arc<Daemon>,
    /// To be watched while somebody follows it.
    pub(crate) ollama: Arc<Manager>,
    /// Keeps the home's own tools true.
    pub(crate) own: own_tools::Keeper,
    /// What is wrong with the home's profiles, for whoever follows the file.
    pub(crate) surface_faults: own_tools::Faults,
}

/// Builds the daemon, with its tools, on the current runtime.
pub(crate) fn compose(materials: Materials<'_>) -> Result<Composed> {
    let settings = materials.settings;
    let mut warnings = materials.warnings.clone();
    let (keyring, store) = tokens(&materials, &mut warnings)?;
    let crier = Arc::new(models::Crier::default());
    let models = models::open(
        &models::Materials {
            home: materials.home,
            variables: materials.variables,
            places: &materials.places,
            purse: Arc::clone(&materials.funds.purse),
            clock: system_clock(),
            crier: Arc::clone(&crier),
        },
        &mut warnings,
    )?;
    let (surface_faults, profile) = (own_tools::Faults::default(), &settings.tools.profile);
    let ahead = surfaces::Ahead::read(materials.home, profile, &mut warnings, &surface_faults)?;
    let language = own_tools::language(materials.home, settings, &mut warnings);
    // Those from before have been logged.
    let found = &warnings[materials.warnings.len()..];
    found.iter().for_each(|warning| tracing::warn!("{warning}"));
    let facts = facts(&materials, warnings.clone());
    let clock = Arc::clone(&facts.clock);
    let faults = own_tools::Faults::default();
    let troubles = faults.beside(surface_faults.beside(materials.log_troubles));
    let named = NamedKeys::new(KeyFolder::new(materials.home));
    let daemon = Daemon::new(facts, keyring, named, store, troubles);
    let ports = Ports {
        boot_id: materials.boot_id,
        clock,
        ledger: match &materials.funds.journal {
            Some(journal) => Arc::new(journal.clone()),
            None => Arc::new(MemoryLedger),
        },
        recorder: materials.recorder,
        runner: runner::on_threads(tokio::runtime::Handle::current()),
    };
    let engine = Engine::new(config(settings), ports);
    daemon.set_engine(&engine);
    let of_revoked = Arc::downgrade(&engine);
    daemon.named().when_gone(move |who| {
        if let Some(engine) = of_revoked.upgrade() {
            engine.stop_all_of(
                who,
                &format!("the key '{who}' it was made with was revoked"),
            );
        }
    });
    ahead.enforce(&engine);
    crier.join(&engine);
    let threads = Announced::new(Arc::clone(&materials.funds.threads));
    threads.join(&engine);
    daemon.set_models(&models);
    let ollama = Manager::new(models.endpoints().values(), &crier.herald());
    let tools = exai_tools::Ports {
        vitals: Arc::clone(&daemon) as _,
        logs: Arc::new(HomeLogs {
            home: materials.home.clone(),
            warnings,
        }),
        models: match language {
            Some((locale, words)) => exai_tools::language::speaking(models, &locale, words),
            None => models,
        },
        ollama: Some(Arc::clone(&ollama) as _),
        threads,
    };
    let library = Library::new(Arc::clone(&tools.models), Arc::clone(&tools.threads));
    daemon.set_library(library);
    let builtin = exai_tools::builtin(&tools);
    let own = own_tools::Keeper {
        home: materials.home.clone(),
        taken: builtin
            .iter()
            .map(|tool| tool.spec().name().to_owned())
            .collect(),
        ports: tools,
        faults,
    };
    engine.replace_tools("builtin", builtin);
    own.begin(&engine);
    if materials.test_tools {
        engine.replace_tools("test", exai_tools::test_tools());
    }
    let late = limits::without_effect(&engine);
    late.iter().for_each(|warning| tracing::warn!("{warning}"));
    daemon.set_late_warnings(late);
    Ok(Composed {
        engine,
        daemon,
        ollama,
        own,
        surface_faults,
    })
}

fn tokens(
    materials: &Materials<'_>,
    warnings: &mut Vec<String>,
) -> Result<(Keyring, Option<(TokenStore, Duration)>)> {
    let auth = &materials.settings.auth;
    if let Some(token) = &auth.token {
        return Ok((Keyring::only(token.clone()), None));
    }
    let store = TokenStore::new(materials.home);
    let found = store.load_or_create()?;
    if found.created {
        tracing::info!(path = %materials.home.token_file().display(), "made a token");
    }
    warnings.extend(found.warnings);
    Ok((found.keyring, Some((store, auth.token_overlap))))
}

fn facts(materials: &Materials<'_>, warnings: Vec<String>) -> Facts {
    let server = ServerInfo {
        name: "exai-daemon".to_owned(),
        version: VERSION.to_owned(),
        build: BUILD.to_owned(),
        boot_id: materials.boot_id.clone(),
        home: materials.home.root().display().to_string(),
    };
    let identity = Identity {
        version: VERSION.to_owned(),
        build: BUILD.to_owned(),
        protocol: PROTOCOL.to_owned(),
        pid: std::process::id(),
        boot_id: materials.boot_id.clone(),
        home: materials.home.root().to_owned(),
        test_tools: materials.test_tools,
    };
    let host = materials.settings.network.host.clone();
    Facts {
        server,
        identity,
        host,
        port: materials.port,
        warnings,
        clock: system_clock(),
    }
}

fn config(settings: &Settings) -> Config {
    let limits = &settings.limits;
    Config {
        call_timeout: settings.calls.call_timeout,
        heartbeat: settings.calls.progress_interval,
        unwatched: settings.calls.unwatched,
        retry_after: limits.retry_after_secs,
        retention: RetentionLimits {
            ttl: settings.calls.result_ttl,
            results: settings.calls.retained_results,
            bytes: settings.calls.retained_bytes,
        },
        limits: Limits {
            global: limits.global_inflight,
            client: limits.client_inflight,
            providers: limits
                .providers
                .iter()
                .map(|(name, n)| (Arc::from(&**name), *n))
                .collect::<HashMap<_, _>>(),
            queue_calls: limits.queue_calls,
            client_queue: limits.client_queue,
            queue_bytes: limits.queue_bytes,
            client_bytes: limits.client_bytes,
        },
        quotas: Quotas {
            principal: limits.principal_rate.map(rate),
            tools: limits
                .tool_rates
                .iter()
                .map(|(tool, of_tool)| (tool.clone(), rate(*of_tool)))
                .collect(),
        },
        session_idle: settings.sessions.idle,
        log_arguments: settings.logs.log_arguments,
        open_folders: settings.files.roots.clone(),
        never_coalesce: settings.calls.disable_coalesce_for.clone(),
        max_result_bytes: settings.network.max_frame_bytes.saturating_sub(ENVELOPE),
    }
}

fn rate(set: exai_config::settings::Rate) -> Rate {
    Rate {
        calls: set.calls,
        per: set.per,
        burst: set.burst,
    }
}

/// The edge's settings.
pub(crate) fn edge(settings: &Settings, port: u16) -> exai_server::Settings {
    let network = &settings.network;
    let mut allowed_hosts = network.allowed_hosts.clone();
    allowed_hosts.push(format!("{}:{port}", network.host));
    exai_server::Settings {
        max_frame_bytes: network.max_frame_bytes,
        hello_timeout: network.hello_timeout,
        ping_interval: network.ping_interval,
        ping_timeout: network.ping_timeout,
        pending_handshakes: network.max_pending_handshakes,
        allowed_hosts,
        port,
        compat_text: settings.calls.compat_text,
        accept_plain_token: settings.auth.accept_plain_token,
    }
}
