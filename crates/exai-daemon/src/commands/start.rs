//! `start`: brings the daemon of this home up and returns when it answers. Many starters agree
//! on one by a lock; a port that somebody else holds is named, and nobody is pushed off it.

use crate::{
    cli::Start,
    context::Context,
    dial::Places,
    exit::{self, Code},
    lifecycle::{
        identity::{is_alive, lock_is_free, lock_is_held},
        port_fault::port_fault,
        spawn::{self, Spawned, Which, tail},
    },
    output,
    probe::{Answer, probe},
};
use anyhow::{Context as _, Result};
use exai_client::Target;
use exai_config::rendezvous;
use exai_protocol::{endpoint::Endpoint, hello::ServerInfo};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// Between two looks at something that will soon be different.
const LOOK: Duration = Duration::from_millis(20);
/// How long a daemon that is on its way down may take before a new one is tried.
const PREDECESSOR: Duration = Duration::from_secs(40);
/// How long a command waits to see the daemon before go.
const FAREWELL: Duration = Duration::from_millis(1500);
/// Starts in a row when somebody else held the home for a moment.
const TRIES: u32 = 3;

/// A daemon that answers.
pub(super) struct Up {
    url: String,
    pid: Option<u32>,
    already: bool,
}

pub(super) async fn run(context: &Context, options: &Start) -> Result<Code> {
    if !options.quiet {
        super::warn_of_settings(context);
    }
    told(&bring_up(context, options).await?, options)
}

fn told(up: &Up, options: &Start) -> Result<Code> {
    if !options.quiet {
        let word = if up.already {
            "already running"
        } else {
            "started"
        };
        let pid = up
            .pid
            .map(|pid| format!(" | pid={pid}"))
            .unwrap_or_default();
        output::line(format!("ws_daemon: {word} | {}{pid}", up.url))?;
    }
    Ok(exit::OK)
}

/// Makes sure that a daemon of this home answers.
pub(super) async fn bring_up(context: &Context, options: &Start) -> Result<Up> {
    heed_the_owner(context, options)?;
    context.home.prepare()?;
    if !options.autostart {
        rendezvous::clear_stopped(&context.home).context("cannot remove the stopped marker")?;
    }
    if let Some(up) = reached(context).await? {
        return Ok(up);
    }
    let patience = Duration::from_secs_f64(options.wait);
    let lock = match start_lock(context, patience + PREDECESSOR, Meanwhile::OneWillDo).await? {
        Ok(lock) => lock,
        Err(up) => return Ok(up),
    };
    bring_up_alone(context, options, None, lock).await
}

/// Becomes the only starter of this home, whatever answers now: for who is about to end it.
pub(super) async fn only_starter(context: &Context) -> Result<File> {
    let lock = start_lock(context, PREDECESSOR, Meanwhile::WaitAllTheSame).await?;
    lock.map_err(|up| anyhow::anyhow!("{} came up meanwhile", up.url))
}

/// The same as [`run`], for who already is the only starter.
pub(super) async fn run_alone(
    context: &Context,
    options: &Start,
    program: Option<&Path>,
    lock: File,
) -> Result<Code> {
    rendezvous::clear_stopped(&context.home).context("cannot remove the stopped marker")?;
    told(
        &bring_up_alone(context, options, program, lock).await?,
        options,
    )
}

/// Starts a daemon that takes the home over from the running one. If it fails, that one goes
/// on, and the error says both. If that one dies meanwhile, there is nothing to take over any
/// more, and a daemon is started as ever.
pub(super) async fn succeed(
    context: &Context,
    options: &Start,
    program: Option<&Path>,
    lock: File,
) -> Result<Code> {
    let before = rendezvous::read(&context.home).ok().flatten();
    let which = Which {
        program,
        succeeds: true,
    };
    let patience = Duration::from_secs_f64(options.wait);
    let up = match attempt(context, patience, &which).await {
        Ok(Some(up)) => up,
        Ok(None) | Err(_) if !lock_is_held(&context.home) => {
            return run_alone(context, options, program, lock).await;
        }
        Ok(None) => return Err(goes_on("it found nothing to take over", before.as_ref())),
        Err(error) => return Err(goes_on(&exit::told(&error), before.as_ref())),
    };
    let code = told(&up, options)?;
    if let Some(before) = before {
        farewell(&before).await;
    }
    Ok(code)
}

fn goes_on(why: &str, before: Option<&Endpoint>) -> anyhow::Error {
    let pid = before.map_or_else(String::new, |record| format!(" (pid {})", record.pid));
    exit::START_FAILED.because(format!(
        "no new daemon took over; the running one{pid} goes on, and no call was lost\n{why}"
    ))
}

