//! Several models asked in one call: at the same time, blind to each other, each answer once.

use crate::windows::{Caller, editor};
use exai_testkit::{
    Must as _, Sandbox, Shim, Ws,
    provider::{At, Dialect, Provider, Reply, Request},
};
use serde_json::{Value, json};
use std::time::Duration;

/// A user with one provider that does what the test says.
async fn stage() -> (Sandbox, Provider) {
    let provider = Provider::start().await;
    let mut sandbox = Sandbox::new();
    let url = provider.url_under("custom", Dialect::OpenAiChat);
    sandbox.set("CUSTOM_API_URL", url);
    (sandbox, provider)
}

async fn window(sandbox: &Sandbox, name: &str) -> Ws {
    let features = ["progress", "rich_results"];
    sandbox.modern(name, &features).await.0
}

async fn ask(window: &mut impl Caller, arguments: Value) -> Value {
    window.result_of("consensus", arguments).await
}

fn text(result: &Value) -> &str {
    let text = result["outputs"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text: {result}"))
}

fn facts(result: &Value) -> &Value {
    &result["outputs"][0]["_meta"]["exai/answer"]
}

fn of(model: &'static str) -> impl Fn(&Request) -> bool + Send + Sync + 'static {
    move |request| request.model() == Some(model)
}

fn three() -> Value {
    json!([
        { "model": "one@custom", "stance": "for" },
        { "model": "two@custom", "stance": "against" },
        "three@custom",
    ])
}

#[tokio::test]
async fn p17_all_are_asked_once_at_the_same_time_and_each_answer_is_told_once() {
    let (sandbox, provider) = stage().await;
    let long = |word: &str| format!("{word} {}", "reason ".repeat(600));
    let pause = Duration::from_millis(1500);
    for (model, word) in [("one", "FIRST"), ("two", "SECOND"), ("three", "THIRD")] {
        provider.always(
            of(model),
            Reply::text(&long(word)).stall(At::Headers, pause),
        );
    }
    let _daemon = sandbox.daemon().await;
    let mut ws = editor(&sandbox).await;
    let result = ask(&mut ws, json!({ "prompt": "Shall we?", "models": three() })).await;
    let words = text(&result);
    assert_eq!(provider.most_at_once(|_| true), 3, "all at the same time");
    let sum: usize = ["FIRST", "SECOND", "THIRD"]
        .map(|word| long(word).len())
        .iter()
        .sum();
    let bytes = result["outputs"].to_string().len();
    assert!(
        bytes < sum + 4_000,
        "{bytes} bytes for {sum} bytes of verdicts"
    );
    for word in ["FIRST", "SECOND", "THIRD"] {
        assert_eq!(words.matches(word).count(), 1, "{word}");
    }
    assert!(words.contains("3 of 3 models answered"), "{words}");
    let asked = provider.chats();
    assert_eq!(asked.len(), 3, "once each");
    for request in &asked {
        let sent = request.text();
        assert!(sent.contains("Shall we?"), "{sent}");
        let others = ["FIRST", "SECOND", "THIRD"]
            .iter()
            .filter(|word| sent.contains(**word));
        assert_eq!(others.count(), 0, "blind: {sent}");
    }
    let stance = |model: &str, words: &str| {
        let request = asked.iter().find(|request| request.model() == Some(model));
        request.must("find a request").text().contains(words)
    };
    assert!(stance("one", "Take the side of the proposal"));
    assert!(stance("two", "Take the side against the proposal"));
    assert!(!stance("three", "Take the side"));
    assert_eq!(facts(&result)["models"][1]["stance"], "against");
    assert_eq!(facts(&result)["complete"], true);
}

#[tokio::test]
async fn its_turn_is_in_the_conversation_and_the_next_model_sees_it_once() {
    let (sandbox, provider) = stage().await;
    for (model, word) in [("one", "FIRST"), ("two", "SECOND"), ("three", "THIRD")] {
        provider.always(of(model), Reply::text(word));
    }
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "asker").await;
    let id = ws
        .call(
            "chat",
            json!({ "prompt": "CANARY before", "model": "one@custom" }),
        )
        .await;
    let before = ws.result(&id).await;
    let thread = facts(&before)["continuation_id"]
        .as_str()
        .must("have a thread")
        .to_owned();
    let arguments = json!({ "prompt": "Shall we?", "models": three(), "continuation_id": thread });
    let result = ask(&mut ws, arguments).await;
    assert_eq!(facts(&result)["continuation_id"], thread.as_str());
    let asked: Vec<Request> = provider.chats().split_off(1);
    for request in asked {
        assert_eq!(request.text().matches("CANARY before").count(), 1);
    }
    let arguments = json!({ "prompt": "And now?", "continuation_id": thread });
    let id = ws.call("chat", arguments).await;
    ws.result(&id).await;
    let last = provider.chats().pop().must("find a request");
    assert_eq!(
        last.model(),
        Some("one"),
        "the conversation keeps its model"
    );
    for word in ["Shall we?", "SECOND", "THIRD"] {
        assert_eq!(
            last.text().matches(word).count(),
            1,
            "{word}: {}",
            last.text()
        );
    }
}

#[tokio::test]
async fn one_that_fails_costs_only_its_own_answer_and_too_few_are_an_error() {
    let (sandbox, provider) = stage().await;
    provider.always(of("one"), Reply::text("FIRST"));
    provider.always(of("two"), Reply::status(400));
    provider.always(of("three"), Reply::text("THIRD"));
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "asker").await;
    let result = ask(&mut ws, json!({ "prompt": "p", "models": three() })).await;
    assert!(result.get("error").is_none_or(Value::is_null), "{result}");
    let words = text(&result);
    assert!(words.contains("2 of 3 models answered"), "{words}");
    assert!(words.contains("No answer: two@custom (against)"), "{words}");
    assert_eq!(facts(&result)["complete"], false);
    let all = json!({ "prompt": "p", "models": three(), "quorum": 3 });
    let result = ask(&mut ws, all).await;
    let words = result["error"]["message"].as_str().must("be an error");
    assert!(words.contains("the quorum is 3"), "{words}");
    assert!(
        words.contains("FIRST") && words.contains("THIRD"),
        "paid for: {words}"
    );
}

