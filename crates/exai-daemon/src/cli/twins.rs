//! The words of the comfortable forms of tools that ask models.

use super::seconds;
use clap::Args;

/// What they have in common.
#[derive(Debug, Clone, Args)]
pub(crate) struct Asking {
    /// How hard to think
    #[arg(long, short, value_name = "EFFORT", value_parser = ["off", "minimal", "low", "medium", "high", "max"])]
    pub(crate) effort: Option<String>,
    /// Go on with this conversation
    #[arg(long, short, value_name = "ID")]
    pub(crate) thread: Option<String>,
    /// Spend what it costs without asking
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// The whole result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Seconds to wait for an answer
    #[arg(long, value_parser = seconds)]
    pub(crate) timeout: Option<f64>,
    /// The answer and nothing else
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// The words of `review`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Review {
    /// A range (main..HEAD) or a revision; without: everything that is not committed
    #[arg(value_name = "RANGE")]
    pub(crate) range: Option<String>,
    /// Review these files instead: paths, folders, lines (a.rs:10-40), patterns (may be given
    /// several times)
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Vec<String>,
    /// Which model; chosen for you otherwise
    #[arg(long, short, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// What to look at first
    #[arg(long, value_name = "TEXT")]
    pub(crate) focus: Option<String>,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// The words of `ask`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Ask {
    /// The question; its words need no quotes. Text through a pipe goes along
    #[arg(value_name = "PROMPT")]
    pub(crate) prompt: Vec<String>,
    /// Whom to ask, two to ten; chosen for you otherwise
    #[arg(long, short, value_name = "A,B,C", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// A file, folder or pattern to send along (may be given several times)
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Vec<String>,
    /// A model that decides in the end
    #[arg(long, value_name = "NAME")]
    pub(crate) judge: Option<String>,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// The words of `analyze`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Analyze {
    /// Files, folders, lines (a.rs:10-40) or patterns
    #[arg(value_name = "FILES", required = true)]
    pub(crate) files: Vec<String>,
    /// What you want to know
    #[arg(long, value_name = "TEXT")]
    pub(crate) question: Option<String>,
    /// What kind of analysis
    #[arg(long = "type", value_name = "TYPE", value_parser = ["general", "architecture", "performance", "security", "quality"])]
    pub(crate) kind: Option<String>,
    /// Which model; chosen for you otherwise
    #[arg(long, short, value_name = "NAME")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) asking: Asking,
}

/// The words of `eval`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Eval {
    /// Which model; chosen for you otherwise
    #[arg(long, short, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// The tool that is to find them
    #[arg(long, default_value = "codereview", value_parser = ["codereview", "debug"])]
    pub(crate) tool: String,
    /// Only files of this language, or with this in their name (may be given several times)
    #[arg(long, value_name = "WORD")]
    pub(crate) only: Vec<String>,
    /// Name the files and what is wrong with them, and ask nobody
    #[arg(long)]
    pub(crate) list: bool,
    /// Spend what each call costs without asking
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The words of `files`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Files {
    /// Files, folders, lines (a.rs:10-40) or patterns
    #[arg(value_name = "FILES")]
    pub(crate) files: Vec<String>,
    /// A picture (may be given several times)
    #[arg(long, short, value_name = "IMAGE")]
    pub(crate) image: Vec<String>,
    /// Evidence to look up: a path, or path:line (may be given several times)
    #[arg(long, value_name = "PATH:LINE")]
    pub(crate) cited: Vec<String>,
    /// Room there is, in tokens
    #[arg(long, default_value_t = 100_000, value_name = "TOKENS")]
    pub(crate) tokens: u64,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}
