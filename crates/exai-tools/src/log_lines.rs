//! What of a log goes into an answer: lines cut to a readable length, and never more than a
//! client can show. Clients cut long answers without saying so; we say so.

use crate::{Ports, kind};
use exai_engine::{
    ports::logs::LogFile,
    tool::{ToolCall, ToolError},
};
use std::{fmt::Write as _, sync::Arc, time::Duration};
use tokio::time::timeout;

/// Longest line shown, in characters.
const LINE: usize = 400;
/// Most bytes of log in one answer; below the smallest cap among clients (63 KiB).
const ANSWER: usize = 48 * 1024;

/// Cuts one line, at a character's edge, and marks the cut.
pub(crate) fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE) {
        None => line.to_owned(),
        Some((at, _)) => format!("{}…", &line[..at]),
    }
}

/// Keeps the newest lines that fit, and counts the ones left out.
pub(crate) fn newest(mut lines: Vec<String>) -> (Vec<String>, usize) {
    let mut room = ANSWER;
    let fit = lines
        .iter()
        .rev()
        .take_while(|line| {
            let fits = line.len() < room;
            room = room.saturating_sub(line.len() + 1);
            fits
        })
        .count();
    let left_out = lines.len() - fit;
    (lines.split_off(left_out), left_out)
}

/// Lines under a heading, oldest first.
pub(crate) fn block(heading: &str, lines: Vec<String>) -> String {
    let (lines, left_out) = newest(lines);
    let mut text = heading.to_owned();
    if left_out > 0 {
        let _ = write!(
            text,
            " ({left_out} older lines left out: ask for fewer, or filter)"
        );
    }
    if lines.is_empty() {
        text.push_str("\n(none)");
    }
    for line in lines {
        text.push('\n');
        text.push_str(&line);
    }
    text
}

/// Longest wait for a log beside which the rest of an answer is worth more.
const PATIENCE: Duration = Duration::from_secs(2);

/// The last lines of the daemon's log for an answer that says something without them too: a log
/// that cannot be read, or a disk that stands still, is told in their place.
pub(crate) async fn of_the_daemon(ports: &Ports, call: &ToolCall, lines: u64) -> String {
    let logs = Arc::clone(&ports.logs);
    let lines = usize::try_from(lines).unwrap_or(usize::MAX);
    // The call's seat goes with the thread: it stays taken for as long as the disk holds that.
    let seat = call.seat.clone();
    let reading = kind::on_a_thread(move || {
        let _seat = seat;
        let read = logs.tail(LogFile::Daemon, lines);
        read.map_err(ToolError::failed)
    });
    match timeout(PATIENCE, reading).await {
        Ok(Ok(lines)) => block("log:", lines.iter().map(|line| cut(line)).collect()),
        Ok(Err(error)) => format!("log: {}", error.message),
        Err(_) => format!(
            "log: it was not read within {} s; the disk it is on may stand still",
            PATIENCE.as_secs()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = cut(&"é".repeat(1000));
        assert_eq!(long.chars().count(), LINE + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn the_newest_lines_are_kept_and_the_rest_counted() {
        let lines: Vec<String> = (0..100).map(|n| format!("{n:01000}")).collect();
        let (kept, left_out) = newest(lines);
        assert_eq!(kept.len() + left_out, 100);
        assert!(kept.len() > 40 && kept.iter().map(|line| line.len() + 1).sum::<usize>() <= ANSWER);
        assert!(kept.last().unwrap().ends_with("99"));
    }

    /// A log on a disk that stands still, until the other end is dropped.
    struct Still(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

    impl exai_engine::ports::logs::Logs for Still {
        fn tail(&self, _: LogFile, _: usize) -> Result<Vec<String>, String> {
            let _ = self.0.lock().unwrap().recv();
            Err("let go".to_owned())
        }

        fn self_check(&self, _: &exai_protocol::health::Health) -> Vec<String> {
            Vec::new()
        }
    }

    #[tokio::test]
    async fn i02_a_disk_that_stands_still_costs_an_answer_its_log_and_no_more() {
        let (hold, held) = std::sync::mpsc::channel();
        let mut ports = crate::fakes::ports(crate::fakes::FakeLogs::default());
        ports.logs = Arc::new(Still(std::sync::Mutex::new(held)));
        for (tool, wanted, also) in [
            ("status", "{}", "inflight=1/24"),
            ("self-check", r#"{"log_lines":5}"#, "the token is empty"),
        ] {
            let text = crate::fakes::run(&ports, tool, wanted).await.unwrap();
            assert!(
                text.contains("may stand still") && text.contains(also),
                "{text}"
            );
        }
        drop(hold);
    }

    #[test]
    fn an_empty_block_says_so() {
        assert_eq!(block("log", Vec::new()), "log\n(none)");
    }
}
