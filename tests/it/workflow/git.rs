//! Reviews that read git themselves: in one call, step by step, and without letting a secret
//! out.

use super::{call, envelope, last_request, next, step, write};
use crate::threads::{MODEL, stage, window};
use exai_testkit::{Must as _, Sandbox, provider::Reply};
use serde_json::json;
use std::process::Command;

#[expect(clippy::disallowed_methods, reason = "a person's own git")]
pub(crate) fn git(sandbox: &Sandbox, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(arguments)
        .current_dir(sandbox.work())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .must("run git");
    assert!(done.status.success(), "{arguments:?}: {done:?}");
}

/// A repository with one commit.
pub(crate) fn repository(sandbox: &Sandbox) {
    git(sandbox, &["init", "-q", "-b", "main"]);
    write(
        sandbox,
        "a.rs",
        "pub fn old_name(a: u8) -> u8 {\n    a\n}\n",
    );
    write(sandbox, "b.rs", "fn main() {\n    old_name(1);\n}\n");
    git(sandbox, &["add", "-A"]);
    git(sandbox, &["commit", "-q", "-m", "first"]);
}

#[tokio::test]
async fn a_range_is_reviewed_in_one_call() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text(
        "Do not merge: b.rs:2 calls what is gone; see b.rs:9.",
    ));
    repository(&sandbox);
    write(
        &sandbox,
        "a.rs",
        "pub fn new_name(a: u8) -> u8 {\n    a\n}\n",
    );
    git(&sandbox, &["commit", "-q", "-a", "-m", "second"]);
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox).await;
    let one = json!({"step": "Review it", "range": "HEAD~1..HEAD", "model": MODEL});
    let answer = envelope(&call(&mut ws, &sandbox, "1", "codereview", one).await);
    assert_eq!(answer["status"], "done", "{answer}");
    assert_eq!(answer["expert"]["ran"], true);
    assert_eq!(answer["changes"]["renamed_symbols"][0]["to"], "new_name");
    let wrong = answer["expert_evidence"]["wrong"].to_string();
    assert!(
        wrong.contains("b.rs:9") && !wrong.contains("b.rs:2\""),
        "{wrong}"
    );
    let told = last_request(&provider);
    assert!(told.contains("+pub fn new_name"), "{told}");
    assert!(
        told.contains("the old name still stands at b.rs:2"),
        "{told}"
    );
    assert_eq!(provider.chats().len(), 1, "one call, one model, once");
}

#[tokio::test]
async fn what_is_about_to_be_committed_is_checked_and_secrets_stay_here() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Commit."));
    repository(&sandbox);
    write(&sandbox, "b.rs", "fn main() {\n    old_name(2);\n}\n");
    git(&sandbox, &["add", "b.rs"]);
    write(
        &sandbox,
        "a.rs",
        "pub fn old_name(a: u8) -> u8 {\n    a + 1\n}\n",
    );
    write(&sandbox, "fresh.rs", "fn canary_fresh() {}\n");
    write(&sandbox, ".env", "TOKEN=canary-secret\n");
    git(&sandbox, &["add", "-f", ".env"]);
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox).await;
    let begun = step(&json!({}), 1, 2, "Check");
    let begun = envelope(&call(&mut ws, &sandbox, "1", "precommit", begun).await);
    assert_eq!(begun["status"], "working");
    let parts = begun["changes"]["files"].to_string();
    assert!(
        parts.contains("staged") && parts.contains("not staged"),
        "{parts}"
    );
    assert_eq!(begun["changes"]["untracked"], json!(["fresh.rs"]));
    let mut last = next(&begun);
    last["model"] = json!(MODEL);
    let ended = envelope(&call(&mut ws, &sandbox, "2", "precommit", last).await);
    assert_eq!(ended["status"], "done", "{ended}");
    assert_eq!(ended["changes"]["left_out"][0]["path"], ".env");
    let told = last_request(&provider);
    for there in ["+    old_name(2);", "+    a + 1", "canary_fresh"] {
        assert!(told.contains(there), "{there}: {told}");
    }
    assert!(!told.contains("canary-secret"), "{told}");
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_nothing_is_paid() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Paid."));
    let _daemon = sandbox.daemon().await;
    let mut ws = window(&sandbox).await;
    let bare = json!({"step": "Check it", "model": MODEL});
    let none = call(&mut ws, &sandbox, "1", "precommit", bare.clone()).await;
    let why = none["error"]["message"].as_str().must("fail");
    assert!(why.contains("not a git repository"), "{none}");
    repository(&sandbox);
    let lost = json!({"step": "Review it", "range": "gone..HEAD", "model": MODEL});
    let lost = call(&mut ws, &sandbox, "2", "codereview", lost).await;
    let why = lost["error"]["message"].as_str().must("fail");
    assert!(why.contains("there is no revision 'gone'"), "{lost}");
    let clean = call(&mut ws, &sandbox, "3", "precommit", bare).await;
    let clean = envelope(&clean);
    assert_eq!(clean["expert"]["status"], "not_asked", "{clean}");
    assert_eq!(clean["notes"][0], "git knows of no change here");
    assert_eq!(provider.chats().len(), 0);
}
