//! Ports that nobody uses, outside the range from which systems serve outgoing connections:
//! a port from that range may be taken between the look and the use.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::Mutex,
};

const RANGE: std::ops::Range<u16> = 20_000..32_000;

static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());

/// A free port, never the same one twice in a process.
#[must_use]
pub fn free_port() -> u16 {
    let mut given = GIVEN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    for _ in 0..1000 {
        let port = fastrand::u16(RANGE);
        if !given.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            given.push(port);
            return port;
        }
    }
    panic!("no free port between {} and {}", RANGE.start, RANGE.end);
}
