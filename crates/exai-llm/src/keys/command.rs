//! A key that a program prints: `pass`, `op read`, `security find-generic-password`. No
//! shell; nothing to read; no other key in its environment; and a limit of time.

use super::{Env, first_line};
use exai_protocol::Secret;
use std::{process::Stdio, time::Duration};
use tokio::{io::AsyncReadExt as _, process::Command};

/// A person may have to unlock something.
const WITHIN: Duration = Duration::from_secs(20);
const MOST: u64 = 16 * 1024;

/// What such programs need to find their owner, their agent and their vault. Everything else
/// of the daemon's environment stays here: it holds the other providers' keys.
const PASSED: [&str; 40] = [
    "APPDATA",
    "AWS_PROFILE",
    "AWS_REGION",
    "BW_SESSION",
    "COMSPEC",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "GNUPGHOME",
    "GPG_AGENT_INFO",
    "GPG_TTY",
    "HOME",
    "HOMEDRIVE",
    "HOMEPATH",
    "LANG",
    "LC_ALL",
    "LOCALAPPDATA",
    "LOGNAME",
    "OP_SERVICE_ACCOUNT_TOKEN",
    "PASSWORD_STORE_DIR",
    "PASSWORD_STORE_GPG_OPTS",
    "PATH",
    "PATHEXT",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "SHELL",
    "SSH_AUTH_SOCK",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "USER",
    "USERPROFILE",
    "VAULT_ADDR",
    "VAULT_TOKEN",
    "WAYLAND_DISPLAY",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
];

pub(super) async fn run(words: &[String], env: &Env) -> Result<Secret, String> {
    let Some((program, arguments)) = words.split_first() else {
        return Err("the key's command is empty".to_owned());
    };
    let name = format!("the command '{program}'");
    match tokio::time::timeout(WITHIN, output(program, arguments, env)).await {
        Err(_) => Err(format!(
            "{name} printed no key within {} s",
            WITHIN.as_secs()
        )),
        Ok(Err(error)) => Err(format!("{name} cannot be run: {error}")),
        // What it says about its failure may hold what we are after.
        Ok(Ok((false, _))) => Err(format!("{name} failed; run it by hand to see why")),
        Ok(Ok((true, bytes))) if bytes.len() as u64 > MOST => {
            Err(format!("{name} prints too much for a key"))
        }
        Ok(Ok((true, bytes))) => first_line(&bytes, &format!("the output of '{program}'")),
    }
}

async fn output(
    program: &str,
    arguments: &[String],
    env: &Env,
) -> std::io::Result<(bool, Vec<u8>)> {
    let set = PASSED.iter().filter_map(|name| Some((*name, env(name)?)));
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(set)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut bytes = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MOST + 1).read_to_end(&mut bytes).await?;
    }
    Ok((child.wait().await?.success(), bytes))
}
