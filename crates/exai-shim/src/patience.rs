//! How long the client waits for one call, and what follows: when it has to be answered, how
//! often it has to hear something, and what it means when it lets go.

use exai_config::clients::Profile;
use std::time::Duration;
use tokio::time::Instant;

/// An answer leaves this part of the client's time before its end.
const PART: u32 = 8;
/// And at least, and at most, so long before.
const LEAST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(5);
/// Whoever takes progress hears something so often.
const ALIVE: Duration = Duration::from_secs(10);
/// A client gives up this much after its limit at the latest: its timer, its pipe, our reading.
const SLACK: Duration = Duration::from_secs(1);
/// A client that can follow a task is given one after this: it need not wait any longer.
const TASK: Duration = Duration::from_secs(5);

/// The patience of a client with one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    began: Instant,
    /// Its limit on a call; on a silence, where progress helps.
    limit: Option<Duration>,
    total: Option<Duration>,
    /// Progress helps: the client asked for it, and honours it.
    progress_helps: bool,
}

impl Patience {
    pub(crate) fn new(began: Instant, profile: &Profile, has_token: bool) -> Self {
        Self {
            began,
            limit: profile.call,
            total: profile.total,
            progress_helps: has_token && profile.resets,
        }
    }

    /// When the call began.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// When the client has to have an answer; `None` where it waits for ever.
    pub(crate) fn answer_by(&self) -> Option<Instant> {
        let limit = self.limit.filter(|_| !self.progress_helps);
        let limit = [limit, self.total].into_iter().flatten().min()?;
        Some(self.began + (limit - margin(limit)))
    }

    /// The same for a client that can follow a task.
    pub(crate) fn task_by(&self) -> Option<Instant> {
        let by = self.answer_by()?;
        Some(by.min(self.began + TASK))
    }

    /// How often a client that asked for progress hears something.
    pub(crate) fn alive(&self) -> Duration {
        self.limit.map_or(ALIVE, |limit| (limit / 4).min(ALIVE))
    }

    /// Whether a client that lets go now has run out of patience, whatever reason it gives.
    /// `told`: when it last heard of progress.
    pub(crate) fn is_over(&self, now: Instant, told: Option<Instant>) -> bool {
        let silent_since = told.filter(|_| self.progress_helps).unwrap_or(self.began);
        let is_at = |limit: Option<Duration>, since: Instant| {
            limit.is_some_and(|limit| {
                let waited = now.saturating_duration_since(since);
                // A little before we would have answered: its clock and ours need not agree.
                waited + 2 * margin(limit) >= limit && waited <= limit + limit / 8 + SLACK
            })
        };
        is_at(self.limit, silent_since) || is_at(self.total, self.began)
    }
}

fn margin(limit: Duration) -> Duration {
    (limit / PART).clamp(LEAST.min(limit / 2), MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_config::clients::Clients;

    fn secs(secs: f64) -> Duration {
        Duration::from_secs_f64(secs)
    }

    fn of(client: &str, has_token: bool) -> (Patience, Instant) {
        let began = Instant::now();
        let profile = Clients::shipped().unwrap().of(client, "1");
        (Patience::new(began, &profile, has_token), began)
    }

    #[tokio::test(start_paused = true)]
    async fn r14_an_answer_leaves_before_the_clients_limit() {
        for (client, has_token, answer, task) in [
            ("who knows", false, Some(55.0), Some(5.0)),
            ("who knows", true, Some(55.0), Some(5.0)),
            ("codex-mcp-client", true, Some(295.0), Some(5.0)),
            ("opencode", false, Some(55.0), Some(5.0)),
            ("opencode", true, None, None),
            ("auggie", true, Some(1795.0), Some(5.0)),
            ("auggie", false, Some(595.0), Some(5.0)),
            ("visual studio code", false, None, None),
        ] {
            let (patience, began) = of(client, has_token);
            let after = |at: Option<Instant>| at.map(|at| (at - began).as_secs_f64());
            assert_eq!(after(patience.answer_by()), answer, "{client} {has_token}");
            assert_eq!(after(patience.task_by()), task, "{client} {has_token}");
        }
        let short = Profile {
            call: Some(secs(0.1)),
            ..Clients::shipped().unwrap().of("", "")
        };
        let began = Instant::now();
        let by = Patience::new(began, &short, false).answer_by();
        assert!(by.is_some_and(|by| by > began && by < began + secs(0.1)));
    }

    #[tokio::test(start_paused = true)]
    async fn r09_only_at_its_limit_a_client_has_run_out_of_patience() {
        let (patience, began) = of("who knows", true);
        for (at, over) in [(0.0, false), (45.0, false), (51.0, true), (61.0, true)] {
            assert_eq!(patience.is_over(began + secs(at), None), over, "{at}");
        }
        let told = Some(began + secs(58.0));
        assert!(
            patience.is_over(began + secs(60.0), told),
            "progress is no help"
        );
        let (patience, began) = of("auggie", true);
        let told = Some(began + secs(1000.0));
        for (at, over) in [(1020.0, false), (1600.0, true), (1799.0, true)] {
            assert_eq!(patience.is_over(began + secs(at), told), over, "{at}");
        }
        let (patience, began) = of("visual studio code", false);
        assert!(!patience.is_over(began + secs(60.0), None));
    }
}
