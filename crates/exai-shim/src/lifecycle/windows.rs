//! Console events, and the parent by looking every two seconds: whether a process of that id
//! still runs and began when ours did. Untested: written without a Windows machine.

use std::time::Duration;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::signal::windows;

/// Waits for Ctrl-C, Ctrl-Break, or the closing of the console, session or machine.
pub(crate) async fn signal() -> &'static str {
    let never = std::future::pending::<()>;
    tokio::select! {
        () = async { match windows::ctrl_c() { Ok(mut s) => drop(s.recv().await), Err(_) => never().await } } => "Ctrl-C",
        () = async { match windows::ctrl_break() { Ok(mut s) => drop(s.recv().await), Err(_) => never().await } } => "Ctrl-Break",
        () = async { match windows::ctrl_close() { Ok(mut s) => drop(s.recv().await), Err(_) => never().await } } => "close",
        () = async { match windows::ctrl_logoff() { Ok(mut s) => drop(s.recv().await), Err(_) => never().await } } => "logoff",
        () = async { match windows::ctrl_shutdown() { Ok(mut s) => drop(s.recv().await), Err(_) => never().await } } => "shutdown",
    }
}

/// Waits until the process that started us is gone.
pub(crate) async fn parent_gone() {
    let mut system = System::new();
    let own = Pid::from_u32(std::process::id());
    let Some(parent) = look(&mut system, own).and_then(|(parent, _)| parent) else {
        return std::future::pending().await;
    };
    let Some((_, began)) = look(&mut system, parent) else {
        return;
    };
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        match look(&mut system, parent) {
            Some((_, start)) if start == began => {}
            _ => return,
        }
    }
}

/// A process's parent and start time.
fn look(system: &mut System, pid: Pid) -> Option<(Option<Pid>, u64)> {
    let kind = ProcessRefreshKind::nothing();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
    system
        .process(pid)
        .map(|process| (process.parent(), process.start_time()))
}
