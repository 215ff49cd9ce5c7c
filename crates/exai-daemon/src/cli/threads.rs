//! The words of `threads`.

use super::Chat;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What can be done about conversations.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Threads {
    /// List them, the last used one first
    List(ThreadsList),
    /// Find turns that hold all of these words
    Search {
        /// The words; the last one may be unfinished
        #[arg(required = true, value_name = "WORDS")]
        words: Vec<String>,
        #[command(flatten)]
        list: ThreadsList,
    },
    /// Read one, as Markdown
    Show {
        /// Its id, or the beginning of it
        id: String,
        /// All that is kept of it, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Give one a title
    Rename {
        /// Its id, or the beginning of it
        id: String,
        /// The title; its words need no quotes
        #[arg(required = true)]
        title: Vec<String>,
    },
    /// Print conversations as JSON lines, which `import` reads
    Export {
        /// Their ids, or the beginnings of them
        #[arg(required = true)]
        id: Vec<String>,
        /// As Markdown instead
        #[arg(long)]
        markdown: bool,
    },
    /// Go on with one: with a question, or in a conversation
    Resume {
        /// Its id, or the beginning of it; ID#3 goes on from its third turn
        id: String,
        #[command(flatten)]
        chat: Box<Chat>,
    },
    /// Remove conversations, for good
    Delete {
        /// Their ids, or the beginnings of them
        #[arg(required = true)]
        id: Vec<String>,
    },
    /// Take conversations over: from `export`, or the predecessor's logs/conversation/*.jsonl
    Import {
        /// The files; the predecessor's are named after their conversation
        #[arg(required = true, value_name = "FILE")]
        file: Vec<PathBuf>,
    },
}

/// Which conversations.
#[derive(Debug, Clone, Args)]
pub(crate) struct ThreadsList {
    /// Only those of this directory
    #[arg(long)]
    pub(crate) here: bool,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 20)]
    pub(crate) limit: usize,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}
