//! `review`, `ask` and `analyze` as a person uses them, and Markdown on a terminal.

use exai_testkit::{
    Must as _, PATIENCE, Sandbox,
    provider::{Dialect, Provider, Reply},
};
use std::{fs, io::Write as _};

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

fn file(sandbox: &Sandbox, name: &str, text: &str) {
    let path = sandbox.work().join(name);
    fs::create_dir_all(path.parent().must("have a folder")).must("make a folder");
    let mut file = fs::File::create(path).must("make a file");
    file.write_all(text.as_bytes()).must("write a file");
}

#[tokio::test]
async fn a_review_of_files_is_one_command_and_its_verdict_is_alone_on_standard_output() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("## Verdict\nsrc/a.rs:1 is **wrong**."));
    let _daemon = sandbox.daemon().await;
    file(&sandbox, "src/a.rs", "fn seeded() {}\n");
    let words = [
        "review",
        "-f",
        "src/a.rs:1",
        "-m",
        MODEL,
        "--focus",
        "errors first",
    ];
    let output = sandbox.cli(&words).await.ok();
    assert_eq!(output.stdout, "## Verdict\nsrc/a.rs:1 is **wrong**.\n");
    assert!(
        output.stderr.contains("[parrot at custom"),
        "{}",
        output.all()
    );
    let sent = provider.chats().pop().must("be asked").text();
    assert!(sent.contains("1| fn seeded() {}"), "{sent}");
    assert!(sent.contains("errors first"), "{sent}");
}

#[tokio::test]
async fn files_are_analyzed_in_one_command_and_the_conversation_goes_on() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("It holds together."));
    let _daemon = sandbox.daemon().await;
    file(&sandbox, "lib/a.py", "seeded = 1\n");
    file(&sandbox, "lib/b.py", "other = 2\n");
    let words = ["analyze", "lib", "-m", MODEL, "--question", "what for?"];
    let output = sandbox.cli(&words).await.ok();
    assert_eq!(output.stdout, "It holds together.\n");
    let sent = provider.chats().pop().must("be asked").text();
    for part in ["1| seeded = 1", "1| other = 2", "what for?"] {
        assert!(sent.contains(part), "{part}: {sent}");
    }
    let id = output
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("continuation_id: "));
    let id = id.must("name the conversation").trim().to_owned();
    let more = ["chat", "-m", MODEL, "-t", &id, "and why?"];
    sandbox.cli(&more).await.ok();
    let sent = provider.chats().pop().must("be asked").text();
    assert!(sent.contains("It holds together."), "{sent}");
}

#[tokio::test]
async fn one_model_is_no_council() {
    let (sandbox, provider) = stage().await;
    let _daemon = sandbox.daemon().await;
    let refused = sandbox.cli(&["ask", "--models", MODEL, "why?"]).await;
    assert_eq!(refused.code, Some(2), "{}", refused.all());
    assert!(refused.stderr.contains("two or more"), "{}", refused.all());
    assert!(provider.chats().is_empty());
}

#[tokio::test]
async fn markdown_is_rendered_on_a_terminal_and_left_alone_where_styles_are_not_wanted() {
    let (mut sandbox, provider) = stage().await;
    provider.otherwise(Reply::text("# Title\n\n- say **loud** and `code`\n").chunks(2));
    let _daemon = sandbox.daemon().await;
    let words = ["chat", "-q", "-m", MODEL, "why?"];
    let pipe = sandbox.cli(&words).await.ok();
    assert_eq!(pipe.stdout, "# Title\n\n- say **loud** and `code`\n");
    sandbox.set("TERM", "xterm-256color");
    let Some(mut terminal) = sandbox.on_a_terminal("exai-daemon", &words) else {
        return;
    };
    assert_eq!(terminal.ends(PATIENCE).await, Some(0));
    let screen = terminal.screen();
    assert!(
        !screen.contains("**") && !screen.contains("# Title"),
        "{screen:?}"
    );
    assert!(screen.contains("\u{1b}[1mTitle"), "{screen:?}");
    assert!(
        screen.contains("\u{1b}[1mloud") && screen.contains("•"),
        "{screen:?}"
    );
    sandbox.set("NO_COLOR", "1");
    let Some(mut terminal) = sandbox.on_a_terminal("exai-daemon", &words) else {
        return;
    };
    assert_eq!(terminal.ends(PATIENCE).await, Some(0));
    let screen = terminal.screen();
    assert!(screen.contains("- say **loud** and `code`"), "{screen:?}");
    assert!(!screen.contains("\u{1b}[1m"), "{screen:?}");
}

