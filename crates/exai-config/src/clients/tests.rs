//! The shipped table holds together, a person's file changes what it names, and a fault costs
//! nothing that was known.

use super::*;
use std::fs;

fn shipped() -> Clients {
    Clients::shipped().unwrap()
}

#[test]
fn every_shipped_row_says_how_it_is_known_and_when() {
    let clients = shipped();
    let keys: Vec<&str> = clients.keys().collect();
    assert!(keys.len() >= 11, "{keys:?}");
    for key in keys {
        let row = clients.row(key).unwrap();
        assert!(row.source.len() > 20 && row.date.len() == 10, "{row:?}");
        let shown = row.shown("exai", "exai_continue").unwrap();
        assert!(shown.contains("exai_continue"), "{shown}");
        // The whole promise at the start is kept by answering from memory.
        assert!(row.start >= Duration::from_secs(10), "{row:?}");
    }
}

#[test]
fn r14_clients_are_known_by_the_names_they_give_themselves() {
    let clients = shipped();
    for (name, key, call, resets) in [
        ("claude-code", "claude-code", Some(1800), false),
        ("claude-ai", "claude-desktop", Some(60), false),
        ("codex-mcp-client", "codex", Some(300), false),
        ("gemini-cli-mcp-client-exai", "gemini-cli", Some(600), false),
        ("opencode", "opencode", Some(60), true),
        ("github-copilot-cli", "copilot-cli", Some(60), true),
        ("Visual Studio Code - Insiders", "vscode", None, false),
        ("cursor-vscode", "cursor", Some(60), false),
        ("mcp", "python-sdk", None, false),
        ("mcporter", "default", Some(60), false),
        ("", "default", Some(60), false),
    ] {
        let found = clients.of(name, "1.0.0");
        assert_eq!(
            (found.key.as_str(), found.call, found.resets),
            (key, call.map(Duration::from_secs), resets),
            "{name}"
        );
    }
}

#[test]
fn a_persons_file_changes_what_it_names_and_adds_what_is_new() {
    let own = r#"
        [default]
        call_secs = 20
        [clients.codex]
        call_secs = "never"
        [clients.codex-of-old]
        name = ["codex*"]
        version = ["0.1*"]
        output_bytes = 5000
    "#;
    let clients = Clients::with("mine", own).unwrap();
    let codex = clients.of("codex-mcp-client", "0.169.0");
    assert_eq!((codex.key.as_str(), codex.call), ("codex", None));
    assert!(!codex.list_changed, "the rest of the row stays");
    let any = clients.of("who", "1");
    assert_eq!(any.call, Some(Duration::from_secs(20)));
    let old = clients.of("codex-other", "0.12");
    assert_eq!((old.key.as_str(), old.output), ("codex-of-old", Some(5000)));
    assert_eq!(old.call, Some(Duration::from_secs(20)), "as the default");
    assert_eq!(clients.of("codex-other", "0.2").key, "codex");
}

#[test]
fn a_fault_names_the_file_the_place_and_what_is_allowed() {
    for (text, words) in [
        ("[clients.x]\nname = [\"x\"]\ncall_sec = 3", "call_sec"),
        ("[clients.x]\ncall_secs = 3", "name is missing"),
        ("[clients.codex]\ncall_secs = \"ever\"", "\"never\""),
        ("[clients.codex]\ncall_secs = 0", "0.1"),
        ("[clients.codex]\noutput_bytes = 9", "1000"),
        ("[clients.codex]\ntool_form = \"x\"", "{tool}"),
        ("[clients", "line 1"),
    ] {
        let error = Clients::with("mine.toml", text).unwrap_err().to_string();
        assert!(
            error.starts_with("mine.toml: ") && error.contains(words),
            "{error}"
        );
    }
}

#[test]
fn r45_a_faulty_file_leaves_the_last_good_table_in_force() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clients.toml");
    let write = |text: &str| crate::atomic::write(&file, text.as_bytes(), 0o600).unwrap();
    write("[clients.codex]\ncall_secs = 7\n");
    let watched = Watched::new(Some(file.clone()), |fault| {
        assert!(fault.contains("clients.toml"), "{fault}");
        TOLD.fetch_add(1, Relaxed);
    });
    let call = |watched: &Watched| {
        watched.forget_look();
        watched.of("codex", "1").call
    };
    assert_eq!(watched.of("codex", "1").call, Some(Duration::from_secs(7)));
    write("call_secs = ???");
    assert_eq!(call(&watched), Some(Duration::from_secs(7)));
    assert_eq!(call(&watched), Some(Duration::from_secs(7)));
    assert_eq!(TOLD.load(Relaxed), 1, "told once");
    write("[clients.codex]\ncall_secs = 8.5\n");
    assert_eq!(call(&watched), Some(Duration::from_secs_f64(8.5)));
    fs::remove_file(&file).unwrap();
    assert_eq!(call(&watched), Some(Duration::from_secs(300)));
}
