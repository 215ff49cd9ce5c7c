//! The looks themselves: each says what is wrong now, in words, or nothing.

use super::growth::{Growth, SAMPLES};
use exai_config::settings;
use exai_engine::{Engine, calls::CallNow};
use exai_protocol::event::WatchdogFault;
use exai_telemetry::process::Process;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// Quiet calls named in a finding; the dump has all.
const NAMED: usize = 3;
/// Above this share of its limit, descriptors are short whatever their slope, in percent.
const SHORT: u64 = 90;

pub(super) struct Looks {
    engine: Arc<Engine>,
    settings: settings::Watchdog,
    answers: Answers,
    writers: Vec<Turn>,
    process: Process,
    descriptors: Option<u64>,
    sampled: Option<Instant>,
    memory: Growth,
    files: Growth,
    open: u64,
}

/// A question to the event loop, and whether it has answered.
struct Answers {
    runtime: Handle,
    tasks: TaskTracker,
    asked: u64,
    asked_at: Instant,
    answered: Arc<AtomicU64>,
}

/// A writer's turn as it was seen first.
struct Turn {
    fault: WatchdogFault,
    count: Arc<AtomicU64>,
    seen: (u64, Instant),
}

impl Looks {
    pub(super) fn new(
        engine: Arc<Engine>,
        runtime: Handle,
        settings: settings::Watchdog,
        writers: Vec<(WatchdogFault, Arc<AtomicU64>)>,
        descriptors: Option<u64>,
    ) -> Self {
        let now = Instant::now();
        let turn = |(fault, count)| Turn {
            fault,
            count,
            seen: (0, now),
        };
        Self {
            engine,
            settings,
            answers: Answers {
                runtime,
                tasks: TaskTracker::new(),
                asked: 0,
                asked_at: now,
                answered: Arc::default(),
            },
            writers: writers.into_iter().map(turn).collect(),
            process: Process::new(),
            descriptors,
            sampled: None,
            memory: Growth::default(),
            files: Growth::default(),
            open: 0,
        }
    }

    /// Time passed in which nothing could move: what was seen before says nothing.
    pub(super) fn begin_anew(&mut self) {
        let now = Instant::now();
        self.answers.asked_at = now;
        for turn in &mut self.writers {
            turn.seen.1 = now;
        }
        self.memory.begin_anew();
        self.files.begin_anew();
    }

    pub(super) fn all(&mut self) -> Vec<(WatchdogFault, String)> {
        self.answers.ask();
        let mut found = Vec::new();
        let mut add = |fault, what: Option<String>| found.extend(what.map(|what| (fault, what)));
        add(WatchdogFault::EventLoop, self.event_loop());
        add(WatchdogFault::QuietCall, self.quiet_calls());
        let patience = self.settings.writer;
        for turn in &mut self.writers {
            let what = turn.stuck(patience);
            add(turn.fault, what);
        }
        self.sample();
        add(WatchdogFault::Memory, self.memory());
        add(WatchdogFault::Descriptors, self.descriptors());
        found
    }

    /// For how long the event loop has not answered, where that is too long.
    pub(super) fn stalled(&self) -> Option<Duration> {
        let waited = self.answers.waited()?;
        (waited >= self.settings.stall).then_some(waited)
    }

    fn event_loop(&self) -> Option<String> {
        let stalled = self.stalled()?;
        Some(format!(
            "the event loop has not answered for {:.1} s: nothing is served meanwhile",
            stalled.as_secs_f64()
        ))
    }

    fn quiet_calls(&self) -> Option<String> {
        let limit = self.settings.quiet_call;
        let calls = self.engine.calls_now();
        let quiet: Vec<&CallNow> = calls.iter().filter(|call| call.quiet >= limit).collect();
        let longest = quiet.iter().map(|call| call.quiet).max()?;
        let named: Vec<String> = quiet
            .iter()
            .take(NAMED)
            .map(|call| format!("{} (call {})", call.facts.tool, call.facts.number))
            .collect();
        let more = quiet.len().saturating_sub(NAMED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        Some(format!(
            "{} calls gave no sign of life, the longest for {:.1} s: {}{more}",
            quiet.len(),
            longest.as_secs_f64(),
            named.join(", ")
        ))
    }

    fn sample(&mut self) {
        let now = Instant::now();
        let due = self.settings.window / SAMPLES;
        if self.sampled.is_some_and(|last| now - last < due) {
            return;
        }
        self.sampled = Some(now);
        let sample = self.process.sample();
        if let Some(bytes) = sample.memory_bytes {
            self.memory.add(now, bytes);
        }
        if let Some(open) = sample.open_files {
            self.open = open;
            self.files.add(now, open);
        }
    }

    fn memory(&self) -> Option<String> {
        let bound = self.settings.memory_growth;
        let (grown, span) = self.memory.beyond(bound)?;
        Some(format!(
            "memory grows without end: {} MiB in {:.0} s (limit {} MiB); keep the dump and restart \
             the daemon when it suits you",
            grown >> 20,
            span.as_secs_f64(),
            bound >> 20
        ))
    }

    fn descriptors(&self) -> Option<String> {
        let open = self.open;
        if let Some(limit) = self.descriptors
            && open >= limit / 100 * SHORT
        {
            return Some(format!(
                "{open} of {limit} descriptors are open: connections will be refused; close \
                 windows, or raise the limit (ulimit -n)"
            ));
        }
        let bound = self.settings.descriptor_growth;
        let (grown, span) = self.files.beyond(bound)?;
        Some(format!(
            "open descriptors grow without end: by {grown} to {open} in {:.0} s (limit {bound}); \
             `exai-daemon sessions` shows who is connected",
            span.as_secs_f64()
        ))
    }
}

impl Answers {
    /// Asks again once the last question is answered.
    fn ask(&mut self) {
        if self.answered.load(Relaxed) < self.asked {
            return;
        }
        self.asked += 1;
        self.asked_at = Instant::now();
        let (number, answered) = (self.asked, Arc::clone(&self.answered));
        let answer = async move { answered.store(number, Relaxed) };
        drop(self.tasks.spawn_on(answer, &self.runtime));
    }

    fn waited(&self) -> Option<Duration> {
        (self.answered.load(Relaxed) < self.asked).then(|| self.asked_at.elapsed())
    }
}

impl Turn {
    fn stuck(&mut self, patience: Duration) -> Option<String> {
        let count = self.count.load(Relaxed);
        if count != self.seen.0 {
            self.seen = (count, Instant::now());
        }
        let waited = self.seen.1.elapsed();
        let whose = match self.fault {
            WatchdogFault::RecordWriter => "the writer of the record (logs/)",
            _ => "the writer of the database (.exai/data/)",
        };
        (count % 2 == 1 && waited >= patience).then(|| {
            format!(
                "{whose} has made no headway for {:.1} s: the disk is full, stuck or locked",
                waited.as_secs_f64()
            )
        })
    }
}
