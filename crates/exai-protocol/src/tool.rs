//! A tool as a client sees it in a list.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// MCP's behaviour hints; ours are true, because retry decisions rest on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Annotations {
    /// Changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_hint: Option<bool>,
    /// May destroy something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive_hint: Option<bool>,
    /// Running it twice is running it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent_hint: Option<bool>,
    /// Reaches beyond this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_world_hint: Option<bool>,
}

impl Annotations {
    /// May be sent again after an interruption; contradictory hints fail closed.
    #[must_use]
    pub fn repeatable(&self) -> bool {
        let read_only = self.read_only_hint == Some(true);
        let idempotent = self.idempotent_hint == Some(true);
        let destroys = self.destructive_hint == Some(true);
        (read_only || idempotent) && !(read_only && destroys)
    }
}

/// One entry of `list_tools_res`; V1's three fields first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolEntry {
    /// Unique name.
    pub name: String,
    /// What it does; the first sentence decides.
    pub description: String,
    /// JSON Schema of its arguments.
    #[serde(rename = "inputSchema")]
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
    pub input_schema: Box<RawValue>,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Behaviour hints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Annotations>,
    /// Facts for programs.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Value>"))]
    pub meta: Option<Box<RawValue>>,
}

#[cfg(test)]
mod tests {
    use super::Annotations;

    #[test]
    fn contradictory_hints_fail_closed() {
        let hints = |read_only, destructive, idempotent| Annotations {
            read_only_hint: read_only,
            destructive_hint: destructive,
            idempotent_hint: idempotent,
            open_world_hint: None,
        };
        assert!(hints(Some(true), None, None).repeatable());
        assert!(hints(None, Some(true), Some(true)).repeatable());
        assert!(!hints(Some(true), Some(true), None).repeatable());
        assert!(!hints(Some(true), Some(true), Some(true)).repeatable());
        assert!(!hints(None, None, None).repeatable());
        assert!(!hints(Some(false), Some(false), Some(false)).repeatable());
    }
}
