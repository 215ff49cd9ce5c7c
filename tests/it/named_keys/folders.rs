//! Which folders a key's clients read: what they say they have open counts only below what the
//! owner left them.

use super::{key, welcome};
use exai_testkit::{
    Must as _, PATIENCE, Sandbox, Ws,
    provider::{Dialect, Provider, Reply},
};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

const DENIED: &str = "key may read only";

fn rights(sandbox: &Sandbox, roots: &[&Path]) {
    let quoted = roots.iter().map(|at| format!("'{}'", at.display()));
    let roots: Vec<String> = quoted.collect();
    let text = format!("[keys.ci]\nroots = [{}]\n", roots.join(", "));
    sandbox.write("config/profiles.toml", &text);
}

/// Two folders with a file each.
fn folders(sandbox: &Sandbox) -> [PathBuf; 3] {
    let work = fs::canonicalize(sandbox.work()).must("resolve the folder");
    let (open, shut) = (work.join("open"), work.join("shut"));
    for folder in [&open, &shut] {
        fs::create_dir_all(folder).must("make a folder");
        fs::copy("Cargo.toml", folder.join("f.toml")).must("make a file");
    }
    [work, open, shut]
}

/// What comes of a question with a file, from a client that says that this folder is open.
async fn asked(ws: &mut Ws, root: &Path, file: &str) -> String {
    let id = format!("{}-{file}-{:?}", root.display(), Instant::now());
    ws.send(&json!({
        "op": "call_tool", "request_id": id, "name": "chat", "roots": [root],
        "arguments": { "prompt": "look", "model": "parrot@custom", "files": [file] },
    }))
    .await;
    ws.result(&id).await.to_string()
}

#[tokio::test]
async fn s11_a_key_reads_only_in_the_folders_its_owner_left_it() {
    let provider = Provider::start().await;
    provider.otherwise(Reply::text("ok"));
    let mut sandbox = Sandbox::new();
    sandbox.set(
        "CUSTOM_API_URL",
        provider.url_under("custom", Dialect::OpenAiChat),
    );
    let [work, open, shut] = folders(&sandbox);
    rights(&sandbox, &[&open]);
    let _daemon = sandbox.daemon().await;
    let ci = key(&sandbox, "ci").await;
    let mut ws = welcome(&sandbox, &ci, "owner").await;
    let sent = asked(&mut ws, &open, "f.toml").await;
    assert!(!sent.contains(DENIED) && sent.contains("\"ok"), "{sent}");
    for (root, file) in [
        (&shut, "f.toml"),
        (&work, "shut/f.toml"),
        (&open, "../shut/f.toml"),
    ] {
        let told = asked(&mut ws, root, file).await;
        assert!(
            told.contains(DENIED) && told.contains("profiles.toml"),
            "{told}"
        );
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&shut, open.join("way")).must("make a link");
        assert!(asked(&mut ws, &open, "way/f.toml").await.contains(DENIED));
        assert!(
            asked(&mut ws, &open.join("way"), "f.toml")
                .await
                .contains(DENIED)
        );
    }
    let agent = ws.call_and_wait("clink", json!({ "prompt": "x" })).await;
    assert!(agent.to_string().contains("switched off"), "{agent}");
    // The owner's own windows, and keys without folders of theirs, are where they were.
    let owner = sandbox.token().unwrap_or_default();
    for token in [owner, key(&sandbox, "other").await] {
        let mut ws = welcome(&sandbox, &token, "ci").await;
        let told = asked(&mut ws, &shut, "f.toml").await;
        assert!(!told.contains(DENIED) && told.contains("\"ok"), "{told}");
    }
    // What the owner writes holds within a moment, for who is connected.
    rights(&sandbox, &[&shut]);
    let end = Instant::now() + PATIENCE;
    while asked(&mut ws, &shut, "f.toml").await.contains(DENIED) {
        assert!(Instant::now() < end, "never read again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(asked(&mut ws, &open, "f.toml").await.contains(DENIED));
    // A folder that cannot be meant changes nothing, and is named.
    sandbox.write("config/profiles.toml", "[keys.ci]\nroots = [\"open\"]\n");
    let doctor = sandbox.cli(&["doctor"]).await;
    assert!(
        doctor.all().contains("no absolute path"),
        "{}",
        doctor.all()
    );
    assert!(asked(&mut ws, &open, "f.toml").await.contains(DENIED));
}