#[tokio::test]
async fn what_has_not_answered_by_the_deadline_is_named_and_the_rest_is_told() {
    let (sandbox, provider) = stage().await;
    provider.always(of("one"), Reply::text("FIRST"));
    provider.always(of("two"), Reply::text("SECOND"));
    provider.always(
        of("three"),
        Reply::text("never").stall(At::Headers, Duration::from_secs(600)),
    );
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "asker").await;
    let frame = json!({
        "op": "call_tool", "request_id": "late", "name": "consensus", "timeout_ms": 4000,
        "arguments": { "prompt": "p", "models": three() },
    });
    ws.send(&frame).await;
    let result = ws.result("late").await;
    let words = text(&result);
    assert!(words.contains("2 of 3 models answered"), "{words}");
    assert!(
        words.contains("its share of the call's time was up"),
        "{words}"
    );
}

#[tokio::test]
async fn rounds_are_unnamed_ballots_are_counted_and_the_judge_decides() {
    let (sandbox, provider) = stage().await;
    let is = |model: &'static str, marker: &'static str| {
        move |request: &Request| request.model() == Some(model) && request.text().contains(marker)
    };
    // The first that fits answers: the later the round, the earlier it is said here.
    provider.always(of("judge"), Reply::text("VERDICT: do B"));
    for model in ["one", "two"] {
        let ballot = Reply::text("B is sounder.\nRANKING: B > A");
        provider.always(is(model, "Rank these answers"), ballot);
    }
    for (model, word) in [("one", "FIRST-AGAIN"), ("two", "SECOND-AGAIN")] {
        provider.always(is(model, "Their names are withheld"), Reply::text(word));
    }
    for (model, word) in [("one", "FIRST"), ("two", "SECOND")] {
        provider.always(of(model), Reply::text(word));
    }
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "asker").await;
    let arguments = json!({
        "prompt": "Shall we?", "models": ["one@custom", "two@custom"],
        "second_round": "revise", "rank": true, "judge": "judge@custom",
    });
    let result = ask(&mut ws, arguments).await;
    let words = text(&result);
    for (part, times) in [
        ("FIRST-AGAIN", 1),
        ("SECOND-AGAIN", 1),
        ("1. B (average place 1.00)", 1),
        ("VERDICT: do B", 1),
    ] {
        assert_eq!(words.matches(part).count(), times, "{part}: {words}");
    }
    let asked = provider.chats();
    assert_eq!(asked.len(), 7, "two rounds, two ballots, a judge");
    for request in &asked[2..] {
        let sent = request.text();
        let body = sent.split_once("messages").map_or("", |(_, after)| after);
        assert!(
            !body.contains("one@custom") && !body.contains("two@custom"),
            "{sent}"
        );
    }
}

