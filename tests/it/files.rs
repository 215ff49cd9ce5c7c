//! What leaves the machine, through the real shim and daemon: nothing outside the folders, no
//! secrets, nothing ignored, whatever is asked for and whoever changes links meanwhile; and each
//! answer's account of it adds up.

use exai_testkit::{
    Must as _, Sandbox, Shim,
    provider::{Dialect, Provider, Reply},
};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    sync::atomic::{AtomicBool, Ordering},
};

const MODEL: &str = "parrot@custom";

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

fn file(sandbox: &Sandbox, name: &str, text: &str) {
    let path = sandbox.work().join(name);
    fs::create_dir_all(path.parent().must("have a folder")).must("make a folder");
    let mut file = fs::File::create(path).must("make a file");
    file.write_all(text.as_bytes()).must("write a file");
}

/// A window whose working directory is the project.
async fn window(sandbox: &Sandbox) -> Shim {
    let mut shim = sandbox.shim();
    shim.initialize("2025-06-18").await;
    shim
}

async fn ask(shim: &mut Shim, files: &[&str]) -> Value {
    let arguments = json!({ "prompt": "look", "model": MODEL, "files": files });
    shim.call_tool("chat", arguments).await
}

fn facts(result: &Value) -> &Value {
    &result["content"][0]["_meta"]["exai/answer"]
}

/// What the manifest says of a file.
fn fate<'r>(result: &'r Value, path: &str) -> &'r Value {
    let files = facts(result)["files"].as_array().must("list the files");
    let found = files.iter().find(|file| file["path"] == path);
    found.must(format!("name {path} in {files:?}"))
}

