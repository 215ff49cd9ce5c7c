//! A request is sent again only while nothing of its answer has reached the caller, only as
//! often as its endpoint allows, and not before the provider wants to hear of it.

use super::{EACH, Stage, ask, at, failed, ms, said};
use exai_testkit::provider::{At, Cut, Reply};

#[tokio::test]
async fn what_may_pass_is_repeated_and_told() {
    let stage = Stage::new().await;
    for (_, name, _) in EACH {
        let replies = [Reply::status(500), Reply::text("at last").tokens(4, 2)];
        stage.provider.when(at(name), replies);
    }
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    for (dialect, name, model) in EACH {
        ask(&mut ws, name, model).await;
        let result = ws.result(name).await;
        assert_eq!(said(&result), "at last", "{dialect:?}");
        let attempts = &result["usage"]["attempts"];
        assert_eq!(attempts[0]["cause"], "server", "{attempts}");
        assert_eq!(attempts[0]["status"], 500, "{attempts}");
        assert_eq!(attempts[1]["attempt"], 2, "{attempts}");
        assert!(
            attempts[1]
                .get("cause")
                .is_none_or(serde_json::Value::is_null),
            "{attempts}"
        );
    }
}

#[tokio::test]
async fn nothing_is_repeated_once_text_reached_the_caller() {
    let stage = Stage::new().await;
    let cut = Reply::text("half of it")
        .chunks(4)
        .cut(At::Piece(2), Cut::Short);
    stage.provider.otherwise(cut.every(ms(50)));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    for (asked, (dialect, name, model)) in EACH.into_iter().enumerate() {
        ask(&mut ws, name, model).await;
        let result = ws.result(name).await;
        let (code, message) = failed(&result);
        assert_eq!(code, "EXEC_ERROR", "{dialect:?}: {message}");
        assert!(
            message.contains("characters of the answer had come"),
            "{message}"
        );
        assert_eq!(
            stage.provider.chats().len(),
            asked + 1,
            "{dialect:?}: asked again"
        );
    }
}

#[tokio::test]
async fn what_cannot_pass_is_not_repeated() {
    let stage = Stage::new().await;
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    for (number, (status, code)) in [
        (400, "EXEC_ERROR"),
        (404, "INVALID_ARGUMENT"),
        (413, "TOO_LARGE"),
        (401, "UNAVAILABLE"),
    ]
    .into_iter()
    .enumerate()
    {
        stage.provider.script([Reply::status(status)]);
        let id = format!("s-{status}");
        ask(&mut ws, &id, "parrot@custom").await;
        assert_eq!(failed(&ws.result(&id).await).0, code, "{status}");
        assert_eq!(
            stage.provider.chats().len(),
            number + 1,
            "{status} was asked again"
        );
    }
}

/// Everybody who asks there obeys, not only the one who was told; others are not concerned.
#[tokio::test]
async fn retry_after_holds_for_all_who_ask_there() {
    let stage = Stage::new().await;
    let refused = Reply::status(429).retry_after(2);
    stage.provider.when(at("custom"), [refused]);
    stage.provider.otherwise(Reply::text("done"));
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask(&mut ws, "told", "parrot@custom").await;
    stage.asked(1).await;
    ws.recv_where(|frame| frame["op"] == "progress" && frame["stage"] == "retrying")
        .await;
    ask(&mut ws, "another", "parrot@custom").await;
    ask(&mut ws, "elsewhere", "claude-haiku-4-5@anthropic").await;
    assert_eq!(said(&ws.result("elsewhere").await), "done");
    assert!(
        !stage.provider.chats()[1].path.starts_with("/custom/"),
        "too early"
    );
    for id in ["told", "another"] {
        assert_eq!(said(&ws.result(id).await), "done");
    }
    let chats = stage.provider.chats();
    let here: Vec<_> = chats.iter().filter(|chat| at("custom")(chat)).collect();
    assert_eq!(here.len(), 3);
    for later in &here[1..] {
        let waited = later.at.duration_since(here[0].at);
        assert!(waited >= ms(1900), "asked again after {waited:?}");
    }
}
