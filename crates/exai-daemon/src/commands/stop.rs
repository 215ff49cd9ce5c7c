//! `stop`: asks the daemon to finish and end, waits until it really has, and only then pushes,
//! and only the one process that is proven to be it.

use super::next_step;
use crate::{
    cli::Stop,
    compose,
    context::Context,
    dial::{self, Connection},
    exit::{self, Code},
    lifecycle::identity::{self, Push, Unproven, lock_is_held},
    os, output,
    probe::{Answer, probe},
};
use anyhow::{Context as _, Result};
use exai_config::rendezvous;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const LOOK: Duration = Duration::from_millis(50);
/// What running calls get, and what they get where force is wanted.
const DRAIN: Duration = Duration::from_secs(30);
const SHORT_DRAIN: Duration = Duration::from_secs(3);
/// Beyond its drain, for farewells, flushes and a slow disk.
const GRACE: Duration = Duration::from_secs(10);
const SHORT_GRACE: Duration = Duration::from_secs(4);
/// A daemon that holds the home and does not answer may be starting just now.
const STARTING: Duration = Duration::from_secs(3);
/// After the signal that nothing survives.
const KILLED: Duration = Duration::from_secs(5);

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// There was nothing to end.
    NotRunning,
    /// It ended by itself, when asked.
    Asked,
    /// It needed a push.
    Pushed(Push),
}

pub(super) async fn run(context: &Context, options: &Stop) -> Result<Code> {
    // First, so that no shim starts the next one while this one ends.
    let mut noted = note(context);
    let ended = end(context, options).await?;
    if rendezvous::stopped(&context.home).is_none() && !lock_is_held(&context.home) {
        // A daemon that was just starting took it for the past; or a disk has room again.
        noted = note(context);
    }
    match noted {
        Err(error) if ended != Ended::NotRunning => output::warning(format!(
            "{error:#}; windows that are open may start it again"
        )),
        noted => noted?,
    }
    output::line(match ended {
        Ended::NotRunning => "ws_daemon: not running",
        Ended::Asked => "ws_daemon: stopped",
        Ended::Pushed(Push::Terminate) => "ws_daemon: stopped (by a signal; it could not be asked)",
        Ended::Pushed(Push::Kill) => "ws_daemon: killed (it did not end by itself)",
    })?;
    next_step("shims reconnect but start nothing until `exai-daemon start`");
    Ok(exit::OK)
}

/// Notes that no daemon is wanted. A disk without room keeps nobody from ending the one that runs.
fn note(context: &Context) -> Result<()> {
    const WHAT: &str = "cannot note that you want no daemon";
    context.home.prepare().context(WHAT)?;
    let now = (compose::system_clock())();
    rendezvous::mark_stopped(&context.home, "exai-daemon stop", now).context(WHAT)
}

/// Ends the daemon of this home, whatever state it is in.
pub(super) async fn end(context: &Context, options: &Stop) -> Result<Ended> {
    let (drain, grace) = patience(options);
    let mut why = "does not answer";
    let confirmed = match ask(context, drain, options.force).await? {
        Asked::Nobody => {
            identity::clean_up(&context.home);
            return Ok(Ended::NotRunning);
        }
        Asked::Confirmed(pid) => {
            if gone(
                context,
                Some(pid),
                drain + grace,
                "waiting for running calls",
            )
            .await?
            {
                return finish(context, Ended::Asked);
            }
            Some(pid)
        }
        Asked::Draining(calls) if !options.force => {
            // The signal would cut short what another `stop` promised to wait for.
            output::hint(format!(
                "it is on its way down already and waits for {}; it gets another {} s{OR_FORCE}",
                counted(calls),
                (drain + grace).as_secs(),
            ));
            if gone(context, None, drain + grace, "waiting for running calls").await? {
                return finish(context, Ended::Asked);
            }
            None
        }
        Asked::Refused => {
            why = "refuses our token";
            None
        }
        Asked::Draining(_) | Asked::NoAnswer => None,
    };
    let Some(pid) = pushed(context, confirmed, Push::Terminate).await? else {
        return finish(context, Ended::Asked);
    };
    output::hint(format!(
        "the daemon (pid {pid}) {why}; told it by a signal to end, which may take {} s{}",
        (drain + grace).as_secs(),
        if options.force {
            ", then it is killed"
        } else {
            OR_FORCE
        }
    ));
    if gone(
        context,
        Some(pid),
        drain + grace,
        "told it by a signal, waiting",
    )
    .await?
    {
        return finish(context, Ended::Pushed(Push::Terminate));
    }
    if !options.force {
        return Err(exit::NOT_STOPPED.because(format!(
            "the daemon (pid {pid}) did not end within {} s of being asked; run \
             `exai-daemon stop --force` to kill it",
            (drain + grace).as_secs()
        )));
    }
    if pushed(context, confirmed, Push::Kill).await?.is_none() {
        return finish(context, Ended::Pushed(Push::Terminate));
    }
    if gone(context, Some(pid), KILLED, "killed it, waiting").await? {
        return finish(context, Ended::Pushed(Push::Kill));
    }
    Err(exit::NOT_STOPPED.because(format!(
        "the daemon (pid {pid}) was killed and its lock is still held: the system is not letting \
         it go, most likely because of a disk that does not answer"
    )))
}

