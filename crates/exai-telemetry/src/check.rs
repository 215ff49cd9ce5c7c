//! The offline proof over `ws_daemon.log` and its rotated parts: every call that was received
//! has exactly one end. A call with none is an alarm, unless its daemon was killed under it
//! (interrupted) or is still at work (open).

mod parse;

use crate::rotate::all_parts;
use parse::Event;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{self, BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
};

/// Longer lines are none of ours; they are read in pieces and passed over.
const MAX_LINE: u64 = 1 << 20;

/// A call that has no end in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCall {
    /// The boot that received it; empty where the log begins later.
    pub boot: String,
    /// Its line's time.
    pub received_at: String,
    /// Its number within the boot.
    pub number: u64,
    /// Its session.
    pub session: String,
    /// Its id.
    pub request_id: String,
    /// Its tool.
    pub tool: String,
}

/// A line that must not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong with it.
    pub fault: &'static str,
    /// The file it is in.
    pub file: PathBuf,
    /// Its number there.
    pub line: u64,
    /// The call's number, session and id.
    pub call: String,
}

/// What the log proves.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The parts that were read, oldest first.
    pub files: Vec<PathBuf>,
    /// Boots seen.
    pub boots: u64,
    /// Calls received.
    pub received: u64,
    /// Calls finished.
    pub finished: u64,
    /// Ends whose beginning lies before the oldest kept line.
    pub before_the_log: u64,
    /// Lines of which only a part could be written at first.
    pub torn: u64,
    /// Calls under way when their daemon was killed.
    pub interrupted: Vec<OpenCall>,
    /// Calls under way in a daemon that lives.
    pub open: Vec<OpenCall>,
    /// What must not be.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Whether the promise was kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// The report for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let open_call = |call: &OpenCall| {
            json!({
                "boot": call.boot, "received_at": call.received_at, "number": call.number,
                "session": call.session, "request_id": call.request_id, "tool": call.tool,
            })
        };
        let violation = |wrong: &Violation| {
            let file = wrong.file.display().to_string();
            json!({"fault": wrong.fault, "file": file, "line": wrong.line, "call": wrong.call})
        };
        let files = self.files.iter().map(|file| file.display().to_string());
        json!({
            "clean": self.is_clean(),
            "files": files.collect::<Vec<_>>(),
            "boots": self.boots,
            "received": self.received,
            "finished": self.finished,
            "before_the_log": self.before_the_log,
            "torn": self.torn,
            "interrupted": self.interrupted.iter().map(open_call).collect::<Vec<_>>(),
            "open": self.open.iter().map(open_call).collect::<Vec<_>>(),
            "violations": self.violations.iter().map(violation).collect::<Vec<_>>(),
        })
    }
}

/// Reads a log with its rotated parts. `lives`: whether the daemon of that boot lives; one that
/// gave its home away does for as long as it finishes its calls.
///
/// # Errors
/// When a part cannot be read; a log that is not there yet proves nothing and is clean.
pub fn check(log: &Path, lives: impl Fn(&str) -> bool) -> io::Result<Report> {
    let mut proof = Proof::default();
    for part in all_parts(log) {
        match File::open(&part) {
            // Rotated away while we read: its lines are in a part we have already.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(named(&part, error)),
            Ok(file) => proof
                .read(&part, file)
                .map_err(|error| named(&part, error))?,
        }
        proof.report.files.push(part);
    }
    Ok(proof.conclude(lives))
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot read {}: {error}", path.display()),
    )
}

#[derive(Default)]
struct Proof {
    report: Report,
    /// The newest boot, and that of lines that name none; empty before the first boot line.
    boot: String,
    /// Of those that may still write: a daemon that has given its home away goes on beside its
    /// successor, and one that was killed beside nobody.
    boots: BTreeMap<String, Calls>,
}

