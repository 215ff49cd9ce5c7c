//! From rows in a real database to what a person reads.

use super::*;
use exai_config::{Home, ProcessEnv};
use exai_protocol::{BootId, ClientId, Principal, RequestId, SessionId};
use exai_store::{Cost, MicroUsd, ModelCall, Options, Store, Tokens, Usage, Who};
use std::sync::Arc;

const NOON: u64 = 1_769_860_800_000; // 2026-01-31 12:00 UTC

fn context(dir: &tempfile::TempDir, set: &[(&str, &str)]) -> Context {
    let home = Home::at(dir.path());
    home.prepare().unwrap();
    let overrides: Vec<_> = set
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let loaded = exai_config::load(&home, &ProcessEnv, &overrides).unwrap();
    Context {
        home,
        loaded,
        overrides,
    }
}

fn options(by: cli::UsageBy) -> cli::Usage {
    cli::Usage {
        by,
        since: None,
        until: None,
        json: false,
    }
}

/// A day's work: two priced requests, one of a price nobody knows, one under way.
async fn work(home: &Home) -> (Store, exai_store::Reservation) {
    let clock: exai_protocol::WallClock = Arc::new(|| UnixMillis(NOON));
    let store = Store::open(Options::new(home.database(), BootId::new("b"), clock));
    let call = |model: &str, thread: Option<&str>| {
        Arc::new(ModelCall {
            who: Who {
                principal: Principal::new("owner"),
                client: Some(ClientId::new("window")),
                session: SessionId::new("s"),
                request: RequestId::new("r"),
                thread: thread.map(Into::into),
            },
            endpoint: "glm".into(),
            key_ref: Some("GLM_API_KEY".into()),
            model: model.into(),
            tool: "chat".into(),
        })
    };
    let usage = |cost| Usage {
        tokens: Tokens {
            input: 1000,
            output: 200,
            cached: 10,
            reasoning: 20,
        },
        searches: 1,
        cost,
        estimated: false,
    };
    let known = |micros| Cost::Known(MicroUsd(micros));
    store
        .record(call("glm-5", Some("talk")), usage(known(300_000)))
        .unwrap()
        .await
        .unwrap();
    store
        .record(call("glm-5", None), usage(known(600_000)))
        .unwrap()
        .await
        .unwrap();
    let unknown = Cost::Unknown("no price".into());
    store
        .record(call("mystery", Some("talk")), usage(unknown))
        .unwrap()
        .await
        .unwrap();
    let ask = exai_store::Ask {
        call: call("glm-5", Some("talk")),
        expected: exai_store::Expected {
            input: 1,
            output: 1,
            cost: known(50_000),
        },
        ceilings: Vec::new(),
    };
    (store.clone(), store.reserve(ask).await.unwrap().reservation)
}

fn shown(context: &Context, options: &cli::Usage) -> Report {
    let now = UnixMillis(NOON);
    let reader = Reader::open(&context.home.database()).unwrap();
    report(
        context,
        options,
        query(options, now).unwrap(),
        Some(&reader),
        now,
    )
    .unwrap()
}

#[tokio::test]
async fn a_person_sees_sums_what_is_unknown_and_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(
        &dir,
        &[
            ("budgets.day_usd", "1"),
            ("budgets.thread_usd", "5"),
            ("budgets.call_usd", "0.5"),
        ],
    );
    let (_store, _under_way) = work(&context.home).await;
    let text = show::lines(&shown(&context, &options(cli::UsageBy::Model))).join("\n");
    let expected = "\
model    requests  read  cached  written  thought  searches  cost
glm-5    2         2000  20      400      40       2         $0.90
mystery  1         1000  10      200      20       1         unknown
total    3         3000  30      600      60       3         $0.90 and 1 of unknown cost

budget      limit  spent  held   left
per call    $0.50  -      -      -
per thread  $5.00  $0.30  $0.05  $4.65  talk
per day     $1.00  $0.90  $0.05  $0.05  today (UTC)  nearly used up";
    assert_eq!(text, expected);
}

#[tokio::test]
async fn scripts_get_numbers_and_null_for_what_nobody_knows() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(&dir, &[("budgets.day_usd", "1")]);
    let (_store, _under_way) = work(&context.home).await;
    let json = show::json(&shown(&context, &options(cli::UsageBy::Model)));
    assert_eq!(json["rows"][0]["usd"], 0.9);
    assert_eq!(json["rows"][1]["usd"], serde_json::Value::Null);
    assert_eq!(json["rows"][1]["unpriced"], 1);
    assert_eq!(json["total"]["tokens"]["input"], 3000);
    assert_eq!(json["budgets"][0]["left_usd"], 0.05);
    for (by, name) in [
        (cli::UsageBy::Thread, "talk"),
        (cli::UsageBy::Client, "window"),
        (cli::UsageBy::Day, "2026-01-31"),
        (cli::UsageBy::Provider, "glm"),
        (cli::UsageBy::Key, "GLM_API_KEY"),
        (cli::UsageBy::Tool, "chat"),
    ] {
        let json = show::json(&shown(&context, &options(by)));
        let names = json["rows"].as_array().unwrap();
        assert!(
            names.iter().any(|row| row["name"] == name),
            "{by:?}: {names:?}"
        );
    }
}

#[tokio::test]
async fn a_time_chooses_rows() {
    let dir = tempfile::tempdir().unwrap();
    let context = context(&dir, &[]);
    let (_store, _under_way) = work(&context.home).await;
    let rows = |since: Option<&str>, until: Option<&str>| {
        let mut options = options(cli::UsageBy::Model);
        (options.since, options.until) = (since.map(str::to_owned), until.map(str::to_owned));
        shown(&context, &options).rows.len()
    };
    assert_eq!(rows(Some("7d"), None), 2);
    assert_eq!(rows(Some("2026-01-31"), None), 2);
    assert_eq!(rows(Some("2026-02-01"), None), 0);
    assert_eq!(rows(None, Some("2026-01-31")), 2, "that day included");
    assert_eq!(rows(None, Some("2026-01-30")), 0);
    let mut wrong = options(cli::UsageBy::Model);
    wrong.since = Some("yesterday".to_owned());
    let error = query(&wrong, UnixMillis(NOON)).unwrap_err();
    assert_eq!(exit::code_of(&error), exit::USAGE);
    assert!(error.to_string().contains("--since yesterday"), "{error}");
    (wrong.since, wrong.until) = (Some("1h".to_owned()), Some("2h".to_owned()));
    assert!(query(&wrong, UnixMillis(NOON)).is_err());
}
