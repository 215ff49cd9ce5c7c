//! A download as a person follows it: a share, an amount, a speed; a few times a second.

use super::{at, json};
use crate::{args::Args, kind::Answer};
use exai_engine::{ports::ollama::Ollama, tool::ToolCall};
use exai_protocol::event::OllamaPull;
use std::time::Duration;
use tokio::time::Instant;

/// Between two messages of the same stage.
const PACE: Duration = Duration::from_millis(250);

pub(super) async fn run(ollama: &dyn Ollama, args: &Args, call: &ToolCall) -> Answer {
    let at = at(args)?;
    call.progress
        .say("pulling", format!("{}: asking the server", at.model));
    let mut speed = Speed::default();
    let mut last: Option<(Instant, String)> = None;
    let mut tell = |pull: &OllamaPull| {
        let now = Instant::now();
        let rate = speed.of(now, pull.completed);
        let fresh = |(told, status): &(Instant, String)| {
            *status != pull.status || now.duration_since(*told) >= PACE
        };
        if last.as_ref().is_none_or(fresh) {
            last = Some((now, pull.status.clone()));
            call.progress.say("pulling", words(pull, rate));
        }
    };
    json(&ollama.pull(at, &mut tell).await?)
}

/// Bytes a second, from the first ones seen: what was here before does not count.
#[derive(Default)]
struct Speed(Option<(Instant, u64)>);

impl Speed {
    fn of(&mut self, now: Instant, completed: u64) -> Option<f64> {
        let (since, from) = *self.0.get_or_insert((now, completed));
        let seconds = now.duration_since(since).as_secs_f64();
        let came = completed.saturating_sub(from);
        (seconds >= 0.5 && came > 0).then(|| came as f64 / seconds)
    }
}

/// `42 % of 4.0 GB, 25.1 MB/s: pulling 030ee887880f`.
fn words(pull: &OllamaPull, rate: Option<f64>) -> String {
    let Some(total) = pull.total.filter(|total| *total > 0) else {
        return pull.status.clone();
    };
    let percent = u128::from(pull.completed) * 100 / u128::from(total);
    let rate = rate.map_or_else(String::new, |rate| format!(", {}/s", bytes(rate)));
    let (total, status) = (bytes(total as f64), &pull.status);
    format!("{percent} % of {total}{rate}: {status}")
}

/// As vendors of disks count.
fn bytes(count: f64) -> String {
    for (unit, size) in [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)] {
        if count >= size {
            return format!("{:.1} {unit}", count / size);
        }
    }
    format!("{count:.0} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_is_a_share_an_amount_and_a_speed() {
        let mut pull = OllamaPull {
            status: "pulling manifest".into(),
            ..OllamaPull::default()
        };
        assert_eq!(words(&pull, None), "pulling manifest");
        (pull.completed, pull.total) = (1_500_000_000, Some(4_000_000_000));
        assert_eq!(
            words(&pull, Some(25_100_000.0)),
            "37 % of 4.0 GB, 25.1 MB/s: pulling manifest"
        );
        assert_eq!(
            (bytes(999.0), bytes(1500.0)),
            ("999 B".into(), "1.5 kB".into())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_here_before_is_no_speed() {
        let (mut speed, began) = (Speed::default(), Instant::now());
        assert_eq!(speed.of(began, 1000), None);
        assert_eq!(
            speed.of(began + Duration::from_millis(100), 1500),
            None,
            "too early to say"
        );
        assert_eq!(speed.of(began + Duration::from_secs(2), 3000), Some(1000.0));
    }
}
