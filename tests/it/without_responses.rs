//! `OPENAI_BASE_URL` may name a server that speaks chat completions only.

use crate::models::{Stage, ask, at, failed, said};
use exai_testkit::provider::Reply;

#[tokio::test]
async fn whoever_has_no_responses_is_told_the_name_that_works() {
    let stage = Stage::new().await;
    let chats = |request: &exai_testkit::provider::Request| request.path.ends_with("/responses");
    stage.provider.always(chats, Reply::status(404));
    stage.provider.when(at("openai"), [Reply::text("Here.")]);
    let _daemon = stage.daemon().await;
    let mut ws = stage.caller().await;
    ask(&mut ws, "a", "gpt-4o").await;
    let result = ws.result("a").await;
    let (_, message) = failed(&result);
    assert!(message.contains("ask 'gpt-4o@openai-chat'"), "{message}");
    ask(&mut ws, "b", "gpt-4o@openai-chat").await;
    assert_eq!(said(&ws.result("b").await), "Here.");
}
