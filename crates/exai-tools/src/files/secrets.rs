//! What is never sent, whoever asks: files that hold keys, told by their names, and texts that
//! hold one, whatever they are called (`texts`).

mod texts;

use std::path::{Component, Path};

/// Folders whose every file is somebody's key.
const FOLDERS: &[&str] = &[
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".exai",
    "gcloud",
    ".docker",
    ".mozilla",
    ".password-store",
    ".terraform.d",
];
/// Whole names.
const NAMES: &[&str] = &[
    ".env",
    ".envrc",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".htpasswd",
    ".dockercfg",
    ".vault-token",
    ".my.cnf",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".psql_history",
    ".mysql_history",
    "login.keychain-db",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "credentials",
    "credentials.json",
    "credentials.toml",
    "credentials.xml",
    "credentials.yaml",
    "credentials.yml",
    "secret",
    "secrets",
    "secrets.json",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "secrets.env",
    "client_secret.json",
    "master.key",
];
/// Endings.
const ENDINGS: &[&str] = &[
    ".pem",
    ".key",
    ".p12",
    ".pfx",
    ".jks",
    ".keystore",
    ".kdbx",
    ".ppk",
    ".tfvars",
    ".tfstate",
    ".ovpn",
];
/// What stands in a repository on purpose, with nothing in it.
const EXAMPLES: &[&str] = &["example", "sample", "template", "dist", "defaults"];

/// Why a file of this name is not sent; `None` when it may be.
pub(super) fn named(path: &Path) -> Option<String> {
    let mut parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy().to_lowercase()),
        _ => None,
    });
    let name = parts.next_back()?;
    if let Some(folder) = parts.find(|part| FOLDERS.contains(&part.as_str())) {
        return Some(format!("it is in '{folder}', where keys are kept"));
    }
    let environment = name.strip_prefix(".env.");
    let holds_keys = NAMES.contains(&name.as_str())
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
        || environment.is_some_and(|rest| !EXAMPLES.contains(&rest))
        || (name.starts_with("service-account") || name.starts_with("service_account"))
            && name.ends_with(".json");
    holds_keys.then(|| "files of this name hold keys or passwords".to_owned())
}

/// Why a text is not sent; `None` when nothing in it looks like a secret.
pub(super) fn written(text: &str) -> Option<String> {
    let (line, kind) = texts::first(text)?;
    Some(format!(
        "line {line} holds what looks like {kind}; take it out, or ask for lines without it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_names() {
        for name in [
            ".env",
            "a/.ENV",
            ".env.local",
            "x/id_rsa",
            "server.PEM",
            "credentials",
            "k.p12",
            "/home/u/.ssh/config",
            "/home/u/.aws/cli",
            "secrets.yaml",
            "service-account-1.json",
            "/srv/.exai/run/token",
        ] {
            assert!(named(Path::new(name)).is_some(), "{name}");
        }
        for name in [
            ".env.example",
            "environment.rs",
            "id_rsa.pub",
            "keys.rs",
            "credentials.rs",
            "monkey.py",
            "ssh.md",
            "src/secrets.rs",
            "Cargo.toml",
        ] {
            assert_eq!(named(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn a_private_key_is_known_by_its_text() {
        let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
        let key = |kind: &str| format!("x\n-----BEGIN {kind}PRIVATE KEY-----\n{body}\n");
        for kind in ["", "OPENSSH "] {
            let why = written(&key(kind)).unwrap();
            assert!(
                why.contains("line 2") && why.contains("private key"),
                "{why}"
            );
        }
        let one_line = format!("K = \"-----BEGIN PRIVATE KEY-----\\n{body}\"");
        assert!(written(&one_line).is_some());
    }
}
