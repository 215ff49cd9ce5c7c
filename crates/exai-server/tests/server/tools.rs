//! Two scripted tools: `act` does what its arguments say, `instant` answers with them.

use exai_engine::tool::{Tool, ToolCall, ToolError, ToolFuture, ToolOutput, ToolSpec};
use exai_protocol::{
    RawValue,
    tool::{Annotations, ToolEntry},
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Order {
    ms: u64,
    /// Said at once, and every 10 ms.
    say: Option<String>,
    stream: Option<String>,
    /// Streamed every 10 ms.
    streams: Option<String>,
    then: String,
    bytes: usize,
    /// The outputs themselves.
    outputs: Option<Box<RawValue>>,
    structured: Option<Box<RawValue>>,
}

struct Scripted {
    spec: ToolSpec,
    run: fn(ToolCall) -> ToolFuture,
}

impl Tool for Scripted {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn run(&self, call: ToolCall) -> ToolFuture {
        (self.run)(call)
    }
}

/// A tool that does nothing, by any name.
pub(crate) fn idle(name: &str) -> Arc<dyn Tool> {
    Arc::new(Scripted {
        spec: ToolSpec::new(entry(name)),
        run: echo,
    })
}

/// See the module.
pub(crate) fn all() -> Vec<Arc<dyn Tool>> {
    let mut instant = ToolSpec::new(entry("instant"));
    instant.instant = true;
    instant.entry.annotations = Some(Annotations {
        read_only_hint: Some(true),
        ..Annotations::default()
    });
    let act = Scripted {
        spec: ToolSpec::new(entry("act")),
        run: obey,
    };
    vec![
        Arc::new(act),
        Arc::new(Scripted {
            spec: instant,
            run: echo,
        }),
    ]
}

fn entry(name: &str) -> ToolEntry {
    ToolEntry {
        name: name.to_owned(),
        description: format!("Scripted: {name}."),
        input_schema: RawValue::from_string(r#"{"type": "object"}"#.to_owned()).unwrap(),
        title: None,
        annotations: None,
        meta: None,
    }
}

fn echo(call: ToolCall) -> ToolFuture {
    Box::pin(async move { Ok(ToolOutput::text(call.arguments.get())) })
}

fn obey(call: ToolCall) -> ToolFuture {
    Box::pin(async move {
        let order: Order = call.decode()?;
        if let Some(text) = &order.stream {
            call.progress.stream(text);
        }
        let until = Instant::now() + Duration::from_millis(order.ms);
        while (order.say.is_some() || order.streams.is_some()) && Instant::now() < until {
            if let Some(words) = &order.say {
                call.progress.say("working", &**words);
            }
            call.progress
                .stream(order.streams.as_deref().unwrap_or_default());
            sleep(Duration::from_millis(10)).await;
        }
        sleep_until(until).await;
        match order.then.as_str() {
            "fail" => return Err(ToolError::failed("no luck")),
            "fail at length" => return Err(ToolError::failed("ä\u{1}".repeat(order.bytes))),
            "panic" => std::panic::resume_unwind(Box::new("scripted panic")),
            _ => {}
        }
        let mut output = match order.bytes {
            0 => ToolOutput::text("done"),
            bytes => ToolOutput::text(&"x".repeat(bytes)),
        };
        if let Some(outputs) = order.outputs {
            output.outputs = Arc::from(outputs);
        }
        output.structured = order.structured.map(Arc::from);
        Ok(output)
    })
}
