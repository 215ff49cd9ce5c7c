//! `tools_search`: finds the tools that a client's list leaves out, with all that is needed to
//! call them. What the client may not call is not found.

use crate::{
    Ports,
    args::Args,
    kind::{self, Answer},
    spec::{self, Words},
};
use exai_engine::{
    ports::vitals::Vitals,
    surface::FIND,
    tool::{Tool, ToolCall, ToolOutput, ToolSpec},
};
use exai_protocol::tool::ToolEntry;
use serde_json::json;
use std::{cmp::Reverse, sync::Arc};

/// Found ones that are shown whole; of more there are the names.
const WHOLE: u64 = 5;

pub(crate) fn spec() -> ToolSpec {
    spec::instant(&Words {
        name: FIND,
        title: "Find a tool",
        description: "Finds exai tools that are not in your list, with their schemas; call them \
             with tool_invoke. Without a query: the names of all.",
        schema: r#"{"type":"object","properties":{"query":{"type":"string","description":"Words of its name or purpose."},"limit":{"type":"integer","minimum":1,"maximum":20,"default":5}}}"#,
    })
}

pub(crate) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let vitals = Arc::clone(&ports.vitals);
    kind::from_memory(spec(), move |call| answer(&*vitals, call))
}

fn answer(vitals: &dyn Vitals, call: &ToolCall) -> Answer {
    let args = Args::of(call)?;
    let limit = args.number("limit", WHOLE, 1..=20)?;
    let all = vitals.tools_for(call);
    let query = args.text("query")?.unwrap_or_default().to_lowercase();
    let words: Vec<&str> = query.split(|c: char| !c.is_alphanumeric()).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return ToolOutput::json(&json!({ "tools": lines(all.iter()) }));
    }
    let mut found: Vec<(usize, &ToolEntry)> = all
        .iter()
        .map(|entry| (score(entry, &words), entry))
        .filter(|(score, _)| *score > 0)
        .collect();
    // Equals stay in the order of their names, so that the same question has the same answer.
    found.sort_by_key(|(score, _)| Reverse(*score));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (shown, rest) = found.split_at(found.len().min(limit));
    let shown: Vec<&ToolEntry> = shown.iter().map(|(_, entry)| *entry).collect();
    let rest = lines(rest.iter().map(|(_, entry)| *entry));
    if shown.is_empty() {
        let names: Vec<&str> = all.iter().map(|entry| entry.name.as_str()).collect();
        return ToolOutput::json(&json!({
            "found": [],
            "note": "No tool has these words; these are all there are. Search for one by its \
                     name to see what it takes.",
            "all_tools": names,
        }));
    }
    ToolOutput::json(&json!({
        "found": shown,
        "also": rest,
        "call_with": { "tool": "tool_invoke", "arguments": { "name": shown[0].name, "arguments": {} } },
    }))
}

/// A word in the name says most, then in the title, then in the description or a field.
fn score(entry: &ToolEntry, words: &[&str]) -> usize {
    let name = entry.name.to_lowercase();
    let title = entry.title.as_deref().unwrap_or_default().to_lowercase();
    let text = format!("{} {}", entry.description, entry.input_schema.get()).to_lowercase();
    let of = |word: &str| {
        8 * usize::from(name == word)
            + 4 * usize::from(name.contains(word))
            + 2 * usize::from(title.contains(word))
            + usize::from(text.starts_with(word))
            + usize::from(text.contains(word))
    };
    words.iter().map(|word| of(word)).sum()
}

/// Its name and the first sentence about it.
fn lines<'a>(entries: impl Iterator<Item = &'a ToolEntry>) -> Vec<String> {
    let line = |entry: &ToolEntry| {
        let first = entry.description.split(['.', ':', ';']).next();
        format!("{}: {}", entry.name, first.unwrap_or_default())
    };
    entries.map(line).collect()
}

#[cfg(test)]
mod tests {
    use crate::fakes::{FakeLogs, call, ports, text};
    use serde_json::Value;

    async fn search(arguments: &str) -> Value {
        let output = super::tool(&ports(FakeLogs::default()))
            .run(call(arguments))
            .await
            .unwrap();
        serde_json::from_str(&text(&output)).unwrap()
    }

    #[tokio::test]
    async fn what_is_found_can_be_called_as_it_stands() {
        let found = search(r#"{"query":"version"}"#).await;
        assert_eq!(found["found"][0]["name"], "version");
        assert!(found["found"][0]["inputSchema"].is_object());
        assert_eq!(found["call_with"]["arguments"]["name"], "version");
    }

    #[tokio::test]
    async fn nothing_found_names_all_and_no_words_lists_all() {
        let found = search(r#"{"query":"zzz"}"#).await;
        assert_eq!(found["found"].as_array().unwrap().len(), 0);
        assert!(
            found["all_tools"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
        );
        let all = search("{}").await;
        assert!(all["tools"][0].as_str().unwrap().contains(": "));
    }
}
