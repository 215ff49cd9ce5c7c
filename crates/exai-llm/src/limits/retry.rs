//! When the same request is sent once more. Only ever before its first delta, which is the
//! caller's to know.

use crate::fault::Fault;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(20);

/// How long to wait before attempt `attempt + 1`, after `attempt` (counted from 1) failed;
/// `None` is "do not repeat". A provider's own word wins over ours, and is given back even if
/// it is longer than anybody wants to wait: whoever has a deadline compares.
#[must_use]
pub fn retry_wait(
    fault: &Fault,
    attempt: u32,
    retries: u32,
    rng: &mut fastrand::Rng,
) -> Option<Duration> {
    if attempt > retries || !fault.class.worth_repeating() {
        return None;
    }
    if let Some(ms) = fault.retry_after_ms {
        // A little after, each at another moment: all who wait were told the same.
        return Some(Duration::from_millis(ms) + Duration::from_millis(rng.u64(0..250)));
    }
    let doubled = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(10));
    let most = doubled.min(LONGEST);
    // Between half and all of it.
    Some(most.mul_f64(0.5 + rng.f64() / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultClass;

    fn waits(fault: &Fault, attempt: u32) -> Option<Duration> {
        retry_wait(
            fault,
            attempt,
            2,
            &mut fastrand::Rng::with_seed(u64::from(attempt)),
        )
    }

    #[test]
    fn only_what_may_pass_is_repeated_and_only_so_often() {
        let server = Fault::new(FaultClass::Server, "");
        assert!(waits(&server, 1).is_some());
        assert!(waits(&server, 2).is_some());
        assert_eq!(waits(&server, 3), None);
        for class in [
            FaultClass::Auth,
            FaultClass::QuotaExhausted,
            FaultClass::BadRequest,
            FaultClass::ContextLength,
            FaultClass::ContentFilter,
            FaultClass::Unsupported,
        ] {
            assert_eq!(waits(&Fault::new(class, ""), 1), None, "{class:?}");
        }
    }

    #[test]
    fn waits_grow_differ_and_give_way_to_the_providers_word() {
        let mut fault = Fault::new(FaultClass::Overloaded, "");
        let mut rng = fastrand::Rng::with_seed(7);
        let mut many: Vec<Duration> = Vec::new();
        for attempt in 1..=9 {
            let wait = retry_wait(&fault, attempt, 99, &mut rng).unwrap();
            let most = (FIRST * (1 << (attempt - 1))).min(LONGEST);
            assert!(wait >= most / 2 && wait <= most, "{attempt}: {wait:?}");
            many.push(wait);
        }
        many.dedup();
        assert_eq!(many.len(), 9);
        fault.retry_after_ms = Some(7000);
        let wait = retry_wait(&fault, 1, 2, &mut rng).unwrap();
        assert!((7000..7250).contains(&wait.as_millis()), "{wait:?}");
    }
}
