//! Running git, so that nothing in a repository can make it run anything else: an environment
//! that is counted out, no hooks, no external diff, no text conversion, no filters, no monitor,
//! no network, no pager. It has little time and may say only so much.

use exai_engine::tool::ToolError;
use exai_protocol::Code;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{io::AsyncReadExt as _, process::Command, time::timeout};

/// For one run.
const PATIENCE: Duration = Duration::from_secs(20);
/// Of its answer.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// Of its complaint.
const MOST_WORDS: u64 = 4 * 1024;

/// What a repository's own settings could make git run or reach, switched off above them.
const SETTINGS: &[(&str, &str)] = &[
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.pager", "cat"),
    ("core.sshCommand", "false"),
    ("core.alternateRefsCommand", "false"),
    ("core.untrackedCache", "false"),
    ("core.quotePath", "false"),
    ("credential.helper", ""),
    ("diff.noprefix", "false"),
    ("diff.mnemonicPrefix", "false"),
    ("diff.orderFile", "/dev/null"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("protocol.allow", "never"),
    ("safe.bareRepository", "explicit"),
    ("submodule.recurse", "false"),
];

/// What it said.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) text: String,
    /// It said more than is read.
    pub(super) cut: bool,
}

/// Which files of a repository are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Those below the folder that is read.
    Here,
    /// All others.
    Elsewhere,
}

impl Part {
    fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Here => &["--", "."],
            Self::Elsewhere => &["--", ":(top)", ":(exclude)."],
        }
    }
}

/// A folder in a repository.
pub(super) struct Git {
    folder: PathBuf,
    /// Where its repository begins.
    top: PathBuf,
    /// Filters of this repository, as settings that switch them off.
    filters: Vec<(String, String)>,
}

impl Git {
    /// Finds the repository of a folder, which has to hold that folder.
    pub(super) async fn at(folder: &Path) -> Result<Self, ToolError> {
        let mut git = Self {
            folder: folder.to_owned(),
            top: folder.to_owned(),
            filters: Vec::new(),
        };
        let top = git.run(&["rev-parse", "--show-toplevel"]).await;
        let top = top.map_err(|error| no_repository(folder, error))?;
        let top = Path::new(top.text.trim_end_matches(['\n', '\r'])).canonicalize();
        // A repository may claim to be about any folder of the disk.
        let Some(top) = top.ok().filter(|top| folder.starts_with(top)) else {
            return Err(ToolError::invalid(format!(
                "the repository at '{}' says that it is about another folder; it is not read",
                folder.display()
            )));
        };
        git.top = top;
        git.filters = git.filters().await?;
        Ok(git)
    }

    /// The diff between these revisions, or of what is not committed.
    pub(super) async fn diff(&self, revisions: &[String]) -> Result<Said, ToolError> {
        let mut arguments = vec![
            "diff",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--ignore-submodules=dirty",
            "--find-renames",
            "--relative",
            "--unified=5",
            "--src-prefix=a/",
            "--dst-prefix=b/",
        ];
        arguments.extend(revisions.iter().map(String::as_str));
        arguments.extend(["--", "."]);
        self.run(&arguments).await
    }

    /// Where the repository begins, if that is above the folder that is read.
    pub(super) fn above(&self) -> Option<&Path> {
        (self.top != self.folder).then_some(self.top.as_path())
    }

    /// The files such a diff is about, each once.
    pub(super) async fn names(
        &self,
        revisions: &[String],
        of: Part,
    ) -> Result<Vec<String>, ToolError> {
        let mut arguments = vec!["diff", "--name-only", "-z", "--no-ext-diff"];
        arguments.push("--ignore-submodules=dirty");
        if of == Part::Here {
            arguments.push("--relative");
        }
        arguments.extend(revisions.iter().map(String::as_str));
        arguments.extend(of.paths());
        let mut names = listed(&self.run(&arguments).await?);
        names.dedup();
        Ok(names)
    }

    /// Files it does not know and does not ignore.
    pub(super) async fn untracked(&self, of: Part) -> Result<Vec<String>, ToolError> {
        let mut arguments = vec!["ls-files", "--others", "--exclude-standard", "-z"];
        arguments.extend(of.paths());
        Ok(listed(&self.run(&arguments).await?))
    }

