//! A stranger takes the port while the daemon is away. It listens, takes whatever comes, speaks
//! as a daemon would, and must learn nothing that it could use; when it goes, everybody is served
//! again.

use super::daemon::{back, strike};
use crate::{arena::Arena, clients::Probe};
use exai_testkit::{
    Squatter,
    squatter::{Guest, pretends, welcomes},
};
use std::{
    io,
    net::Ipv4Addr,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, time::sleep};

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
    let squatter = match rng.u8(..4) {
        0 => Squatter::on(listener, false, |_| Vec::new()),
        1 => Squatter::on(listener, false, welcomes),
        2 => Squatter::on(listener, true, welcomes),
        _ => Squatter::on(listener, true, pretends),
    };
    sleep(stay).await;
    let started = arena.start().await;
    let guests = squatter.guests();
    drop(squatter);
    learned_nothing(arena, &guests);
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

/// Whoever asks for proof is a client of ours; the others are this program's own.
fn learned_nothing(arena: &Arena, guests: &[Guest]) {
    let ours = guests.iter().filter(|guest| guest.asks_for_proof);
    let secrets = secrets(arena);
    for guest in ours {
        arena.score.note("guests of squatters");
        for secret in &secrets {
            if guest.said.iter().any(|said| said.contains(secret)) {
                arena
                    .score
                    .broken(format!("a squatter was told {secret:?}: {:?}", guest.said));
            }
        }
    }
}

/// The token, what calls are about, and any frame that belongs behind the proof.
fn secrets(arena: &Arena) -> Vec<String> {
    let mut secrets: Vec<String> = ["call_tool", "\"hello\"", "\"attach\"", "list_tools"]
        .map(str::to_owned)
        .to_vec();
    secrets.push(arena.oracle.traces().display().to_string());
    secrets.extend(arena.sandbox.token().filter(|token| !token.is_empty()));
    secrets
}
