//! Folders, patterns, lines and notebooks; ignore files; evidence; and the way back.

use super::*;

fn told(gathered: &Gathered) -> Vec<String> {
    gathered.entries.iter().map(Entry::to_string).collect()
}

#[test]
fn a_folder_is_its_files_and_what_was_passed_over_is_told() {
    let folder = Folder::new();
    for (name, text) in [
        ("src/b.rs", "b"),
        ("src/a.rs", "a"),
        ("src/deep/c.rs", "c"),
        ("src/gen/x.rs", "canary"),
        ("src/.hidden", "canary"),
        ("src/node_modules/p/i.js", "canary"),
        ("src/.env", "KEY=canary"),
        ("src/key.pem", "canary"),
        ("src/logo.png", "\u{89}"),
        (".gitignore", "gen/\n"),
    ] {
        folder.file(name, text);
    }
    let gathered = folder.gather(&["src"], &[], 1000);
    let told = told(&gathered);
    assert!(!gathered.text.contains("canary"), "{}", gathered.text);
    let names: Vec<&str> = told.iter().map(|t| t.split(':').next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "src/a.rs",
            "src/b.rs",
            "src/key.pem",
            "src/logo.png",
            "src/deep/c.rs",
            "src/"
        ]
    );
    assert!(told[2].contains("NOT SENT, files of this name hold keys"));
    assert!(
        told[5].contains("passed over: 1 ignored, 3 hidden or packages"),
        "{told:?}"
    );
    assert!(!gathered.entries[5].sent(), "a folder is no file");
    let again = folder.gather(&["src/a.rs", "src"], &[], 1000);
    assert!(
        again.entries[1].to_string().contains("sent as file 1"),
        "{:?}",
        again.entries
    );
    assert_eq!(again.text.matches("1| a\n").count(), 1);
}

#[test]
fn a_folder_without_a_file_to_send_is_refused() {
    let folder = Folder::new();
    folder.file("empty/.gitkeep", "");
    let why = folder.refusal("empty");
    assert!(
        why.contains("no file there") && why.contains("1 hidden"),
        "{why}"
    );
}

#[test]
fn patterns_reach_as_far_as_they_say() {
    let folder = Folder::new();
    for name in ["a.rs", "a.md", "src/b.rs", "src/in/c.rs", ".github/w.yml"] {
        folder.file(name, "x");
    }
    let names = |pattern: &str| -> Vec<String> {
        let entries = folder.gather(&[pattern], &[], 1000).entries;
        let sent = entries.into_iter().filter(Entry::sent);
        sent.map(|entry| entry.name).collect()
    };
    assert_eq!(names("*.rs"), ["a.rs"]);
    assert_eq!(names("**/*.rs"), ["a.rs", "src/b.rs", "src/in/c.rs"]);
    assert_eq!(names("src/*.rs"), ["src/b.rs"]);
    assert_eq!(names("*.{rs,md}"), ["a.md", "a.rs"]);
    assert_eq!(names(".github/*.yml"), [".github/w.yml"]);
    let absolute = format!("{}/src/**", folder.root().display());
    assert_eq!(names(&absolute), ["src/b.rs", "src/in/c.rs"]);
    assert!(folder.refusal("*.py").contains("no file there"));
    for outside in ["../*", "/etc/host*", "src/../../*"] {
        assert!(folder.refusal(outside).contains("outside"), "{outside}");
    }
}

#[test]
fn some_lines_of_a_file_keep_their_numbers() {
    let folder = Folder::new();
    let lines: Vec<String> = (1..=12).map(|n| format!("line {n}")).collect();
    folder.file("a.rs", lines.join("\n"));
    folder.file("odd:3", "this one\n");
    for asked in ["a.rs:9-10", "a.rs#L9-L10"] {
        let gathered = folder.gather(&[asked], &[], 1000);
        assert!(gathered.text.contains("a.rs: lines 9-10 of 12, as asked"));
        assert!(gathered.text.contains(" 9| line 9\n10| line 10\n<<"));
        assert_eq!(gathered.sent[0].from, 9);
        assert_eq!(gathered.sent[0].lines, 2);
        assert_eq!(Packing::of(&gathered.entries).included, 1);
    }
    let open = folder.gather(&["a.rs:11-"], &[], 1000);
    assert!(told(&open)[0].contains("lines 11-12 of 12"));
    assert!(
        folder
            .gather(&["odd:3"], &[], 100)
            .text
            .contains("this one")
    );
    assert!(
        folder
            .refusal("a.rs:13")
            .contains("12 lines, and no line 13")
    );
    assert!(folder.refusal("gone.rs:13").contains("no such file"));
}

#[test]
fn a_large_file_is_read_by_lines() {
    let folder = Folder::new();
    folder.file("big.log", "0123456789\n".repeat(200_000));
    assert!(folder.refusal("big.log").contains("path:1-400"));
    let gathered = folder.gather(&["big.log:150000"], &[], 1000);
    assert!(
        gathered.text.contains("150000| 0123456789"),
        "{}",
        gathered.text
    );
}

