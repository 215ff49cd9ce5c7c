//! Who calls a tool: an editor's window, which is a shim, or a client of the daemon's own wire.
//! What either is answered comes in one form, so that a test is the same for both.

use exai_testkit::{Sandbox, Shim, Ws};
use serde_json::{Value, json};

/// See the module.
pub(crate) trait Caller {
    /// One call from beginning to end: `outputs`, and `error` where it failed.
    async fn result_of(&mut self, tool: &str, arguments: Value) -> Value;
}

impl Caller for Ws {
    async fn result_of(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.call(tool, arguments).await;
        self.result(&id).await
    }
}

impl Caller for Shim {
    async fn result_of(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call_tool(tool, arguments).await;
        let mut told = json!({ "outputs": result["content"] });
        if result["isError"] == true {
            let facts = &result["_meta"];
            told["error"] = json!({
                "code": facts["exai/code"],
                "message": Shim::text_of(&result),
                "metadata": facts["exai/error"],
            });
        }
        told
    }
}

/// An editor's window, in the sandbox's working folder.
pub(crate) async fn editor(sandbox: &Sandbox) -> Shim {
    let mut shim = sandbox.shim();
    shim.initialize("2025-11-25").await;
    shim
}
