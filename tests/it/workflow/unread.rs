//! Changes of which something is not read: a merge that stands still, output without end, a
//! folder that is not the whole repository. What is passed over is said, and is no all-clear.

use super::{
    call, envelope,
    git::{git, repository},
    last_request, write,
};
use crate::threads::{MODEL, stage, window};
use exai_testkit::{Must as _, Sandbox, provider::Reply};
use serde_json::{Value, json};

/// A merge that stopped: a.rs has two last words, and so has `.env`.
fn conflict(sandbox: &Sandbox) {
    repository(sandbox);
    write(sandbox, ".env", "TOKEN=canary-before\n");
    git(sandbox, &["add", "-f", ".env"]);
    git(sandbox, &["commit", "-q", "-m", "second"]);
    git(sandbox, &["checkout", "-q", "-b", "theirs"]);
    for side in ["theirs", "mine"] {
        if side == "mine" {
            git(sandbox, &["checkout", "-q", "main"]);
        }
        write(sandbox, "a.rs", &format!("fn canary_{side}() {{}}\n"));
        write(sandbox, ".env", &format!("TOKEN=canary-secret-{side}\n"));
        git(sandbox, &["commit", "-q", "-a", "-m", side]);
    }
    // That it stops is a failure to git.
    git(
        sandbox,
        &["config", "alias.stop", "!git merge theirs || true"],
    );
    git(sandbox, &["stop"]);
}

async fn checked(sandbox: &Sandbox, tool: &str, arguments: Value) -> Value {
    let mut ws = window(sandbox).await;
    let mut whole = json!({"step": "Check", "next_step_required": false, "model": MODEL});
    let fields = whole.as_object_mut().must("be an object");
    fields.extend(arguments.as_object().cloned().unwrap_or_default());
    envelope(&call(&mut ws, sandbox, "1", tool, whole).await)
}

#[tokio::test]
async fn a_merge_that_stands_still_is_a_change_and_called_a_conflict() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Do not commit."));
    conflict(&sandbox);
    let _daemon = sandbox.daemon().await;
    let told = checked(&sandbox, "precommit", json!({})).await;
    assert_eq!(told["expert"]["ran"], true, "{told}");
    assert_eq!(
        told["changes"]["conflicts"],
        json!([".env", "a.rs"]),
        "{told}"
    );
    let sent = last_request(&provider);
    for there in ["IN CONFLICT", "canary_mine", "canary_theirs"] {
        assert!(sent.contains(there), "{there}: {sent}");
    }
    assert!(!sent.contains("canary-secret"), "{sent}");
}

#[tokio::test]
async fn files_after_the_end_of_what_git_may_say_are_named() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Commit."));
    repository(&sandbox);
    let line = "a line of which there are too many\n";
    write(&sandbox, "aa_long.txt", &line.repeat(160_000));
    write(&sandbox, "zz_last.rs", "fn canary_last() {}\n");
    git(&sandbox, &["add", "-A"]);
    let _daemon = sandbox.daemon().await;
    let told = checked(&sandbox, "codereview", json!({"step": "Review"})).await;
    let left_out = told["changes"]["left_out"].to_string();
    for there in ["aa_long.txt", "zz_last.rs"] {
        assert!(left_out.contains(there), "{there}: {told}");
    }
}

#[tokio::test]
async fn a_change_outside_of_the_folder_that_is_read_is_told() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Paid."));
    repository(&sandbox);
    write(&sandbox, "a.rs", "fn canary_above() {}\n");
    write(&sandbox, "fresh.rs", "fn canary_fresh() {}\n");
    write(&sandbox, "sub/kept.rs", "");
    git(&sandbox, &["add", "sub"]);
    git(&sandbox, &["commit", "-q", "-m", "second", "--", "sub"]);
    let _daemon = sandbox.daemon().await;
    let told = checked(&sandbox, "precommit", json!({"path": "sub"})).await;
    assert_eq!(told["expert"]["status"], "not_asked", "{told}");
    let note = told["notes"][0].as_str().must("be noted");
    assert!(
        note.contains("2 changed files elsewhere in the repository"),
        "{note}"
    );
    assert_eq!(provider.chats().len(), 0);
}

#[tokio::test]
async fn a_change_of_secrets_alone_is_not_sent_and_not_paid_for() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Paid."));
    repository(&sandbox);
    write(&sandbox, ".env", "TOKEN=canary-secret\n");
    git(&sandbox, &["add", "-f", ".env"]);
    let _daemon = sandbox.daemon().await;
    let told = checked(&sandbox, "precommit", json!({})).await;
    let note = told["notes"][0].as_str().must("be noted");
    assert!(
        note.contains("nothing of the change can be read: .env"),
        "{note}"
    );
    assert_eq!(provider.chats().len(), 0);
}

/// The names of some systems are any bytes.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_name_that_is_no_text_is_there_and_cannot_be_sent() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("Paid."));
    repository(&sandbox);
    let name = sandbox.work().join(OsStr::from_bytes(b"caf\xe9.rs"));
    std::fs::File::create(name).must("make a file");
    let _daemon = sandbox.daemon().await;
    let told = checked(&sandbox, "codereview", json!({"step": "Review"})).await;
    let note = told["notes"][0].as_str().must("be noted");
    assert!(note.contains("its name is not UTF-8 text"), "{note}");
    assert!(
        !told.to_string().contains("there is no such file"),
        "{told}"
    );
    assert_eq!(provider.chats().len(), 0);
}
