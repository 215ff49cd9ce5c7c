//! A tool that the home's owner made by configuration, as its caller sees it.

use super::Scene;
use exai_testkit::provider::Reply;
use serde_json::{Value, json};

const EXPLAIN: &str = "description = \"Explains a thing.\"\nprompt_file = \"explain.md\"\n\
     persona = \"senior\"\nmodel = \"parrot@custom\"\n[input]\nrequired = [\"topic\"]\n\
     [input.properties.topic]\ntype = \"string\"\ndescription = \"What to explain.\"\n";

#[tokio::test]
async fn golden_a_tool_by_configuration() {
    let mut scene = Scene::with(|sandbox| {
        sandbox.write("config/roles/senior.md", "You are a senior engineer.");
        sandbox.write("config/tools/explain.md", "Explain {{topic}} briefly.");
        sandbox.write("config/tools/explain.toml", EXPLAIN);
    })
    .await;
    scene
        .provider
        .script([Reply::text("Two ends and a queue.")]);
    let find = json!({ "query": "explain", "limit": 1 });
    scene.call("tools_search", find).await;
    let ask = json!({ "topic": "sockets" });
    scene.call("explain", ask).await;
    scene.sent();
    scene.call("explain", json!({})).await;
    scene.same("own-tool-explain");
}

const JUDGE: &str = "description = \"Judges a thing.\"\nprompt = \"Judge {{what}}.\"\n\
     persona = \"senior\"\nmodel = \"parrot@custom\"\nfiles = \"optional\"\n\
     steps = [\"Read it.\", \"Try it.\"]\n\
     [input]\nrequired = [\"what\"]\n[input.properties.what]\ntype = \"string\"\n";

#[tokio::test]
async fn golden_a_tool_with_steps_by_configuration() {
    let mut scene = Scene::with(|sandbox| {
        sandbox.write("config/roles/senior.md", "You are a senior engineer.");
        sandbox.write("config/tools/judge.toml", JUDGE);
    })
    .await;
    scene.provider.script([Reply::text("It holds.")]);
    let mut arguments = json!({ "what": "the lock" });
    for findings in ["", "It is taken twice.", "It did not deadlock."] {
        if !findings.is_empty() {
            arguments["findings"] = json!(findings);
        }
        let answer = scene.call("judge", arguments).await;
        let envelope = answer["content"][0]["text"].as_str().unwrap_or_default();
        let envelope: Value = serde_json::from_str(envelope).unwrap_or_default();
        arguments = envelope["next_call"]["arguments"].clone();
    }
    scene.sent();
    scene.same("own-tool-judge");
}
