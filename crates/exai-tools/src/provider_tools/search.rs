//! `glm_web_search`: a web search by a GLM model, with what was found and where.

use super::model_at;
use crate::{
    Ports,
    args::Args,
    chat::report,
    kind,
    spec::{self, Effect, Words},
};
use exai_engine::{
    ports::models::{Answer, Message, Models, Recency, WebSearch, Wish},
    tool::{Tool, ToolCall, ToolError, ToolOutput, ToolSpec},
};
use serde_json::json;
use std::sync::Arc;

const NAME: &str = "glm_web_search";

pub(super) fn spec() -> ToolSpec {
    let words = Words {
        name: NAME,
        title: "Web search (GLM)",
        description: "Searches the web through a GLM model: what it found, and the addresses. \
             Costs money.",
        schema: r#"{"type":"object","required":["search_query"],"properties":{"search_query":{"type":"string"},"count":{"type":"integer","minimum":1,"maximum":50,"default":10},"search_domain_filter":{"type":"string"},"search_recency_filter":{"type":"string","enum":["oneDay","oneWeek","oneMonth","oneYear","noLimit"]},"model":{"type":"string"},"confirm_cost":{"type":"boolean"}}}"#,
    };
    let mut spec = spec::spec(&words, Effect::Asks);
    spec.waits = true;
    spec
}

pub(super) fn tool(ports: &Ports) -> Arc<dyn Tool> {
    let models = Arc::clone(&ports.models);
    kind::with(spec(), models, async move |models, call| {
        answer(&*models, &call).await
    })
}

async fn answer(models: &dyn Models, call: &ToolCall) -> Result<ToolOutput, ToolError> {
    let args = Args::of(call)?;
    let query = args.required_text("search_query")?;
    let mut wish = Wish {
        tool: NAME.into(),
        confirmed: args.flag("confirm_cost", false)?,
        ..Wish::default()
    };
    wish.chat.max_output = 0;
    wish.chat.search = Some(wanted(&args)?);
    wish.chat.messages = vec![Message::user(format!(
        "Search the web and say in a few lines what you found, each with its address: {query}"
    ))];
    let (model, chosen) = model_at(models, "glm", args.text("model")?)?;
    (wish.model, wish.chosen) = (Some(model), chosen);
    let engine = args.has("search_engine");
    let note = engine.then_some(
        "search_engine was not sent: it is the provider's setting, quirks.search_engine in \
         config/providers.toml",
    );
    let answer = models.ask(call, wish).await?;
    if !answer.search.ran {
        return Err(from_memory(&answer)?);
    }
    let mut told = json!({
        "query": query,
        "searched_for": answer.search.queries,
        "sources": answer.search.sources,
        "found": answer.turn.text,
        "model": answer.model,
    });
    if let Some(note) = note {
        told["note"] = json!(note);
    }
    let mut output = ToolOutput::json(&told)?;
    output.usage = Some(report::raw(&answer.spent)?);
    Ok(output)
}

fn wanted(args: &Args) -> Result<WebSearch, ToolError> {
    let recency = ["oneDay", "oneWeek", "oneMonth", "oneYear", "noLimit"];
    let domain = args.text("search_domain_filter")?.unwrap_or_default();
    let domain = Some(domain.trim()).filter(|domain| !domain.is_empty());
    Ok(WebSearch {
        count: u32::try_from(args.number("count", 10, 1..=50)?).ok(),
        recency: match args.choice("search_recency_filter", &recency, "noLimit")? {
            "oneDay" => Recency::Day,
            "oneWeek" => Recency::Week,
            "oneMonth" => Recency::Month,
            "oneYear" => Recency::Year,
            _ => Recency::Any,
        },
        domains: domain.map(str::to_owned).into_iter().collect(),
    })
}

/// Paid for, and no search result.
fn from_memory(answer: &Answer) -> Result<ToolError, ToolError> {
    let (model, endpoint) = (&answer.model, &answer.endpoint);
    let mut error = ToolError::failed(format!(
        "{model} at {endpoint} answered without searching, so its answer is no search result. It \
         took {}. Ask again, or name another 'model'.",
        report::took(&answer.spent)
    ));
    error.metadata = Some(report::raw(&answer.spent)?);
    Ok(error)
}
