//! Tools that a person writes into the home's `config/tools`: called as all others, changed while
//! the daemon runs, and told what is wrong with them; and the language answers are given in.

use exai_testkit::{
    Must as _, PATIENCE, Sandbox,
    provider::{Dialect, Provider, Reply},
};
use serde_json::{Value, json};

const MODEL: &str = "parrot@custom";
const EXPLAIN: &str = "description = \"Explains a thing.\"\nprompt_file = \"explain.md\"\n\
     persona = \"senior\"\nmodel = \"parrot@custom\"\n[input]\nrequired = [\"topic\"]\n\
     [input.properties.topic]\ntype = \"string\"\n";

async fn stage() -> (Sandbox, Provider) {
    let provider = Provider::start().await;
    let mut sandbox = Sandbox::new();
    sandbox.set(
        "CUSTOM_API_URL",
        provider.url_under("custom", Dialect::OpenAiChat),
    );
    provider.otherwise(Reply::text("ok"));
    (sandbox, provider)
}

fn write(sandbox: &Sandbox, name: &str, text: &str) {
    sandbox.write(std::path::Path::new("config").join(name), text);
}

fn explain(sandbox: &Sandbox) {
    write(sandbox, "roles/senior.md", "You are a senior engineer.");
    write(sandbox, "tools/explain.md", "Explain {{topic}} briefly.");
    write(sandbox, "tools/explain.toml", EXPLAIN);
}

async fn tools(sandbox: &Sandbox) -> Vec<String> {
    let listed = sandbox.cli(&["tools", "--json"]).await.ok().json();
    let tools = listed
        .as_array()
        .or_else(|| listed["tools"].as_array())
        .must("be a list");
    let names = tools.iter().filter_map(|tool| tool["name"].as_str());
    names.map(str::to_owned).collect()
}

/// Asked again and again, because the answer is a program's.
async fn until(what: &str, mut met: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !met().await {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, wait).await;
    assert!(in_time.is_ok(), "never: {what}");
}

async fn status(sandbox: &Sandbox) -> String {
    sandbox.cli(&["status", "--json"]).await.stdout
}

