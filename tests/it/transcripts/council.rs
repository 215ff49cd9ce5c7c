//! Several models, asked: one round, a second of each kind, a ranking, a judge, one that fails.

use super::{Scene, thread_of};
use exai_testkit::provider::{Reply, Request};
use serde_json::{Value, json};

fn of(model: &'static str, words: &'static str) -> impl Fn(&Request) -> bool + Send + Sync {
    move |request| request.model() == Some(model) && request.text().contains(words)
}

fn three() -> Value {
    json!([
        { "model": "one@custom", "stance": "for" },
        { "model": "two@custom", "stance": "against" },
        "three@custom",
    ])
}

#[tokio::test]
async fn golden_consensus() {
    let mut scene = Scene::new().await;
    for (model, ballot) in [
        ("one", "A is bold.\nRANKING: C > A > B"),
        ("two", "B is sound.\nRANKING: B > C > A"),
        ("three", "C costs least.\nRANKING: C > B > A"),
    ] {
        let asked = of(model, "Rank these answers");
        scene.provider.always(asked, Reply::text(ballot));
    }
    for (model, verdict) in [
        ("one", "Yes: it halves the work."),
        ("two", "No: nobody will keep it up."),
        ("three", "Yes, for one team first."),
        ("four", "Split it for one team, and look again in spring."),
    ] {
        scene.provider.always(of(model, ""), Reply::text(verdict));
    }
    let question = "Shall we split the service?";
    let first = json!({ "prompt": question, "models": three() });
    let first = scene.call("consensus", first).await;
    scene.sent();
    let thread = thread_of(&first);
    scene.same("consensus");
    for (name, more) in [
        ("consensus-revised", json!({ "second_round": "revise" })),
        (
            "consensus-criticised",
            json!({ "second_round": "critique" }),
        ),
        ("consensus-ranked", json!({ "rank": true })),
        ("consensus-judged", json!({ "judge": "four@custom" })),
    ] {
        scene.told.clear();
        let mut arguments = json!({ "prompt": question, "models": three() });
        for (name, value) in more.as_object().into_iter().flatten() {
            arguments[name] = value.clone();
        }
        scene.call("consensus", arguments).await;
        scene.sent();
        scene.same(name);
    }
    scene.told.clear();
    scene.provider.always(of("five", ""), Reply::status(400));
    let partial = json!({
        "prompt": "And now?", "models": ["one@custom", "two@custom", "five@custom"],
        "continuation_id": thread,
    });
    scene.call("consensus", partial).await;
    let refused = json!({ "prompt": "And now?", "models": ["one@custom", "five@custom"] });
    scene.call("consensus", refused).await;
    scene.call("consensus", json!({ "models": three() })).await;
    scene.same("consensus-in-part");
}
