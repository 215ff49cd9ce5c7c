//! A daemon made of values, for the tools' own tests.

pub(crate) mod threads;

use crate::Ports;
use exai_engine::{
    ports::{
        logs::{LogFile, Logs},
        models::{Answer, EndpointRow, Listing, ModelFuture, ModelRow, Models, PriceRow, Wish},
        vitals::{Identity, Vitals},
    },
    progress::ProgressHandle,
    tool::{ToolCall, ToolError, ToolOutput},
};
use exai_protocol::{
    BootId, Principal, RawValue, RequestId, SessionId, health::Health, tool::ToolEntry,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// 2026-03-01 10:00:00 UTC.
pub(crate) const NOW: f64 = 1_772_359_200.0;

pub(crate) struct FakeVitals(pub(crate) Identity);

impl Vitals for FakeVitals {
    fn health(&self) -> Health {
        Health {
            t: NOW,
            pid: 123,
            host: "127.0.0.1".to_owned(),
            port: 8765,
            started_at: NOW - 60.0,
            sessions: 2,
            global_capacity: 24,
            global_inflight: 1,
            uptime_human: "0:01:00".to_owned(),
            tool_count: 9,
            boot_id: BootId::new("boot-1"),
            version: "0.1.0".to_owned(),
            state: "running".to_owned(),
            queued: 0,
            connections: 2,
            loop_lag_ms: None,
            tasks: None,
            outcomes: [("ok".to_owned(), 3)].into(),
            providers: Vec::new(),
            limits: None,
            watchdog: Vec::new(),
            warnings: vec!["the token is empty".to_owned()],
        }
    }

    fn tools(&self) -> Vec<ToolEntry> {
        crate::entries()
    }

    fn tools_for(&self, _: &ToolCall) -> Vec<ToolEntry> {
        Vitals::tools(self)
    }

    fn identity(&self) -> &Identity {
        &self.0
    }
}

#[derive(Clone, Default)]
pub(crate) struct FakeLogs {
    pub(crate) daemon: Vec<String>,
    pub(crate) calls: Vec<String>,
    pub(crate) faults: Vec<String>,
    pub(crate) broken: bool,
}

impl Logs for FakeLogs {
    fn tail(&self, file: LogFile, lines: usize) -> Result<Vec<String>, String> {
        if self.broken {
            return Err("cannot read ws_daemon.log: permission denied".to_owned());
        }
        let all = match file {
            LogFile::Calls => &self.calls,
            LogFile::Daemon => &self.daemon,
            LogFile::Failures | LogFile::Progress => return Ok(Vec::new()),
        };
        Ok(all[all.len().saturating_sub(lines)..].to_vec())
    }

    fn self_check(&self, _: &Health) -> Vec<String> {
        self.faults.clone()
    }
}

/// Models that are listed and never answer.
pub(crate) struct FakeList(pub(crate) Listing);

impl Models for FakeList {
    fn ask<'a>(&'a self, _: &'a ToolCall, _: Wish) -> ModelFuture<'a, Result<Answer, ToolError>> {
        Box::pin(async { Err(ToolError::failed("nobody answers")) })
    }

    fn listing(&self) -> Arc<Listing> {
        Arc::new(self.0.clone())
    }

    fn refresh<'a>(
        &'a self,
        _: Option<&'a str>,
    ) -> ModelFuture<'a, Result<Vec<String>, ToolError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

fn endpoint(name: &str, lacks: Option<&str>) -> EndpointRow {
    EndpointRow {
        name: name.to_owned(),
        title: name.to_uppercase(),
        dialect: "openai-chat".to_owned(),
        base_url: Some(format!("https://{name}.example/v1")),
        ready: lacks.is_none(),
        lacks: lacks.map(str::to_owned),
        key_from: Some(format!("{}_API_KEY", name.to_uppercase())),
        agent: None,
        breaker: "closed".to_owned(),
        breaker_cause: None,
        in_flight: 0,
        concurrency: 6,
    }
}

fn model(id: &str, endpoint: &str, ready: bool) -> ModelRow {
    ModelRow {
        id: id.to_owned(),
        endpoint: endpoint.to_owned(),
        ready,
        described: true,
        ..ModelRow::default()
    }
}

/// Two endpoints, one of them ready.
pub(crate) fn listing() -> Listing {
    Listing {
        endpoints: vec![
            endpoint("glm", None),
            endpoint("kimi", Some("set KIMI_API_KEY")),
        ],
        models: vec![
            ModelRow {
                context: Some(200_000),
                abilities: vec!["thinking".to_owned(), "streaming".to_owned()],
                price: Some(PriceRow {
                    input: Some(0.6),
                    output: Some(2.2),
                    ..PriceRow::default()
                }),
                ..model("glm-4.6", "glm", true)
            },
            ModelRow {
                described: false,
                ..model("glm-new", "glm", true)
            },
            ModelRow {
                aliases: vec!["kimi-k2".to_owned()],
                context: Some(256_000),
                ..model("kimi-k2-0905-preview", "kimi", false)
            },
        ],
        advice: Vec::new(),
    }
}

/// Nothing that can be used.
pub(crate) fn nothing_ready() -> Listing {
    let mut all = listing();
    all.endpoints[0] = endpoint("glm", Some("set GLM_API_KEY"));
    all.models.iter_mut().for_each(|row| row.ready = false);
    all.advice = vec![
        "Set GLM_API_KEY.".to_owned(),
        "Or start a server.".to_owned(),
    ];
    all
}

/// Ports around these logs.
pub(crate) fn ports(logs: FakeLogs) -> Ports {
    Ports {
        vitals: Arc::new(FakeVitals(Identity {
            version: "0.1.0".to_owned(),
            build: "abc1234".to_owned(),
            protocol: "1.1".to_owned(),
            pid: 4242,
            boot_id: "boot-1".into(),
            home: "/home/user/exai".into(),
            test_tools: true,
        })),
        logs: Arc::new(logs),
        models: Arc::new(FakeList(listing())),
        ollama: None,
        threads: threads::none(),
    }
}

/// A call with these arguments.
pub(crate) fn call(arguments: &str) -> ToolCall {
    ToolCall {
        seat: Default::default(),
        principal: Principal::new("owner"),
        session_id: SessionId::new("s"),
        client_id: None,
        request_id: RequestId::new("r-1"),
        arguments: Arc::from(RawValue::from_string(arguments.to_owned()).unwrap()),
        roots: exai_engine::Folders::default(),
        progress: ProgressHandle::default(),
        cancelled: CancellationToken::new(),
        deadline: tokio::time::Instant::now() + Duration::from_secs(600),
    }
}

/// Runs one tool of `ports`, or a test tool.
pub(crate) async fn run(ports: &Ports, name: &str, arguments: &str) -> Result<String, ToolError> {
    let mut tools = crate::builtin(ports);
    tools.extend(crate::test_tools());
    let tool = tools
        .iter()
        .find(|tool| tool.spec().name() == name)
        .expect("a tool of that name");
    tool.run(call(arguments)).await.map(|output| text(&output))
}

/// The one text of an output.
pub(crate) fn text(output: &ToolOutput) -> String {
    let blocks: Vec<serde_json::Value> = serde_json::from_str(output.outputs.get()).unwrap();
    assert_eq!(blocks.len(), 1, "one complete text block");
    assert_eq!(blocks[0]["type"], "text");
    blocks[0]["text"].as_str().unwrap().to_owned()
}
