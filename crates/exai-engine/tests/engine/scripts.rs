//! Tools that do what their arguments say, and count how often they ran.

use exai_engine::tool::{Tool, ToolCall, ToolError, ToolFuture, ToolOutput, ToolSpec};
use exai_protocol::{
    Code, RawValue,
    tool::{Annotations, ToolEntry},
};
use serde::Deserialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

/// What the arguments may say; all tools here take the same.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Order {
    /// Sleep first.
    ms: u64,
    /// Say this now and then every 10 ms while sleeping.
    say: Option<String>,
    /// Stream this once.
    stream: Option<String>,
    /// Stream a numbered piece every 10 ms while sleeping.
    pieces: bool,
    /// `fail`, `panic`, `refuse`; otherwise answer.
    then: String,
    /// Answer with so many bytes.
    bytes: usize,
}

type Act = fn(ToolCall) -> ToolFuture;

/// See the module.
pub(crate) struct Script {
    spec: ToolSpec,
    runs: AtomicU64,
    dropped: Arc<AtomicU64>,
    act: Act,
}

impl Script {
    pub(crate) fn new(name: &str, change: impl FnOnce(&mut ToolSpec)) -> Arc<Self> {
        Self::acting(name, change, obey)
    }

    pub(crate) fn acting(name: &str, change: impl FnOnce(&mut ToolSpec), act: Act) -> Arc<Self> {
        let mut spec = ToolSpec::new(entry(name, "a scripted tool"));
        change(&mut spec);
        Arc::new(Self {
            spec,
            runs: AtomicU64::new(0),
            dropped: Arc::default(),
            act,
        })
    }

    /// How often it was run.
    pub(crate) fn runs(&self) -> u64 {
        self.runs.load(SeqCst)
    }

    /// How many of its futures are gone, finished or not.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(SeqCst)
    }
}

impl Tool for Script {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn run(&self, call: ToolCall) -> ToolFuture {
        self.runs.fetch_add(1, SeqCst);
        let counted = Counted(Arc::clone(&self.dropped));
        let act = (self.act)(call);
        Box::pin(async move {
            let _counted = counted;
            act.await
        })
    }
}

struct Counted(Arc<AtomicU64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A list entry with nothing special.
pub(crate) fn entry(name: &str, description: &str) -> ToolEntry {
    ToolEntry {
        name: name.to_owned(),
        description: description.to_owned(),
        input_schema: RawValue::from_string(r#"{"type":"object"}"#.to_owned()).unwrap(),
        title: None,
        annotations: None,
        meta: None,
    }
}

/// The tool may be run again after an interruption.
pub(crate) fn repeatable(spec: &mut ToolSpec) {
    spec.entry.annotations = Some(Annotations {
        read_only_hint: Some(true),
        ..Annotations::default()
    });
}

/// A panic without the report on standard error.
pub(crate) fn quiet_panic(words: &str) -> ! {
    std::panic::resume_unwind(Box::new(words.to_owned()))
}

fn obey(call: ToolCall) -> ToolFuture {
    Box::pin(async move {
        let order: Order = call.decode()?;
        if let Some(text) = &order.stream {
            call.progress.stream(text);
        }
        let until = tokio::time::Instant::now() + Duration::from_millis(order.ms);
        if order.pieces {
            // A sign of its own just before the first piece must not hold it up.
            call.progress.say("waiting", "for the first piece");
            let mut piece = 0u64;
            while tokio::time::Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(10)).await;
                call.progress.stream(&format!("{piece} "));
                piece += 1;
            }
        }
        if let Some(words) = &order.say {
            let mut said = 0u64;
            while tokio::time::Instant::now() < until {
                call.progress.say("working", format!("{words} {said}"));
                said += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        tokio::time::sleep_until(until).await;
        match order.then.as_str() {
            "fail" => Err(ToolError::failed("no luck")),
            "refuse" => Err(ToolError::new(Code::OverBudget, "too dear")),
            "panic" => quiet_panic("scripted panic"),
            _ if order.bytes > 0 => Ok(ToolOutput::text(&"x".repeat(order.bytes))),
            _ => Ok(ToolOutput::text(call.arguments.get())),
        }
    })
}
