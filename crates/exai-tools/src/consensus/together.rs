//! Futures that run side by side until all have ended, or the time is up.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};
use tokio::time::{Instant, timeout_at};

/// The output of each, in their order; `None` of those that had not ended by then. `done` hears
/// of each end, and of how many there were.
pub(super) async fn together<F: Future>(
    futures: Vec<F>,
    until: Instant,
    mut done: impl FnMut(usize, &F::Output),
) -> Vec<Option<F::Output>> {
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    let mut running: Vec<Option<Pin<Box<F>>>> = futures
        .into_iter()
        .map(|future| Some(Box::pin(future)))
        .collect();
    let mut ended = 0;
    let all = poll_fn(|cx| {
        for (slot, output) in running.iter_mut().zip(&mut outputs) {
            let Some(future) = slot else { continue };
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                *slot = None;
                ended += 1;
                done(ended, &value);
                *output = Some(value);
            }
        }
        if running.iter().all(Option::is_none) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    // Those that have not ended are dropped here, which ends their requests.
    let _ = timeout_at(until, all).await;
    outputs
}

#[cfg(test)]
mod tests {
    use super::together;
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    async fn it_takes_as_long_as_the_slowest_and_no_longer_than_allowed() {
        let begun = Instant::now();
        let wait = |ms: u64| async move {
            sleep(Duration::from_millis(ms)).await;
            ms
        };
        let mut order = Vec::new();
        let until = begun + Duration::from_secs(1);
        let got = together(
            vec![wait(500), wait(100), wait(5000), wait(300)],
            until,
            |n, ms| {
                order.push((n, *ms));
            },
        );
        let got = got.await;
        assert_eq!(got, [Some(500), Some(100), None, Some(300)]);
        assert_eq!(order, [(1, 100), (2, 300), (3, 500)]);
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
        let none: Vec<Option<()>> =
            together(Vec::<std::future::Ready<()>>::new(), until, |_, ()| ()).await;
        assert!(none.is_empty());
    }
}
