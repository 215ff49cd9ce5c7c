//! Calls that outlast their clients' patience, through real shims. Budgets are data: these are
//! the clients of the field on a scale of one to ten, written into the home's table.

mod clients;
mod deaths;
mod handles;
mod parts;
mod tasks;

use crate::editor::by_hand;
use exai_testkit::{Sandbox, Shim, Stopwatch};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(90);

/// Ten seconds, sixty and no limit; sixty that progress moves; short of text.
const CLIENTS: &str = r#"
[clients.hasty]
name = ["hasty"]
call_secs = 1.0
[clients.usual]
name = ["usual"]
call_secs = 6
[clients.calm]
name = ["calm"]
call_secs = "never"
[clients.hears]
name = ["hears"]
call_secs = 1.0
resets = true
[clients.narrow]
name = ["narrow"]
call_secs = 6
output_bytes = 2000
"#;

/// A home whose table has these clients.
fn home() -> Sandbox {
    let sandbox = by_hand();
    sandbox.write("config/clients.toml", CLIENTS);
    sandbox
}

/// A window of one of them, whose shim has reached the daemon.
async fn window(sandbox: &Sandbox, name: &str) -> Shim {
    let mut shim = sandbox.shim();
    shim.initialize_as(name, "2025-11-25").await;
    let end = Instant::now() + LIMIT;
    // Who has little patience may be answered before the link is made.
    loop {
        let version = shim.call_tool("version", json!({})).await;
        if version.get("isError").is_none() {
            return shim;
        }
        assert!(Instant::now() < end, "{version}");
    }
}

/// The handle in an answer that says that the work goes on; `None` in any other.
fn handle(result: &Value) -> Option<String> {
    let handle = result["_meta"]["exai/continue"]["handle"].as_str()?;
    let text = Shim::text_of(result);
    assert!(
        result.get("isError").is_none() && text.contains(handle) && text.contains("exai_continue"),
        "{result}"
    );
    Some(handle.to_owned())
}

/// One call that ends in a handle.
async fn left(shim: &mut Shim, tool: &str, arguments: Value) -> String {
    let result = shim.call_tool(tool, arguments).await;
    handle(&result).unwrap_or_else(|| panic!("no handle: {result}"))
}

async fn continued(shim: &mut Shim, handle: &str) -> Value {
    shim.call_tool("exai_continue", json!({ "handle": handle }))
        .await
}

/// Calls as a model does that does what it is told; the result, and how often it asked. Ends
/// the test when an answer comes after the client's limit.
async fn persist(
    shim: &mut Shim,
    tool: &str,
    arguments: Value,
    limit: Option<Duration>,
) -> (Value, u32) {
    let (mut tool, mut arguments, mut asked) = (tool.to_owned(), arguments, 0);
    loop {
        let (began, id) = (Stopwatch::start(), shim.call(&tool, arguments).await);
        let answer = shim.answer_within(id, LIMIT).await;
        let took = began.elapsed();
        assert!(
            limit.is_none_or(|limit| took < limit),
            "after {took:?}: {answer}"
        );
        asked += 1;
        let result = answer["result"].clone();
        match handle(&result) {
            Some(handle) => {
                tool = "exai_continue".to_owned();
                arguments = json!({ "handle": handle });
            }
            None => return (result, asked),
        }
    }
}