#[tokio::test]
async fn in_a_second_round_each_criticises_the_others_and_nothing_is_told_twice() {
    let (sandbox, provider) = stage().await;
    for (model, word) in [
        ("one", "CRITIC-1"),
        ("two", "CRITIC-2"),
        ("three", "CRITIC-3"),
    ] {
        let again = move |request: &Request| {
            request.model() == Some(model) && request.text().contains("Criticise them")
        };
        let reply = if model == "three" {
            Reply::status(400)
        } else {
            Reply::text(word)
        };
        provider.always(again, reply);
    }
    for (model, word) in [("one", "FIRST"), ("two", "SECOND"), ("three", "THIRD")] {
        provider.always(of(model), Reply::text(word));
    }
    provider.always(of("judge"), Reply::text("VERDICT: neither"));
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "asker").await;
    let arguments = json!({
        "prompt": "Shall we?", "models": three(), "second_round": "critique",
        "judge": "judge@custom",
    });
    let result = ask(&mut ws, arguments).await;
    let words = text(&result);
    for once in [
        "FIRST",
        "SECOND",
        "THIRD",
        "CRITIC-1",
        "CRITIC-2",
        "A on the others",
        "B on the others",
    ] {
        assert_eq!(words.matches(once).count(), 1, "{once}: {words}");
    }
    assert!(words.contains("Its second round failed"), "{words}");
    assert!(words.contains("3 of 3 models answered"), "{words}");
    let mut asked = provider.chats();
    let judged = asked.pop().must("be asked").text();
    for weighed in ["FIRST", "SECOND", "THIRD", "CRITIC-1", "CRITIC-2"] {
        assert_eq!(judged.matches(weighed).count(), 1, "{weighed}: {judged}");
    }
    assert_eq!(asked.len(), 6, "each twice");
    for request in &asked[3..] {
        let (sent, own) = (request.text(), request.model().must("be named").to_owned());
        for (model, word) in [("one", "FIRST"), ("two", "SECOND"), ("three", "THIRD")] {
            // Its own as what it said itself, the others' as theirs.
            assert_eq!(sent.matches(word).count(), 1, "{own}, {word}: {sent}");
            let named = format!("{model}@custom");
            assert!(!sent.contains(&named), "{own} is told a name: {sent}");
        }
        assert_eq!(sent.matches("### Answer").count(), 2, "{own}: {sent}");
    }
}

