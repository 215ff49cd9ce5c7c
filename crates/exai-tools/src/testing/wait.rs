//! How scripted tools wait: for a time, or until the test lets go of them.

use super::MAX_MS;
use crate::args::Args;
use exai_engine::tool::ToolError;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

/// How often to look.
const STEP: Duration = Duration::from_millis(10);

/// As it was asked for: `ms`, and a file that ends it early.
pub(super) struct Wait {
    pub(super) ms: u64,
    until: Option<PathBuf>,
}

impl Wait {
    pub(super) fn of(args: &Args) -> Result<Self, ToolError> {
        Ok(Self {
            ms: args.number("ms", 0, 0..=MAX_MS)?,
            until: args.text("until")?.map(PathBuf::from),
        })
    }

    /// Waits to the end; whether that was the file.
    pub(super) async fn over(&self) -> bool {
        let time = Duration::from_millis(self.ms);
        let Some(file) = &self.until else {
            sleep(time).await;
            return false;
        };
        let opened = async {
            while !file.exists() {
                sleep(STEP).await;
            }
        };
        timeout(time, opened).await.is_ok()
    }

    /// The same, holding the thread.
    pub(super) fn over_on_this_thread(&self) {
        let (began, time) = (Instant::now(), Duration::from_millis(self.ms));
        let is_open = || self.until.as_ref().is_some_and(|file| file.exists());
        while !is_open() {
            let left = time.saturating_sub(began.elapsed());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(if self.until.is_some() {
                left.min(STEP)
            } else {
                left
            });
        }
    }
}
