//! `tools`: what can be called.

use crate::{
    context::Context,
    dial::Connection,
    exit::{self, Code},
    output,
};
use anyhow::{Context as _, Result};
use exai_protocol::tool::ToolEntry;

pub(super) async fn run(context: &Context, json: bool) -> Result<Code> {
    let connection = Connection::open(context).await?;
    let listed = connection.client.list_tools().await;
    connection.close().await;
    let listed = listed?;
    if json {
        let value: serde_json::Value = serde_json::from_str(listed.tools.get())?;
        output::json(&value)?;
        return Ok(exit::OK);
    }
    for line in output::columns(&rows(listed.tools.get())?) {
        output::line(line)?;
    }
    Ok(exit::OK)
}

fn rows(tools: &str) -> Result<Vec<Vec<String>>> {
    let tools: Vec<ToolEntry> =
        serde_json::from_str(tools).context("the tool list cannot be read")?;
    let row = |tool: ToolEntry| {
        let repeatable = tool.annotations.is_some_and(|hints| hints.repeatable());
        vec![
            output::tame(&tool.name),
            if repeatable { "repeatable" } else { "once" }.to_owned(),
            output::tame(first_sentence(&tool.description)),
        ]
    };
    Ok(tools.into_iter().map(row).collect())
}

fn first_sentence(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.split_once(". ").map_or(line, |(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_a_row() {
        let tools = r#"[{"name":"version","description":"Says it. And more.\nEven more.","inputSchema":{},
            "annotations":{"readOnlyHint":true}},{"name":"x","description":"","inputSchema":{}}]"#;
        let rows = rows(tools).unwrap();
        assert_eq!(rows[0], ["version", "repeatable", "Says it"]);
        assert_eq!(rows[1], ["x", "once", ""]);
        assert!(super::rows("{}").is_err());
    }
}
