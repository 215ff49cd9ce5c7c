//! `smoke`: is everything there and alive? Two clients at once, then the whole way through the
//! shim as an MCP client takes it. One line a check, OK or FAIL, never colour alone.

use crate::{
    context::Context,
    dial::Connection,
    exit::{self, Code},
    lifecycle::spawn,
    output::{self, Tone, paint},
    stdio_peer::StdioPeer,
};
use anyhow::{Result, ensure};
use exai_client::{CallSpec, Client};
use exai_protocol::call::CallToolRes;
use serde_json::json;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn run(context: &Context) -> Result<Code> {
    match Connection::open(context).await {
        Ok(connection) => connection.close().await,
        // Where nobody is, one word says it; what is wrong with somebody, the checks will show.
        Err(error) if exit::code_of(&error) == exit::NOT_RUNNING => return Err(error),
        Err(_) => {}
    }
    let mut tally = Tally { failed: 0 };
    let (one, two) = tokio::join!(client(context, 1), client(context, 2));
    for (name, began, result) in one.into_iter().chain(two) {
        tally.note(&name, began, result)?;
    }
    match spawn::sibling("exai-shim") {
        Some(shim) => {
            let began = Instant::now();
            let result = through(context, &shim).await;
            tally.note(
                "the shim answers tools/list and version",
                began.elapsed(),
                result,
            )?;
        }
        None => {
            output::hint("skip  exai-shim is not beside exai-daemon; the stdio way was not tried")
        }
    }
    output::line(if tally.failed == 0 { "OK" } else { "FAIL" })?;
    Ok(if tally.failed == 0 {
        exit::OK
    } else {
        exit::FAILURE
    })
}

struct Tally {
    failed: usize,
}

impl Tally {
    fn note(&mut self, name: &str, took: Duration, result: Result<String>) -> Result<()> {
        let millis = took.as_secs_f64() * 1000.0;
        let line = match result {
            Ok(found) => format!(
                "{}    {name}: {found} ({millis:.0} ms)",
                paint(Tone::Good, "OK")
            ),
            Err(error) => {
                self.failed += 1;
                format!("{}  {name}: {error:#}", paint(Tone::Bad, "FAIL"))
            }
        };
        Ok(output::line(line)?)
    }
}

type Checks = Vec<(String, Duration, Result<String>)>;

async fn client(context: &Context, number: u32) -> Checks {
    let mut checks = Checks::new();
    let began = Instant::now();
    let name = |what: &str| format!("client {number} {what}");
    let connection = match Connection::named(context, &format!("exai-smoke-{number}")).await {
        Ok(connection) => connection,
        Err(error) => return vec![(name("hello"), began.elapsed(), Err(error))],
    };
    let session = connection.client.session();
    let server = session.and_then(|session| session.server.clone());
    let version = server.map(|server| format!("exai-daemon {}", server.version));
    let version = version.ok_or_else(|| anyhow::anyhow!("the daemon did not say who it is"));
    checks.push((name("hello"), began.elapsed(), version));
    let began = Instant::now();
    let listed = list(&connection.client).await;
    checks.push((name("list_tools"), began.elapsed(), listed));
    for tool in ["version", "status"] {
        let began = Instant::now();
        let called = call(&connection.client, tool).await;
        checks.push((name(tool), began.elapsed(), called));
    }
    connection.close().await;
    checks
}

async fn list(client: &Client) -> Result<String> {
    let listed = client.list_tools().await?;
    let tools: Vec<serde_json::Value> = serde_json::from_str(listed.tools.get())?;
    ensure!(!tools.is_empty(), "the list is empty");
    Ok(format!(
        "{} tools, {} bytes",
        tools.len(),
        listed.tools.get().len()
    ))
}

async fn call(client: &Client, tool: &str) -> Result<String> {
    let spec = CallSpec {
        request_id: client.mint(),
        name: tool.to_owned(),
        arguments: None,
        timeout_ms: None,
        roots: None,
        repeatable: true,
    };
    let ended = tokio::time::timeout(PATIENCE, client.call(spec).await.finished()).await?;
    let result: CallToolRes = ended.ok_or_else(|| anyhow::anyhow!("the call has no end"))?;
    if let Some(error) = result.error {
        return Err(error.into());
    }
    let outputs = result.outputs.map_or(0, |outputs| outputs.get().len());
    ensure!(outputs > 2, "it returned nothing");
    Ok(format!("{outputs} bytes"))
}

async fn through(context: &Context, shim: &std::path::Path) -> Result<String> {
    let mut command = spawn::command(shim);
    // What is down must show, not be started by the check.
    command
        .env("EXAI_HOME", context.home.root())
        .env("EXAI_WS_AUTOSTART", "false");
    let mut peer = StdioPeer::start(command)?;
    peer.initialize(PATIENCE).await?;
    let listed = peer.ask("tools/list", &json!({}), PATIENCE).await?;
    let tools = listed["tools"].as_array().map_or(0, Vec::len);
    ensure!(tools > 0, "tools/list is empty");
    let params = json!({"name": "version", "arguments": {}});
    let result = peer.ask("tools/call", &params, PATIENCE).await?;
    ensure!(
        result["isError"] != json!(true),
        "the call failed: {result}"
    );
    peer.close(PATIENCE).await?;
    Ok(format!("{tools} tools"))
}
