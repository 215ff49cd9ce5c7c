//! `apilookup`: how to find out what an interface looks like today. No model is asked: the caller
//! searches, and is told how to do it so that the answer is about the present version.

use crate::{
    args::Args,
    kind::{self, Answer},
    moment,
    spec::{self, Words},
};
use exai_engine::{
    ports::vitals::Vitals,
    tool::{Tool, ToolCall, ToolOutput, ToolSpec},
};
use serde_json::json;
use std::sync::Arc;

pub(crate) fn spec() -> ToolSpec {
    spec::instant(&Words {
        name: "apilookup",
        title: "Look an API up",
        description: "Use before you rely on an API, SDK or version you may remember wrongly: \
             returns how to look it up, with today's date. Asks no model.",
        schema: r#"{"type":"object","required":["prompt"],"properties":{"prompt":{"type":"string","description":"What to find out."}}}"#,
    })
}

pub(crate) fn tool(ports: &crate::Ports) -> Arc<dyn Tool> {
    let vitals = Arc::clone(&ports.vitals);
    kind::from_memory(spec(), move |call| answer(&*vitals, call))
}

fn answer(vitals: &dyn Vitals, call: &ToolCall) -> Answer {
    let args = Args::of(call)?;
    let prompt = args.required_text("prompt")?;
    let now = moment::show(vitals.health().t);
    let today = now.split(' ').next().unwrap_or_default();
    ToolOutput::json(&json!({
        "status": "web_lookup_needed",
        "user_prompt": prompt,
        "today": today,
        "instructions": format!(
            "Today is {today}; what you remember may be older. Search the web yourself, in a \
             sub-task if you can start one, with exai's chat and use_websearch if you cannot \
             search. First find which version is current now, and which one the project uses \
             (its manifest or lock file). Then read the maker's own documentation, changelog and \
             repository, two to four searches; other pages only where those are silent. Report \
             the exact signatures, what changed and what is deprecated, each with the version it \
             holds for and the address where you read it. Say what you could not find."
        ),
    }))
}

#[cfg(test)]
mod tests {
    use crate::fakes::{FakeLogs, call, ports, text};

    #[tokio::test]
    async fn it_names_the_question_and_the_day() {
        let tool = super::tool(&ports(FakeLogs::default()));
        let output = tool
            .run(call(r#"{"prompt":"reqwest 0.13 timeouts"}"#))
            .await
            .unwrap();
        let words = text(&output);
        assert!(
            words.contains("reqwest 0.13 timeouts") && words.contains("\"today\": \"20"),
            "{words}"
        );
        assert!(tool.run(call("{}")).await.is_err());
    }
}
