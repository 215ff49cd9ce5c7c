//! The home: where it is, and that its private parts are.

use super::*;
use crate::strings::fixed;

#[cfg(unix)]
#[test]
fn the_flag_beats_the_variable_beats_the_platform() {
    let env = fixed([("EXAI_HOME", "/from/env"), ("HOME", "/h")]);
    let located = |flag: Option<&str>, env| {
        Home::locate(flag.map(Path::new), env)
            .unwrap()
            .root()
            .to_owned()
    };
    assert_eq!(located(Some("/from/flag"), &env), Path::new("/from/flag"));
    assert_eq!(located(None, &env), Path::new("/from/env"));
    assert!(located(Some("typed"), &env).is_absolute());
    let platform = fixed([("EXAI_HOME", ""), ("HOME", "/h")]);
    let home = Home::locate(None, &platform).unwrap();
    assert!(home.is_default(&platform) && home.root().starts_with("/h"));
    assert!(!Home::at("/from/env").is_default(&platform));
}

#[test]
fn a_relative_or_missing_home_is_refused_with_a_remedy() {
    let relative = Home::locate(None, &fixed([("EXAI_HOME", "~/exai")]))
        .unwrap_err()
        .to_string();
    assert!(
        relative.contains("~/exai") && relative.contains("absolute"),
        "{relative}"
    );
    let nowhere = Home::locate(None, &fixed([])).unwrap_err().to_string();
    assert!(nowhere.contains("set EXAI_HOME"), "{nowhere}");
}

#[cfg(unix)]
#[test]
fn files_named_in_variables_are_meant_from_the_home() {
    let home = Home::at("/h");
    assert_eq!(home.env_file(&fixed([])), Path::new("/h/.env"));
    assert_eq!(
        home.env_file(&fixed([("ENV_FILE", "x.env")])),
        Path::new("/h/x.env")
    );
    assert_eq!(
        home.env_file(&fixed([("ENV_FILE", "/e/x.env")])),
        Path::new("/e/x.env")
    );
    let given = home.user_config_file(&fixed([("EXAI_CONFIG", "mine.toml")]));
    assert_eq!(given.as_deref(), Some(Path::new("/h/mine.toml")));
    assert_eq!(home.user_config_file(&fixed([])), None);
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
#[test]
fn s07_private_directories_are_made_private_and_the_home_is_left_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("höme directory ✓");
    std::fs::create_dir(&root).unwrap();
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir(root.join("logs")).unwrap();
    std::fs::set_permissions(root.join("logs"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let home = Home::at(&root);
    home.prepare().unwrap();
    home.prepare().unwrap();
    assert_eq!(mode(&root), 0o755);
    for path in [
        home.logs(),
        home.run_dir(),
        home.data_dir(),
        root.join(".exai"),
    ] {
        assert_eq!(mode(&path), 0o700, "{}", path.display());
        assert!(path == root.join(".exai") || path.read_dir().unwrap().next().is_none());
    }
}

#[cfg(unix)]
#[test]
fn s07_a_missing_home_is_made_private() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("a/b"));
    home.prepare().unwrap();
    assert_eq!(mode(home.root()), 0o700);
}

#[cfg(unix)]
#[test]
fn s07_a_link_in_place_of_a_private_directory_is_refused() {
    for name in ["logs", ".exai"] {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join(name)).unwrap();
        let error = Home::at(dir.path()).prepare().unwrap_err();
        assert!(
            matches!(&error, HomeError::Link { path } if path.ends_with(name)),
            "{error}"
        );
        assert!(error.to_string().contains("EXAI_HOME"));
    }
}

#[test]
fn a_file_in_place_of_a_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    crate::atomic::write(&dir.path().join("logs"), b"", 0o600).unwrap();
    let error = Home::at(dir.path()).prepare().unwrap_err();
    assert!(matches!(error, HomeError::NotADirectory { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn s07_a_directory_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        // Only root can give a directory away; the check itself is one comparison.
        assert_eq!(owner::foreign(&Path::new("/").metadata().unwrap()), Some(0));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    std::os::unix::fs::chown(&logs, Some(12_345), None).unwrap();
    let error = Home::at(dir.path()).prepare().unwrap_err();
    assert!(
        matches!(error, HomeError::Foreign { owner: 12_345, .. }),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn r42_a_home_that_cannot_be_written_is_explained() {
    let error = Home::at("/proc/exai").prepare().unwrap_err().to_string();
    assert!(error.starts_with("cannot create /proc/exai"), "{error}");
    assert!(error.contains("EXAI_HOME"), "{error}");
    let full = io::Error::from(io::ErrorKind::StorageFull);
    let full = HomeError::Io {
        path: "/x".into(),
        doing: "write to",
        source: full,
    }
    .to_string();
    assert!(full.contains("free some space"), "{full}");
}