#[test]
fn what_ignore_files_name_is_refused_by_its_own_name_too() {
    let folder = Folder::new();
    folder.file(".gitignore", "*.log\n!keep.log\n");
    folder.file("sub/.gitignore", "!sub.log\nplan.md\n");
    folder.file(".exaiignore", "secret-plans/\n");
    for name in [
        "a.log",
        "keep.log",
        "sub/sub.log",
        "sub/plan.md",
        "secret-plans/x",
    ] {
        folder.file(name, "canary");
    }
    folder.file("p.log", PNG);
    for (name, by) in [
        ("a.log", "'*.log' in .gitignore"),
        ("sub/plan.md", "'plan.md' in .gitignore"),
        ("secret-plans/x", "'secret-plans/' in .exaiignore"),
    ] {
        let why = folder.refusal(name);
        assert!(why.contains(by), "{name}: {why}");
    }
    for name in ["keep.log", "sub/sub.log"] {
        assert!(folder.gather(&[name], &[], 100).entries[0].sent(), "{name}");
    }
    let picture = folder.gather(&[], &["p.log"], 100);
    assert!(picture.images.is_empty(), "pictures are held to the same");
}

#[test]
fn p26_a_secret_is_refused_with_its_line_and_the_lines_beside_it_are_not() {
    let folder = Folder::new();
    let token = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    folder.file(
        "a.py",
        format!("import os\ntoken = \"{token}\"\nprint(1)\n"),
    );
    let why = folder.refusal("a.py");
    assert!(
        why.contains("line 2 holds") && why.contains("GitHub"),
        "{why}"
    );
    assert!(!why.contains(&token[4..]), "the refusal does not repeat it");
    assert!(folder.refusal("a.py:2-3").contains("line 2 holds"));
    assert!(folder.gather(&["a.py:3"], &[], 100).entries[0].sent());
}

#[test]
fn a_notebook_is_its_cells() {
    let folder = Folder::new();
    let text =
        r#"{"cells":[{"cell_type":"code","source":["x = 1\n"],"outputs":[{"text":"canary"}]}]}"#;
    folder.file("n.ipynb", text);
    let gathered = folder.gather(&["n.ipynb"], &[], 1000);
    assert!(gathered.text.contains("2| x = 1") && !gathered.text.contains("canary"));
    assert!(told(&gathered)[0].ends_with("1 cells, 1 outputs left out"));
}

#[test]
fn evidence_is_there_or_it_is_said_what_is_not() {
    let folder = Folder::new();
    folder.file("src/a.rs", "1\n2\n3\n");
    folder.file(".env", "KEY=x");
    let witness = Witness::new(&vec![folder.root().to_string_lossy().into_owned()].into());
    for (path, line) in [
        ("src/a.rs", None),
        ("src/a.rs", Some(3)),
        ("src/a.rs:2-3", None),
    ] {
        assert_eq!(witness.stands(path, line), Ok(()), "{path}");
    }
    for (path, line, why) in [
        ("src/a.rs", Some(4), "3 lines, and no line 4"),
        ("src/a.rs:9", None, "no line 9"),
        ("src/a.rs", Some(0), "counted from 1"),
        ("src/b.rs", Some(1), "no such file"),
        ("../outside", None, "outside"),
        ("/etc/hostname", None, "outside"),
        (".env", None, "keys"),
        ("src", None, "folder"),
    ] {
        let said = witness.stands(path, line).unwrap_err();
        assert!(said.contains(why), "{path}: {said}");
    }
}

#[test]
fn what_is_written_is_new_and_below_the_folders() {
    let folder = Folder::new();
    folder.file("there.md", "old");
    let roots = Folders::from(vec![folder.root().to_string_lossy().into_owned()]);
    assert_eq!(write_new(&roots, "new.md", "text").unwrap(), "new.md");
    let written = fs::read_to_string(folder.root().join("new.md")).unwrap();
    assert_eq!(written, "text");
    let mut ways = vec![
        ("there.md", "exists already"),
        ("../out.md", "outside"),
        ("/tmp/out.md", "outside"),
        ("no/such/x.md", "no such folder"),
        (".env", "keys"),
        ("..", "no file"),
    ];
    #[cfg(unix)]
    {
        let root = folder.root();
        std::os::unix::fs::symlink(folder.dir.path(), root.join("up")).unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("hanging")).unwrap();
        ways.extend([("up/out.md", "outside"), ("hanging", "exists already")]);
    }
    for (path, why) in ways {
        for said in [
            may_write(&roots, path),
            write_new(&roots, path, "x").map(drop),
        ] {
            let said = said.unwrap_err();
            assert!(said.contains(why), "{path}: {said}");
        }
    }
    assert_eq!(
        fs::read_to_string(folder.root().join("there.md")).unwrap(),
        "old"
    );
    assert!(!folder.dir.path().join("out.md").exists());
    assert!(!folder.root().join("nowhere").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn what_the_system_shows_of_itself_is_no_folder() {
    for root in ["/proc/self", "/sys", "/dev"] {
        let gathered = gather(&Wanted {
            roots: vec![root.to_owned()].into(),
            files: vec!["environ".to_owned()],
            tokens: 1000,
            ..Wanted::default()
        });
        assert!(
            told(&gathered)[0].contains("the system's own"),
            "{gathered:?}",
            gathered = told(&gathered)
        );
    }
}

#[test]
fn what_git_shows_of_a_file_is_held_to_the_same() {
    assert!(withheld("config/.env", "A=b").unwrap().contains("keys"));
    assert_eq!(withheld("src/a.rs", "fn main() {}"), None);
}
