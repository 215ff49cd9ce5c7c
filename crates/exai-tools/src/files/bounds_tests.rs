//! A key's owner narrows what its clients name, and no link, no `..` and no wider folder gets
//! around that.

use super::{Wanted, gather, write_new};
use exai_engine::Folders;
use std::{fs, path::Path};

fn narrowed(named: &[&Path], within: &[&Path]) -> Folders {
    let text = |paths: &[&Path]| -> Vec<String> {
        let each = paths.iter().map(|path| path.to_string_lossy().into_owned());
        each.collect()
    };
    Folders {
        within: Some(text(within).into()),
        ..text(named).into()
    }
}

/// What is sent of a file, or why nothing is.
fn read(roots: &Folders, file: &str) -> (String, String) {
    let gathered = gather(&Wanted {
        roots: roots.clone(),
        files: vec![file.to_owned()],
        tokens: 10_000,
        ..Wanted::default()
    });
    let told = gathered.entries.iter().map(ToString::to_string);
    (gathered.text, told.collect::<Vec<_>>().join("\n"))
}

#[test]
fn s11_of_a_clients_folders_a_key_reads_only_what_is_left_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().canonicalize().unwrap();
    for file in [
        "open/a.txt",
        "open/deep/b.txt",
        "shut/secret.txt",
        "open2/c.txt",
    ] {
        fs::create_dir_all(top.join(file).parent().unwrap()).unwrap();
        fs::copy("Cargo.toml", top.join(file)).unwrap();
    }
    let (open, shut, deep) = (top.join("open"), top.join("shut"), top.join("open/deep"));
    let is_read = |roots: &Folders, file: &str| {
        let (text, told) = read(roots, file);
        assert_eq!(
            text.contains("[package]"),
            !told.contains("key may read only"),
            "{file}: {told}"
        );
        text.contains("[package]")
    };
    // What the client named is wider, the same, narrower, or elsewhere.
    let secret = shut.join("secret.txt").to_string_lossy().into_owned();
    for (named, file, expected) in [
        (&top, "open/a.txt", true),
        (&top, "shut/secret.txt", false),
        (&top, "open/../shut/secret.txt", false),
        (&top, "open2/c.txt", false),
        (&top, &secret, false),
        (&open, "a.txt", true),
        (&deep, "b.txt", true),
        (&shut, "secret.txt", false),
    ] {
        let roots = narrowed(&[named], &[&open]);
        assert_eq!(
            is_read(&roots, file),
            expected,
            "{} {file}",
            named.display()
        );
    }
    // A wider folder is not walked either, and its other names are not told.
    let (text, told) = read(&narrowed(&[&top], &[&open]), ".");
    assert!(
        !text.contains("[package]") && told.contains("key may read only"),
        "{told}"
    );
    let (_, told) = read(&narrowed(&[&top], &[&open]), "**/*.txt");
    assert!(
        !told.contains("secret") && !told.contains("open2"),
        "{told}"
    );
    // Nothing is left: nothing is read, and that is said.
    assert!(!is_read(&narrowed(&[&open], &[]), "a.txt"));
    assert!(!is_read(
        &narrowed(&[&open], &[&top.join("not there")]),
        "a.txt"
    ));
    // Writing goes by the same.
    let wide = narrowed(&[&top], &[&open]);
    let why = write_new(&wide, "shut/new.md", "x").unwrap_err();
    assert!(
        why.contains("key may read only") && !shut.join("new.md").exists(),
        "{why}"
    );
    write_new(&wide, "open/new.md", "x").unwrap();
}

#[cfg(unix)]
#[test]
fn s11_no_link_leads_around_what_is_left_to_a_key() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().canonicalize().unwrap();
    for folder in ["open", "shut"] {
        fs::create_dir(top.join(folder)).unwrap();
        fs::copy("Cargo.toml", top.join(folder).join("f.txt")).unwrap();
    }
    let (open, shut) = (top.join("open"), top.join("shut"));
    symlink(&shut, open.join("way")).unwrap();
    symlink(shut.join("f.txt"), open.join("file.txt")).unwrap();
    symlink(&open, top.join("short")).unwrap();
    for (named, file) in [
        (&open, "way/f.txt"),
        (&open, "file.txt"),
        (&open.join("way"), "f.txt"),
    ] {
        let (text, told) = read(&narrowed(&[named], &[&open]), file);
        assert!(
            !text.contains("[package]") && told.contains("key may read only"),
            "{file}: {told}"
        );
    }
    // A link of the owner's own is where it leads.
    let (text, told) = read(&narrowed(&[&top], &[&top.join("short")]), "open/f.txt");
    assert!(text.contains("[package]"), "{told}");
}
