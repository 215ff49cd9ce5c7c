//! Named keys: made once, private, bounded, and whatever else stands in their folder is named
//! and ignored.

use super::*;

fn folder() -> (tempfile::TempDir, KeyFolder) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("heim ü"));
    home.prepare().unwrap();
    (dir, KeyFolder::new(&home))
}

fn names(found: &Found) -> Vec<&str> {
    found.keys.iter().map(|key| &*key.name).collect()
}

fn put(folder: &KeyFolder, name: &str, bytes: &[u8], mode: u32) {
    atomic::write(&folder.file(name), bytes, mode).unwrap();
}

#[test]
fn s11_a_key_is_made_once_is_private_and_ends_with_its_file() {
    let (_dir, folder) = folder();
    assert!(folder.read().unwrap().keys.is_empty());
    let path = folder.add("ci").unwrap();
    folder.add("Laptop_2-x").unwrap();
    let found = folder.read().unwrap();
    assert_eq!(names(&found), ["Laptop_2-x", "ci"]);
    assert!(found.faults.is_empty(), "{:?}", found.faults);
    assert!(found.keys[0].secret != found.keys[1].secret);
    assert!(found.keys.iter().all(|key| is_key(&key.secret)));
    #[cfg(unix)]
    for (path, mode) in [(&*path, 0o600), (path.parent().unwrap(), 0o700)] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode);
    }
    assert!(matches!(folder.add("ci"), Err(KeyError::Taken(_))));
    assert!(folder.read().unwrap().keys == found.keys, "it still stands");
    folder.revoke("ci").unwrap();
    assert_eq!(names(&folder.read().unwrap()), ["Laptop_2-x"]);
    assert!(matches!(folder.revoke("ci"), Err(KeyError::Unknown(_))));
}

#[test]
fn s11_a_name_is_bounded_and_never_the_owners_or_a_path() {
    let (_dir, folder) = folder();
    let long = "x".repeat(MOST_LETTERS + 1);
    for name in [
        "", "owner", "OWNER", "..", "a/b", "a b", "ü", ".x", "-x", &long,
    ] {
        let refused = folder.add(name).unwrap_err().to_string();
        assert!(
            refused.contains("NAME") && refused.contains("32"),
            "{refused}"
        );
        assert!(matches!(folder.revoke(name), Err(KeyError::Name(_))));
    }
    folder.add(&"x".repeat(MOST_LETTERS)).unwrap();
}

#[test]
fn s11_there_are_so_many_keys_and_no_more() {
    let (_dir, folder) = folder();
    for n in 0..MOST_KEYS {
        folder.add(&format!("k{n:02}")).unwrap();
    }
    assert!(matches!(folder.add("one-more"), Err(KeyError::Full)));
    // One that was copied there by hand is named, and keeps nobody out.
    put(
        &folder,
        "zz",
        format!("{MARK}{}", "a".repeat(64)).as_bytes(),
        0o600,
    );
    let found = folder.read().unwrap();
    assert_eq!(found.keys.len(), MOST_KEYS);
    assert!(found.faults[0].contains("zz") && found.faults[0].contains("too many"));
}

#[test]
fn s11_garbage_is_named_without_its_content_and_ignored() {
    let (_dir, folder) = folder();
    folder.add("good").unwrap();
    let canary = format!("{MARK}CANARY");
    let garbage: [(&str, &[u8]); 6] = [
        ("empty", b""),
        ("binary", b"\xff\xfe"),
        ("short", canary.as_bytes()),
        ("token", &[b'a'; 64]),
        ("huge", &[b'x'; 10_000]),
        ("a name", canary.as_bytes()),
    ];
    for (name, bytes) in garbage {
        put(&folder, name, bytes, 0o600);
    }
    std::fs::create_dir(folder.file("folder")).unwrap();
    put(&folder, ".exai-half", b"x", 0o600);
    let found = folder.read().unwrap();
    assert_eq!(names(&found), ["good"]);
    let told = found.faults.join("\n");
    assert_eq!(found.faults.len(), garbage.len() + 1, "{told}");
    for (name, _) in garbage {
        assert!(told.contains(&format!("{name:?}")), "{name}: {told}");
    }
    assert!(!told.contains("CANARY") && !told.contains("xxx"), "{told}");
}

#[test]
fn s11_one_secret_under_two_names_is_nobodys() {
    let (_dir, folder) = folder();
    let one = folder.add("one").unwrap();
    let same = std::fs::read(one).unwrap();
    put(&folder, "two", &same, 0o600);
    folder.add("three").unwrap();
    let found = folder.read().unwrap();
    assert_eq!(names(&found), ["three"]);
    assert_eq!(found.faults.len(), 2, "{:?}", found.faults);
}

#[cfg(unix)]
#[test]
fn s07_a_key_that_others_may_read_is_refused_for_as_long_as_it_is_open() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (dir, folder) = folder();
    let path = folder.add("ci").unwrap();
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode));
    mode(0o640).unwrap();
    for _ in 0..2 {
        let found = folder.read().unwrap();
        assert!(
            found.keys.is_empty(),
            "it is not closed behind its owner's back"
        );
        assert!(
            found.faults[0].contains("other users"),
            "{:?}",
            found.faults
        );
    }
    mode(0o600).unwrap();
    assert_eq!(names(&folder.read().unwrap()), ["ci"]);
    let elsewhere = dir.path().join("elsewhere");
    std::fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    let found = folder.read().unwrap();
    assert!(found.keys.is_empty() && found.faults[0].contains("symbolic link"));
    folder.revoke("ci").unwrap();
    assert!(elsewhere.exists(), "only the link is removed");
    let keys = path.parent().unwrap();
    std::fs::set_permissions(keys, std::fs::Permissions::from_mode(0o755)).unwrap();
    let Err(open) = folder.read() else {
        panic!("a folder that others may enter was read");
    };
    assert!(open.to_string().contains("chmod 700"), "{open}");
}
