//! Keys come from where they are said to be, and from nowhere else.

use super::*;

fn keys(home: &std::path::Path, set: &'static [(&'static str, &'static str)]) -> Keys {
    let env = move |name: &str| {
        let known = set.iter().find(|(known, _)| *known == name);
        let ours = known.map(|(_, value)| (*value).to_owned());
        ours.or_else(|| (name == "PATH").then(|| std::env::var(name).ok())?)
    };
    Keys::new(home.to_path_buf(), Arc::new(env))
}

async fn said(keys: &Keys, state: &KeyState) -> String {
    match keys.read(state).await {
        Ok(Some(key)) => key.expose().to_owned(),
        Ok(None) => String::new(),
        Err(fault) => {
            assert_eq!(fault.class, FaultClass::Auth);
            fault.detail
        }
    }
}

fn write(path: &std::path::Path, text: &str, mode: u32) {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    options
        .open(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = mode;
}

#[tokio::test]
async fn a_variable_is_read_each_time_and_trimmed() {
    let home = tempfile::tempdir().unwrap();
    let keys = keys(home.path(), &[("A", " sk-a \n"), ("B", "  ")]);
    assert_eq!(said(&keys, &KeyState::Env("A".into())).await, "sk-a");
    assert_eq!(
        said(&keys, &KeyState::Env("B".into())).await,
        "B is not set"
    );
    assert!(keys.read(&KeyState::NotNeeded).await.unwrap().is_none());
    let missing = KeyState::Missing(vec!["B".into(), "C".into()]);
    assert_eq!(said(&keys, &missing).await, "B or C is not set");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_others_can_read_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("glm.key");
    let state = KeyState::File("glm.key".into());
    let keys = keys(home.path(), &[]);
    assert!(said(&keys, &state).await.contains("cannot be read"));
    for mode in [0o644, 0o640, 0o604, 0o620] {
        write(&path, "sk-canary-1\n", mode);
        let told = said(&keys, &state).await;
        assert!(told.contains("chmod 600"), "{mode:o}: {told}");
        assert!(!told.contains("canary"), "{told}");
    }
    write(&path, "\n  sk-one  \nsecond line\n", 0o600);
    assert_eq!(said(&keys, &state).await, "sk-one");
}

#[cfg(unix)]
#[tokio::test]
async fn what_was_read_is_believed_until_it_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("k");
    let state = KeyState::File("k".into());
    let keys = keys(home.path(), &[]);
    write(&path, "one", 0o600);
    assert_eq!(said(&keys, &state).await, "one");
    write(&path, "two", 0o600);
    assert_eq!(said(&keys, &state).await, "one");
    keys.drop_cached(&state);
    assert_eq!(said(&keys, &state).await, "two");
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_runs_once_without_a_shell_and_without_other_keys() {
    let home = tempfile::tempdir().unwrap();
    let keys = Arc::new(keys(
        home.path(),
        &[("GLM_API_KEY", "sk-canary"), ("LANG", "C")],
    ));
    let words = |words: &[&str]| KeyState::Command(words.iter().map(|w| (*w).to_owned()).collect());
    assert_eq!(
        said(&keys, &words(&["echo", "$HOME", "x"])).await,
        "$HOME x"
    );

    let count = home.path().join("count");
    let script = format!("echo run >> {}; env", count.display());
    let state = words(&["sh", "-c", &script]);
    let both = tokio::join!(said(&keys, &state), said(&keys, &state));
    assert_eq!(both.0, both.1);
    assert_eq!(std::fs::read_to_string(&count).unwrap(), "run\n");
    let whole = words(&["sh", "-c", "env | grep -c canary"]);
    // grep finds nothing and says so with its status.
    assert!(said(&keys, &whole).await.contains("failed; run it by hand"));

    let told = said(&keys, &words(&["exai-no-such-program"])).await;
    assert!(told.contains("cannot be run"), "{told}");
    assert_eq!(
        said(&keys, &words(&["true"])).await,
        "the output of 'true' holds no key"
    );
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_command_that_hangs_is_given_up() {
    let home = tempfile::tempdir().unwrap();
    let keys = keys(home.path(), &[]);
    let state = KeyState::Command(vec!["sleep".into(), "60".into()]);
    let told = said(&keys, &state).await;
    assert!(told.contains("printed no key within 20 s"), "{told}");
}