#[tokio::test]
async fn each_model_has_its_own_room_for_files_and_its_own_ceiling_for_words() {
    let (sandbox, provider) = stage().await;
    sandbox.write(
        "config/models.toml",
        "[[models]]\nid = \"small\"\nendpoint = \"custom\"\ncontext = 12000\n\
         [[models]]\nid = \"large\"\nendpoint = \"custom\"\ncontext = 400000\n",
    );
    provider.otherwise(Reply::text("read"));
    let _daemon = sandbox.daemon().await;
    let mut file = std::fs::File::create(sandbox.work().join("long.txt")).must("make a file");
    let lines = "a line of some words\n".repeat(4_000);
    std::io::Write::write_all(&mut file, lines.as_bytes()).must("write a file");
    let mut ws = window(&sandbox, "asker").await;
    let root = format!("file://{}", sandbox.work().display());
    ws.send(&json!({
        "op": "call_tool", "request_id": "f", "name": "consensus", "roots": [root],
        "arguments": {
            "prompt": "p", "files": ["long.txt"],
            "models": [{ "model": "large@custom", "max_output": 777 }, "small@custom"],
        },
    }))
    .await;
    let result = ws.result("f").await;
    let words = result["outputs"][0]["text"].as_str().must("be told");
    assert!(words.contains("File long.txt: whole"), "{words}");
    assert!(
        words.contains("For small@custom: file long.txt: CUT"),
        "{words}"
    );
    assert_eq!(facts(&result)["files"][0]["fate"], "included");
    assert_eq!(
        facts(&result)["files_otherwise"]["small@custom"][0]["fate"],
        "cut"
    );
    let sent = |model: &str| {
        let all = provider.chats();
        let one = all.into_iter().find(|chat| chat.model() == Some(model));
        one.must("be asked").text()
    };
    assert!(sent("large").len() > 2 * sent("small").len());
    assert!(sent("large").contains("777") && !sent("small").contains("777"));
}

#[tokio::test]
async fn what_one_call_may_spend_holds_for_all_its_models_together() {
    let (mut sandbox, provider) = stage().await;
    sandbox.set("EXAI_BUDGET_CALL", "0.25");
    let model = |id| {
        format!(
            "[[models]]\nid = \"{id}\"\nendpoint = \"custom\"\n\
             price = {{ in = 1.0, out = 100.0, date = \"2026-11-21\" }}\n"
        )
    };
    let models = ["one", "two", "three"].map(model).concat();
    sandbox.write("config/models.toml", &models);
    provider.otherwise(Reply::text("dear").tokens(20, 900));
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox, "asker").await;
    // A thousand words of each cost ten cents: there is money for two of the three.
    let arguments = json!({ "prompt": "p", "models": three(), "max_output": 1000 });
    let result = ask(&mut ws, arguments).await;
    let words = text(&result);
    assert!(words.contains("2 of 3 models answered"), "{words}");
    assert!(words.contains("$0.25"), "it says which limit: {words}");
    assert_eq!(provider.chats().len(), 2, "the third was never sent");
    let failed = facts(&result)["models"].to_string();
    assert_eq!(failed.matches("OVER_BUDGET").count(), 1, "{failed}");
}

#[tokio::test]
async fn p11_two_at_once_never_mix() {
    let (sandbox, provider) = stage().await;
    let about = |word: &'static str| move |request: &Request| request.text().contains(word);
    let pause = Duration::from_millis(50);
    for word in ["APPLES", "PEARS", "PLUMS", "FIGS"] {
        provider.always(
            about(word),
            Reply::text(&format!("only {word}")).stall(At::Headers, pause),
        );
    }
    let _daemon = sandbox.daemon().await;
    let mut windows = Vec::new();
    for word in ["APPLES", "PEARS", "PLUMS", "FIGS"] {
        let mut ws = editor(&sandbox).await;
        let arguments = json!({ "prompt": word, "models": three() });
        let id = ws.call("consensus", arguments).await;
        windows.push((ws, id, word));
    }
    for (ws, id, word) in &mut windows {
        let answer = ws.answer(*id).await;
        let words = Shim::text_of(&answer["result"]);
        assert_eq!(words.matches(&format!("only {word}")).count(), 3, "{words}");
        let others = ["APPLES", "PEARS", "PLUMS", "FIGS"].into_iter();
        let strangers = others.filter(|other| *other != *word && words.contains(other));
        assert_eq!(strangers.count(), 0, "{word}: {words}");
    }
}

#[tokio::test]
async fn ask_on_the_command_line_is_the_same() {
    let (sandbox, provider) = stage().await;
    provider.always(of("one"), Reply::text("FIRST"));
    provider.always(of("two"), Reply::text("SECOND"));
    let _daemon = sandbox.daemon().await;
    let words = ["ask", "--models", "one@custom,two@custom", "Shall we?"];
    let told = sandbox.cli(&words).await.ok().stdout;
    assert!(told.contains("FIRST") && told.contains("SECOND"), "{told}");
}