/// Without calls the one before ends at once; a script that counts processes should not see it.
async fn farewell(before: &Endpoint) {
    let began = Instant::now();
    while is_alive(before) == Some(true) {
        if began.elapsed() > FAREWELL {
            let pid = before.pid;
            output::hint(format!(
                "the daemon before it (pid {pid}) finishes its running calls, then ends by itself"
            ));
            return;
        }
        sleep(LOOK).await;
    }
}

async fn bring_up_alone(
    context: &Context,
    options: &Start,
    program: Option<&Path>,
    _lock: File,
) -> Result<Up> {
    let patience = Duration::from_secs_f64(options.wait);
    heed_the_owner(context, options)?;
    if let Some(up) = predecessor_gone(context).await? {
        return Ok(up);
    }
    if let Some(up) = on_the_port(context).await? {
        return Ok(up);
    }
    let which = Which {
        program,
        succeeds: false,
    };
    for _ in 1..TRIES {
        if let Some(up) = attempt(context, patience, &which).await? {
            return Ok(up);
        }
    }
    let last = attempt(context, patience, &which).await?;
    last.ok_or_else(|| {
        exit::START_FAILED.because(
            "another process holds this home and does not answer; see `exai-daemon status`, then \
             `exai-daemon stop --force`",
        )
    })
}

fn heed_the_owner(context: &Context, options: &Start) -> Result<()> {
    match rendezvous::stopped(&context.home) {
        Some(_) if options.autostart => {
            Err(exit::STOPPED.because("stopped by you; run exai-daemon start"))
        }
        _ => Ok(()),
    }
}

/// The daemon of this home, if it answers where it said it would be, or where it should be.
pub(super) async fn answering(context: &Context) -> Result<Option<Up>> {
    // Asking takes seconds where something else has the port and says nothing.
    if lock_is_free(&context.home) {
        return Ok(None);
    }
    let places = Places::of(context);
    let (best, configured) = (places.best()?, places.configured()?);
    let elsewhere = configured.authority() != best.authority();
    let candidates = [Some(best), Some(configured).filter(|_| elsewhere)];
    for target in candidates
        .into_iter()
        .flatten()
        .filter(|target| target.port != 0)
    {
        if let Answer::Ours(server) = probe(&target, &context.home).await {
            return Ok(Some(up(context, &target, &server, true)));
        }
    }
    Ok(None)
}

/// The daemon of this home, or who is in its place. Somebody who says nothing costs seconds to
/// see through: he is asked before other starters have to wait for that.
async fn reached(context: &Context) -> Result<Option<Up>> {
    if lock_is_free(&context.home) {
        return on_the_port(context).await;
    }
    answering(context).await
}

fn up(context: &Context, target: &Target, server: &ServerInfo, already: bool) -> Up {
    let record = rendezvous::read(&context.home).ok().flatten();
    let pid = record
        .filter(|record| record.boot_id == server.boot_id)
        .map(|record| record.pid);
    Up {
        url: format!("ws://{}", target.authority()),
        pid,
        already,
    }
}

/// What a daemon that answers means to who waits for the lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    /// Another starter has done the work.
    OneWillDo,
    /// It is the one that is about to be ended.
    WaitAllTheSame,
}

/// The lock that lets one starter work; or the daemon another one brought up meanwhile.
async fn start_lock(
    context: &Context,
    patience: Duration,
    meanwhile: Meanwhile,
) -> Result<Result<File, Up>> {
    let path = context.home.start_lock_file();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let lock = options
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    let began = Instant::now();
    let mut looks: u32 = 0;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Ok(lock)),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
            Err(TryLockError::WouldBlock) if began.elapsed() > patience => {
                let seconds = patience.as_secs();
                return Err(exit::START_FAILED.because(format!(
                    "others have been starting the daemon of this home for {seconds} s; wait for \
                     them or end them (`exai-daemon start`), then try again"
                )));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        looks += 1;
        if looks.is_multiple_of(10)
            && meanwhile == Meanwhile::OneWillDo
            && let Some(up) = answering(context).await?
        {
            return Ok(Err(up));
        }
        sleep(LOOK).await;
    }
}

/// Waits while a daemon that does not answer holds the home: one that drains, or one that was
/// just run by hand.
async fn predecessor_gone(context: &Context) -> Result<Option<Up>> {
    let began = Instant::now();
    let mut ticker = output::Ticker::new();
    while lock_is_held(&context.home) {
        if let Some(up) = answering(context).await? {
            return Ok(Some(up));
        }
        if began.elapsed() > PREDECESSOR {
            let record = rendezvous::read(&context.home).ok().flatten();
            let pid = record.map(|record| format!(" (pid {} by its record)", record.pid));
            return Err(exit::START_FAILED.because(format!(
                "a daemon of this home{} holds its lock and does not answer; run \
                 `exai-daemon stop --force`, then start again",
                pid.unwrap_or_default()
            )));
        }
        ticker.show("waiting for the daemon that is going down …");
        sleep(Duration::from_millis(100)).await;
    }
    Ok(None)
}