const OR_FORCE: &str = " (less with `exai-daemon stop --force`)";

/// What running calls get to finish, and the daemon to end after that.
fn patience(options: &Stop) -> (Duration, Duration) {
    let (drain, grace) = if options.force {
        (SHORT_DRAIN, SHORT_GRACE)
    } else {
        (DRAIN, GRACE)
    };
    (options.drain.map_or(drain, Duration::from_secs_f64), grace)
}

fn finish(context: &Context, ended: Ended) -> Result<Ended> {
    identity::clean_up(&context.home);
    Ok(ended)
}

enum Asked {
    /// Nothing runs here.
    Nobody,
    /// It said it would end, and which process it is.
    Confirmed(u32),
    /// It was asked before, and finishes that many calls; it takes no new connections.
    Draining(u64),
    /// The daemon of this home does not let us in.
    Refused,
    /// Something holds the home and cannot be spoken to.
    NoAnswer,
}

async fn ask(context: &Context, drain: Duration, force: bool) -> Result<Asked> {
    let began = Instant::now();
    loop {
        let target = dial::place(context).await?;
        let answer = probe(&target, &context.home).await;
        if let Answer::Ours(_) = answer {
            match shutdown(context, drain, force).await {
                Ok(pid) => return Ok(Asked::Confirmed(pid)),
                Err(error) => output::warning(format!("the daemon could not be asked: {error:#}")),
            }
        }
        if !lock_is_held(&context.home) {
            mention_others(&answer, target.port);
            return match answer {
                Answer::Refused(why) => Err(exit::REFUSED.because(format!(
                    "an exai daemon answers at ws://{} and does not accept us ({why}); nothing \
                     was stopped. Give this command its token (EXAI_WS_TOKEN) or its home \
                     (EXAI_HOME)",
                    target.authority()
                ))),
                _ => Ok(Asked::Nobody),
            };
        }
        if let Answer::Refused(_) = answer {
            return Ok(Asked::Refused);
        }
        if let Some(calls) = draining(context, &answer) {
            return Ok(Asked::Draining(calls));
        }
        if began.elapsed() > STARTING {
            return Ok(Asked::NoAnswer);
        }
        sleep(LOOK).await;
    }
}

/// How many calls a daemon that takes no more connections is finishing, by its own word.
fn draining(context: &Context, answer: &Answer) -> Option<u64> {
    let health = exai_telemetry::health_file::read(&context.home.health_file());
    let health = health.ok().flatten()?;
    let closed = matches!(answer, Answer::Nobody(_)) && health.state == "draining";
    (closed && rendezvous::names(&context.home, &health.boot_id)).then_some(health.global_inflight)
}

fn counted(calls: u64) -> String {
    format!("{calls} running call{}", if calls == 1 { "" } else { "s" })
}

