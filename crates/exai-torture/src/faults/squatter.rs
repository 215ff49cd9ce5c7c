//! A stranger takes the port while the daemon is away. It listens, takes whatever comes, and
//! must learn nothing that it could use; when it goes, everybody is served again.

use super::daemon::{back, strike};
use crate::{arena::Arena, clients::Probe};
use std::{
    io,
    net::Ipv4Addr,
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncReadExt as _,
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};

pub(super) async fn squat(arena: &Arena, probe: &Probe, rng: &mut fastrand::Rng) {
    let Some(pause) = arena.pause_starters().await else {
        return arena
            .score
            .skip("squat the port", "the starters' lock was not to be had");
    };
    strike(arena).await;
    let listener = match bind(arena.sandbox.port()).await {
        Ok(listener) => listener,
        Err(error) => {
            drop(pause);
            arena.score.skip("squat the port", &error.to_string());
            return back(arena, probe, Instant::now(), true, false).await;
        }
    };
    arena.score.fault("squat the port");
    drop(pause);
    let stay = Duration::from_millis(rng.u64(300..2500));
    let heard = timeout(stay, listen(&listener)).await.err().map(|_| ());
    let started = arena.start().await;
    drop((heard, listener));
    match started {
        Err(why) if why.contains("port") => {}
        other => arena
            .score
            .broken(format!("a start with the port taken said {other:?}")),
    }
    back(arena, probe, Instant::now(), true, false).await;
}

/// Connections that end may hold the port for a moment.
async fn bind(port: u16) -> io::Result<TcpListener> {
    let mut tries = 0;
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Err(_) if tries < 50 => tries += 1,
            other => return other,
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Takes all that comes and says nothing.
async fn listen(listener: &TcpListener) {
    let mut guests = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        guests.spawn(async move {
            let mut buffer = [0; 4096];
            while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        });
    }
}