/// The calls of one boot.
#[derive(Default)]
struct Calls {
    /// By number, which is unique within a boot; ordered, so that reports are, too.
    open: BTreeMap<u64, OpenCall>,
    ended: HashSet<u64>,
    /// It was begun in the log that is there.
    begun: bool,
    /// In which order it was.
    turn: u64,
}

impl Proof {
    fn read(&mut self, path: &Path, file: File) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(64 * 1024, file);
        let mut bytes = Vec::new();
        let mut number = 0;
        loop {
            bytes.clear();
            if reader
                .by_ref()
                .take(MAX_LINE)
                .read_until(b'\n', &mut bytes)?
                == 0
            {
                return Ok(());
            }
            number += 1;
            // Without its newline a line is still being written.
            let Some(line) = bytes.strip_suffix(b"\n") else {
                continue;
            };
            match parse::event(&String::from_utf8_lossy(line)) {
                Some(event) => self.take(event, path, number),
                None if bytes.ends_with(crate::pending::TORN) => self.report.torn += 1,
                None => {}
            }
        }
    }

    fn take(&mut self, event: Event, path: &Path, line: u64) {
        match event {
            Event::Boot { boot } => self.begin(boot),
            Event::Shutdown { boot } => self.end_in_order(&boot, path, line),
            Event::Received {
                boot,
                call: number,
                at,
                session,
                id,
                tool,
            } => {
                self.report.received += 1;
                let boot = boot.unwrap_or_else(|| self.boot.clone());
                let calls = self.boots.entry(boot.clone()).or_default();
                if calls.open.contains_key(&number) || calls.ended.contains(&number) {
                    let named = name(number, &session, &id);
                    return self.violate("received twice", path, line, named);
                }
                let call = OpenCall {
                    boot,
                    received_at: at,
                    number,
                    session,
                    request_id: id,
                    tool,
                };
                calls.open.insert(number, call);
            }
            Event::Finished {
                boot,
                call: number,
                session,
                id,
            } => {
                self.report.finished += 1;
                let boot = boot.unwrap_or_else(|| self.boot.clone());
                let calls = self.boots.entry(boot).or_default();
                let was_open = calls.open.remove(&number).is_some();
                let first = calls.ended.insert(number);
                if was_open {
                    return;
                }
                let fault = match (first, calls.begun) {
                    (false, _) => "finished twice",
                    (true, true) => "finished and never received",
                    (true, false) => return self.report.before_the_log += 1,
                };
                self.violate(fault, path, line, name(number, &session, &id));
            }
        }
    }

    fn begin(&mut self, boot: String) {
        self.report.boots += 1;
        let calls = self.boots.entry(boot.clone()).or_default();
        (calls.begun, calls.turn) = (true, self.report.boots);
        self.boot = boot;
    }

    fn end_in_order(&mut self, boot: &str, path: &Path, line: u64) {
        let calls = self.boots.insert(
            boot.to_owned(),
            Calls {
                begun: true,
                ..Calls::default()
            },
        );
        for call in calls.unwrap_or_default().open.into_values() {
            let named = name(call.number, &call.session, &call.request_id);
            self.violate(
                "without an end in a daemon that ended in order",
                path,
                line,
                named,
            );
        }
    }

    fn violate(&mut self, fault: &'static str, path: &Path, line: u64, call: String) {
        self.report.violations.push(Violation {
            fault,
            file: path.to_owned(),
            line,
            call,
        });
    }

    fn conclude(mut self, lives: impl Fn(&str) -> bool) -> Report {
        let mut boots: Vec<_> = std::mem::take(&mut self.boots).into_iter().collect();
        boots.sort_by_key(|(_, calls)| calls.turn);
        for (boot, calls) in boots {
            let to = match lives(&boot) {
                true => &mut self.report.open,
                false => &mut self.report.interrupted,
            };
            to.extend(calls.open.into_values());
        }
        self.report
    }
}

fn name(number: u64, session: &str, id: &str) -> String {
    format!("call={number} session={session} id={id}")
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
