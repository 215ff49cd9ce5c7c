//! Every fault a provider can have, in every dialect: the right typed end, within its limit,
//! and a record that names endpoint, model, attempt and cause. Each fault of each dialect is
//! an endpoint of its own, so that all happen at once and none opens another's breaker.

use super::{Stage, ask, at, failed, ms};
use exai_testkit::{
    Stopwatch,
    provider::{At, Cut, Dialect, Reply, Stall},
};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write as _};

/// Far below the call's own deadline, far above the limits of time in [`endpoints`].
const SOON_SECS: u64 = 8;

struct Fault {
    name: &'static str,
    reply: Reply,
    code: &'static str,
    cause: &'static str,
    status: Option<u16>,
}

fn fault(
    name: &'static str,
    reply: Reply,
    (code, cause): (&'static str, &'static str),
    status: Option<u16>,
) -> Fault {
    Fault {
        name,
        reply,
        code,
        cause,
        status,
    }
}

const RATE: (&str, &str) = ("OVER_CAPACITY", "rate_limited");
const SLOW: (&str, &str) = ("TIMEOUT", "timeout");
const CUT: (&str, &str) = ("EXEC_ERROR", "truncated");
const ODD: (&str, &str) = ("EXEC_ERROR", "malformed");

fn faults() -> Vec<Fault> {
    let text = || Reply::text("one two three four").chunks(4);
    let refused = |status| Reply::status(status).message("not today");
    let page = Reply::body(502, "text/html", "<html>bad gateway</html>");
    let html = Reply::body(200, "text/html", "<html>hello</html>");
    vec![
        fault("rate-after", refused(429).retry_after(7), RATE, Some(429)),
        fault("rate", refused(429), RATE, Some(429)),
        fault("server", refused(500), ("UNAVAILABLE", "server"), Some(500)),
        fault(
            "busy",
            refused(503),
            ("UNAVAILABLE", "overloaded"),
            Some(503),
        ),
        fault("proxy", page, ("UNAVAILABLE", "overloaded"), Some(502)),
        fault("key", refused(401), ("UNAVAILABLE", "auth"), Some(401)),
        fault(
            "silent",
            text().stall(At::Headers, Stall::Forever),
            SLOW,
            None,
        ),
        fault(
            "begun",
            text().stall(At::FirstEvent, Stall::Forever),
            SLOW,
            None,
        ),
        fault(
            "chatter",
            text()
                .stall(At::FirstEvent, Stall::Forever)
                .keep_alive(ms(50)),
            SLOW,
            None,
        ),
        fault(
            "stuck",
            text().stall(At::Piece(2), Stall::Forever),
            SLOW,
            None,
        ),
        fault("slow-head", text().slow_headers(ms(40)), SLOW, None),
        fault("cut", text().cut(At::Piece(2), Cut::Clean), CUT, None),
        fault(
            "short",
            text().cut_inside(At::Piece(2), Cut::Short),
            CUT,
            None,
        ),
        fault(
            "reset",
            text().cut_inside(At::Piece(2), Cut::Reset),
            CUT,
            None,
        ),
        fault("no-json", text().bad_json(At::Piece(1)), ODD, None),
        fault("page", html, ODD, Some(200)),
    ]
}

fn word(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenAiChat => "openai-chat",
        Dialect::Responses => "openai-responses",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "gemini",
        Dialect::Ollama => "ollama",
    }
}

fn endpoint(fault: &Fault, dialect: Dialect) -> String {
    format!("{}-{}", fault.name, word(dialect))
}

/// `config/providers.toml` with an endpoint for each fault of each dialect.
fn endpoints(stage: &Stage, faults: &[Fault]) -> String {
    let mut toml = String::new();
    for fault in faults {
        for dialect in Dialect::ALL {
            let name = endpoint(fault, dialect);
            let url = stage.provider.url_under(&name, dialect);
            let dialect = word(dialect);
            let _ = write!(
                toml,
                "[providers.{name}]\ntitle = \"{name}\"\ndialect = \"{dialect}\"\n\
                 base_url = \"{url}\"\nkey = {{ env = [\"GLM_API_KEY\"] }}\n\
                 limits = {{ retries = 0 }}\n\
                 timeouts = {{ connect_ms = 2000, first_event_ms = 1500, idle_ms = 1000 }}\n"
            );
        }
    }
    toml
}

#[track_caller]
fn check(fault: &Fault, name: &str, result: &Value, record: &Value) {
    let (code, message) = failed(result);
    assert_eq!(code, fault.code, "{name}: {message}");
    assert!(
        message.contains(&format!("model 'm' at '{name}'")),
        "{name} is not named: {message}"
    );
    let facts = &record["metadata"];
    assert_eq!(facts["cause"], fault.cause, "{name}: {record}");
    assert_eq!(
        (&facts["endpoint"], &facts["model"]),
        (&name.into(), &"m".into())
    );
    let attempts = facts["attempts"].as_array().cloned().unwrap_or_default();
    assert_eq!(attempts.len(), 1, "{name}: {record}");
    let attempt = &attempts[0];
    assert_eq!(
        (&attempt["attempt"], &attempt["endpoint"], &attempt["cause"]),
        (&1.into(), &name.into(), &fault.cause.into()),
        "{name}: {record}"
    );
    let status = fault.status.map_or(Value::Null, Value::from);
    assert_eq!(attempt["status"], status, "{name}: {record}");
}

#[tokio::test]
async fn every_fault_ends_typed_in_time_and_is_recorded() {
    let stage = Stage::new().await;
    let faults = faults();
    stage.providers(&endpoints(&stage, &faults));
    for fault in &faults {
        for dialect in Dialect::ALL {
            let here = at(&endpoint(fault, dialect));
            stage.provider.always(here, fault.reply.clone());
        }
    }
    let _daemon = stage.daemon().await;
    let mut results: BTreeMap<String, Value> = BTreeMap::new();
    // By dialect, so that no more run at once than may.
    for dialect in Dialect::ALL {
        let mut ws = stage.caller().await;
        let began = Stopwatch::start();
        for fault in &faults {
            let name = endpoint(fault, dialect);
            ask(&mut ws, &name, &format!("m@{name}")).await;
        }
        for fault in &faults {
            let name = endpoint(fault, dialect);
            let result = ws.result(&name).await;
            results.insert(name, result);
        }
        let took = began.elapsed();
        assert!(took.as_secs() < SOON_SECS, "{dialect:?} took {took:?}");
    }
    let all = results.len();
    exai_testkit::eventually(exai_testkit::PATIENCE, "all are recorded", || {
        stage.sandbox.failures().len() >= all
    })
    .await;
    let records = stage.sandbox.failures();
    let record = |id: &str| records.iter().find(|record| record["request_id"] == id);
    for fault in &faults {
        for dialect in Dialect::ALL {
            let name = endpoint(fault, dialect);
            let Some(record) = record(&name) else {
                panic!("{name} has no record");
            };
            check(fault, &name, &results[&name], record);
        }
    }
    for dialect in Dialect::ALL {
        let result = &results[&format!("rate-after-{}", word(dialect))];
        assert_eq!(result["error"]["retry_after"], 7, "{result}");
        let stuck = &results[&format!("stuck-{}", word(dialect))];
        let (_, message) = failed(stuck);
        assert!(
            message.contains("idle_ms"),
            "the limit is not named: {message}"
        );
        assert!(
            message.contains("characters of the answer had come"),
            "{message}"
        );
        let (_, message) = failed(&results[&format!("key-{}", word(dialect))]);
        assert!(message.contains("GLM_API_KEY"), "no next step: {message}");
    }
}