#[tokio::test]
async fn a_tool_of_the_home_is_called_like_any_other() {
    let (sandbox, provider) = stage().await;
    explain(&sandbox);
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    let result = shim
        .call_tool("explain", json!({ "topic": "sockets" }))
        .await;
    assert_ne!(result["isError"], true, "{result}");
    let sent = provider.chats().pop().must("be asked").text();
    assert!(sent.contains("You are a senior engineer."), "{sent}");
    assert!(sent.contains("Explain sockets briefly."), "{sent}");
    let id = &result["content"][0]["_meta"]["exai/answer"]["continuation_id"];
    let more = json!({ "prompt": "and?", "model": MODEL, "continuation_id": id });
    shim.call_tool("chat", more).await;
    let sent = provider.chats().pop().must("be asked").text();
    assert!(
        sent.contains("Explain sockets briefly."),
        "chat goes on with it: {sent}"
    );
    let refused = shim.call_tool("explain", json!({})).await;
    assert!(
        refused.to_string().contains("'topic' is missing"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_changed_file_changes_the_tool_and_a_broken_one_changes_nothing() {
    let (sandbox, _provider) = stage().await;
    explain(&sandbox);
    let _daemon = sandbox.daemon().await;
    assert!(tools(&sandbox).await.contains(&"explain".to_owned()));
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    shim.ask("tools/list", json!({})).await;
    write(
        &sandbox,
        "tools/second.toml",
        "description = \"x\"\nprompt = \"{{prompt}}\"\n",
    );
    let told = |message: &Value| message["method"] == "notifications/tools/list_changed";
    shim.recv_where(told).await;
    until("the second is listed", async || {
        tools(&sandbox).await.contains(&"second".to_owned())
    })
    .await;
    let broken = "description = \"x\"\nprompt = \"p\"\ncolour = 1\n";
    write(&sandbox, "tools/second.toml", broken);
    let fault = "config/tools/second.toml:3: unknown field `colour`";
    until("status tells the fault", async || {
        status(&sandbox).await.contains(fault)
    })
    .await;
    let kept = tools(&sandbox).await;
    assert!(kept.contains(&"second".to_owned()) && kept.contains(&"explain".to_owned()));
    let doctor = sandbox.cli(&["doctor"]).await;
    assert!(doctor.stdout.contains(fault), "{}", doctor.all());
    write(
        &sandbox,
        "tools/second.toml",
        "description = \"y\"\nprompt = \"p\"\n[input.properties]\n",
    );
    until("the fault is gone", async || {
        !status(&sandbox).await.contains("config/tools")
    })
    .await;
}

#[tokio::test]
async fn a_faulty_file_at_the_start_takes_no_other_along() {
    let (sandbox, _provider) = stage().await;
    explain(&sandbox);
    write(&sandbox, "tools/bad.toml", "description = \"x\"\n");
    let name = "name = \"chat\"\ndescription = \"x\"\nprompt = \"p\"\n";
    write(&sandbox, "tools/mine.toml", name);
    let _daemon = sandbox.daemon().await;
    let listed = tools(&sandbox).await;
    assert!(listed.contains(&"explain".to_owned()), "{listed:?}");
    assert!(!listed.contains(&"bad".to_owned()), "{listed:?}");
    let status = status(&sandbox).await;
    assert!(
        status.contains("config/tools/bad.toml: 'prompt': there must be"),
        "{status}"
    );
    assert!(
        status.contains("config/tools/mine.toml: 'name': 'chat' is a tool of exai's own"),
        "{status}"
    );
}

#[tokio::test]
async fn a_tool_with_steps_asks_the_model_after_the_last_one() {
    let (sandbox, provider) = stage().await;
    let steps = "description = \"x\"\nprompt = \"Judge {{what}}.\"\nmodel = \"parrot@custom\"\n\
         files = \"required\"\nsteps = [\"Read it.\", \"Try it.\"]\n\
         [input]\nrequired = [\"what\"]\n[input.properties.what]\ntype = \"string\"\n";
    write(&sandbox, "tools/judge.toml", steps);
    let _daemon = sandbox.daemon().await;
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    let told = |result: &Value| -> Value {
        let text = result["content"][0]["text"].as_str().must("be text");
        serde_json::from_str(text).must("be JSON")
    };
    crate::workflow::write(&sandbox, "it.rs", "fn canary_it() {}\n");
    let asked = json!({ "what": "it", "files": ["it.rs"] });
    let first = told(&shim.call_tool("judge", asked).await);
    assert_eq!(
        (&first["status"], &first["required_actions"]),
        (&json!("working"), &json!(["Read it."]))
    );
    // The form of all tools with steps.
    for field in [
        "step_number",
        "total_steps",
        "next_step_required",
        "expert",
        "next_steps",
    ] {
        assert!(!first[field].is_null(), "{field}: {first}");
    }
    let mut arguments = first["next_call"]["arguments"].clone();
    let second = told(&shim.call_tool("judge", arguments.clone()).await);
    assert_eq!(
        second["required_actions"],
        json!(["Try it."]),
        "the next call can be sent as it stands: {second}"
    );
    arguments["findings"] = json!("found_one");
    let second = told(&shim.call_tool("judge", arguments).await);
    assert!(
        provider.chats().is_empty(),
        "nobody is asked before the last step"
    );
    let mut arguments = second["next_call"]["arguments"].clone();
    arguments["findings"] = json!("found_two");
    let last = told(&shim.call_tool("judge", arguments).await);
    assert_eq!(last["expert_analysis"]["raw_analysis"], "ok", "{last}");
    let sent = provider.chats().pop().must("be asked").text();
    for part in ["Judge it.", "canary_it", "found_one", "found_two"] {
        assert_eq!(sent.matches(part).count().min(1), 1, "{part}: {sent}");
    }
    let skipped = shim
        .call_tool("judge", json!({ "what": "it", "step_number": 3 }))
        .await;
    assert!(
        skipped.to_string().contains("'findings' is missing"),
        "{skipped}"
    );
}

#[tokio::test]
async fn answers_are_in_the_language_of_the_locale() {
    let (mut sandbox, provider) = stage().await;
    sandbox.set("LOCALE", "de-DE");
    write(&sandbox, "roles/language-fr.md", "Réponds en français.");
    {
        let _daemon = sandbox.daemon().await;
        sandbox.cli(&["chat", "-m", MODEL, "why?"]).await.ok();
        let sent = provider.chats().pop().must("be asked").text();
        assert!(sent.contains("language of the locale 'de-DE'"), "{sent}");
        sandbox.cli(&["stop"]).await.ok();
    }
    sandbox.set("LOCALE", "fr");
    let _daemon = sandbox.daemon().await;
    let words = ["chat", "-m", MODEL, "--system", "Be brief.", "why?"];
    sandbox.cli(&words).await.ok();
    let sent = provider.chats().pop().must("be asked").text();
    assert!(
        sent.contains("Be brief.") && sent.contains("Réponds en français."),
        "{sent}"
    );
}
