//! Progress for one call, as MCP wants it: only with the client's token, the first one at once,
//! strictly increasing, not too often, none after the answer. What finds no room on stdout is
//! skipped: newer progress makes it superfluous.

use crate::{answer, stdout::Output};
use exai_protocol::{RawValue, call::Progress, limits::PROGRESS_SPACING_MS};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

const SPACING: Duration = Duration::from_millis(PROGRESS_SPACING_MS);

/// Most characters of a growing text that are told: clients show one line.
const MOST_SHOWN: usize = 240;

/// The notification.
#[derive(Serialize)]
struct Told<'a> {
    jsonrpc: &'static str,
    method: &'static str,
    params: Params<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Params<'a> {
    progress_token: &'a RawValue,
    progress: f64,
    message: &'a str,
}

pub(crate) struct Reporter {
    /// As the client wrote it.
    token: Box<RawValue>,
    output: Output,
    started: Instant,
    told: f64,
    told_at: Option<Instant>,
    waiting: Option<String>,
    /// The last that was told; repeated when there has been nothing new for so long.
    last: String,
    alive: Duration,
    /// The end of the text that streams, where one does.
    tail: Tail,
}

/// The end of a text that grows, as one line.
#[derive(Default)]
struct Tail {
    text: String,
    is_cut: bool,
}

impl Reporter {
    /// The client hears something every `alive` at least, news or not.
    pub(crate) fn new(token: Box<RawValue>, output: Output, alive: Duration) -> Self {
        let started = Instant::now();
        Self {
            token,
            output,
            started,
            told: -1.0,
            told_at: None,
            waiting: None,
            last: String::new(),
            alive,
            tail: Tail::default(),
        }
    }

    /// The daemon says how far it is. A bare sign of life says less than the text so far.
    pub(crate) fn hears(&mut self, progress: &Progress) {
        let is_bare = progress.message.as_deref().is_none_or(str::is_empty);
        if is_bare && !self.tail.text.is_empty() {
            self.say(self.tail.shown());
        } else {
            self.say(words(progress));
        }
    }

    /// More of a text that grows: its end is told, so that a person sees it grow.
    pub(crate) fn reads(&mut self, text: &str) {
        self.tail.grow(text);
        if !self.tail.text.is_empty() {
            self.say(self.tail.shown());
        }
    }

    /// Tells this now, or as soon as the spacing allows.
    pub(crate) fn say(&mut self, message: String) {
        self.waiting = Some(message);
        if self.due() <= Instant::now() {
            self.tell();
        }
    }

    /// When something is to be told: what waits, or that nothing is new.
    pub(crate) fn due(&self) -> Instant {
        let after = match &self.waiting {
            Some(_) => SPACING,
            None => self.alive,
        };
        self.told_at.map_or(self.started, |told| told + after)
    }

    /// When the client last heard of progress.
    pub(crate) fn told_at(&self) -> Option<Instant> {
        self.told_at
    }

    /// Tells what waits, or the last again.
    pub(crate) fn tell(&mut self) {
        if let Some(message) = self.waiting.take() {
            self.last = message;
        }
        let now = Instant::now();
        let seconds = (now - self.started).as_millis() as f64 / 1000.0;
        let value = if seconds > self.told {
            seconds
        } else {
            self.told + 0.001
        };
        let line = answer::line(&Told {
            jsonrpc: "2.0",
            method: "notifications/progress",
            params: Params {
                progress_token: &self.token,
                progress: value,
                message: &self.last,
            },
        });
        self.told_at = Some(now);
        if self.output.offer(line) {
            self.told = value;
        }
    }
}

impl Tail {
    fn grow(&mut self, more: &str) {
        for c in more.chars() {
            let is_space = c.is_whitespace() || c.is_control();
            if !is_space {
                self.text.push(c);
            } else if !self.text.is_empty() && !self.text.ends_with(' ') {
                self.text.push(' ');
            }
        }
        let excess = self.text.chars().count().saturating_sub(MOST_SHOWN);
        if let Some((at, _)) = self.text.char_indices().nth(excess)
            && excess > 0
        {
            self.text.drain(..at);
            self.is_cut = true;
        }
    }

    fn shown(&self) -> String {
        let mark = if self.is_cut { "…" } else { "" };
        format!("{mark}{}", self.text)
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
    use serde_json::Value;
    use tokio::io::AsyncReadExt;

    #[tokio::test(start_paused = true)]
    async fn r10_increasing_spaced_and_the_first_at_once() {
        let (output, queue) = stdout::queue();
        let (mut theirs, ours) = tokio::io::duplex(64 * 1024);
        let mut reporter = Reporter::new(token(), output, ALIVE);
        reporter.say("one".to_owned());
        assert_eq!(
            reporter.due(),
            reporter.started + ALIVE,
            "the first is told at once"
        );
        for n in 0..10 {
            reporter.say(n.to_string());
        }
        assert_eq!(reporter.due(), reporter.started + SPACING);
        tokio::time::advance(SPACING).await;
        reporter.tell();
        tokio::time::advance(ALIVE).await;
        assert_eq!(reporter.due(), Instant::now());
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
        assert_eq!(messages, ["one", "9", "9", "same moment"]);
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

    const ALIVE: Duration = Duration::from_secs(10);

    fn token() -> Box<RawValue> {
        RawValue::from_string("7".to_owned()).unwrap()
    }

    fn news(message: Option<&str>) -> Progress {
        Progress {
            request_id: "r".into(),
            name: "chat".to_owned(),
            t: 0.0,
            note: None,
            seq: None,
            stage: Some("running".to_owned()),
            message: message.map(str::to_owned),
        }
    }

    #[test]
    fn a_growing_text_is_told_by_its_end_on_one_line() {
        let mut tail = Tail::default();
        tail.grow(" \nOne\n\n two\u{1b}");
        tail.grow(" three");
        assert_eq!(tail.shown(), "One two three");
        tail.grow(&"ö".repeat(1000));
        assert_eq!(tail.shown().chars().count(), MOST_SHOWN + 1);
        assert!(tail.shown().starts_with('…') && tail.shown().ends_with('ö'));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bare_sign_of_life_does_not_hide_the_text() {
        let (output, _queue) = stdout::queue();
        let mut reporter = Reporter::new(token(), output, ALIVE);
        reporter.hears(&news(None));
        reporter.hears(&news(None));
        assert_eq!(reporter.waiting.as_deref(), Some("running"));
        reporter.reads("Once upon");
        reporter.hears(&news(None));
        assert_eq!(reporter.waiting.as_deref(), Some("Once upon"));
        reporter.hears(&news(Some("2nd attempt")));
        assert_eq!(reporter.waiting.as_deref(), Some("running: 2nd attempt"));
        reporter.reads(" a time");
        assert_eq!(reporter.waiting.as_deref(), Some("Once upon a time"));
    }
}
