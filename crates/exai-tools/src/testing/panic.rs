//! `test_panic`: panics, as a bug does.

use super::Twin;
use crate::kind;
use exai_engine::tool::Tool;
use std::sync::Arc;

pub(super) fn tool(twin: Twin) -> Arc<dyn Tool> {
    let spec = twin.spec(
        ["test_panic", "test_panic_once"],
        "Test tool: panics.",
        r#"{"type":"object","properties":{}}"#,
    );
    kind::from_future(spec, |_| {
        Box::pin(async { panic!("test_panic was called") })
    })
}
