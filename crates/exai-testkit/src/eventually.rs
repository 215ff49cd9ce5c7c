//! Waiting for something to become true, with a limit and a name: never a sleep and a hope.

use std::{fmt::Display, time::Duration};
use tokio::time::{Instant, sleep};

/// How often to look.
const STEP: Duration = Duration::from_millis(10);

/// What a condition may answer: `bool`, or the thing waited for.
pub trait Met {
    /// What the waiter gets.
    type Value;
    /// `None`: not yet.
    fn met(self) -> Option<Self::Value>;
}

impl Met for bool {
    type Value = ();
    fn met(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Met for Option<T> {
    type Value = T;
    fn met(self) -> Option<T> {
        self
    }
}

impl<T, E> Met for Result<T, E> {
    type Value = T;
    fn met(self) -> Option<T> {
        self.ok()
    }
}

/// Waits until `condition` is met; ends the test, naming `what`, when it is not in time.
#[track_caller]
pub fn eventually<M: Met>(
    deadline: Duration,
    what: impl Display,
    mut condition: impl FnMut() -> M,
) -> impl Future<Output = M::Value> {
    let caller = std::panic::Location::caller();
    async move {
        let end = Instant::now() + deadline;
        loop {
            if let Some(value) = condition().met() {
                return value;
            }
            assert!(
                Instant::now() < end,
                "{caller}: after {deadline:?} still not: {what}"
            );
            sleep(STEP).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_truth_or_a_value() {
        let mut looks = 0;
        eventually(Duration::from_secs(1), "three looks", || {
            looks += 1;
            looks == 3
        })
        .await;
        assert_eq!(eventually(Duration::ZERO, "a value", || Some(7)).await, 7);
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "still not: the moon")]
    async fn it_names_what_never_came() {
        eventually(Duration::from_secs(60), "the moon", || false).await;
    }
}
