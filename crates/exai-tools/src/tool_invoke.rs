//! `tool_invoke`: calls a tool that is not in the client's list. The engine unwraps such a call
//! at the door, so this tool is run only when there was nothing to unwrap, to say what is wrong.

use crate::{
    args::Args,
    kind::{self, Answer},
    spec::{self, Effect, Words},
};
use exai_engine::{
    surface::INVOKE,
    tool::{Tool, ToolCall, ToolError, ToolSpec},
};
use std::sync::Arc;

pub(crate) fn spec() -> ToolSpec {
    let words = Words {
        name: INVOKE,
        title: "Call any tool",
        description: "Calls an exai tool by name, also one that is not in your list (see \
             tools_search). It does what that tool does.",
        schema: r#"{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"arguments":{"type":"object","description":"That tool's arguments."}}}"#,
    };
    spec::spec(&words, Effect::Anything)
}

pub(crate) fn tool() -> Arc<dyn Tool> {
    kind::from_memory(spec(), wrong)
}

fn wrong(call: &ToolCall) -> Answer {
    let args = Args::of(call)?;
    let name = args.required_text("name")?.trim();
    let what = if name == INVOKE {
        "'name' must be another tool than tool_invoke".to_owned()
    } else {
        format!("'arguments' must be an object: the arguments of {name}")
    };
    Err(ToolError::invalid(format!("{what}; nothing was run")))
}

#[cfg(test)]
mod tests {
    use crate::fakes::call;

    #[tokio::test]
    async fn it_says_what_could_not_be_unwrapped() {
        for (arguments, expected) in [
            ("{}", "'name' is missing"),
            (r#"{"name":"tool_invoke"}"#, "another tool"),
            (r#"{"name":"chat","arguments":[]}"#, "the arguments of chat"),
        ] {
            let error = super::tool().run(call(arguments)).await.unwrap_err();
            assert!(error.message.contains(expected), "{error}");
        }
    }
}
