//! The token: made once, kept private, rotated with an overlap, and every fault explained.

use super::*;

fn store() -> (tempfile::TempDir, Home, TokenStore) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path().join("heim ü"));
    home.prepare().unwrap();
    let store = TokenStore::new(&home);
    (dir, home, store)
}

fn error_of(found: Result<Option<Found>, TokenError>) -> String {
    match found {
        Ok(_) => panic!("the fault was not seen"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn s07_a_token_is_made_once_and_is_private() {
    let (_dir, home, store) = store();
    assert!(store.read().unwrap().is_none());
    let first = store.load_or_create().unwrap();
    let second = store.load_or_create().unwrap();
    assert!(first.created && !second.created);
    assert!(first.keyring == second.keyring);
    assert_eq!(first.keyring.current.expose().len(), 64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = home.token_file().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let _ = home;
}

#[test]
fn s07_many_first_starts_agree_on_one_token() {
    let (_dir, _home, store) = store();
    let start = std::sync::Barrier::new(16);
    let tokens: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    store
                        .load_or_create()
                        .unwrap()
                        .keyring
                        .current
                        .expose()
                        .to_owned()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(
        tokens.iter().all(|token| *token == tokens[0]),
        "{}",
        tokens.len()
    );
}

#[test]
fn s12_rotation_persists_and_the_old_token_opens_until_the_overlap_ends() {
    let (_dir, _home, store) = store();
    let old = store.load_or_create().unwrap().keyring.current;
    let now = UnixMillis(1_000_000);
    let ring = store.rotate(None, Duration::from_secs(60), now).unwrap();
    let again = store.read().unwrap().unwrap().keyring;
    assert!(again == ring && ring.current != old);
    let opens = |at: u64| again.valid(UnixMillis(at)).any(|token| *token == old);
    assert!(opens(1_000_000) && opens(1_059_999) && !opens(1_060_000));
    assert_eq!(again.valid(UnixMillis(u64::MAX)).count(), 1);
}

#[test]
fn s12_rotation_without_overlap_shuts_the_old_token_out() {
    let (_dir, _home, store) = store();
    store.load_or_create().unwrap();
    store
        .rotate(None, Duration::from_secs(60), UnixMillis(1))
        .unwrap();
    let given = Secret::new("chosen-by-the-owner");
    store
        .rotate(Some(given.clone()), Duration::ZERO, UnixMillis(2))
        .unwrap();
    let ring = store.read().unwrap().unwrap().keyring;
    assert!(ring == Keyring::only(given));
}

#[test]
fn an_unfit_new_token_is_refused_and_the_old_one_stands() {
    let (_dir, _home, store) = store();
    let old = store.load_or_create().unwrap().keyring;
    let long = "x".repeat(513);
    for unfit in [
        "",
        "x",
        "fifteen-letters",
        "two words",
        "ünïcode",
        "line\nbreak",
        &long,
    ] {
        let result = store.rotate(Some(Secret::new(unfit)), Duration::ZERO, UnixMillis(1));
        assert!(matches!(result, Err(TokenError::Unfit(_))), "{unfit}");
    }
    assert!(store.read().unwrap().unwrap().keyring == old);
}

#[test]
fn garbage_in_the_token_file_is_explained_and_rotation_repairs_it() {
    let (_dir, home, store) = store();
    for garbage in [&b""[..], b" \n", b"\xff\xfe", b"a b", &[b'x'; 10_000]] {
        atomic::write(&home.token_file(), garbage, atomic::PRIVATE).unwrap();
        let error = error_of(store.read());
        assert!(
            error.contains("token") && error.contains("restart the daemon"),
            "{error}"
        );
        assert!(store.load_or_create().is_err());
        store
            .rotate(None, Duration::from_secs(60), UnixMillis(1))
            .unwrap();
        assert!(store.read().unwrap().unwrap().keyring.previous.is_none());
    }
}

#[test]
fn a_corrupt_previous_token_keeps_nobody_out() {
    let (_dir, home, store) = store();
    store.load_or_create().unwrap();
    for garbage in [&b"x"[..], b"99 ", b"-1 abc", b"\xff"] {
        atomic::write(&home.previous_token_file(), garbage, atomic::PRIVATE).unwrap();
        assert!(store.read().unwrap().unwrap().keyring.previous.is_none());
    }
}

#[cfg(unix)]
#[test]
fn s07_a_token_open_to_others_is_closed_and_reported() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, home, store) = store();
    store.load_or_create().unwrap();
    let path = home.token_file();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let found = store.read().unwrap().unwrap();
    assert!(
        found.warnings[0].contains("token rotate"),
        "{:?}",
        found.warnings
    );
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(store.read().unwrap().unwrap().warnings.is_empty());
}

#[cfg(unix)]
#[test]
fn s07_a_link_or_a_directory_in_the_tokens_place_is_refused() {
    let (dir, home, store) = store();
    let target = dir.path().join("target");
    atomic::write(&target, b"stolen-token", atomic::PRIVATE).unwrap();
    std::os::unix::fs::symlink(&target, home.token_file()).unwrap();
    assert!(error_of(store.read()).contains("symbolic link"));
    assert!(store.rotate(None, Duration::ZERO, UnixMillis(1)).is_err());
    std::fs::remove_file(home.token_file()).unwrap();
    std::fs::create_dir(home.token_file()).unwrap();
    assert!(error_of(store.read()).contains("not a regular file"));
}
