//! The order of a daemon's life: claim the home, bind, compose, publish, serve, drain, flush,
//! withdraw. Reads top to bottom; every step that can fail says what it was doing.

use crate::{
    compose::{self, Composed, Materials},
    context::Context as Place,
    dial::Places,
    exit, funds,
    lifecycle::{
        alive::{self, Alive},
        door::{self, Door},
        instance::Instance,
        port_fault::port_fault,
        pulse,
        signal::Signals,
    },
    models, os,
    probe::probe,
    runner,
    serving::{self, Serving},
    succession::taking::{Inherited, Legacy},
    surfaces,
    watchdog::{Subjects, Watchdog},
};
use anyhow::{Context, Result, bail};
use exai_config::{Home, Loaded, named, port_owner, rendezvous};
use exai_engine::ports::recorder::Recorder;
use exai_protocol::{BootId, endpoint::Endpoint, event::WatchdogFault, version::PROTOCOL};
use exai_telemetry::{
    RotateLimits, RotatingFile, SharedFile,
    lines::Boot,
    logging::{self, LogGuard},
    records::{RecordFiles, RecordWriter},
};
use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How `run` was asked to behave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Started by `start`: leave the terminal and everything inherited behind.
    pub(crate) detached: bool,
    /// Started by `restart` or `upgrade`: takes the home over from the daemon that has it.
    pub(crate) succeed: bool,
}

/// Records on their way to the disk before admission waits.
const RECORDS_IN_FLIGHT: usize = 16 * 1024;
/// How long connections get to take their last frames.
const FAREWELL: Duration = Duration::from_secs(3);

/// How long a killed process may take to let go of everything, and between two looks.
const LAST_BREATH: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

/// Runs the daemon of a home until it is asked to end.
pub(crate) fn daemon(home: Home, mut loaded: Loaded, options: Options) -> Result<ExitCode> {
    if options.detached {
        os::detach().context("cannot leave the starting process behind")?;
    }
    without_a_clients_key(&mut loaded)?;
    home.prepare()?;
    let boot_id = compose::fresh_boot_id()?;
    // Before the home: what a killed process held is let go in this order, and who finds the home
    // free is to find the life over.
    let alive = Alive::begin(&home, &boot_id)?;
    let instance = claim(&home, options.succeed)?;
    if instance.is_none() && !options.succeed {
        return Ok(exit::ALREADY_RUNNING.report(format!(
            "a daemon of {} is already running (its lock is held); see `exai-daemon status`",
            home.root().display()
        )));
    }
    alive::sweep(&home);
    let descriptors = os::raise_descriptor_limit();
    let file = SharedFile::new(RotatingFile::open(home.daemon_log(), rotation(&loaded)));
    let log = Arc::new(logging::daemon(
        file.clone(),
        loaded.settings.logs.level.as_str(),
    )?);
    logging::panics_to_log();
    tracing::info!(descriptors, version = compose::VERSION, home = %home.root().display(), "starting");
    loaded
        .warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4)))
        .max_blocking_threads(loaded.settings.limits.global_inflight + runner::SPARE_THREADS)
        .thread_name("exai")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(live(home, loaded, (boot_id, alive), instance, file, &log));
    // A tool that blocks its thread must not hold up the end.
    runtime.shutdown_timeout(Duration::from_millis(200));
    // Last, so that the last lines are written.
    drop(log);
    code
}

/// The home, unless it is somebody's. A process that was just killed is gone a moment before what
/// it held is free; an heir does not wait for what it is to be given.
fn claim(home: &Home, succeeds: bool) -> Result<Option<Instance>> {
    let begins = Instant::now();
    loop {
        let claimed = Instance::claim(home)?;
        if claimed.is_some() || succeeds || begins.elapsed() > LAST_BREATH {
            return Ok(claimed);
        }
        std::thread::sleep(LOOK);
    }
}

/// A window's named key is in the environment of the daemon that its shim starts. It is a
/// client's, revoked perhaps, and never makes that client the owner.
fn without_a_clients_key(loaded: &mut Loaded) -> Result<()> {
    let auth = &mut loaded.settings.auth;
    if auth.token.take_if(|token| named::is_key(token)).is_none() {
        return Ok(());
    }
    if !loaded.settings.network.is_loopback() {
        bail!(
            "EXAI_WS_TOKEN holds a client's named key, which is no token of the owner's; beyond \
             this machine nobody may come in without one: set it to a token you chose"
        );
    }
    loaded.warnings.push(
        "EXAI_WS_TOKEN holds a client's named key, which is no token of the owner's; the home's \
         own token is used"
            .to_owned(),
    );
    Ok(())
}

