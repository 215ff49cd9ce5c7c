//! A turn under way: should it come to nothing, for whatever reason, that is remembered, and
//! nothing of its words.

use exai_engine::{
    ports::threads::{Failure, Open, Threads},
    tool::ToolError,
};
use exai_protocol::Code;

/// See the module.
pub(crate) struct Attempt<'a> {
    tool: &'static str,
    threads: &'a dyn Threads,
    open: &'a Open,
    ended: bool,
}

impl<'a> Attempt<'a> {
    pub(crate) fn new(tool: &'static str, threads: &'a dyn Threads, open: &'a Open) -> Self {
        Self {
            tool,
            threads,
            open,
            ended: false,
        }
    }

    pub(crate) fn failed(mut self, error: &ToolError) {
        self.tell(error.code, &error.message);
    }

    pub(crate) fn answered(mut self) {
        self.ended = true;
    }

    fn tell(&mut self, code: Code, why: &str) {
        self.ended = true;
        let failure = Failure {
            tool: self.tool.to_owned(),
            code: code.as_str().to_owned(),
            why: why.to_owned(),
            ..Failure::default()
        };
        self.threads.failed(self.open, failure);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let why = "it was stopped, or its time was up, before it was answered";
            self.tell(Code::Cancelled, why);
        }
    }
}
