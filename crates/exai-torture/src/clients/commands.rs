//! Somebody at a terminal: one command, one call, and now and then a look at the state. Some
//! commands are killed in the middle.

use super::think;
use crate::{
    arena::{Arena, Ended},
    oracle::{Answer, End, Kind},
    work,
};
use serde_json::Value;
use std::{process::Stdio, sync::Arc, time::Duration};
use tokio::time::timeout;

/// A command that only looks must not take longer, whatever the daemon does.
const LOOK: Duration = Duration::from_secs(90);
/// How a Rust program ends that panicked.
const PANICKED: i32 = 101;

pub(super) async fn live(arena: Arc<Arena>, mut rng: fastrand::Rng) {
    while think(&arena, &mut rng).await {
        match rng.u8(..10) {
            0 => look(&arena, &["status", "--json"]).await,
            1 => look(&arena, &["calls", "--open", "--json"]).await,
            2 => look(&arena, &["sessions"]).await,
            _ => call(&arena, &mut rng).await,
        }
    }
}

async fn look(arena: &Arena, arguments: &[&str]) {
    arena.score.note("commands");
    match arena.cli(arguments, LOOK).await {
        None => arena.score.broken(format!(
            "`exai-daemon {}` did not end within {LOOK:?}",
            arguments.join(" ")
        )),
        Some(ended) => check(arena, arguments, &ended),
    }
}

fn check(arena: &Arena, arguments: &[&str], ended: &Ended) {
    if ended.code.is_none_or(|code| code == PANICKED) {
        arena.score.broken(format!(
            "`exai-daemon {}` ended with {:?}: {}",
            arguments.join(" "),
            ended.code,
            ended.stderr
        ));
    }
}

async fn call(arena: &Arena, rng: &mut fastrand::Rng) {
    arena.score.note("commands");
    let job = work::once(arena.oracle.token(), arena.oracle.traces(), rng.u64(..500));
    let kill_after = (rng.u8(..6) == 0).then(|| Duration::from_millis(rng.u64(..600)));
    arena.oracle.asked(Kind::Command, &job);
    let mut command = arena.command("exai-daemon");
    command
        .args(["call", job.tool, "--full", "--quiet", "--json"])
        .arg(job.arguments.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A future that is dropped kills its command.
    let output = timeout(kill_after.unwrap_or(arena.patience()), command.output()).await;
    let end = match output {
        Err(_) if kill_after.is_some() => {
            arena.score.fault("kill a command");
            End::Released
        }
        Err(_) => End::Lost,
        Ok(Err(error)) => End::Answered(Answer::Wrong(error.to_string())),
        Ok(Ok(output)) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let ended = Ended {
                code: output.status.code(),
                stdout: text(&output.stdout),
                stderr: text(&output.stderr),
            };
            check(arena, &["call"], &ended);
            End::Answered(told(&ended, &job))
        }
    };
    arena.oracle.ended(job.token, end);
}

/// A result is on standard output; without a daemon to ask there is none, and the exit code
/// and the words say so.
fn told(ended: &Ended, job: &work::Job) -> Answer {
    if let Ok(frame) = serde_json::from_str::<Value>(&ended.stdout) {
        return Answer::of_frame(&frame, &job.expect);
    }
    match ended.code {
        // No daemon, stopped, refused: the call never left.
        Some(4 | 5 | 7 | 10 | 1) => Answer::failed("UNAVAILABLE", "no", "", &ended.stderr),
        code => Answer::Wrong(format!("{code:?}: {}", ended.stderr)),
    }
}
