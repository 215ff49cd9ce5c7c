//! What a running call looks like: one line on a terminal that is rewritten, plain lines in a
//! pipe, and the text of what came out.

use crate::output::{self, Ticker, Tone, paint};
use exai_protocol::call::Progress as News;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// Between two pictures of the spinner.
pub(in crate::commands) const TICK: Duration = Duration::from_millis(120);
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/// A pipe hears of a silent call this often.
const REMINDER: Duration = Duration::from_secs(10);

/// How far a call is, as shown.
pub(in crate::commands) struct Progress {
    tool: String,
    quiet: bool,
    began: Instant,
    told: Instant,
    stage: String,
    turn: usize,
    /// Characters of text that came.
    read: usize,
    /// The text itself is on the terminal: nothing else may write there.
    hushed: bool,
    ticker: Ticker,
}

impl Progress {
    pub(in crate::commands) fn new(tool: &str, quiet: bool) -> Self {
        let now = Instant::now();
        let stage = "asking".to_owned();
        Self {
            tool: tool.to_owned(),
            quiet,
            began: now,
            told: now,
            stage,
            turn: 0,
            read: 0,
            hushed: false,
            ticker: Ticker::new(),
        }
    }

    pub(in crate::commands) fn accepted(&mut self, timeout: Duration) {
        self.stage = format!("accepted, limit {} s", timeout.as_secs_f64().round());
        self.tick();
    }

    pub(in crate::commands) fn heard(&mut self, news: &News) {
        let stage = words(news);
        if stage.is_empty() || stage == self.stage || self.hushed {
            return;
        }
        self.stage = stage;
        if !self.quiet && !output::watched() {
            self.told = Instant::now();
            output::hint(format!(
                "{} {:.1}s {}",
                self.tool,
                self.elapsed(),
                self.stage
            ));
        }
        self.tick();
    }

    /// Text came; where it is shown as it comes, there is nothing more to say.
    pub(in crate::commands) fn reads(&mut self, text: &str, shown: bool) {
        self.read += text.chars().count();
        if shown {
            self.hushed = true;
            self.ticker.clear();
        } else {
            self.stage = format!("answering: {} characters", self.read);
        }
    }

    pub(in crate::commands) fn clear(&mut self) {
        self.ticker.clear();
    }

    pub(in crate::commands) fn tick(&mut self) {
        if self.quiet || self.hushed {
            return;
        }
        self.turn = (self.turn + 1) % SPINNER.len();
        let picture = SPINNER.get(self.turn).copied().unwrap_or('*');
        self.ticker.show(&format!(
            "{picture} {} {:.1}s {}",
            self.tool,
            self.elapsed(),
            with_bar(&self.stage)
        ));
        if !output::watched() && self.told.elapsed() > REMINDER {
            self.told = Instant::now();
            output::hint(format!(
                "{} {:.1}s {}",
                self.tool,
                self.elapsed(),
                self.stage
            ));
        }
    }

    pub(in crate::commands) fn say(&mut self, what: &str) {
        self.ticker.clear();
        output::hint(paint(Tone::Warning, what));
    }

    fn elapsed(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

/// A share of a whole, said in words, as a picture too.
fn with_bar(stage: &str) -> String {
    const CELLS: usize = 20;
    let bar = || {
        let (before, after) = stage.split_once(" % of ")?;
        let from = before
            .rfind(|c: char| !c.is_ascii_digit())
            .map_or(0, |at| at + 1);
        let percent: usize = before.get(from..)?.parse().ok().filter(|n| *n <= 100)?;
        let full = percent * CELLS / 100;
        let (drawn, open) = ("█".repeat(full), "░".repeat(CELLS - full));
        Some(format!(
            "{}{drawn}{open} {percent} % of {after}",
            &before[..from]
        ))
    };
    bar().unwrap_or_else(|| stage.to_owned())
}

fn words(news: &News) -> String {
    let stage = news.stage.as_deref().unwrap_or_default();
    let message = news
        .message
        .as_deref()
        .or(news.note.as_deref())
        .unwrap_or_default();
    let joined = match (stage, message) {
        ("", message) => message.to_owned(),
        (stage, "") => stage.to_owned(),
        (stage, message) if stage == message => stage.to_owned(),
        (stage, message) => format!("{stage}: {message}"),
    };
    output::tame(&joined).replace('\n', " ")
}

/// The texts among a call's outputs; what is no text is named.
pub(in crate::commands) fn text(outputs: &str) -> String {
    let Ok(Value::Array(outputs)) = serde_json::from_str::<Value>(outputs) else {
        return outputs.to_owned();
    };
    let one = |output: &Value| match output.get("text").and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => {
            let kind = output
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or("unknown");
            format!("[{kind}: not text; --full shows it]")
        }
    };
    outputs.iter().map(one).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_joined_and_the_rest_is_named() {
        assert_eq!(
            text(r#"[{"type":"text","text":"a"},{"type":"image"}]"#),
            "a\n\n[image: not text; --full shows it]"
        );
        assert_eq!(text("[]"), "");
        assert_eq!(text("not json"), "not json");
    }

    #[test]
    fn a_share_is_drawn() {
        assert_eq!(
            with_bar("pulling: 50 % of 4.0 GB"),
            "pulling: ██████████░░░░░░░░░░ 50 % of 4.0 GB"
        );
        for stage in ["pulling", "x % of y", "101 % of y", "é % of y"] {
            assert_eq!(with_bar(stage), stage);
        }
    }

    #[test]
    fn progress_is_one_line_of_words() {
        let news = |stage: Option<&str>, message: Option<&str>| News {
            request_id: "r".into(),
            name: "t".into(),
            t: 0.0,
            note: None,
            seq: None,
            stage: stage.map(str::to_owned),
            message: message.map(str::to_owned),
        };
        assert_eq!(
            words(&news(Some("queued"), Some("2nd\nin line"))),
            "queued: 2nd in line"
        );
        assert_eq!(words(&news(Some("running"), None)), "running");
        assert_eq!(words(&news(None, Some("x\x1b"))), "x\u{fffd}");
        assert_eq!(words(&news(None, None)), "");
    }
}
