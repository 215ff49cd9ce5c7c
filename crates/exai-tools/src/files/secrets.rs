//! What is never sent, whoever asks: files that hold keys, told by their names, and texts that
//! are a private key whatever they are called.

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
    ".password-store",
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

/// Whether a text holds a private key: its opening line, and then the key itself.
pub(super) fn written(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let opens = line.starts_with("-----BEGIN ") && line.ends_with("PRIVATE KEY-----");
        if opens && lines.clone().take(6).any(is_key) {
            return Some("it holds a private key".to_owned());
        }
    }
    None
}

fn is_key(line: &str) -> bool {
    line.len() >= 40
        && line
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
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
        assert!(written(&key("")).is_some());
        assert!(written(&key("OPENSSH ")).is_some());
        assert_eq!(
            written("a line with -----BEGIN PRIVATE KEY----- in it"),
            None
        );
        assert_eq!(written("-----BEGIN PRIVATE KEY-----\n(yours)\n"), None);
    }
}
