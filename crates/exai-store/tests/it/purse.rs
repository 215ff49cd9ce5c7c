//! The engine's purse as the store keeps it: what is refused, with which words, and that no
//! crowd, death or full disk makes a budget longer.

use crate::support::{NOON, Place, ceiling, eventually, sums, who};
use exai_engine::ports::purse::{Amount, Ask, Grant, Purse, Refusal, Used, Who};
use exai_protocol::UnixMillis;
use exai_store::{Budgets, Ceiling, Day, MicroUsd, Scope, State, Store, UsageQuery};
use std::sync::Arc;

const MICRO: u64 = 1_000_000;

fn purse(store: &Store, ceilings: &[Ceiling]) -> Budgets {
    Budgets {
        store: store.clone(),
        ceilings: ceilings.to_vec(),
        confirm_above: None,
        refuse_unknown: false,
    }
}

fn asks(request: &str, cost: Amount) -> Ask {
    let who = who(request);
    Ask {
        who: Who {
            principal: who.principal,
            client: who.client,
            session: who.session,
            request: who.request,
        },
        thread: who.thread,
        tool: "chat".into(),
        endpoint: "glm".into(),
        key_ref: Some("GLM_API_KEY".into()),
        model: "glm-5".into(),
        input: 100,
        output: 50,
        cost,
        confirmed: false,
    }
}

fn micros(micros: u64) -> Amount {
    Amount::Picos(micros * MICRO)
}

fn used(cost: Amount) -> Used {
    Used {
        input: 90,
        output: 10,
        cached: 40,
        reasoning: 5,
        searches: 1,
        cost,
        estimated: false,
    }
}

async fn refused(purse: &Budgets, ask: Ask) -> Refusal {
    match purse.reserve(ask).await {
        Ok(_) => panic!("it was granted"),
        Err(refusal) => refusal,
    }
}

async fn granted(purse: &Budgets, ask: Ask) -> Grant {
    purse
        .reserve(ask)
        .await
        .unwrap_or_else(|refusal| panic!("{refusal}"))
}

#[tokio::test]
async fn what_is_settled_is_in_the_file_with_all_its_facts() {
    let place = Place::new();
    let store = place.open("a");
    let purse = purse(&store, &[ceiling(Scope::Day, 1000)]);
    let grant = granted(&purse, asks("r", micros(700))).await;
    assert_eq!(sums(&store, Scope::Day).await, (0, 700));
    // Half a millionth is a whole one: no number of small calls is free.
    grant.held.settle(used(Amount::Picos(299 * MICRO + 1)));
    eventually("it is counted", || async {
        sums(&store, Scope::Day).await == (300, 0)
    })
    .await;
    let total = store.usage(UsageQuery::default()).await.unwrap().remove(0);
    assert_eq!(
        (total.tokens.input, total.tokens.cached, total.searches),
        (90, 40, 1)
    );

    let free = granted(&purse, asks("r", micros(700))).await;
    assert_eq!(free.warnings.len(), 1, "{:?}", free.warnings);
    assert!(
        free.warnings[0].contains("$0.001 per day"),
        "{:?}",
        free.warnings
    );
    free.held.release();
    eventually("it is free", || async {
        sums(&store, Scope::Day).await == (300, 0)
    })
    .await;
}