/// Names whoever holds our port, before a daemon is started in vain. It may be the daemon of this
/// home after all, whose lock's file somebody removed.
async fn on_the_port(context: &Context) -> Result<Option<Up>> {
    let target = Places::of(context).configured()?;
    // An address that is not this machine's is answered by others; binding it will tell.
    if target.port == 0 || !exai_config::settings::is_loopback(&target.host) {
        return Ok(None);
    }
    let answer = probe(&target, &context.home).await;
    if let Answer::Ours(server) = &answer {
        return Ok(Some(up(context, &target, server, true)));
    }
    match port_fault(&target, &answer) {
        Some(fault) => Err(fault),
        None => Ok(None),
    }
}

/// One spawn. `None`: somebody else held the home at that moment.
async fn attempt(context: &Context, patience: Duration, which: &Which<'_>) -> Result<Option<Up>> {
    let log_from = context
        .home
        .daemon_log()
        .metadata()
        .map_or(0, |meta| meta.len());
    let mut spawned = spawn::daemon(context, which)?;
    let pid = spawned.child.id();
    let began = Instant::now();
    let mut ticker = output::Ticker::new();
    loop {
        if let Some(up) = child_answers(context, pid).await? {
            return Ok(Some(up));
        }
        if let Some(status) = spawned
            .child
            .try_wait()
            .context("cannot watch the daemon")?
        {
            ticker.clear();
            if status.code() == Some(i32::from(exit::ALREADY_RUNNING.number)) {
                return predecessor_gone(context).await;
            }
            let taken = [exit::PORT_TAKEN, exit::OTHER_HOME, exit::REFUSED]
                .into_iter()
                .find(|code| status.code() == Some(i32::from(code.number)));
            if taken.is_some()
                && let Some(up) = on_the_port(context).await?
            {
                return Ok(Some(up));
            }
            let code = taken.unwrap_or(exit::START_FAILED);
            return Err(died(context, &spawned, log_from, code, &status.to_string()));
        }
        // One that is named has the home: ending it would leave nobody.
        let patience = match is_named(context, pid) {
            true => patience * 2,
            false => patience,
        };
        if began.elapsed() > patience {
            ticker.clear();
            let silent = format!(
                "no answer within {} s, so it was ended",
                patience.as_secs_f64()
            );
            // Our own child, and nobody has heard of it yet.
            let _ = spawned.child.kill();
            let _ = spawned.child.wait();
            return Err(died(
                context,
                &spawned,
                log_from,
                exit::START_FAILED,
                &silent,
            ));
        }
        if began.elapsed() > Duration::from_secs(1) {
            ticker.show(&format!(
                "starting the daemon … {} s",
                began.elapsed().as_secs()
            ));
        }
        sleep(LOOK).await;
    }
}

fn is_named(context: &Context, pid: u32) -> bool {
    let record = rendezvous::read(&context.home).ok().flatten();
    record.is_some_and(|record| record.pid == pid)
}

/// The daemon we spawned, once its record names it and a handshake confirms the record.
async fn child_answers(context: &Context, pid: u32) -> Result<Option<Up>> {
    let Some(record) = rendezvous::read(&context.home).ok().flatten() else {
        return Ok(None);
    };
    if record.pid != pid {
        return Ok(None);
    }
    let target = Places::of(context).recorded(&record)?;
    match probe(&target, &context.home).await {
        Answer::Ours(server) if server.boot_id == record.boot_id => {
            Ok(Some(up(context, &target, &server, false)))
        }
        _ => Ok(None),
    }
}

fn died(
    context: &Context,
    spawned: &Spawned,
    log_from: u64,
    code: Code,
    how: &str,
) -> anyhow::Error {
    let said = std::fs::read_to_string(&spawned.last_words).unwrap_or_default();
    let logged = text_from(&context.home.daemon_log(), log_from).unwrap_or_default();
    let words = tail(&format!("{logged}\n{said}"), 15);
    let told = format!("the daemon did not come up ({how})\n{words}");
    let told = told.trim_end();
    code.because(format!(
        "{told}\n`exai-daemon doctor` checks what usually goes wrong"
    ))
}

/// What was logged after `from`; all of it where the log was rotated meanwhile.
fn text_from(path: &std::path::Path, from: u64) -> std::io::Result<String> {
    const MOST: u64 = 64 * 1024;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = if length < from { 0 } else { from }.max(length.saturating_sub(MOST));
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r17_the_log_is_read_from_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        exai_config::atomic::write(&path, b"old\nnew\n", 0o600).unwrap();
        assert_eq!(text_from(&path, 4).unwrap(), "new\n");
        assert_eq!(text_from(&path, 99).unwrap(), "old\nnew\n", "rotated");
        assert!(text_from(&dir.path().join("none"), 0).is_err());
    }
}
