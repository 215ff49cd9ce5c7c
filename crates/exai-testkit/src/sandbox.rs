//! A home, a port, an environment of its own: what one user has, made for one test.

use crate::{
    Daemon, Frame, Handshake, Must as _, Output, PATIENCE, Process, Shim, Stopwatch, Ws, binary,
    free_port, process,
};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

/// What programs need of the real environment to run at all.
const PASSED_ON: [&str; 6] = [
    "PATH",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "LD_LIBRARY_PATH",
];

/// The command line may drain calls and wait for locks.
const CLI_LIMIT: Duration = Duration::from_secs(120);

/// One user's machine. When it is dropped, every process of its home is killed.
pub struct Sandbox {
    folder: TempDir,
    port: u16,
    env: BTreeMap<OsString, OsString>,
    started: AtomicU32,
}

impl Sandbox {
    /// A new home and a free port, with the scripted test tools on.
    #[must_use]
    pub fn new() -> Self {
        Self::on_port(free_port())
    }

    /// The same with a port that may be somebody else's.
    #[must_use]
    pub fn on_port(port: u16) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("exai-")
            .tempdir()
            .must("make a temporary home");
        for part in ["home", "user", "work", "said"] {
            fs::create_dir(folder.path().join(part)).must("make a folder in the sandbox");
        }
        let mut sandbox = Self {
            folder,
            port,
            env: BTreeMap::new(),
            started: AtomicU32::new(0),
        };
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                sandbox.env.insert(name.into(), value);
            }
        }
        let user = sandbox.user();
        for name in ["HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"] {
            sandbox.set(name, &user);
        }
        let home = sandbox.home();
        sandbox.set("EXAI_HOME", home);
        sandbox.set("EXAI_WS_PORT", port.to_string());
        sandbox.set("EXAI_TEST_TOOLS", "1");
        sandbox.set("RUST_BACKTRACE", "1");
        sandbox
    }

    /// The home (`EXAI_HOME`).
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The user's own directory (`HOME`).
    #[must_use]
    pub fn user(&self) -> PathBuf {
        self.folder.path().join("user")
    }

    /// The directory programs are started in.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Where the daemon is to listen (`EXAI_WS_PORT`).
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sets a variable for programs started from now on.
    pub fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.env
            .insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Unsets one.
    pub fn unset(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.env.remove(name.as_ref());
        self
    }

    /// Writes a file of the home, making its folders.
    pub fn write(&self, path: impl AsRef<Path>, text: &str) -> PathBuf {
        let file = self.home().join(path);
        let folder = file.parent().must("find a file's folder");
        fs::create_dir_all(folder).must("make a folder of the home");
        let mut opened = fs::File::create(&file).must("write a file of the home");
        std::io::Write::write_all(&mut opened, text.as_bytes()).must("write a file of the home");
        file
    }

    /// A command of this sandbox: nothing but its own environment, killed on drop.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        self.command_at(binary(program))
    }

    /// The same for any program, for example a shell.
    #[must_use]
    pub fn command_at(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(&self.env)
            .current_dir(self.work())
            .kill_on_drop(true);
        command.stdin(Stdio::null());
        command
    }

    /// Runs `exai-daemon` with these arguments to its end.
    pub async fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = self.command("exai-daemon");
        command.args(arguments);
        self.finish(command, CLI_LIMIT).await
    }

    /// Runs any command to its end.
    pub async fn finish(&self, mut command: Command, limit: Duration) -> Output {
        // Files, not pipes: a daemon that inherited a pipe would keep its reader waiting.
        let (out, err) = (self.said_file("stdout"), self.said_file("stderr"));
        command.stdout(open(&out)).stderr(open(&err));
        let mut child = command
            .spawn()
            .must(format_args!("start {:?}", command.as_std().get_program()));
        let ended = timeout(limit, child.wait()).await;
        let text =
            |file: &Path| String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned();
        let (stdout, stderr) = (text(&out), text(&err));
        let Ok(status) = ended else {
            panic!(
                "{:?} still runs after {limit:?}\nstdout:\n{stdout}\nstderr:\n{stderr}",
                command.as_std()
            );
        };
        Output {
            code: status.must("wait for a command").code(),
            stdout,
            stderr,
        }
    }

    /// Starts `exai-daemon run` and waits until it serves.
    pub async fn daemon(&self) -> Daemon {
        let mut daemon = self.spawn_daemon();
        daemon.serves(self).await;
        daemon
    }

    /// The same for a daemon whose token is given by the environment, not by a file.
    pub async fn daemon_with_token(&self, token: &str) -> Daemon {
        let mut daemon = self.spawn_daemon();
        daemon.serves_with(self, || Some(token.to_owned())).await;
        daemon
    }

    /// Starts `exai-daemon run` and waits for nothing.
    #[must_use]
    pub fn spawn_daemon(&self) -> Daemon {
        let mut command = self.command("exai-daemon");
        command.arg("run");
        Daemon::new(self.spawn(command))
    }

    /// Starts a shim with nothing said to it yet.
    #[must_use]
    pub fn shim(&self) -> Shim {
        self.shim_of(self.command("exai-shim"))
    }

    /// Starts a shim from a command that may have been changed.
    #[must_use]
    pub fn shim_of(&self, mut command: Command) -> Shim {
        command.stdin(Stdio::piped());
        Shim::new(self.spawn_saying(command, Some(Stdio::piped())))
    }

    /// A raw V1 peer that has shaken hands with the token of this home.
    pub async fn ws(&self) -> Ws {
        self.welcome(Handshake::v1).await.0
    }

    /// The same for a client of today, with a stable id; returns the ack too.
    pub async fn modern(&self, client_id: &str, features: &[&str]) -> (Ws, serde_json::Value) {
        self.welcome(|token| Handshake::modern(token, client_id, features))
            .await
    }

    /// A peer that is welcome. One that was shown out, or cut off, because all of the machine
    /// stood still before it had said its hello, comes again.
    async fn welcome(&self, handshake: impl Fn(&str) -> Handshake) -> (Ws, serde_json::Value) {
        loop {
            let watch = Stopwatch::start();
            let hello = handshake(&self.token().unwrap_or_default());
            let other = match Ws::connect_with(self.port, &[]).await {
                Err(error) => error.to_string(),
                Ok(mut ws) => match ws.hello(&hello).await {
                    Frame::Json(ack) if ack["ok"] == true => return (ws, ack),
                    Frame::Json(ack) => panic!("not welcome: {ack}"),
                    other => format!("{other:?}"),
                },
            };
            assert!(
                watch.stood_still() > Duration::from_secs(1),
                "not welcome at {}: {other}",
                self.port
            );
        }
    }

    /// Starts a command in the background; what it says on both streams goes to one file.
    #[must_use]
    pub fn spawn(&self, command: Command) -> Process {
        self.spawn_saying(command, None)
    }

    /// The same, with standard output elsewhere.
    fn spawn_saying(&self, mut command: Command, stdout: Option<Stdio>) -> Process {
        let said = self.said_file("said");
        let file = open(&said);
        let both = file.try_clone().must("share a file with a child");
        command
            .stdout(stdout.unwrap_or_else(|| both.into()))
            .stderr(file);
        let child = command
            .spawn()
            .must(format_args!("start {:?}", command.as_std().get_program()));
        Process::new(child, said)
    }

    /// Ids of running processes of this home, by the program's name. Linux only: elsewhere it
    /// knows the daemon that the endpoint record names.
    #[must_use]
    pub fn processes(&self, program: &str) -> Vec<u32> {
        if cfg!(target_os = "linux") {
            // By the user's directory too: a test may have moved the home elsewhere.
            let home = format!("EXAI_HOME={}", self.home().display());
            let user = format!("HOME={}", self.user().display());
            return with_either([&home, &user], program);
        }
        self.daemon_pid()
            .filter(|pid| program == "exai-daemon" && process::is_alive(*pid))
            .into_iter()
            .collect()
    }

    fn said_file(&self, kind: &str) -> PathBuf {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        self.folder
            .path()
            .join("said")
            .join(format!("{number:03}.{kind}"))
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sandbox {
    /// Daemons that were started detached are nobody's child; they are found by the home they
    /// were given, which is this sandbox's alone.
    fn drop(&mut self) {
        for program in ["exai-shim", "exai-daemon"] {
            let end = std::time::Instant::now() + PATIENCE;
            // A starter killed between fork and exec may still leave one behind: look again.
            while std::time::Instant::now() < end {
                let left = self.processes(program);
                if left.is_empty() {
                    break;
                }
                left.into_iter().for_each(process::kill_pid);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        if std::thread::panicking() {
            // The folder is about to go; these are what explains the failure.
            for log in ["ws_daemon.log", "ws_shim.log"] {
                show_tail(log, &self.log(log));
            }
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "shown by the test runner with the failure"
)]
fn show_tail(name: &str, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    if !lines.is_empty() {
        eprintln!(
            "--- end of {name} ---\n{}",
            lines[lines.len().saturating_sub(40)..].join("\n")
        );
    }
}

fn open(file: &Path) -> fs::File {
    fs::File::create(file).must(format_args!("create {}", file.display()))
}

/// Processes whose environment holds one of these.
fn with_either(markers: [&str; 2], program: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let folder = PathBuf::from(format!("/proc/{pid}"));
            let environ = fs::read(folder.join("environ")).unwrap_or_default();
            let ours = environ
                .split(|byte| *byte == 0)
                .any(|one| markers.iter().any(|marker| one == marker.as_bytes()));
            let name = fs::read_to_string(folder.join("comm")).unwrap_or_default();
            // A process's short name holds 15 letters.
            ours && name.trim_end() == &program[..program.len().min(15)] && process::is_alive(*pid)
        })
        .collect()
}