#[tokio::test]
async fn over_a_budget_the_words_hold_the_numbers_and_the_setting() {
    let place = Place::new();
    let store = place.open("a");
    for scope in Scope::ALL {
        let purse = purse(&store, &[ceiling(scope, 1_000_000)]);
        let refusal = refused(&purse, asks(&format!("{scope:?}"), micros(1_500_000))).await;
        let Refusal::OverBudget(text) = refusal else {
            panic!("{refusal:?}")
        };
        for part in [
            "$1.00 per",
            "$1.50",
            "$1.00 are left",
            scope.setting(),
            "Nothing was sent",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(sums(&store, scope).await, (0, 0));
    }
}

#[tokio::test]
async fn what_is_dear_is_asked_for_first() {
    let place = Place::new();
    let store = place.open("a");
    let mut purse = purse(&store, &[]);
    purse.confirm_above = Some(MicroUsd(2_000_000));
    let Refusal::Confirm(text) = refused(&purse, asks("r", micros(2_000_001))).await else {
        panic!("not asked for")
    };
    for part in [
        "$2.000001",
        "$2.00",
        "EXAI_CONFIRM_ABOVE",
        "confirm_cost: true",
        "--yes",
        "glm-5",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(
        sums(&store, Scope::Day).await,
        (0, 0),
        "nothing is held meanwhile"
    );
    let confirmed = Ask {
        confirmed: true,
        ..asks("r", micros(2_000_001))
    };
    granted(&purse, confirmed.clone()).await.held.release();
    granted(&purse, asks("r", micros(2_000_000)))
        .await
        .held
        .release();

    // Nobody is asked to confirm what a budget would refuse anyway; no confirmation opens one.
    purse.ceilings = vec![ceiling(Scope::Day, 1_000_000)];
    for ask in [asks("r", micros(3_000_000)), confirmed] {
        let refusal = refused(&purse, ask).await;
        assert!(matches!(refusal, Refusal::OverBudget(_)), "{refusal:?}");
    }
}

#[tokio::test]
async fn an_unknown_price_is_said_and_refused_only_where_the_owner_wants_that() {
    let place = Place::new();
    let store = place.open("a");
    let unknown = || asks("r", Amount::Unknown("the catalogue has no price".into()));
    let mut purse = purse(&store, &[ceiling(Scope::Day, 1000)]);
    let grant = granted(&purse, unknown()).await;
    assert!(
        grant.warnings[0].contains("the catalogue has no price"),
        "{:?}",
        grant.warnings
    );
    grant
        .held
        .settle(used(Amount::Unknown("the catalogue has no price".into())));
    eventually("it is counted as unpriced", || async {
        let totals = store.usage(UsageQuery::default()).await.unwrap();
        totals
            .first()
            .is_some_and(|total| (total.calls, total.unpriced) == (1, 1))
    })
    .await;
    purse.refuse_unknown = true;
    let text = refused(&purse, unknown()).await.to_string();
    assert!(
        text.contains("EXAI_BUDGET_REFUSE_UNKNOWN") && text.contains("glm-5"),
        "{text}"
    );
}

/// Usage stays within the ceilings that were reserved; then no crowd gets a budget exceeded.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_parallel_asks_never_exceed_a_budget() {
    const LIMIT: u64 = 10_050;
    let place = Place::new();
    let store = place.open("a");
    let purse = Arc::new(purse(
        &store,
        &[ceiling(Scope::Day, LIMIT), ceiling(Scope::Client, LIMIT)],
    ));
    let tasks = tokio_util::task::TaskTracker::new();
    let (sender, mut grants) = tokio::sync::mpsc::channel(512);
    for number in 0..50_u64 {
        let (purse, sender) = (Arc::clone(&purse), sender.clone());
        tasks.spawn(async move {
            for round in 0..10_u64 {
                let request = format!("{number}-{round}");
                let Ok(grant) = purse.reserve(asks(&request, micros(100))).await else {
                    continue;
                };
                sender.send(()).await.unwrap();
                match round % 4 {
                    0 => grant.held.settle(used(micros(100))),
                    1 => grant.held.settle(used(micros(37))),
                    2 => grant.held.release(),
                    // Gone without a word: all of it counts.
                    _ => drop(grant),
                }
            }
        });
    }
    drop(sender);
    tasks.close();
    let mut count = 0;
    while grants.recv().await.is_some() {
        count += 1;
        let (spent, held) = sums(&store, Scope::Day).await;
        assert!(spent + held <= LIMIT, "{spent} spent, {held} held");
    }
    tasks.wait().await;
    eventually("all is told", || async {
        sums(&store, Scope::Day).await.1 == 0
    })
    .await;
    let (spent, _) = sums(&store, Scope::Day).await;
    assert!(spent <= LIMIT && count >= 100, "{spent} spent by {count}");
    // What is left is still there for one that fits, and not for one that does not.
    let rest = LIMIT - spent;
    granted(&purse, asks("last", micros(rest)))
        .await
        .held
        .release();
    refused(&purse, asks("one more", micros(LIMIT + 1))).await;
}

#[tokio::test]
async fn a_new_life_keeps_the_sums_and_counts_what_was_open() {
    let place = Place::new();
    let store = place.open("a");
    let limits = [ceiling(Scope::Day, 1000)];
    let first = purse(&store, &limits);
    let settled = granted(&first, asks("settled", micros(500))).await;
    settled.held.settle(used(micros(200)));
    eventually("it is counted", || async {
        sums(&store, Scope::Day).await == (200, 0)
    })
    .await;
    // A process that is killed runs no `Drop`.
    std::mem::forget(granted(&first, asks("open", micros(500))).await);
    std::mem::forget((store, first));

    let store = place.open("b");
    assert_eq!(sums(&store, Scope::Day).await, (700, 0));
    let second = purse(&store, &limits);
    let Refusal::OverBudget(text) = refused(&second, asks("next", micros(301))).await else {
        panic!("not a budget's refusal")
    };
    assert!(text.contains("$0.0003 are left"), "{text}");
    granted(&second, asks("next", micros(300)))
        .await
        .held
        .release();
}

#[tokio::test]
async fn a_file_that_keeps_nothing_stops_budgets_and_nothing_else() {
    let place = Place::new();
    let mut options = place.options("a");
    options.most_bytes = Some(200 * 1024);
    let store = Store::open(options);
    crate::full::fill(&store).await;
    assert!(matches!(store.condition().state, State::Full(_)));

    let limited = purse(&store, &[ceiling(Scope::Thread, 1_000_000_000)]);
    let Refusal::Unavailable(text) = refused(&limited, asks("r", micros(1))).await else {
        panic!("promised what cannot be kept")
    };
    assert!(
        text.contains("no room") && text.contains("nothing was sent"),
        "{text}"
    );

    // Without a ceiling work goes on; that it may go unrecorded is said.
    let free = purse(&store, &[]);
    let kept = granted(&free, asks("kept", micros(7))).await;
    assert!(
        kept.warnings[0].contains("may not be recorded"),
        "{:?}",
        kept.warnings
    );
    kept.held.settle(used(micros(5)));
    drop(granted(&free, asks("dropped", micros(11))).await);
    granted(&free, asks("released", micros(13)))
        .await
        .held
        .release();

    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    db.execute("DELETE FROM usage WHERE request LIKE 'filler%'", [])
        .unwrap();
    db.execute(
        "DELETE FROM spending WHERE scope = 'call' AND name LIKE 'filler%'",
        [],
    )
    .unwrap();
    let spent = |request: &'static str| {
        let store = store.clone();
        async move {
            let day = Day::of(UnixMillis(NOON));
            store
                .sums(Scope::Call, who(request), day)
                .await
                .unwrap()
                .spent
                .0
        }
    };
    eventually("both are written after all", || async {
        spent("kept").await == 5 && spent("dropped").await == 11
    })
    .await;
    assert_eq!(spent("released").await, 0);
}

#[tokio::test]
async fn what_is_dearest_can_be_listed_without_a_daemon() {
    let place = Place::new();
    let store = place.open("a");
    let purse = purse(&store, &[]);
    for (request, cost) in [("small", 3), ("large", 9)] {
        granted(&purse, asks(request, micros(cost)))
            .await
            .held
            .settle(used(micros(cost)));
    }
    store.close().await;
    let reader = exai_store::Reader::open(&place.path()).unwrap();
    reader.check().unwrap();
    let names = |scope| {
        let rows = reader.dearest(scope, 5).unwrap();
        rows.into_iter()
            .map(|(name, sums)| (name, sums.spent.0))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(Scope::Call),
        [("large".to_owned(), 9), ("small".to_owned(), 3)]
    );
    assert_eq!(names(Scope::Thread), [("talk".to_owned(), 12)]);
    assert_eq!(names(Scope::Client), [("window".to_owned(), 12)]);
    assert_eq!(names(Scope::Day).len(), 1);
}