async fn live(
    home: Home,
    mut loaded: Loaded,
    (boot_id, _alive): (BootId, Alive),
    instance: Option<Instance>,
    file: SharedFile,
    log: &Arc<LogGuard>,
) -> Result<ExitCode> {
    let network = &loaded.settings.network;
    let signals = Signals::listen().context("signals cannot be received")?;
    let mut legacy = match &instance {
        Some(_) => None,
        None => Some(Legacy::ask(&home, &boot_id).await?),
    };
    let passed_on = match &mut legacy {
        Some(legacy) => legacy.doors(network.port, network.unix_socket)?,
        None => Vec::new(),
    };
    let opened = match passed_on.is_empty() {
        true => door::open(&home, network).await,
        false => Ok((passed_on, None)),
    };
    let (doors, trouble) = match opened {
        Ok(open) => open,
        Err(error) => return cannot_bind(home, loaded, &error).await,
    };
    if let Some(trouble) = trouble {
        tracing::warn!("{trouble}");
        loaded.warnings.push(trouble);
    }
    let port = doors.iter().find_map(Door::port);
    let port = port.context("the listener has no address")?;
    let funds = funds::open(&home, &loaded.settings, boot_id.clone(), legacy.is_some()).await?;
    let (recorder, records) = Recorder::channel(RECORDS_IN_FLIGHT);
    let files = RecordFiles::open(&home.logs(), file, rotation(&loaded));
    let Composed {
        engine,
        daemon,
        ollama,
        own,
        surface_faults,
    } = compose::compose(Materials {
        home: &home,
        settings: &loaded.settings,
        warnings: loaded.warnings.clone(),
        test_tools: loaded.test_tools,
        port,
        recorder,
        boot_id: boot_id.clone(),
        log_troubles: troubles(Arc::clone(log), &files, &funds),
        funds: &funds,
        variables: &loaded.variables,
        places: models::places(&loaded),
    })?;
    let family = TaskTracker::new();
    let elder = legacy.as_ref().map(|legacy| legacy.elder.clone());
    let (instance, inherited) = enter_upon(instance, legacy, &funds, &family).await?;
    let boot = boot_line(&boot_id, elder);
    let writer = RecordWriter::spawn(records, files, boot, compose::system_clock())?;
    let pid = std::process::id();
    let endpoint = Endpoint {
        host: loaded.settings.network.host.clone(),
        port,
        pid,
        pid_started: os::process_started(pid),
        boot_id,
        protocol: PROTOCOL.to_owned(),
        version: compose::VERSION.to_owned(),
        socket: doors.iter().find_map(Door::path),
    };
    let instance = Arc::new(instance);
    instance.publish(&endpoint)?;
    rendezvous::clear_stopped(&home).context("cannot remove the stopped marker")?;
    let socket = endpoint.socket.as_deref();
    tracing::info!(host = endpoint.host, port, socket, boot = %endpoint.boot_id, "listening");

    let chores = TaskTracker::new();
    let idle = CancellationToken::new();
    let beat = pulse::health(
        Arc::clone(&daemon),
        home.health_file(),
        loaded.settings.logs.health_interval,
    );
    chores.spawn(until(idle.clone(), beat));
    if let Some(desk) = daemon.models() {
        let look = models::around(Arc::clone(desk), models::environment());
        chores.spawn(until(idle.clone(), look));
    }
    let sample = pulse::sample(
        Arc::clone(&engine),
        Arc::clone(&daemon),
        Arc::clone(&instance),
        endpoint.clone(),
    );
    chores.spawn(until(idle.clone(), sample));
    let tidy = funds::tidy(funds.store.clone(), funds.journal.clone());
    chores.spawn(until(idle.clone(), tidy));
    let profile = loaded.settings.tools.profile.clone();
    let follow = surfaces::follow(Arc::clone(&engine), home.clone(), profile, surface_faults);
    chores.spawn(until(idle.clone(), follow));
    let watch = exai_llm::ollama::watch(ollama, Arc::clone(engine.bus()));
    chores.spawn(until(idle.clone(), watch));
    let watchdog = Watchdog::start(Subjects {
        engine: Arc::clone(&engine),
        daemon: Arc::clone(&daemon),
        runtime: tokio::runtime::Handle::current(),
        settings: loaded.settings.watchdog.clone(),
        writers: vec![
            (WatchdogFault::RecordWriter, writer.headway()),
            (WatchdogFault::DatabaseWriter, funds.headway()),
        ],
        descriptors: os::raise_descriptor_limit(),
        dump: RotatingFile::open(home.watchdog_file(), rotation(&loaded)),
        health_file: home.health_file(),
    })
    .context("no thread for the watchdog")?;
    let follow = own.follow(Arc::clone(&engine));
    chores.spawn(until(idle.clone(), follow));
    let serving = Serving {
        home: &home,
        engine: &engine,
        daemon: &daemon,
        instance: &instance,
        endpoint: &endpoint,
        journal: funds.journal.clone(),
        inherited,
        edge: compose::edge(&loaded.settings, port),
        signals,
        idle: idle.clone(),
        family,
    };
    serving::serve(doors, serving).await?;

    idle.cancel();
    chores.close();
    chores.wait().await;
    if let Some(desk) = daemon.models()
        && timeout(FAREWELL, desk.settle()).await.is_err()
    {
        tracing::warn!("some providers were left before they had cleaned up");
    }
    pulse::last(&daemon, &home.health_file());
    engine.registry().clear();
    // It holds the engine, and with it the record's channel.
    let _ = tokio::task::spawn_blocking(move || watchdog.stop()).await;
    drop((engine, daemon));
    funds.close(FAREWELL).await;
    flush(writer).await;
    instance.withdraw(&endpoint);
    tracing::info!("ended");
    Ok(ExitCode::SUCCESS)
}

