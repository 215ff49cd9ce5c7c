//! Tools with steps that a person wrote into the home: at every step, the last one too, they
//! answer in the form of every investigation, and what holds for those holds for them.

use crate::{
    threads::{MODEL, stage},
    windows::{Caller, editor},
    workflow::write,
};
use exai_testkit::{
    Must as _, Sandbox, Shim,
    provider::{Provider, Reply},
};
use serde_json::{Value, json};

const JUDGE: &str = "description = \"x\"\nprompt = \"Judge {{what}}.\"\npersona = \"senior\"\n\
     model = \"parrot@custom\"\nfiles = \"optional\"\nsteps = [\"Read it.\", \"Try it.\"]\n\
     [input]\nrequired = [\"what\"]\n[input.properties.what]\ntype = \"string\"\n";

async fn judge() -> (Sandbox, Provider) {
    let (sandbox, provider) = stage().await;
    sandbox.write("config/roles/senior.md", "You are a senior engineer.");
    sandbox.write("config/tools/judge.toml", JUDGE);
    (sandbox, provider)
}

async fn run(shim: &mut Shim, arguments: Value) -> Value {
    let result = shim.result_of("judge", arguments).await;
    let text = result["outputs"][0]["text"].as_str().must("be text");
    let envelope: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("{result}"));
    whole(&envelope);
    envelope
}

/// What every answer of an investigation has.
fn whole(envelope: &Value) {
    let fields = [
        "status",
        "tool",
        "step",
        "total_steps",
        "next_call",
        "continuation_id",
        "expert",
        "turn",
        "next_steps",
        "next_step_required",
        "step_number",
    ];
    for field in fields {
        assert!(envelope.get(field).is_some(), "no '{field}': {envelope}");
    }
    for field in ["ran", "model", "status", "usage"] {
        assert!(
            envelope["expert"].get(field).is_some(),
            "no '{field}': {envelope}"
        );
    }
}

/// The next call, with what was found.
fn found(envelope: &Value, words: &str) -> Value {
    let mut arguments = envelope["next_call"]["arguments"].clone();
    assert!(arguments.is_object(), "no next call: {envelope}");
    arguments["findings"] = json!(words);
    arguments
}

async fn to_the_last(shim: &mut Shim) -> Value {
    let first = run(shim, json!({ "what": "it" })).await;
    let second = run(shim, found(&first, "found_one")).await;
    assert_eq!(second["status"], "working", "{second}");
    found(&second, "found_two")
}

