//! Two tools that leave a trace of every run outside the daemon: `look` may run again, `act`
//! must not.

use exai_engine::tool::{Tool, ToolCall, ToolFuture, ToolOutput, ToolSpec};
use exai_protocol::{
    RawValue,
    tool::{Annotations, ToolEntry},
};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::sleep;

/// How often each call ran, by its request id.
pub(crate) type Traces = Arc<Mutex<HashMap<String, usize>>>;

#[derive(Deserialize)]
struct Order {
    ms: u64,
}

struct Traced {
    spec: ToolSpec,
    traces: Traces,
}

pub(crate) fn all(traces: &Traces) -> Vec<Arc<dyn Tool>> {
    let tool = |name: &str, repeatable| {
        let entry = ToolEntry {
            name: name.to_owned(),
            description: "Leaves a trace.".to_owned(),
            input_schema: RawValue::from_string(r#"{"type":"object"}"#.to_owned()).unwrap(),
            title: None,
            annotations: Some(Annotations {
                read_only_hint: Some(repeatable),
                ..Annotations::default()
            }),
            meta: None,
        };
        Arc::new(Traced {
            spec: ToolSpec::new(entry),
            traces: Arc::clone(traces),
        }) as Arc<dyn Tool>
    };
    vec![tool("act", false), tool("look", true)]
}

impl Tool for Traced {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn run(&self, call: ToolCall) -> ToolFuture {
        let traces = Arc::clone(&self.traces);
        Box::pin(async move {
            let order: Order = call.decode()?;
            let id = call.request_id.as_str().to_owned();
            *traces.lock().unwrap().entry(id.clone()).or_default() += 1;
            sleep(Duration::from_millis(order.ms)).await;
            Ok(ToolOutput::text(&format!("done {id}")))
        })
    }
}
