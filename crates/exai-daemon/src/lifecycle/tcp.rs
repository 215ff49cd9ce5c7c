//! The listening port. Its backlog is ours to choose: the standard one holds 128, and when
//! more windows than that start at once, the system drops the rest and each waits a second.

use std::io;
use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// Connections the system holds while handshakes are full; it may cap this itself.
pub(super) const BACKLOG: u32 = 4096;

/// Listens on the first of the host's addresses that can be bound.
pub(crate) async fn open(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in lookup_host((host, port)).await? {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // A restart must not wait for the ghosts of old connections. On Windows this option
        // means something else: stealing a port in use.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}