#[tokio::test]
async fn a_table_lines_up_on_a_terminal_and_is_left_alone_in_a_pipe() {
    let (mut sandbox, provider) = stage().await;
    let text = "| name | n |\n|:--|--:|\n| **one** | 1 |\n| three | 200 |\n\nDone.\n";
    provider.otherwise(Reply::text(text).chunks(2));
    let _daemon = sandbox.daemon().await;
    let words = ["chat", "-q", "-m", MODEL, "why?"];
    let pipe = sandbox.cli(&words).await.ok();
    assert_eq!(pipe.stdout, text);
    sandbox.set("TERM", "xterm-256color");
    let Some(mut terminal) = sandbox.on_a_terminal("exai-daemon", &words) else {
        return;
    };
    assert_eq!(terminal.ends(PATIENCE).await, Some(0));
    let screen = terminal.screen();
    let mut plain = screen.replace('\r', "");
    for code in ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[0m"] {
        plain = plain.replace(code, "");
    }
    let table = "name  │   n\n──────┼────\none   │   1\nthree │ 200\n\nDone.";
    assert!(plain.contains(table), "{plain}");
}

#[tokio::test]
async fn what_goes_wrong_is_told_in_commands_to_who_sits_at_a_terminal() {
    let (sandbox, provider) = stage().await;
    provider.otherwise(Reply::status(400));
    let _daemon = sandbox.daemon().await;
    file(&sandbox, "src/a.rs", "fn seeded() {}\n");
    let review = ["review", "-f", "src/a.rs", "-m", MODEL];
    let failed = sandbox.cli(&review).await;
    assert_ne!(failed.code, Some(0), "{}", failed.all());
    let (_, id) = failed
        .stderr
        .split_once("with `--thread ")
        .must(failed.all());
    let id = id.split('`').next().must("be an id").to_owned();
    assert!(
        !failed.stderr.contains("use_assistant_model"),
        "{}",
        failed.all()
    );
    // It does what it says.
    provider.otherwise(Reply::text("It holds."));
    let again = [&review[..], &["--thread", &id]].concat();
    assert_eq!(sandbox.cli(&again).await.ok().stdout, "It holds.\n");
    sandbox.cli(&["threads", "show", &id]).await.ok();
    for words in [
        &["chat", "--thread", "nobody", "why?"][..],
        &["threads", "show", "nobody"],
        &["review", "--thread", "nobody", "-f", "src/a.rs"],
    ] {
        let refused = sandbox.cli(words).await;
        assert!(
            refused.stderr.contains("`exai-daemon threads list`"),
            "{}",
            refused.all()
        );
        assert!(
            !refused.stderr.contains("continuation_id"),
            "{}",
            refused.all()
        );
    }
    // Who writes the fields is told of them, and of commands for the rest.
    let words = r#"{"prompt":"x","model":"nobody"}"#;
    let called = sandbox.cli(&["call", "chat", "--json", words]).await;
    assert!(!called.stderr.contains("listmodels"), "{}", called.all());
    for nothing in ["", "***"] {
        let search = sandbox.cli(&["threads", "search", nothing]).await;
        assert_eq!(search.code, Some(2), "{}", search.all());
        assert!(
            search.stderr.contains("no word to look for"),
            "{}",
            search.all()
        );
    }
}