fn mention_others(answer: &Answer, port: u16) {
    match answer {
        Answer::OtherHome(server) => next_step(&format!(
            "port {port} is held by the exai of another home, {}; it was left alone",
            server.home
        )),
        Answer::Foreign(_) => {
            let owner = exai_config::port_owner::owner(port);
            let owner =
                owner.map_or_else(|| "another program".to_owned(), |owner| owner.to_string());
            next_step(&format!(
                "port {port} is held by {owner}; it was left alone"
            ));
        }
        _ => {}
    }
}

async fn shutdown(context: &Context, drain: Duration, force: bool) -> Result<u32> {
    let connection = Connection::open(context).await?;
    let millis = u64::try_from(drain.as_millis()).unwrap_or(u64::MAX);
    let reply = connection.client.shutdown(millis, "exai-daemon stop").await;
    connection.close().await;
    let reply = reply?;
    if reply.in_flight > 0 {
        output::hint(format!(
            "waiting for {} to finish, at most {} s{}",
            counted(reply.in_flight),
            drain.as_secs_f64(),
            if force { "" } else { OR_FORCE }
        ));
    }
    Ok(reply.pid)
}

/// Waits until nothing holds the home and nothing of ours answers.
async fn gone(
    context: &Context,
    confirmed: Option<u32>,
    patience: Duration,
    what: &str,
) -> Result<bool> {
    let began = Instant::now();
    // Its own word, for where the record is spoilt; with its start, as pids come again.
    let process = confirmed.and_then(|pid| Some((pid, os::process_started(pid)?)));
    let lives = || process.is_some_and(|(pid, at)| os::process_started(pid) == Some(at));
    let record = rendezvous::read(&context.home).ok().flatten();
    let target = dial::place(context).await?;
    let mut ticker = output::Ticker::new();
    loop {
        let now = rendezvous::read(&context.home).ok().flatten();
        if let (Some(then), Some(now)) = (&record, &now)
            && then.boot_id != now.boot_id
        {
            // The one we mean has given way to another, which is not ours to wait for.
            break;
        }
        let held = lock_is_held(&context.home);
        if !held && !matches!(probe(&target, &context.home).await, Answer::Ours(_)) {
            break;
        }
        if began.elapsed() > patience {
            return Ok(false);
        }
        if began.elapsed() > Duration::from_secs(1) {
            ticker.show(&format!("{what} … {} s", began.elapsed().as_secs()));
        }
        sleep(LOOK).await;
    }
    // The lock goes a moment before the process; a script that counts processes should not see
    // it. One that nobody reaps stays visible, so this wait is short.
    let brief = Instant::now();
    while (lives() || record.as_ref().and_then(identity::is_alive) == Some(true))
        && brief.elapsed() < GRACE / 20
    {
        sleep(LOOK / 5).await;
    }
    Ok(true)
}

/// Signals it. `None`: it has ended by itself meanwhile; what names it goes a moment before its
/// lock does, and such a one is not to be called a stranger.
async fn pushed(context: &Context, confirmed: Option<u32>, how: Push) -> Result<Option<u32>> {
    match push(context, confirmed, how) {
        Ok(pid) => Ok(Some(pid)),
        Err(unproven) => match gone(context, confirmed, KILLED, "it is ending, waiting").await? {
            true => Ok(None),
            false => Err(unproven),
        },
    }
}

fn push(context: &Context, confirmed: Option<u32>, push: Push) -> Result<u32> {
    let left_alone = |why: String| {
        exit::NOT_STOPPED.because(format!(
            "something holds {} and does not answer, and {why}; nothing was signalled. Look at {} \
             and end that process yourself",
            context.home.lock_file().display(),
            context.home.daemon_log().display()
        ))
    };
    identity::signal(&context.home, confirmed, push).map_err(|unproven| match unproven {
        Unproven::NoRecord => left_alone("no record says which process it is".to_owned()),
        Unproven::Another => left_alone("the recorded process is another or gone".to_owned()),
        Unproven::Unconfirmed => {
            left_alone("this system cannot prove which process it is".to_owned())
        }
        Unproven::Failed(error) => exit::NOT_STOPPED.because(format!(
            "the daemon's process could not be signalled: {error}"
        )),
    })
}
