//! Runs this program again in a mount namespace of its own, where the system allows that: then
//! the home can be a small disk that fills up, nobody else sees it, and it is gone with us.

use anyhow::Result;

/// Replaces this process, or says why not.
#[cfg(target_os = "linux")]
#[expect(
    clippy::disallowed_methods,
    reason = "the one door through which this program starts itself"
)]
pub(crate) fn into_a_namespace() -> Result<String> {
    use std::{os::unix::process::CommandExt as _, process::Command};
    // Root needs no user namespace; others get one in which they may mount.
    let flags: &[&str] = if rustix::process::geteuid().is_root() {
        &["-m"]
    } else {
        &["-rm"]
    };
    let mut trial = Command::new("unshare");
    trial
        .args(flags)
        .args(["sh", "-c", "mount -t tmpfs exai-torture /mnt"]);
    match trial.output() {
        Ok(output) if output.status.success() => {
            let mut words = std::env::args_os();
            let program = std::env::current_exe()?;
            words.next();
            let error = Command::new("unshare")
                .args(flags)
                .arg(program)
                .args(words)
                .arg("--inside")
                .exec();
            Ok(format!("unshare: {error}"))
        }
        Ok(output) => Ok(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Ok(format!("unshare: {error}")),
    }
}

/// Elsewhere there are none. Untested.
#[cfg(not(target_os = "linux"))]
pub(crate) fn into_a_namespace() -> Result<String> {
    Ok("mount namespaces are Linux's".to_owned())
}
