//! The few things only the operating system can do. The one module that may hold `unsafe`,
//! with the reason at the spot. Windows twins are written with care and untested here.

use std::io;

/// Raises the soft limit of open descriptors to the hard one; a thousand windows need them.
/// Returns the limit in force.
#[cfg(unix)]
pub(crate) fn raise_descriptor_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        // macOS refuses "unlimited" for descriptors; what we have is what we keep.
        Err(_) => current,
    }
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(crate) fn raise_descriptor_limit() -> Option<u64> {
    None
}

/// Leaves the terminal, the working directory and every inherited descriptor behind.
#[cfg(unix)]
pub(crate) fn detach() -> io::Result<()> {
    // Fails only for a group leader, which a freshly spawned child in a new group may be; the
    // session is what matters, and a second `start` would be no leader of it either.
    let _ = rustix::process::setsid();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    close_inherited();
    std::env::set_current_dir("/")
}

/// The parent's creation flags have detached us already.
#[cfg(not(unix))]
pub(crate) fn detach() -> io::Result<()> {
    Ok(())
}

/// Closes everything above standard error: an editor that waits for the end of a pipe must
/// not wait for a daemon that happened to inherit it. Called before anything is opened.
#[cfg(unix)]
fn close_inherited() {
    let Ok(entries) = std::fs::read_dir("/dev/fd") else { return };
    let open: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    for number in open {
        #[expect(unsafe_code, reason = "nothing of ours is open yet, so no one owns these numbers")]
        unsafe {
            // The directory's own descriptor was listed too, and is closed by now.
            let still_open = rustix::io::fcntl_getfd(std::os::fd::BorrowedFd::borrow_raw(number)).is_ok();
            if still_open {
                rustix::io::close(number);
            }
        }
    }
}

/// When a process began, in the system's own unit: with the pid, a name nobody else gets.
#[cfg(target_os = "linux")]
pub(crate) fn process_started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name stands in parentheses and may hold anything; count after it.
    let after_name = &stat[stat.rfind(')')? + 2..];
    after_name.split(' ').nth(19)?.parse().ok()
}

/// Not readable without more dependencies; the lock and the handshake identify us there.
#[cfg(not(target_os = "linux"))]
pub(crate) fn process_started(_pid: u32) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn r18_a_process_has_a_start_time_of_its_own() {
        let mine = super::process_started(std::process::id());
        assert!(mine.is_some_and(|ticks| ticks > 0));
        assert_eq!(super::process_started(u32::MAX), None);
    }
}