    /// The commit a word means.
    pub(super) async fn commit(&self, word: &str) -> Result<String, ToolError> {
        let meant = format!("{word}^{{commit}}");
        let verified = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &meant,
        ];
        match self.run(&verified).await {
            Ok(said) if !said.text.trim().is_empty() => Ok(said.text.trim().to_owned()),
            _ => Err(ToolError::invalid(format!(
                "there is no revision '{word}' in the repository of '{}'; name a commit, a \
                 branch, a tag, or a range of them (main..HEAD)",
                self.folder.display()
            ))),
        }
    }

    /// Where two commits' lines parted.
    pub(super) async fn merge_base(&self, one: &str, other: &str) -> Result<String, ToolError> {
        let said = self.run(&["merge-base", one, other]).await;
        let said = said.map_err(|_| {
            ToolError::invalid(format!(
                "the two revisions have no history in common in the repository of '{}'",
                self.folder.display()
            ))
        })?;
        Ok(said.text.trim().to_owned())
    }

    /// Whether anything was committed yet.
    pub(super) async fn has_commits(&self) -> bool {
        self.commit("HEAD").await.is_ok()
    }

    /// Where a word stands in files git knows: `path:line:`, a few.
    pub(super) async fn places(&self, word: &str) -> Vec<String> {
        let said = self
            .run(&[
                "grep",
                "--no-color",
                "--no-textconv",
                "-n",
                "-I",
                "-w",
                "-F",
                "--max-count=3",
                "-e",
                word,
                "--",
                ".",
            ])
            .await;
        // That there is none is a failure to git.
        let Ok(said) = said else {
            return Vec::new();
        };
        let place = |line: &str| {
            let mut parts = line.splitn(3, ':');
            Some(format!("{}:{}", parts.next()?, parts.next()?))
        };
        said.text.lines().filter_map(place).take(5).collect()
    }

    async fn filters(&self) -> Result<Vec<(String, String)>, ToolError> {
        const ASKED: &str = r"^filter\..*\.(clean|smudge|process|required)$";
        let said = self.run(&[
            "config",
            "--includes",
            "-z",
            "--name-only",
            "--get-regexp",
            ASKED,
        ]);
        // That there are none is a failure to git.
        let Ok(said) = said.await else {
            return Ok(Vec::new());
        };
        let names = said.text.split_terminator('\0');
        let off = |name: &str| match name.ends_with(".required") {
            true => (name.to_owned(), "false".to_owned()),
            false => (name.to_owned(), String::new()),
        };
        Ok(names.map(off).collect())
    }

    async fn run(&self, arguments: &[&str]) -> Result<Said, ToolError> {
        let at = self.folder.display();
        match timeout(PATIENCE, self.started(arguments)).await {
            Ok(ended) => ended,
            Err(_) => Err(ToolError::new(
                Code::Timeout,
                format!(
                    "git took more than {} s in '{at}' and was stopped; nothing was changed",
                    PATIENCE.as_secs()
                ),
            )),
        }
    }

    async fn started(&self, arguments: &[&str]) -> Result<Said, ToolError> {
        let mut child = self.command(arguments).spawn().map_err(|error| {
            ToolError::failed(format!(
                "git cannot be started ({error}); it has to be installed and on the daemon's PATH"
            ))
        })?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (mut answer, mut words) = (Vec::new(), Vec::new());
        let said = async {
            if let Some(stdout) = stdout {
                stdout
                    .take(MOST_BYTES + 1)
                    .read_to_end(&mut answer)
                    .await
                    .ok();
            }
        };
        let complained = async {
            if let Some(stderr) = stderr {
                let mut stderr = stderr.take(MOST_WORDS);
                stderr.read_to_end(&mut words).await.ok();
            }
        };
        tokio::join!(said, complained);
        let cut = answer.len() as u64 > MOST_BYTES;
        if cut {
            answer.truncate(usize::try_from(MOST_BYTES).unwrap_or(usize::MAX));
            child.kill().await.ok();
        }
        let ended = child.wait().await;
        let text = String::from_utf8_lossy(&answer).into_owned();
        if cut || ended.is_ok_and(|status| status.success()) {
            return Ok(Said { text, cut });
        }
        let words = String::from_utf8_lossy(&words);
        Err(ToolError::invalid(format!(
            "git says of '{}': {}",
            self.folder.display(),
            words.trim()
        )))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .arg("--no-pager")
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // Where git and its own parts are, and a person's list of what to ignore.
        for name in ["PATH", "HOME", "XDG_CONFIG_HOME", "SYSTEMROOT"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_ALLOW_PROTOCOL", "none");
        let fixed = SETTINGS.iter().map(|(name, value)| (*name, *value));
        let filters = self.filters.iter();
        let filters = filters.map(|(name, value)| (name.as_str(), value.as_str()));
        let mut count = 0;
        for (name, value) in fixed.chain(filters) {
            command
                .env(format!("GIT_CONFIG_KEY_{count}"), name)
                .env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
        command
    }
}

fn listed(said: &Said) -> Vec<String> {
    let names = said.text.split_terminator('\0');
    names.map(str::to_owned).collect()
}

/// What git says of a folder that is in no repository, and what to do instead.
fn no_repository(folder: &Path, error: ToolError) -> ToolError {
    if !error.message.contains("not a git repository") {
        return error;
    }
    ToolError::invalid(format!(
        "'{}' is not a git repository; ask in one, name its folder in 'path', or name the files \
         to be looked at in 'relevant_files'",
        folder.display()
    ))
}
