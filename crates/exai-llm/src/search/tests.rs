//! The contracts of native search.

use super::*;
use crate::chat::SearchReport;
use crate::chat::{
    Applied, AssistantTurn, CallKind, ChatRequest, Collector, DoneReason, Message, Recency,
    Searched, StreamItem, ToolCall, Usage,
};

fn call(id: &str, name: &str, kind: CallKind) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: name.into(),
        // Spaces and order must survive to the byte.
        arguments: "{ \"search_result\": {\"search_id\":\"s1\"},\"usage\":{\"total_tokens\":9} }"
            .into(),
        kind,
    }
}

fn turn(calls: Vec<ToolCall>) -> AssistantTurn {
    AssistantTurn {
        text: "let me look".into(),
        reasoning: "hm".into(),
        tool_calls: calls,
        carry: None,
    }
}

#[test]
fn kimis_arguments_are_echoed_unchanged_after_its_turn() {
    let said = turn(vec![call("a", KIMI_SEARCH, CallKind::Builtin)]);
    let Echo::Again(messages) = echo(&said, &DoneReason::ToolCalls) else {
        panic!("no echo");
    };
    assert_eq!(messages[0], Message::Assistant(said.clone()));
    let Message::Tool(result) = &messages[1] else {
        panic!("no result");
    };
    assert_eq!(result.content, said.tool_calls[0].arguments);
    assert_eq!(
        (result.call_id.as_str(), result.name.as_str()),
        ("a", KIMI_SEARCH)
    );
}

#[test]
fn own_tools_wait_for_their_owner_and_ends_are_not_echoed() {
    let both = turn(vec![
        call("a", KIMI_SEARCH, CallKind::Builtin),
        call("b", "read", CallKind::Function),
    ]);
    let Echo::AfterTools { messages, waiting } = echo(&both, &DoneReason::ToolCalls) else {
        panic!("no echo");
    };
    assert_eq!(messages.len(), 2);
    assert_eq!(waiting[0].id, "b");
    assert_eq!(echo(&both, &DoneReason::Stop), Echo::Nothing);
    let own = turn(vec![call("b", "read", CallKind::Function)]);
    assert_eq!(echo(&own, &DoneReason::ToolCalls), Echo::Nothing);
}

#[test]
fn glm_gets_its_parameters_within_their_bounds() {
    let wish = WebSearch {
        count: Some(500),
        recency: Recency::Week,
        domains: vec!["docs.rs".into()],
    };
    let tool = glm_tool(&wish, None);
    let inside = &tool["web_search"];
    assert_eq!(inside["count"], 50);
    assert_eq!(inside["search_recency_filter"], "oneWeek");
    assert_eq!(inside["search_domain_filter"], "docs.rs");
    assert_eq!(inside["search_engine"], "search_pro_jina");
}

#[test]
fn a_written_search_can_be_run_at_glms_door() {
    let wish = WebSearch::default();
    let search = glm_search(r#"{"query":" rust 1.95 "}"#, &wish, Some("search-prime")).unwrap();
    assert_eq!(
        (search.path.as_str(), search.query.as_str()),
        ("/web_search", "rust 1.95")
    );
    assert_eq!(search.body["search_engine"], "search-prime");
    for empty in ["", "{}", r#"{"query":" "}"#, "[]"] {
        assert_eq!(glm_search(empty, &wish, None), None, "{empty}");
    }
    let body = json!({"search_result": [
        {"title": "T", "link": "https://a", "content": "c", "icon": "x"}, {"title": "no link"},
    ]});
    let (searched, told) = glm_answer("q", &body).unwrap();
    assert_eq!(searched.sources.len(), 1);
    assert!(told.contains("https://a") && !told.contains("icon"));
    assert!(glm_answer("q", &json!({"error": {}})).is_err());
}

#[test]
fn a_report_says_whether_a_search_really_ran() {
    let request = ChatRequest {
        search: Some(WebSearch::default()),
        ..ChatRequest::default()
    };
    let applied = Applied {
        search: true,
        ..Applied::default()
    };
    let mut answer = Collector::default();
    answer.take(StreamItem::Text("I searched the web!".into()));
    answer.take(StreamItem::ToolCall(call(
        "t",
        "web_search",
        CallKind::Textual,
    )));
    let report = SearchReport::of(&request, &applied, &answer);
    assert!(report.requested && report.offered && !report.ran && report.only_written);
    answer.take(StreamItem::Search(Searched::default()));
    let report = SearchReport::of(&request, &applied, &answer);
    assert!(report.ran && !report.only_written);
    let mut billed = Collector::default();
    billed.take(StreamItem::Usage(Usage {
        searches: Some(1),
        ..Usage::default()
    }));
    assert!(SearchReport::of(&request, &applied, &billed).ran);
}

#[test]
fn cache_keys_tell_nothing_and_headers_stay_short() {
    let key = short_key("a whole prompt with a secret");
    assert_eq!(key.len(), 32);
    assert_ne!(key, short_key("another"));
    assert!(fits_header("abc") && !fits_header("a\nb") && !fits_header(&"x".repeat(4097)));
}
