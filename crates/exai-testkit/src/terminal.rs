//! A program on a terminal of its own: what a person sees, and what a person types. `script`
//! makes the terminal; where it is not installed there is none, and the test says so.

use crate::{Must as _, Process, Sandbox, binary, eventually};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::AsyncWriteExt as _,
    process::{ChildStdin, Command},
};

/// A program and its terminal.
pub struct Terminal {
    process: Process,
    keys: ChildStdin,
}

impl Sandbox {
    /// Starts a program on a terminal; `None`, and a printed reason, where none can be made.
    /// The `script` of util-linux is known; others take other words.
    #[must_use]
    pub fn on_a_terminal(&self, program: &str, arguments: &[&str]) -> Option<Terminal> {
        if !cfg!(target_os = "linux") || !has_script() {
            #[expect(clippy::print_stderr, reason = "a test that is passed over says why")]
            {
                eprintln!("passed over: no `script` of util-linux to make a terminal with");
            }
            return None;
        }
        let program = binary(program);
        // In the shell's place, so that Ctrl-C and the exit code are the program's own.
        let mut words = vec!["exec".to_owned(), quoted(&program.to_string_lossy())];
        words.extend(arguments.iter().map(|word| quoted(word)));
        let mut command = self.command_of("script");
        command
            .args(["-q", "-e", "-c", &words.join(" "), "/dev/null"])
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm")
            .stdin(Stdio::piped());
        let mut process = self.spawn(command);
        let keys = process.child.stdin.take().must("hold the keys");
        Some(Terminal { process, keys })
    }
}

impl Terminal {
    /// Types this.
    pub async fn types(&mut self, keys: &str) {
        self.keys
            .write_all(keys.as_bytes())
            .await
            .must("type on a terminal");
        self.keys.flush().await.must("type on a terminal");
    }

    /// What was on the screen so far.
    #[must_use]
    pub fn screen(&self) -> String {
        self.process.said()
    }

    /// Waits until this is on the screen.
    pub async fn shows(&self, words: &str, limit: Duration) {
        let what = format!("{words:?} is on the screen");
        eventually(limit, &what, || self.screen().contains(words)).await;
    }

    /// Waits for its end and returns its exit code.
    pub async fn ends(&mut self, limit: Duration) -> Option<i32> {
        self.process.wait(limit).await.code()
    }
}

fn has_script() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("script").is_file())
}

/// One word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl Sandbox {
    /// A command of this sandbox that is none of ours.
    fn command_of(&self, program: &str) -> Command {
        let like = self.command("exai-daemon");
        let mut command = Command::new(program);
        command.env_clear().kill_on_drop(true);
        for (name, value) in like.as_std().get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command.current_dir(self.work());
        command
    }
}