/// The home is ours: claimed, or given by the daemon before us, who says so now.
async fn enter_upon(
    instance: Option<Instance>,
    legacy: Option<Legacy>,
    funds: &funds::Funds,
    family: &TaskTracker,
) -> Result<(Instance, Option<Inherited>)> {
    match (instance, legacy) {
        (Some(instance), _) => Ok((instance, None)),
        (None, Some(mut legacy)) => {
            let journal = funds.journal.as_ref();
            let journal = journal.context("without a journal a home cannot be taken over")?;
            legacy.enter_upon().await?;
            let (instance, inherited) = legacy.link(journal, family);
            Ok((instance, Some(inherited)))
        }
        (None, None) => bail!("this home is another daemon's"),
    }
}

fn rotation(loaded: &Loaded) -> RotateLimits {
    let logs = &loaded.settings.logs;
    RotateLimits {
        max_bytes: logs.max_bytes,
        keep: logs.keep,
        // The daemon before this one may still finish calls, and the next one be on its way.
        shared: true,
    }
}

/// What of the files should worry their owner.
fn troubles(
    log: Arc<LogGuard>,
    files: &RecordFiles,
    funds: &funds::Funds,
) -> Box<dyn Fn() -> Vec<String> + Send + Sync> {
    let (files, funds) = (files.faults(), funds.troubles());
    Box::new(move || {
        let mut troubles: Vec<String> = files.iter().filter_map(|file| file.describe()).collect();
        troubles.extend(log.faults());
        troubles.extend(funds());
        troubles
    })
}

/// Waits until every record is on disk; the channel closes with the last engine's handle.
async fn flush(writer: RecordWriter) {
    match tokio::task::spawn_blocking(move || writer.finish(FAREWELL)).await {
        Ok(Ok(records)) => tracing::info!(records, "the record is complete"),
        outcome => tracing::error!(?outcome, "the record could not be completed"),
    }
}

fn boot_line(boot_id: &BootId, after: Option<BootId>) -> Boot {
    Boot {
        boot_id: boot_id.clone(),
        pid: std::process::id(),
        version: compose::VERSION.to_owned(),
        after,
    }
}

async fn until(stop: CancellationToken, chore: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = chore => {}
    }
}

/// Why not, and in whose way we are: another exai is told apart from a foreign program.
async fn cannot_bind(home: Home, loaded: Loaded, error: &std::io::Error) -> Result<ExitCode> {
    let place = Place {
        home,
        loaded,
        overrides: Vec::new(),
    };
    let network = &place.loaded.settings.network;
    let (host, port) = (network.host.as_str(), network.port);
    tracing::error!(%error, host, port, "cannot listen");
    if error.kind() != std::io::ErrorKind::AddrInUse {
        return Ok(exit::FAILURE.report(format!(
            "cannot listen on {host}:{port}: {error}; EXAI_WS_HOST and EXAI_WS_PORT choose \
             another address"
        )));
    }
    let target = Places::of(&place).configured()?;
    if let Some(fault) = port_fault(&target, &probe(&target, &place.home).await) {
        return Err(fault);
    }
    let owner = port_owner::owner(port);
    let owner = owner.map_or_else(|| "another program".to_owned(), |owner| owner.to_string());
    Ok(exit::PORT_TAKEN.report(format!(
        "port {port} on {host} is taken by {owner}; `exai-daemon doctor` says more, \
         EXAI_WS_PORT chooses another port"
    )))
}
