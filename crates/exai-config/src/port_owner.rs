//! Who holds a port, where the system lets us see it: for a message, never for a signal.

/// A listening process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its number.
    pub pid: u32,
    /// Its short name, with nothing in it that a terminal would obey.
    pub name: String,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pid {} ({})", self.pid, self.name)
    }
}

/// The process that listens on a TCP port of this machine; another user's stays unseen.
#[cfg(target_os = "linux")]
#[must_use]
pub fn owner(port: u16) -> Option<Owner> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let sockets: Vec<String> = tables
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if sockets.is_empty() {
        return None;
    }
    let pids = std::fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.into_iter().find(|pid| holds(*pid, &sockets))?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(Owner {
        pid,
        name: name.trim().replace(char::is_control, "\u{fffd}"),
    })
}

/// Other systems show this to their own tools only.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn owner(_port: u16) -> Option<Owner> {
    None
}

/// The inodes of the sockets that listen on a port, from a table of the kernel's.
#[cfg(any(target_os = "linux", test))]
fn listening(table: &str, port: u16) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let ours = fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == LISTEN;
            if ours {
                fields.get(9)?.parse().ok()
            } else {
                None
            }
        })
        .collect()
}

#[cfg(target_os = "linux")]
fn holds(pid: u32, sockets: &[String]) -> bool {
    let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .any(|link| {
            link.to_str()
                .is_some_and(|link| sockets.iter().any(|socket| socket == link))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:223D 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 41517 1 0 100 0 0 10 0\n\
            1: 0100007F:223D 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 5 1 0\n\
            garbage\n";
        assert_eq!(listening(table, 8765), [41517]);
        assert!(listening(table, 80).is_empty() && listening("", 80).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn r41_the_owner_of_a_taken_port_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(owner(port).map(|owner| owner.pid), Some(std::process::id()));
        drop(listener);
    }
}