#[tokio::test]
async fn p24_a_folder_is_sent_without_what_nobody_meant_and_the_account_adds_up() {
    let (sandbox, provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    file(&sandbox, "src/a.rs", "fn seen() {}\n");
    file(&sandbox, "src/deep/b.rs", "fn also_seen() {}\n");
    file(&sandbox, "src/out/c.rs", "canary_ignored\n");
    file(&sandbox, "src/plans.md", "canary_ours\n");
    file(&sandbox, "src/.env", "KEY=canary_hidden\n");
    file(&sandbox, "src/id_rsa", "canary_name\n");
    let token = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    file(&sandbox, "src/conf.py", &format!("T = '{token}'\n"));
    file(&sandbox, ".gitignore", "out/\n");
    file(&sandbox, ".exaiignore", "plans.md\n");
    let mut shim = window(&sandbox).await;
    let asked = [
        "src",
        "src/a.rs:1",
        "src/out/c.rs",
        "../outside.txt",
        "**/gone.rs",
    ];
    let result = ask(&mut shim, &asked).await;
    let sent = provider.chats().pop().must("be asked").text();
    assert!(
        sent.contains("1| fn seen() {}") && sent.contains("fn also_seen() {}"),
        "{sent}"
    );
    assert!(!sent.contains("canary") && !sent.contains(&token), "{sent}");
    let packing = &facts(&result)["packing"];
    let sum = |name: &str| packing[name].as_u64().must("be a number");
    assert_eq!(sum("included") + sum("cut") + sum("omitted"), sum("asked"));
    assert_eq!((sum("included"), sum("omitted")), (3, 5), "{result}");
    for (path, why) in [
        ("src/id_rsa", "files of this name hold keys"),
        ("src/conf.py", "line 1 holds what looks like a GitHub token"),
        ("src/out/c.rs", "in .gitignore leaves it out"),
        ("../outside.txt", "outside the folders"),
        ("**/gone.rs", "no file there"),
    ] {
        let entry = fate(&result, path);
        assert_eq!(entry["fate"], "omitted", "{entry}");
        assert!(
            entry["why"].as_str().must("say why").contains(why),
            "{entry}"
        );
        assert!(
            sent.contains(&format!("{path}: NOT INCLUDED")),
            "the model knows: {sent}"
        );
    }
    let entry = fate(&result, "src/a.rs");
    assert_eq!(entry["sha256"].as_str().map(str::len), Some(64), "{entry}");
    let words = result["content"][0]["text"].as_str().must("read words");
    assert!(
        words.contains("8 asked for = 3 included + 0 cut + 5 omitted"),
        "{words}"
    );
}

#[tokio::test]
async fn p24_what_does_not_fit_into_the_model_is_cut_and_counted() {
    let (sandbox, provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    file(
        &sandbox,
        "long.txt",
        &"a line of some length\n".repeat(40_000),
    );
    file(&sandbox, "after.txt", "canary\n");
    let mut shim = window(&sandbox).await;
    let result = ask(&mut shim, &["long.txt", "after.txt"]).await;
    assert_eq!(fate(&result, "long.txt")["fate"], "cut");
    let lines = fate(&result, "long.txt")["lines"][1]
        .as_u64()
        .must("be a line");
    let sent = provider.chats().pop().must("be asked").text();
    assert!(sent.contains(&format!("CUT: lines 1-{lines} of 40000 follow")));
    assert!(sent.contains(&format!("{lines:>5}| a line")));
    assert!(!sent.contains(&format!("{:>5}| a line", lines + 1)));
    let some = ask(&mut shim, &["long.txt:39999-40000"]).await;
    assert_eq!(fate(&some, "long.txt")["lines"], json!([39_999, 40_000]));
}

#[cfg(unix)]
#[tokio::test]
async fn p24_links_that_change_while_files_are_read_lead_nowhere() {
    let (sandbox, provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    file(&sandbox, "real/f.txt", "mine\n");
    file(&sandbox, "always.txt", "there\n");
    let outside = sandbox.home().join("private");
    fs::create_dir_all(&outside).must("make a folder");
    fs::File::create(outside.join("f.txt"))
        .and_then(|mut file| file.write_all(b"canary\n"))
        .must("make a file");
    let mut shim = window(&sandbox).await;
    let (work, done) = (sandbox.work(), std::sync::Arc::new(AtomicBool::new(false)));
    let swapper = std::thread::spawn({
        let done = std::sync::Arc::clone(&done);
        move || {
            let (name, kept) = (work.join("turn"), work.join("real"));
            while !done.load(Ordering::Relaxed) {
                fs::rename(&kept, &name).must("put the folder there");
                std::thread::yield_now();
                fs::rename(&name, &kept).must("take it away");
                std::os::unix::fs::symlink(&outside, &name).must("put a link there");
                std::thread::yield_now();
                fs::remove_file(&name).must("take it away");
            }
        }
    });
    let mut mine = 0;
    for _ in 0..40 {
        let arguments = json!({
            "prompt": "look", "model": MODEL, "images": ["turn/f.txt"],
            "files": ["always.txt", "turn/f.txt", "turn", "turn/*.txt", "."],
        });
        shim.call_tool("chat", arguments).await;
        let sent = provider.chats().pop().must("be asked").text();
        assert!(!sent.contains("canary"), "{sent}");
        mine += sent.matches("mine").count();
    }
    done.store(true, Ordering::Relaxed);
    assert!(swapper.join().is_ok());
    assert!(mine > 0, "the reader never won");
}

#[tokio::test]
async fn p24_folders_of_the_settings_are_open_for_every_client() {
    let (mut sandbox, provider) = stage().await;
    let shared = sandbox.user().join("notes");
    fs::create_dir_all(&shared).must("make a folder");
    fs::File::create(shared.join("n.md"))
        .and_then(|mut file| file.write_all(b"shared words\n"))
        .must("make a file");
    let named = shared.join("n.md").display().to_string();
    file(&sandbox, "a.md", "own words\n");
    {
        let _daemon = sandbox.daemon().await;
        let mut shim = window(&sandbox).await;
        let result = ask(&mut shim, &["a.md", &named]).await;
        let why = fate(&result, &named)["why"].as_str().must("say why");
        assert!(
            why.contains("outside") && why.contains("'files.roots'"),
            "{why}"
        );
        sandbox.cli(&["stop"]).await.ok();
    }
    sandbox.set("EXAI_FILE_ROOTS", shared.display().to_string());
    let _daemon = sandbox.daemon().await;
    let mut shim = window(&sandbox).await;
    ask(&mut shim, &["a.md", &named]).await;
    let sent = provider.chats().pop().must("be asked").text();
    assert!(
        sent.contains("shared words") && sent.contains("own words"),
        "{sent}"
    );
}

#[tokio::test]
async fn an_answer_is_written_where_the_caller_may_read_and_never_over_anything() {
    let (sandbox, provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    file(&sandbox, "old.md", "old");
    let mut shim = window(&sandbox).await;
    file(&sandbox, ".git/hooks/pre-push.sample", "");
    for path in [
        "old.md",
        "../out.md",
        ".env",
        "no/such/a.md",
        ".git/hooks/post-commit",
        ".git/info/attributes",
    ] {
        let arguments = json!({ "prompt": "p", "model": MODEL, "save_to": path });
        let refused = shim.call_tool("chat", arguments).await;
        assert_eq!(refused["isError"], true, "{refused}");
        let words = Shim::text_of(&refused);
        assert!(
            words.contains("'save_to'") && words.contains("nothing was paid"),
            "{words}"
        );
    }
    assert!(provider.chats().is_empty());
    let arguments = json!({ "prompt": "p", "model": MODEL, "save_to": "new.md" });
    let kept = shim.call_tool("chat", arguments).await;
    let words = kept["content"][0]["text"].as_str().must("read words");
    assert!(words.contains("The answer is in new.md"), "{words}");
    let written = fs::read_to_string(sandbox.work().join("new.md")).must("be there");
    assert_eq!(written, "ok");
    let old = fs::read_to_string(sandbox.work().join("old.md")).must("be there");
    assert_eq!(old, "old");
}

#[tokio::test]
async fn whoever_wonders_what_would_be_sent_is_told_without_paying() {
    let (sandbox, provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    file(&sandbox, "a.rs", "1\n2\n");
    let words = ["files", "--json", "*.rs", ".env", "--cited", "a.rs:2"];
    let more = ["--cited", "a.rs:3", "--cited", "b.rs"];
    let told = sandbox.cli(&[&words[..], &more].concat()).await.ok().json();
    assert_eq!(told["packing"]["included"], 1, "{told}");
    let stands: Vec<bool> = told["cited"]
        .as_array()
        .must("be a list")
        .iter()
        .filter_map(|cited| cited["stands"].as_bool())
        .collect();
    assert_eq!(stands, [true, false, false], "{told}");
    let plain = sandbox.cli(&["files", "*.rs", ".env"]).await.ok();
    assert!(
        plain.stdout.contains("a.rs: whole, 2 lines"),
        "{}",
        plain.all()
    );
    assert!(
        plain.stdout.contains("2 asked for = 1 included"),
        "{}",
        plain.all()
    );
    assert!(provider.chats().is_empty());
}
