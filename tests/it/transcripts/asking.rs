//! One model, asked: `chat` as it is used from day to day, and what it says when something is odd.

use super::{Scene, thread_of};
use crate::workflow::write;
use exai_testkit::provider::Reply;
use serde_json::json;

#[tokio::test]
async fn golden_chat() {
    let mut scene = Scene::with(|sandbox| {
        write(sandbox, "src/parse.rs", "fn parse() {\n    open();\n}\n");
        write(sandbox, ".env", "KEY=secret\n");
    })
    .await;
    scene.provider.script([
        Reply::text("`parse` opens a handle and never closes it."),
        Reply::text("Close it where `parse` ends."),
        Reply::status(400),
    ]);
    let first = json!({
        "prompt": "What is wrong here?", "model": "parrot@custom",
        "files": ["src/parse.rs", ".env", "src/gone.rs"],
    });
    let first = scene.call("chat", first).await;
    scene.sent();
    let thread = thread_of(&first);
    let next = json!({ "prompt": "How is it mended?", "continuation_id": thread });
    scene.call("chat", next.clone()).await;
    scene.sent();
    // What goes wrong: the provider's no, no model, no words, no such conversation.
    scene.call("chat", next).await;
    for odd in [
        json!({ "prompt": "Hello?", "model": "no-such-model" }),
        json!({ "model": "parrot@custom" }),
        json!({ "prompt": "Hello?", "continuation_id": "gone" }),
        json!({ "prompt": "Hello?", "model": "parrot@custom", "temperature": 9 }),
    ] {
        scene.call("chat", odd).await;
    }
    scene.same("chat");
}
