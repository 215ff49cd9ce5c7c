//! Writing and taking back, in every client's format, on files in a temporary directory.

use super::*;
use crate::commands::mcp_config::clients;
use clap::ValueEnum;
use exai_config::strings::fixed;

fn entry(command: &str) -> Entry {
    Entry {
        command: command.to_owned(),
        env: vec![("EXAI_HOME".to_owned(), "/the/home".to_owned())],
        limit_secs: 660,
    }
}

fn place(dir: &tempfile::TempDir, client: McpClient) -> Place {
    let root = dir.path().display().to_string();
    let env = fixed([("HOME", &root), ("USERPROFILE", &root), ("APPDATA", &root)]);
    let place = clients::place(client, None, &env).unwrap();
    assert!(
        place.file.starts_with(dir.path()),
        "a test must never touch the real home"
    );
    place
}

fn put(place: &Place, text: &str) {
    std::fs::create_dir_all(place.file.parent().unwrap()).unwrap();
    atomic::write(&place.file, text.as_bytes(), 0o640).unwrap();
}

fn text(place: &Place) -> String {
    std::fs::read_to_string(&place.file).unwrap()
}

fn somebodys(client: McpClient) -> &'static str {
    match client {
        McpClient::Codex => "# mine\nmodel = \"m\"\n\n[mcp_servers.other]\ncommand = \"o\"\n",
        McpClient::Vscode => {
            "{\n\t\"servers\": {\n\t\t\"other\": {\"command\": \"o\"}\n\t},\n\t\"n\": 1.50\n}"
        }
        McpClient::Opencode => "{ \"mcp\": {}, \"theme\": \"x\" }\n",
        _ => {
            "{\n  \"theme\": \"x\",\n  \"mcpServers\": {\n    \"other\": {\n      \"command\": \"o\"\n    }\n  }\n}\n"
        }
    }
}

#[test]
fn every_client_gets_its_entry_and_its_old_bytes_back() {
    for client in McpClient::value_variants() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(&dir, *client);
        put(&place, somebodys(*client));
        let Written::Changed(backup) = write(&place, &entry("/bin/exai-shim")).unwrap() else {
            panic!("{client:?}: nothing was changed")
        };
        assert_eq!(std::fs::read_to_string(backup).unwrap(), somebodys(*client));
        assert!(text(&place).contains("/bin/exai-shim") && text(&place).contains("/the/home"));
        assert_eq!(
            write(&place, &entry("/bin/exai-shim")).unwrap(),
            Written::Already
        );
        assert_eq!(undo(&place).unwrap(), Undone::Restored, "{client:?}");
        assert_eq!(text(&place), somebodys(*client));
        let left = std::fs::read_dir(place.file.parent().unwrap())
            .unwrap()
            .count();
        assert_eq!(left, 1, "the backup is gone");
        assert_eq!(undo(&place).unwrap(), Undone::Nothing);
    }
}

#[test]
fn a_file_that_was_not_there_is_gone_again() {
    for client in McpClient::value_variants() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(&dir, *client);
        assert_eq!(undo(&place).unwrap(), Undone::Nothing);
        assert_eq!(write(&place, &entry("/a")).unwrap(), Written::New);
        write(&place, &entry("/b")).unwrap();
        assert!(text(&place).contains("/b"));
        assert_eq!(undo(&place).unwrap(), Undone::Removed, "{client:?}");
        assert!(!place.file.exists());
    }
}

#[test]
fn a_second_write_keeps_the_first_backup() {
    for client in McpClient::value_variants() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(&dir, *client);
        put(&place, somebodys(*client));
        write(&place, &entry("/one")).unwrap();
        write(&place, &entry("/two")).unwrap();
        assert!(text(&place).contains("/two") && !text(&place).contains("/one"));
        assert_eq!(undo(&place).unwrap(), Undone::Restored, "{client:?}");
        assert_eq!(text(&place), somebodys(*client));
    }
}

#[test]
fn others_changes_are_kept_and_only_our_entry_goes() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir, McpClient::Cursor);
    put(&place, somebodys(McpClient::Cursor));
    write(&place, &entry("/one")).unwrap();
    let changed = text(&place).replace("\"theme\": \"x\"", "\"theme\": \"dark\"");
    put(&place, &changed);
    assert_eq!(undo(&place).unwrap(), Undone::EntryTaken);
    let value: Value = serde_json::from_str(&text(&place)).unwrap();
    assert_eq!(value["theme"], "dark");
    assert!(value["mcpServers"]["exai"].is_null() && value["mcpServers"]["other"].is_object());
}

#[test]
fn an_entry_of_the_owners_own_is_given_back_or_left() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir, McpClient::Auggie);
    let own = "{\"mcpServers\": {\"exai\": {\"command\": \"mine\"}}}";
    put(&place, own);
    write(&place, &entry("/one")).unwrap();
    put(&place, &format!("{}\n", text(&place)));
    let error = undo(&place).unwrap_err();
    assert_eq!(exit::code_of(&error), exit::CONFLICT);
    put(&place, text(&place).trim_end());
    assert_eq!(undo(&place).unwrap(), Undone::Restored);
    assert_eq!(text(&place), own);
}

#[test]
fn comments_are_refused_and_nothing_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir, McpClient::Vscode);
    let commented = "{\n  // my servers\n  \"servers\": {}\n}\n";
    put(&place, commented);
    let error = write(&place, &entry("/one")).unwrap_err();
    assert_eq!(exit::code_of(&error), exit::CONFLICT);
    assert!(
        error.to_string().contains("comments") && error.to_string().contains("by hand"),
        "{error}"
    );
    assert_eq!(text(&place), commented);
    assert_eq!(
        std::fs::read_dir(place.file.parent().unwrap())
            .unwrap()
            .count(),
        1
    );
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_modes_stay_modes() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let place = place(&dir, McpClient::Gemini);
    let target = dir.path().join("dotfiles.json");
    atomic::write(&target, b"{}\n", 0o644).unwrap();
    std::fs::create_dir_all(place.file.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&target, &place.file).unwrap();
    write(&place, &entry("/one")).unwrap();
    assert!(
        place
            .file
            .symlink_metadata()
            .unwrap()
            .file_type()
            .is_symlink()
    );
    assert_eq!(
        target.metadata().unwrap().permissions().mode() & 0o777,
        0o644
    );
    assert_eq!(undo(&place).unwrap(), Undone::Restored);
    assert_eq!(std::fs::read(&target).unwrap(), b"{}\n");
}
