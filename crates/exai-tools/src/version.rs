//! `version`: which daemon is this. The first thing to ask when two windows disagree.

use crate::{
    Ports,
    kind::{self, Answer},
    spec::{self, Words},
};
use exai_engine::{
    ports::vitals::Vitals,
    tool::{Tool, ToolOutput, ToolSpec},
};
use serde_json::json;
use std::sync::Arc;

pub(crate) fn spec() -> ToolSpec {
    spec::instant(&Words {
        name: "version",
        title: "Version",
        description: "Version, build, protocol and uptime of the exai daemon behind this connection.",
        schema: r#"{"type":"object","properties":{}}"#,
    })
}

pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let vitals = Arc::clone(&ports.vitals);
    kind::from_memory(spec(), move |_| answer(&*vitals))
}

fn answer(vitals: &dyn Vitals) -> Answer {
    let identity = vitals.identity();
    let health = vitals.health();
    ToolOutput::json(&json!({
        "name": "exai-daemon",
        "version": identity.version,
        "build": identity.build,
        "protocol": identity.protocol,
        "pid": health.pid,
        "boot_id": health.boot_id,
        "uptime": health.uptime_human,
        "home": identity.home,
    }))
}