#[tokio::test]
async fn the_last_answer_has_the_form_of_all_others() {
    let (sandbox, provider) = judge().await;
    provider.otherwise(Reply::text("It holds, see gone.rs:7."));
    let _daemon = sandbox.daemon().await;
    let mut shim = editor(&sandbox).await;
    let arguments = to_the_last(&mut shim).await;
    let result = shim.result_of("judge", arguments).await;
    let text = result["outputs"][0]["text"].as_str().must("be text");
    let last: Value = serde_json::from_str(text).must("be an envelope");
    whole(&last);
    assert_eq!(last["status"], "done", "{last}");
    assert_eq!(
        (&last["step"], &last["total_steps"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(last["next_call"], Value::Null);
    let expert = &last["expert"];
    assert_eq!(
        (&expert["ran"], &expert["status"]),
        (&json!(true), &json!("answered"))
    );
    assert_eq!(expert["model"], "parrot");
    assert!(expert["usage"]["input"].as_u64() > Some(0), "{expert}");
    assert_eq!(
        last["expert_analysis"]["raw_analysis"],
        "It holds, see gone.rs:7."
    );
    // What is cited is looked up.
    assert!(
        last["expert_evidence"].to_string().contains("gone.rs"),
        "{last}"
    );
    let facts = &result["outputs"][0]["_meta"]["exai/workflow"];
    assert_eq!(
        (&facts["status"], &facts["step"]),
        (&json!("done"), &json!(3))
    );
    let sent = provider.chats().pop().must("be asked").text();
    for part in [
        "You are a senior engineer.",
        "Judge it.",
        "Read it.",
        "found_one",
        "found_two",
    ] {
        assert_eq!(sent.matches(part).count(), 1, "{part}: {sent}");
    }
    // The next tool of the conversation reads what was answered.
    let more = json!({ "prompt": "and?", "continuation_id": last["continuation_id"] });
    shim.result_of("chat", more).await;
    let sent = provider.chats().pop().must("be asked").text();
    assert_eq!(
        sent.matches("It holds, see gone.rs:7.").count(),
        1,
        "{sent}"
    );
}

#[tokio::test]
async fn a_model_that_fails_at_the_last_step_loses_nothing() {
    let (sandbox, provider) = judge().await;
    provider.otherwise(Reply::status(400));
    let _daemon = sandbox.daemon().await;
    let mut shim = editor(&sandbox).await;
    let arguments = to_the_last(&mut shim).await;
    let failed = shim.result_of("judge", arguments).await;
    let state = &failed["error"]["metadata"]["workflow"];
    assert_eq!(
        (&state["status"], &state["step"]),
        (&json!("failed"), &json!(3)),
        "{failed}"
    );
    let words = failed["error"]["message"].as_str().must("be told");
    assert!(words.contains("The step itself is kept"), "{words}");
    provider.otherwise(Reply::text("Now it holds."));
    let again = state["next_call"]["arguments"].clone();
    let last = run(&mut shim, again).await;
    assert_eq!(last["status"], "done", "{last}");
    let sent = provider.chats().pop().must("be asked").text();
    for part in ["Judge it.", "found_one", "found_two"] {
        assert_eq!(sent.matches(part).count(), 1, "{part}: {sent}");
    }
}

#[tokio::test]
async fn who_wants_no_model_gets_none() {
    let (sandbox, provider) = judge().await;
    let _daemon = sandbox.daemon().await;
    let mut shim = editor(&sandbox).await;
    // Said at the first step, it holds for the last.
    let first = json!({ "what": "it", "use_assistant_model": false });
    let first = run(&mut shim, first).await;
    let second = run(&mut shim, found(&first, "found_one")).await;
    let last = run(&mut shim, found(&second, "found_two")).await;
    let expert = &last["expert"];
    assert_eq!(last["status"], "done", "{last}");
    assert_eq!(
        (&expert["ran"], &expert["status"]),
        (&json!(false), &json!("not_asked"))
    );
    assert_eq!(expert["why"], "you asked for none");
    assert!(provider.chats().is_empty(), "nobody is asked");
}

#[tokio::test]
async fn a_step_that_is_revised_counts_instead_of_what_it_was() {
    let (sandbox, provider) = judge().await;
    provider.otherwise(Reply::text("It holds."));
    let _daemon = sandbox.daemon().await;
    let mut shim = editor(&sandbox).await;
    let first = run(&mut shim, json!({ "what": "it" })).await;
    let mut second = found(&first, "found_wrong");
    run(&mut shim, second.clone()).await;
    second["findings"] = json!("found_right");
    let second = run(&mut shim, second).await;
    assert_eq!(second["order"], "takes the place of step 2", "{second}");
    let last = run(&mut shim, found(&second, "found_two")).await;
    assert_eq!(
        (&last["status"], &last["turn"]),
        (&json!("done"), &json!(4)),
        "{last}"
    );
    let sent = provider.chats().pop().must("be asked").text();
    assert!(
        sent.contains("found_right") && !sent.contains("found_wrong"),
        "{sent}"
    );
}

#[tokio::test]
async fn a_model_that_lacks_a_file_says_so_and_is_given_it() {
    let (sandbox, provider) = judge().await;
    write(&sandbox, "it.rs", "fn canary_it() {}\n");
    let lacks = json!({
        "status": "files_required_to_continue", "mandatory_instructions": "it is called",
        "files_needed": ["it.rs"],
    });
    provider.script([Reply::text(&lacks.to_string()), Reply::text("It holds.")]);
    let _daemon = sandbox.daemon().await;
    let mut shim = editor(&sandbox).await;
    let arguments = to_the_last(&mut shim).await;
    let asks = run(&mut shim, arguments).await;
    assert_eq!(asks["status"], "needs_files", "{asks}");
    assert_eq!(
        asks["next_call"]["arguments"]["files"],
        json!(["it.rs"]),
        "{asks}"
    );
    assert!(
        asks["next_call"]["arguments"].get("step").is_none(),
        "{asks}"
    );
    let last = run(&mut shim, asks["next_call"]["arguments"].clone()).await;
    assert_eq!(last["status"], "done", "{last}");
    let sent = provider.chats().pop().must("be asked").text();
    assert!(sent.contains("canary_it"), "{sent}");
}

#[tokio::test]
async fn a_tool_without_files_sends_nobody_round_in_a_circle_for_one() {
    let (sandbox, provider) = stage().await;
    let tool = JUDGE
        .replace("optional", "none")
        .replace("persona = \"senior\"\n", "");
    sandbox.write("config/tools/judge.toml", &tool);
    let lacks =
        json!({ "status": "needs_files", "why": "it is called", "files_needed": ["it.rs"] });
    provider.otherwise(Reply::text(&lacks.to_string()));
    let _daemon = sandbox.daemon().await;
    let mut shim = editor(&sandbox).await;
    let arguments = to_the_last(&mut shim).await;
    let asks = run(&mut shim, arguments).await;
    assert_eq!(asks["status"], "needs_user", "{asks}");
    assert!(
        asks["required_actions"][0].to_string().contains("it.rs"),
        "{asks}"
    );
    assert!(
        asks["next_call"]["arguments"].get("files").is_none(),
        "{asks}"
    );
    let sent = provider.chats().pop().must("be asked").text();
    assert!(
        !sent.contains("files_needed"),
        "it is not told to ask: {sent}"
    );
}

#[tokio::test]
async fn the_command_line_reads_it_as_it_reads_every_verdict() {
    let (sandbox, provider) = judge().await;
    provider.otherwise(Reply::text("It holds."));
    let _daemon = sandbox.daemon().await;
    let call = async |arguments: &Value| {
        let told = sandbox
            .cli(&["call", "judge", "--json", &arguments.to_string()])
            .await;
        told.ok().json()
    };
    let first = call(&json!({ "what": "it", "model": MODEL })).await;
    let second = call(&found(&first, "one")).await;
    let last = call(&found(&second, "two")).await;
    assert_eq!(last["status"], "done", "{last}");
    assert_eq!(last["expert_analysis"]["raw_analysis"], "It holds.");
}
