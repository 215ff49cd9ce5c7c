//! `usage --by … --since …`.

use crate::support::{MIDNIGHT, Place, call, usage};
use exai_protocol::{ClientId, UnixMillis};
use exai_store::{By, Cost, MicroUsd, ModelCall, Reader, Store, UsageQuery, UsageTotal};
use std::sync::Arc;

const DAY: u64 = 86_400_000;

/// Six calls on two days, of two models, clients, threads, endpoints, keys and tools.
async fn filled(place: &Place) -> Store {
    let store = place.open("a");
    for number in 0..6_u64 {
        place.set_time(MIDNIGHT + number % 2 * DAY + number);
        let odd = number % 2 == 1;
        let mut other: ModelCall = (*call(&number.to_string())).clone();
        if odd {
            other.who.client = Some(ClientId::new("other"));
            other.who.thread = None;
            other.endpoint = "ollama".into();
            other.key_ref = None;
            other.model = "qwen3:32b".into();
            other.tool = "consensus".into();
        }
        let mut used = usage(1000);
        if odd {
            used.cost = Cost::Unknown("local".into());
            used.estimated = true;
        }
        store.record(Arc::new(other), used).unwrap().await.unwrap();
    }
    store
}

fn names(totals: &[UsageTotal]) -> Vec<Option<&str>> {
    totals.iter().map(|total| total.name.as_deref()).collect()
}

#[tokio::test]
async fn by_everything() {
    let place = Place::new();
    let store = filled(&place).await;
    for (word, by) in By::ALL {
        let expected = match by {
            By::Model => [Some("glm-5"), Some("qwen3:32b")],
            By::Client => [Some("window"), Some("other")],
            By::Day => [Some("2026-01-31"), Some("2026-02-01")],
            By::Thread => [Some("talk"), None],
            By::Provider => [Some("glm"), Some("ollama")],
            By::Key => [Some("GLM_API_KEY"), None],
            By::Tool => [Some("chat"), Some("consensus")],
        };
        let totals = store
            .usage(UsageQuery {
                by: Some(by),
                ..UsageQuery::default()
            })
            .await;
        let totals = totals.unwrap();
        assert_eq!(names(&totals), expected, "--by {word}");
        let [first, second] = totals.as_slice() else {
            panic!("{totals:?}")
        };
        assert_eq!(
            (first.cost, first.unpriced, first.estimated),
            (MicroUsd(3000), 0, 0)
        );
        assert_eq!(
            (second.cost, second.unpriced, second.estimated),
            (MicroUsd(0), 3, 3)
        );
        for total in &totals {
            let tokens = total.tokens;
            let tokens = (tokens.input, tokens.output, tokens.cached, tokens.reasoning);
            assert_eq!(
                (total.calls, total.searches, tokens),
                (3, 3, (270, 30, 120, 15))
            );
        }
    }
}

#[tokio::test]
async fn since_and_until_cut_at_their_moment() {
    let place = Place::new();
    let store = filled(&place).await;
    let calls = async |since: Option<u64>, until: Option<u64>| {
        let (since, until) = (since.map(UnixMillis), until.map(UnixMillis));
        let totals = store
            .usage(UsageQuery {
                by: None,
                since,
                until,
            })
            .await
            .unwrap();
        totals.first().map_or(0, |total| total.calls)
    };
    assert_eq!(calls(None, None).await, 6);
    assert_eq!(calls(Some(MIDNIGHT + DAY), None).await, 3);
    assert_eq!(calls(None, Some(MIDNIGHT + 2)).await, 1);
    assert_eq!(calls(Some(MIDNIGHT + 2), Some(MIDNIGHT + 4)).await, 1);
    assert_eq!(calls(Some(u64::MAX), None).await, 0);
}

#[tokio::test]
async fn the_command_line_reads_beside_the_daemon_and_without_it() {
    let place = Place::new();
    let path = place.path();
    assert!(Reader::open(&path).is_err());
    let store = filled(&place).await;
    let count = || {
        Reader::open(&path)
            .unwrap()
            .usage(&UsageQuery::default())
            .unwrap()[0]
            .calls
    };
    assert_eq!(count(), 6);
    store.close().await;
    assert_eq!(count(), 6);
}
