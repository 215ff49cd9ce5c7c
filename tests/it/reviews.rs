//! `review`, `ask`, `analyze` and `eval` where a person uses them: on a range of commits, on what
//! is not committed, and where something is missing, which is said in plain words.

use crate::{
    threads::{MODEL, stage},
    workflow::git::{git, repository},
};
use exai_testkit::{Must as _, Sandbox, provider::Reply};

fn edit(sandbox: &Sandbox, name: &str, text: &str) {
    crate::workflow::write(sandbox, name, text);
}

#[tokio::test]
async fn a_range_of_commits_is_reviewed_in_one_command() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Do not merge: b.rs:2 calls what is gone."));
    repository(&sandbox);
    edit(
        &sandbox,
        "a.rs",
        "pub fn new_name(a: u8) -> u8 {\n    a\n}\n",
    );
    git(&sandbox, &["commit", "-q", "-a", "-m", "second"]);
    edit(&sandbox, "b.rs", "fn main() { canary_uncommitted(); }\n");
    let _daemon = sandbox.daemon().await;
    let words = ["review", "HEAD~1..HEAD", "-m", MODEL, "--focus", "callers"];
    let output = sandbox.cli(&words).await.ok();
    assert_eq!(output.stdout, "Do not merge: b.rs:2 calls what is gone.\n");
    let sent = provider.chats().pop().must("be asked").text();
    for there in ["+pub fn new_name", "-pub fn old_name", "callers"] {
        assert!(sent.contains(there), "{there}: {sent}");
    }
    assert!(!sent.contains("canary_uncommitted"), "{sent}");
    assert_eq!(provider.chats().len(), 1);
}

#[tokio::test]
async fn without_a_range_what_is_not_committed_is_reviewed() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Fine."));
    repository(&sandbox);
    edit(&sandbox, "b.rs", "fn main() { canary_uncommitted(); }\n");
    edit(&sandbox, "new.rs", "fn canary_untracked() {}\n");
    let _daemon = sandbox.daemon().await;
    let output = sandbox.cli(&["review", "-m", MODEL]).await.ok();
    assert_eq!(output.stdout, "Fine.\n");
    let sent = provider.chats().pop().must("be asked").text();
    for there in ["+fn main() { canary_uncommitted(); }", "canary_untracked"] {
        assert!(sent.contains(there), "{there}: {sent}");
    }
}

#[tokio::test]
async fn what_is_missing_is_said_in_plain_words_and_nothing_is_paid() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Paid."));
    let _daemon = sandbox.daemon().await;
    let fails = async |words: &[&str], parts: &[&str]| {
        let output = sandbox.cli(words).await;
        assert_ne!(output.code, Some(0), "{words:?}: {}", output.all());
        assert!(output.stdout.is_empty(), "{words:?}: {}", output.all());
        for part in parts {
            assert!(
                output.stderr.contains(part),
                "{words:?}, {part}: {}",
                output.all()
            );
        }
        let lines = output.stderr.trim().lines().count();
        assert!(lines <= 6, "{words:?}: {}", output.all());
        assert!(!output.stderr.contains('{'), "{words:?}: {}", output.all());
    };
    let here = ["review", "-m", MODEL];
    fails(&here, &["not a git repository"]).await;
    fails(
        &["review", "HEAD~1..HEAD", "-m", MODEL],
        &["not a git repository"],
    )
    .await;
    repository(&sandbox);
    fails(
        &["review", "gone..HEAD", "-m", MODEL],
        &["there is no revision 'gone'"],
    )
    .await;
    fails(
        &["review", "-m", MODEL, "--", "--output=x"],
        &["--output=x"],
    )
    .await;
    fails(&["review", "-f", "gone.rs", "-m", MODEL], &["gone.rs"]).await;
    fails(&["analyze", "gone", "-m", MODEL], &["gone"]).await;
    fails(
        &["analyze", "a.rs", "-m", "gpt-5@openai"],
        &["OPENAI_API_KEY"],
    )
    .await;
    fails(
        &["ask", "--models", "gpt-5@openai,glm-5@glm", "why?"],
        &["OPENAI_API_KEY"],
    )
    .await;
    assert_eq!(provider.chats().len(), 0);
}

#[tokio::test]
async fn what_a_model_asks_for_instead_of_judging_comes_in_words() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text(
        r#"{"status":"files_required_to_continue","mandatory_instructions":"it is called there","files_needed":["b.rs"]}"#,
    ));
    repository(&sandbox);
    let _daemon = sandbox.daemon().await;
    let output = sandbox.cli(&["review", "-f", "a.rs", "-m", MODEL]).await;
    let told = output.all();
    assert!(
        told.contains("The expert has to see b.rs: it is called there"),
        "{told}"
    );
    assert!(
        told.contains("tokens in, ") && !told.contains('{'),
        "{told}"
    );
}

#[tokio::test]
async fn what_of_a_change_was_not_read_stands_beside_the_verdict() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Fine."));
    repository(&sandbox);
    edit(&sandbox, "b.rs", "fn main() {}\n");
    edit(&sandbox, ".env", "TOKEN=canary-secret\n");
    git(&sandbox, &["add", "-f", ".env"]);
    let _daemon = sandbox.daemon().await;
    let output = sandbox.cli(&["review", "-m", MODEL]).await.ok();
    assert_eq!(output.stdout, "Fine.\n");
    assert!(
        output.stderr.contains("NOT READ: .env: files of this name"),
        "{}",
        output.all()
    );
    let json = sandbox
        .cli(&["review", "--json", "-m", MODEL])
        .await
        .ok()
        .json();
    assert_eq!(
        json["answer"]["changes"]["left_out"][0]["path"], ".env",
        "{json}"
    );
    assert!(json["answer"]["continuation_id"].is_string(), "{json}");
}

#[tokio::test]
async fn a_clean_folder_has_nothing_to_review() {
    let (sandbox, provider) = stage().await;
    repository(&sandbox);
    let _daemon = sandbox.daemon().await;
    let output = sandbox.cli(&["review", "-m", MODEL]).await;
    let told = output.all();
    assert!(told.contains("git knows of no change here"), "{told}");
    let why = "No model judged this: git knows of no change here.";
    assert!(told.contains(why), "{told}");
    assert!(!told.contains('{'), "{told}");
    assert_eq!(provider.chats().len(), 0);
}

#[tokio::test]
async fn without_any_model_it_is_said_how_to_get_one() {
    let sandbox = Sandbox::new();
    let _daemon = sandbox.daemon().await;
    repository(&sandbox);
    edit(&sandbox, "a.rs", "changed\n");
    for words in [
        vec!["review"],
        vec!["analyze", "a.rs"],
        vec!["ask", "why?"],
        vec!["eval"],
    ] {
        let output = sandbox.cli(&words).await;
        assert_ne!(output.code, Some(0), "{words:?}: {}", output.all());
        let told = output.stderr.to_lowercase();
        let helps = ["api_key", "models", "ollama"];
        assert!(
            helps.iter().any(|word| told.contains(word)),
            "{words:?}: {told}"
        );
        assert!(!told.contains('{'), "{words:?}: {told}");
    }
}
