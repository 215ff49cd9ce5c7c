//! `version`: which daemon is this. The first thing to ask when two windows disagree.

use crate::{
    Ports,
    kind::{self, Answer},
    spec::{self, Words},
};
use exai_engine::{
    ports::vitals::Identity,
    tool::{Tool, ToolOutput, ToolSpec},
};
use serde_json::json;
use std::sync::Arc;

pub(crate) fn spec() -> ToolSpec {
    spec::instant(&Words {
        name: "version",
        title: "Version",
        description: "Version, build, protocol and home of the exai daemon behind this connection.",
        schema: r#"{"type":"object","properties":{}}"#,
    })
}

/// Nothing of the answer changes while the process lives, so it is made once.
pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let made = answer(ports.vitals.identity());
    kind::from_memory(spec(), move |_| made.clone())
}

fn answer(identity: &Identity) -> Answer {
    ToolOutput::json(&json!({
        "name": "exai-daemon",
        "version": identity.version,
        "build": identity.build,
        "protocol": identity.protocol,
        "pid": identity.pid,
        "boot_id": identity.boot_id,
        "home": identity.home,
    }))
}
