//! The middle of a daemon's life: it serves until it is asked to end, or until another daemon has
//! taken its home over; then what is at work is brought to its end.

use crate::{
    control::{Daemon, Ending},
    lifecycle::{door, instance::Instance, signal::Signals},
    succession::{
        self,
        giving::{Door, Estate},
        link::ToHeir,
        taking::Inherited,
    },
};
use anyhow::{Context as _, Result};
use exai_config::Home;
use exai_engine::Engine;
use exai_protocol::endpoint::Endpoint;
use exai_server::Server;
use exai_store::Journal;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What a signal allows running calls.
const SIGNAL_DRAIN: Duration = Duration::from_secs(30);
/// How long connections get to take their last frames.
const FAREWELL: Duration = Duration::from_secs(3);

/// What it takes.
pub(crate) struct Serving<'a> {
    pub(crate) home: &'a Home,
    pub(crate) engine: &'a Arc<Engine>,
    pub(crate) daemon: &'a Arc<Daemon>,
    pub(crate) instance: &'a Arc<Instance>,
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) journal: Option<Journal>,
    /// The daemon before this one still has calls.
    pub(crate) inherited: Option<Inherited>,
    pub(crate) edge: exai_server::Settings,
    pub(crate) signals: Signals,
    /// Ends what only the daemon of a home does.
    pub(crate) idle: CancellationToken,
    /// What goes on between this daemon, the one before and the one after it.
    pub(crate) family: TaskTracker,
}

/// Why it no longer serves.
enum Over {
    Asked(Ending),
    Given(Arc<ToHeir>),
}

/// Serves until it is over, then: accept no one, bring calls to their end, say goodbye.
pub(crate) async fn serve(doors: Vec<door::Door>, mut serving: Serving<'_>) -> Result<()> {
    let (closing, goodbye) = (CancellationToken::new(), CancellationToken::new());
    let (engine, daemon) = (serving.engine, serving.daemon);
    let (gate, opened) = watch::channel(true);
    let estate = estate(&doors, &serving, gate)?;
    let heirs = estate.as_ref().and_then(Estate::door);
    let server = Server::new(Arc::clone(engine), Arc::clone(daemon), serving.edge.clone());
    let moving = server.moving();
    let edge = TaskTracker::new();
    daemon.set_strangers(server.failures());
    door::serve(doors, &opened, &server, &edge, &closing, &goodbye);
    drop(server);
    edge.close();
    if let Some(inherited) = &serving.inherited {
        inherited.serving();
    }
    let over = tokio::select! {
        ending = asked_to_end(daemon, &mut serving.signals) => Over::Asked(ending),
        link = given(estate.as_ref(), heirs) => Over::Given(link),
    };
    closing.cancel();
    // Its copies of the listeners go with it.
    drop(estate);
    match over {
        Over::Asked(ending) => {
            succession::close_door(serving.home);
            end(&mut serving, ending.drain).await;
        }
        Over::Given(link) => {
            serving.idle.cancel();
            moving.cancel();
            finish(&mut serving, &link).await;
        }
    }
    goodbye.cancel();
    if timeout(FAREWELL, edge.wait()).await.is_err() {
        tracing::warn!("some connections did not take their farewell");
    }
    Ok(())
}

/// What can be given away; nothing without a journal, in which the next daemon finds the calls.
fn estate(
    doors: &[door::Door],
    serving: &Serving<'_>,
    gate: watch::Sender<bool>,
) -> Result<Option<Estate>> {
    let Some(journal) = serving.journal.clone() else {
        return Ok(None);
    };
    let lent = doors.iter().map(lend).collect::<std::io::Result<_>>();
    let listeners = lent.context("the listeners cannot be shared")?;
    Ok(Some(Estate {
        home: serving.home.clone(),
        endpoint: serving.endpoint.clone(),
        instance: Arc::clone(serving.instance),
        listeners,
        daemon: Arc::clone(serving.daemon),
        engine: Arc::clone(serving.engine),
        journal,
        gate,
        tasks: serving.family.clone(),
    }))
}

#[cfg(unix)]
fn lend(door: &door::Door) -> std::io::Result<std::os::fd::OwnedFd> {
    door.lend()
}

/// Windows passes nothing on.
#[cfg(not(unix))]
fn lend(_: &door::Door) -> std::io::Result<()> {
    Ok(())
}

async fn given(estate: Option<&Estate>, door: Option<Door>) -> Arc<ToHeir> {
    match estate {
        Some(estate) => estate.give(door).await,
        None => std::future::pending().await,
    }
}

/// Brings everything to its end within a time; a second signal means now.
async fn end(serving: &mut Serving<'_>, drain: Duration) {
    let deadline = Instant::now() + drain;
    if let Some(inherited) = &serving.inherited {
        inherited.drain(drain);
    }
    let engine = serving.engine;
    let cut = tokio::select! {
        cut = engine.drain(deadline) => cut,
        _ = serving.signals.asked_to_end() => engine.drain(Instant::now()).await,
    };
    tracing::info!(cut, "drained");
    if let Some(inherited) = &serving.inherited {
        let patience = deadline.max(Instant::now()) + FAREWELL;
        if tokio::time::timeout_at(patience, inherited.gone())
            .await
            .is_err()
        {
            tracing::warn!("the daemon before this one has not ended yet");
        }
    }
}

/// The home is another's: what is at work takes the time it takes, unless that one is to end.
async fn finish(serving: &mut Serving<'_>, link: &ToHeir) {
    let (engine, inherited) = (serving.engine, serving.inherited.as_ref());
    let all_ended = async {
        engine.all_ended().await;
        link.settled().await;
        if let Some(inherited) = inherited {
            inherited.gone().await;
        }
    };
    let drain = tokio::select! {
        () = all_ended => return tracing::info!("every call has ended; the home is the next daemon's"),
        drain = link.drained() => drain,
        ending = asked_to_end(serving.daemon, &mut serving.signals) => ending.drain,
    };
    end(serving, drain).await;
}

async fn asked_to_end(daemon: &Daemon, signals: &mut Signals) -> Ending {
    let mut asked = daemon.ending();
    tokio::select! {
        reason = signals.asked_to_end() => {
            daemon.end(SIGNAL_DRAIN, reason);
            Ending { drain: SIGNAL_DRAIN, reason: reason.to_owned() }
        }
        ending = asked.wait_for(Option::is_some) => {
            let ending = ending.ok().and_then(|ending| ending.clone());
            ending.unwrap_or(Ending { drain: SIGNAL_DRAIN, reason: "abandoned".to_owned() })
        }
    }
}
