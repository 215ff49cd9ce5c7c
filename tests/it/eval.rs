//! The evaluation set through the real tools: scripted answers with misses and false alarms, and
//! the score they must give.

use exai_testkit::{
    Must as _, Sandbox,
    provider::{Dialect, Provider, Reply},
};
use serde_json::Value;

const MODEL: &str = "parrot@custom";

async fn stage() -> (Sandbox, Provider) {
    let provider = Provider::start().await;
    let mut sandbox = Sandbox::new();
    sandbox.set(
        "CUSTOM_API_URL",
        provider.url_under("custom", Dialect::OpenAiChat),
    );
    (sandbox, provider)
}

async fn cases(sandbox: &Sandbox) -> Vec<Value> {
    let listed = sandbox.cli(&["eval", "--list", "--json"]).await.ok().json();
    listed.as_array().must("be a list").clone()
}

/// What the scripted reviewer says of each file, and the score of that.
struct Script {
    replies: Vec<Reply>,
    hits: u64,
    alarms: u64,
    flagged: u64,
}

/// Misses every fifth defect, invents one beside every seventh, and flags every fourth clean file.
fn script(cases: &[Value]) -> Script {
    let mut script = Script {
        replies: Vec::new(),
        hits: 0,
        alarms: 0,
        flagged: 0,
    };
    let (mut bugs, mut clean) = (0, 0);
    for case in cases {
        let file = case["file"].as_str().must("have a file");
        let mut words = String::from("I read it.\n");
        if let Some(line) = case["line"].as_u64() {
            bugs += 1;
            if bugs % 5 != 0 {
                words += &format!("- FINDING {file}:{line}: there\n");
                script.hits += 1;
            }
            if bugs % 7 == 0 {
                words += &format!("FINDING {file}:{}: not there\n", line + 20);
                script.alarms += 1;
            }
        } else {
            clean += 1;
            if clean % 4 == 0 {
                words += &format!("FINDING {file}:1: nothing\n");
                script.alarms += 1;
                script.flagged += 1;
            } else {
                words += "NO FINDINGS\n";
            }
        }
        script.replies.push(Reply::text(&words));
    }
    script
}

#[tokio::test]
async fn the_score_is_what_was_found_missed_and_invented() {
    let (sandbox, provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    let cases = cases(&sandbox).await;
    let bugs = cases.iter().filter(|case| case["line"].is_u64()).count() as u64;
    assert!(bugs >= 40 && cases.len() as u64 - bugs >= 10);
    let script = script(&cases);
    provider.script(script.replies);
    let told = sandbox
        .cli(&["eval", "-m", MODEL, "--json", "--yes"])
        .await
        .ok()
        .json();
    let score = &told["score"];
    let number = |name: &str| score[name].as_u64().must("be a number");
    assert_eq!(number("failed"), 0, "{told}");
    assert_eq!(number("bugs"), bugs, "{score}");
    assert_eq!(number("hits"), script.hits, "{score}");
    assert_eq!(number("false_alarms"), script.alarms, "{score}");
    assert_eq!(number("clean_flagged"), script.flagged, "{score}");
    let rate = score["hit_rate"].as_f64().must("be a number");
    assert!(
        (rate - script.hits as f64 / bugs as f64).abs() < 1e-9,
        "{score}"
    );
    let asked = provider.chats();
    assert_eq!(asked.len(), cases.len(), "each is asked about once");
    for (case, asked) in cases.iter().zip(&asked) {
        let (text, what) = (asked.text(), case["what"].as_str().must("be words"));
        assert!(text.contains(case["file"].as_str().must("have a file")));
        assert!(!text.contains('§'), "the answer is not given away: {text}");
        assert!(what == "clean" || !text.contains(what), "{text}");
    }
}

#[tokio::test]
async fn debug_is_measured_too_and_a_part_alone() {
    let (sandbox, provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    provider.otherwise(Reply::text("FINDING Roles.java:5: identity"));
    let words = [
        "eval", "-m", MODEL, "--tool", "debug", "--only", "java", "--yes",
    ];
    let told = sandbox.cli(&words).await.ok();
    assert!(
        told.stdout.contains("1 of 5 defects found (20 %)"),
        "{}",
        told.all()
    );
    assert!(told.stdout.contains("0 of 1 clean files"), "{}", told.all());
    let none = sandbox.cli(&["eval", "--only", "cobol"]).await;
    assert_eq!(none.code, Some(2), "{}", none.all());
}

#[tokio::test]
async fn without_a_model_to_ask_nothing_is_scored() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    let refused = sandbox.cli(&["eval", "--only", "java"]).await;
    assert!(
        refused.code.is_some_and(|code| code >= 20),
        "{}",
        refused.all()
    );
    assert_eq!(refused.stdout, "");
}
