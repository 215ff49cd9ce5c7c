//! Finds a link that is dead and does not say so. Silence is answered with a ping; a wall
//! clock that ran away from the monotonic one means that this machine slept, and then the
//! ping is urgent. Sans-IO.

use crate::config::Times;
use exai_protocol::UnixMillis;
use std::time::Duration;
use tokio::time::Instant;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing yet.
    Idle,
    /// Send a ping with this payload.
    Ping([u8; 8]),
    /// Nobody is there.
    Dead(&'static str),
}

pub(crate) struct Heartbeat {
    times: Times,
    heard_at: Instant,
    ping: Option<Ping>,
    count: u64,
    anchor: (Instant, UnixMillis),
    looked_at: Instant,
}

struct Ping {
    count: u64,
    due: Instant,
    /// Only its own pong will do: bytes from before the sleep prove nothing.
    urgent: bool,
}

impl Heartbeat {
    pub(crate) fn new(times: Times, now: Instant, wall: UnixMillis) -> Self {
        Self {
            times,
            heard_at: now,
            ping: None,
            count: 0,
            anchor: (now, wall),
            looked_at: now,
        }
    }

    pub(crate) fn next_due(&self) -> Instant {
        let beat = match &self.ping {
            Some(ping) => ping.due,
            None => self.heard_at + self.times.ping_interval,
        };
        beat.min(self.looked_at + self.times.wall_check)
    }

    /// Any frame.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.ping.take_if(|ping| !ping.urgent);
    }

    pub(crate) fn pong(&mut self, payload: &[u8], now: Instant) {
        self.heard_at = now;
        self.ping
            .take_if(|ping| !ping.urgent || payload == ping.count.to_be_bytes());
    }

    /// Looks at both clocks; to be called when due, and before a call is sent.
    pub(crate) fn poll(&mut self, now: Instant, wall: UnixMillis) -> Beat {
        let jumped = self.wall_jumped(now, wall);
        match &self.ping {
            Some(ping) if now >= ping.due => Beat::Dead(if ping.urgent {
                "no pong after the clocks jumped: this machine probably slept"
            } else {
                "no pong in time: the link is half-open"
            }),
            Some(ping) if ping.urgent || !jumped => Beat::Idle,
            _ if jumped => self.send(now, true),
            _ if now >= self.heard_at + self.times.ping_interval => self.send(now, false),
            _ => Beat::Idle,
        }
    }

    fn send(&mut self, now: Instant, urgent: bool) -> Beat {
        self.count += 1;
        let within = if urgent {
            self.times.urgent_pong
        } else {
            self.times.pong_within
        };
        self.ping = Some(Ping {
            count: self.count,
            due: now + within,
            urgent,
        });
        Beat::Ping(self.count.to_be_bytes())
    }

    fn wall_jumped(&mut self, now: Instant, wall: UnixMillis) -> bool {
        self.looked_at = now;
        let (then, wall_then) = self.anchor;
        let expected = wall_then.0.saturating_add(millis(now - then));
        let off = wall.0.abs_diff(expected) > millis(self.times.wall_jump);
        // Anchored anew at each look, so that slow drift never adds up to a jump.
        self.anchor = (now, wall);
        off
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> (Instant, UnixMillis) {
        (
            start + Duration::from_secs(seconds),
            UnixMillis(1_000_000 + seconds * 1000),
        )
    }

    fn heartbeat() -> (Heartbeat, Instant) {
        let start = Instant::now();
        (
            Heartbeat::new(Times::default(), start, UnixMillis(1_000_000)),
            start,
        )
    }

    #[test]
    fn r12_silence_is_pinged_and_a_missing_pong_is_death() {
        let (mut heart, start) = heartbeat();
        for seconds in [5, 10, 15, 20, 24] {
            let (now, wall) = at(start, seconds);
            assert_eq!(heart.poll(now, wall), Beat::Idle);
        }
        let (now, wall) = at(start, 25);
        assert!(matches!(heart.poll(now, wall), Beat::Ping(_)));
        let (now, wall) = at(start, 34);
        assert_eq!(heart.poll(now, wall), Beat::Idle);
        let (now, wall) = at(start, 35);
        assert!(matches!(heart.poll(now, wall), Beat::Dead(_)));
    }

    #[test]
    fn any_frame_answers_an_ordinary_ping() {
        let (mut heart, start) = heartbeat();
        let (now, wall) = at(start, 25);
        heart.poll(now, wall);
        heart.heard(now + Duration::from_secs(1));
        let (now, wall) = at(start, 40);
        assert_eq!(heart.poll(now, wall), Beat::Idle);
    }

    #[test]
    fn r12_a_wall_jump_in_either_direction_forces_an_urgent_round_trip() {
        for jump in [8 * 3600 * 1000_i64, -3600 * 1000] {
            let (mut heart, start) = heartbeat();
            let (now, wall) = at(start, 3600);
            heart.anchor = (now, wall);
            heart.heard(now);
            let (now, wall) = at(start, 3602);
            let jumped = UnixMillis(wall.0.saturating_add_signed(jump));
            let Beat::Ping(payload) = heart.poll(now, jumped) else {
                panic!("no ping")
            };
            heart.heard(now);
            assert!(
                heart.ping.is_some(),
                "old bytes must not answer an urgent ping"
            );
            heart.pong(&[0; 8], now);
            assert!(heart.ping.is_some(), "nor another pong");
            heart.pong(&payload, now);
            assert!(heart.ping.is_none());
            let later = UnixMillis(jumped.0 + 1000);
            assert_eq!(heart.poll(now + Duration::from_secs(1), later), Beat::Idle);
        }
    }
}
