//! Real repositories, also hostile ones: what is read, what is left out, and that nothing of
//! theirs is run.

use super::{Change, Wanted, read};
use exai_engine::Folders;
use std::{fs, io::Write as _, path::Path, process::Command};

/// A repository with one commit.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.git(&["init", "-q", "-b", "main"]);
        repository.write("a.rs", "pub fn old_name(a: u8) -> u8 {\n    a\n}\n");
        repository.write("b.rs", "fn main() {\n    old_name(1);\n}\n");
        repository.commit("first");
        repository
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = fs::File::create(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "a person's own git")]
    fn git(&self, arguments: &[&str]) {
        let done = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(arguments)
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    }

    fn commit(&self, words: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", words]);
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            roots: vec![self.path().to_string_lossy().into_owned()].into(),
            staged: true,
            unstaged: true,
            untracked: true,
            room: 100_000,
            ..Wanted::default()
        }
    }

    async fn here(&self) -> Change {
        read(&self.wanted()).await.expect("a change")
    }
}

#[tokio::test]
async fn what_is_staged_unstaged_and_untracked_is_read_and_told_apart() {
    let repository = Repository::new();
    assert!(repository.here().await.is_empty());
    repository.write("b.rs", "fn main() {\n    old_name(2);\n}\n");
    repository.git(&["add", "b.rs"]);
    repository.write("b.rs", "fn main() {\n    old_name(3);\n}\n");
    repository.write("c d.rs", "fn fresh() {}\n");
    let change = repository.here().await;
    assert!(change.text.contains("+    old_name(2);") && change.text.contains("+    old_name(3);"));
    let parts: Vec<&str> = change.told["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["part"].as_str().unwrap())
        .collect();
    assert_eq!(parts, ["staged", "not staged"]);
    assert_eq!(change.untracked.len(), 1);
    assert!(change.untracked[0].ends_with("c d.rs"));
    let only = Wanted {
        unstaged: false,
        untracked: false,
        ..repository.wanted()
    };
    let change = read(&only).await.unwrap();
    assert!(!change.text.contains("old_name(3)") && change.untracked.is_empty());
}

#[tokio::test]
async fn a_range_is_read_and_renamed_symbols_are_found_with_their_old_uses() {
    let repository = Repository::new();
    repository.write("a.rs", "pub fn new_name(a: u8) -> u8 {\n    a\n}\n");
    repository.commit("second");
    for range in ["HEAD~1..HEAD", "HEAD~1..", "HEAD", "HEAD~1...main"] {
        let wanted = Wanted {
            range: Some(range.to_owned()),
            staged: false,
            unstaged: false,
            untracked: false,
            ..repository.wanted()
        };
        let change = read(&wanted).await.expect(range);
        assert_eq!(
            change.told["renamed_symbols"][0]["from"], "old_name",
            "{range}"
        );
        assert_eq!(change.told["renamed_symbols"][0]["to"], "new_name");
        assert_eq!(
            change.told["renamed_symbols"][0]["still_used_at"][0],
            "b.rs:2"
        );
        assert!(change.text.contains("the old name still stands at b.rs:2"));
    }
    let first = Wanted {
        range: Some("HEAD~1".to_owned()),
        ..repository.wanted()
    };
    assert!(
        read(&first)
            .await
            .unwrap()
            .text
            .contains("+pub fn old_name")
    );
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let repository = Repository::new();
    let wanted = |range: &str| Wanted {
        range: Some(range.to_owned()),
        ..repository.wanted()
    };
    for range in ["nowhere..HEAD", "--output=x", "HEAD..-x", "a b"] {
        let error = read(&wanted(range)).await.expect_err(range);
        assert!(error.message.contains("there is no revision"), "{error}");
    }
    assert!(!repository.path().join("x").exists());
    let plain = tempfile::tempdir().unwrap();
    let roots = Folders::from(vec![plain.path().to_string_lossy().into_owned()]);
    let outside = Wanted {
        path: Some(repository.path().to_string_lossy().into_owned()),
        roots: roots.clone(),
        ..Wanted::default()
    };
    let error = read(&outside).await.expect_err("outside");
    assert!(error.message.contains("outside the folders"), "{error}");
    let nothing = Wanted {
        roots,
        ..Wanted::default()
    };
    let error = read(&nothing).await.expect_err("no repository");
    assert!(error.message.contains("not a git repository"), "{error}");
    let error = read(&Wanted::default()).await.expect_err("no folder");
    assert!(error.message.contains("named none"), "{error}");
}

#[tokio::test]
async fn secrets_in_a_diff_stay_here_and_are_said_to() {
    let repository = Repository::new();
    repository.write(".env", "TOKEN=canary-one\n");
    let key = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let key = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
    repository.write("key.txt", &key);
    repository.write("fine.txt", "fine\n");
    repository.git(&["add", "-A", "-f"]);
    let change = repository.here().await;
    assert!(!change.text.contains("canary-one") && !change.text.contains("MIIEvQ"));
    assert!(change.text.contains("+fine"));
    let left: Vec<&str> = change.told["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|left| left["path"].as_str().unwrap())
        .collect();
    assert_eq!(left, [".env", "key.txt"]);
}

#[tokio::test]
async fn a_change_beyond_its_room_is_left_out_file_by_file() {
    let repository = Repository::new();
    repository.write("big.txt", &"line\n".repeat(5000));
    repository.write("a.rs", "fn small() {}\n");
    repository.git(&["add", "-A"]);
    let wanted = Wanted {
        room: 3000,
        ..repository.wanted()
    };
    let change = read(&wanted).await.unwrap();
    assert!(change.text.contains("+fn small") && !change.text.contains("+line"));
    assert!(
        change
            .text
            .contains("big.txt: NOT INCLUDED: there is no room for it")
    );
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_a_repository_says_is_run() {
    let repository = Repository::new();
    let trap = |name: &str| {
        let mark = repository.path().join(format!(".git/ran-{name}"));
        format!("sh -c 'touch \"{}\"; cat'", mark.display())
    };
    repository.write(
        ".gitattributes",
        "*.rs filter=evil diff=evil\n*.bin filter=other=x\n",
    );
    repository.write("x.bin", "1\n");
    repository.commit("second");
    for (key, name) in [
        ("core.fsmonitor", "monitor"),
        ("core.pager", "pager"),
        ("core.sshCommand", "ssh"),
        ("diff.external", "external"),
        ("diff.evil.textconv", "textconv"),
        ("diff.evil.command", "command"),
        ("filter.evil.clean", "clean"),
        ("filter.evil.smudge", "smudge"),
        ("filter.evil.process", "process"),
        ("filter.other=x.clean", "other"),
    ] {
        repository.git(&["config", key, &trap(name)]);
    }
    repository.git(&["config", "filter.evil.required", "true"]);
    repository.git(&["config", "core.hooksPath", "hooks"]);
    let mut file = fs::File::options()
        .append(true)
        .open(repository.path().join("a.rs"))
        .unwrap();
    file.write_all(b"// more\n").unwrap();
    repository.write("x.bin", "2\n");
    let change = repository.here().await;
    assert!(
        change.text.contains("+// more") && change.text.contains("+2"),
        "{}",
        change.text
    );
    let ran: Vec<String> = fs::read_dir(repository.path().join(".git"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| name.starts_with("ran-"))
        .collect();
    assert_eq!(ran, Vec::<String>::new());
}

#[tokio::test]
async fn a_repository_that_claims_another_folder_is_not_read() {
    let (repository, other) = (Repository::new(), tempfile::tempdir().unwrap());
    let mut canary = fs::File::create(other.path().join("canary.txt")).unwrap();
    canary.write_all(b"canary\n").unwrap();
    let elsewhere = other.path().to_string_lossy().into_owned();
    repository.git(&["config", "core.worktree", &elsewhere]);
    let error = read(&repository.wanted())
        .await
        .expect_err("another folder");
    assert!(
        error.message.contains("another folder") || error.message.contains("git says"),
        "{error}"
    );
}
