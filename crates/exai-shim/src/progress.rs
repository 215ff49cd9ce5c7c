//! Progress for one call, as MCP wants it: only with the client's token, the first one at once,
//! strictly increasing, not too often, none after the answer. What finds no room on stdout is
//! skipped: newer progress makes it superfluous.

use crate::stdout::Output;
use exai_protocol::{call::Progress, limits::PROGRESS_SPACING_MS};
use rmcp::model::ProgressToken;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

const SPACING: Duration = Duration::from_millis(PROGRESS_SPACING_MS);

pub(crate) struct Reporter {
    token: ProgressToken,
    output: Output,
    started: Instant,
    told: f64,
    told_at: Option<Instant>,
    waiting: Option<String>,
}

impl Reporter {
    pub(crate) fn new(token: ProgressToken, output: Output) -> Self {
        let started = Instant::now();
        Self {
            token,
            output,
            started,
            told: -1.0,
            told_at: None,
            waiting: None,
        }
    }

    /// Tells this now, or as soon as the spacing allows.
    pub(crate) fn say(&mut self, message: String) {
        self.waiting = Some(message);
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.tell();
        }
    }

    /// When something waits to be told.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.waiting.as_ref()?;
        Some(self.told_at.map_or(self.started, |told| told + SPACING))
    }

    /// Tells what waits.
    pub(crate) fn tell(&mut self) {
        let Some(message) = self.waiting.take() else {
            return;
        };
        let now = Instant::now();
        let seconds = (now - self.started).as_millis() as f64 / 1000.0;
        let value = if seconds > self.told {
            seconds
        } else {
            self.told + 0.001
        };
        let line = json!({
            "jsonrpc": "2.0",
            "method": "notifications/progress",
            "params": { "progressToken": self.token, "progress": value, "message": message },
        });
        self.told_at = Some(now);
        if self.output.offer(line.to_string().into_bytes()) {
            self.told = value;
        }
    }
}

/// The daemon's progress in words.
pub(crate) fn words(progress: &Progress) -> String {
    let stage = progress
        .stage
        .as_deref()
        .or(progress.note.as_deref())
        .unwrap_or("running");
    match progress.message.as_deref() {
        Some(message) if !message.is_empty() => format!("{stage}: {message}"),
        _ => stage.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdout;
    use rmcp::model::NumberOrString;
    use serde_json::Value;
    use tokio::io::AsyncReadExt;

    #[tokio::test(start_paused = true)]
    async fn r10_increasing_spaced_and_the_first_at_once() {
        let (output, queue) = stdout::queue();
        let (mut theirs, ours) = tokio::io::duplex(64 * 1024);
        let mut reporter = Reporter::new(ProgressToken(NumberOrString::Number(7)), output);
        reporter.say("one".to_owned());
        assert!(reporter.due().is_none(), "the first is told at once");
        for n in 0..10 {
            reporter.say(n.to_string());
        }
        assert_eq!(reporter.due(), Some(reporter.started + SPACING));
        tokio::time::advance(SPACING).await;
        reporter.tell();
        reporter.tell();
        reporter.told_at = None;
        reporter.say("same moment".to_owned());
        drop(reporter);
        stdout::write(ours, queue).await.unwrap();
        let mut text = String::new();
        theirs.read_to_string(&mut text).await.unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let messages: Vec<_> = lines
            .iter()
            .map(|line| &line["params"]["message"])
            .collect();
        assert_eq!(messages, ["one", "9", "same moment"]);
        let values: Vec<f64> = lines
            .iter()
            .map(|line| line["params"]["progress"].as_f64().unwrap())
            .collect();
        assert!(
            values.windows(2).all(|pair| pair[0] < pair[1]),
            "{values:?}"
        );
        assert_eq!(lines[0]["params"]["progressToken"], 7);
    }
}
