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
    match setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
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

/// Keeps memory in small pages: huge ones made an idle daemon of 8 MB one of 19, and no faster.
/// Children inherit it, so the daemon that `start` makes has it from its first allocation.
#[cfg(target_os = "linux")]
pub(crate) fn small_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "huge pages stay allowed");
    }
}

/// Huge pages are Linux's idea.
#[cfg(not(target_os = "linux"))]
pub(crate) fn small_pages() {}

/// Columns of the terminal on standard output, where it is one and says so.
#[cfg(unix)]
pub(crate) fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Windows asks by another door; the usual width does there.
#[cfg(not(unix))]
pub(crate) fn terminal_width() -> Option<usize> {
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
    let Ok(entries) = std::fs::read_dir("/dev/fd") else {
        return;
    };
    let open: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    for number in open {
        #[expect(
            unsafe_code,
            reason = "nothing of ours is open yet, so no one owns these numbers"
        )]
        unsafe {
            // The directory's own descriptor was listed too, and is closed by now.
            let still_open =
                rustix::io::fcntl_getfd(std::os::fd::BorrowedFd::borrow_raw(number)).is_ok();
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

/// Whether a process is the one that holds a file's lock; `None` where the system does not say.
#[cfg(target_os = "linux")]
pub(crate) fn holds_lock(pid: u32, file: &std::path::Path) -> Option<bool> {
    use std::os::unix::fs::MetadataExt;
    let inode = file.metadata().ok()?.ino();
    let table = std::fs::read_to_string("/proc/locks").ok()?;
    let holders = holders(&table, inode);
    // One that was passed on stands there under the process that took it first.
    (!holders.is_empty()).then(|| holders.contains(&pid) || has_open(pid, inode))
}

/// Whether a process has the descriptor through which a file is locked.
#[cfg(target_os = "linux")]
fn has_open(pid: u32, inode: u64) -> bool {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fdinfo")) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let told = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let locks = told.lines().filter_map(|line| line.strip_prefix("lock:"));
        locks
            .into_iter()
            .any(|lock| !holders(lock, inode).is_empty())
    })
}

/// Other systems keep this to themselves.
#[cfg(not(target_os = "linux"))]
pub(crate) fn holds_lock(_pid: u32, _file: &std::path::Path) -> Option<bool> {
    None
}

/// The processes that hold a file for themselves alone, from the kernel's table. The device is
/// not compared: layered file systems show another one there than to the file's reader.
#[cfg(any(target_os = "linux", test))]
fn holders(table: &str, inode: u64) -> Vec<u32> {
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // A line of one who waits has an arrow in the second place.
            let [_, "FLOCK", _, "WRITE", pid, file, ..] = fields.as_slice() else {
                return None;
            };
            let ours = file.rsplit(':').next()?.parse() == Ok(inode);
            // 0: a process that this one cannot see.
            pid.parse().ok().filter(|pid| ours && *pid != 0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn r24_the_kernels_table_of_locks_is_read() {
        let table = "1: FLOCK  ADVISORY  WRITE 4242 fd:01:77 0 EOF\n\
            1: -> FLOCK  ADVISORY  WRITE 4343 fd:01:77 0 EOF\n\
            2: POSIX  ADVISORY  WRITE 1 fd:01:77 0 EOF\n\
            3: FLOCK  ADVISORY  READ 2 fd:01:77 0 EOF\n\
            4: FLOCK  ADVISORY  WRITE 0 fd:01:77 0 EOF\n\
            garbage\n";
        assert_eq!(super::holders(table, 77), [4242]);
        assert!(super::holders(table, 78).is_empty() && super::holders("", 77).is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn r18_a_process_has_a_start_time_of_its_own() {
        let mine = super::process_started(std::process::id());
        assert!(mine.is_some_and(|ticks| ticks > 0));
        assert_eq!(super::process_started(u32::MAX), None);
    }
}
