//! Processes as Linux tells of them. Each is pinned by a descriptor before it is looked at, so
//! that its number cannot change hands between the look and the signal.

use super::{Known, RUN};
use rustix::{
    fd::OwnedFd,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::fs;

/// How hard to ask.
#[derive(Debug, Clone, Copy)]
pub(super) enum Push {
    Ask,
    Kill,
}

/// What is looked at of a process.
struct Seen {
    is_over: bool,
    group: u32,
    began: u64,
}

/// When a process began, in the system's own unit: with the pid, a name nobody else gets.
pub(super) fn began(pid: u32) -> Option<u64> {
    Some(see(pid)?.began)
}

/// Signals everybody of the program's group who is proven to be of this run; whether there was
/// anybody.
pub(super) fn push(known: &Known, push: Option<Push>) -> bool {
    // As long as its leader is there, nobody else can have the group's number.
    let is_led = began(known.pid) == Some(known.began);
    let mut found = false;
    for pid in all() {
        let Some(pinned) = pin(pid) else { continue };
        let Some(seen) = see(pid) else { continue };
        let is_of_it = seen.group == known.pid && !seen.is_over;
        if !is_of_it || !(is_led || is_marked(pid, &known.mark)) {
            continue;
        }
        found = true;
        let signal = match push {
            None => continue,
            Some(Push::Ask) => Signal::TERM,
            Some(Push::Kill) => Signal::KILL,
        };
        // It may have ended meanwhile.
        let _ = pidfd_send_signal(&pinned, signal);
    }
    found
}

fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn pin(pid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

fn see(pid: u32) -> Option<Seen> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in parentheses and may hold anything; count after it.
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ');
    Some(Seen {
        is_over: matches!(fields.next()?, "Z" | "X"),
        group: fields.nth(1)?.parse().ok()?,
        began: fields.nth(16)?.parse().ok()?,
    })
}

fn is_marked(pid: u32, mark: &str) -> bool {
    let variables = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let wanted = format!("{RUN}={mark}");
    let mut variables = variables.split(|byte| *byte == 0);
    variables.any(|variable| variable == wanted.as_bytes())
}
