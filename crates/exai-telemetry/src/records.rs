//! The writer of the record: one thread, one owner of the files, nothing dropped. It takes what
//! has gathered, makes the lines of all logs, and writes each file once; then it rests a moment,
//! so that a busy daemon wakes it a hundred times a second and not a hundred thousand. When the
//! channel closes, everything in it has been written.

use crate::{
    RotateLimits, RotatingFile, SharedFile, WriteFaults,
    lines::{self, Boot},
    utc::Stamps,
};
use exai_protocol::{Outcome, WallClock, record::Record};
use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::RecvTimeoutError,
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};
use tokio::sync::mpsc::{Receiver, error::TryRecvError};

/// Records formatted before the files are written.
const BATCH: usize = 1024;
/// Rest between two batches.
const REST: Duration = Duration::from_millis(10);
/// Between two attempts to write what a file would not take.
const RETRY: Duration = Duration::from_millis(200);
/// Line buffers larger than this are given back after a batch.
const KEEP_BUFFER: usize = 256 * 1024;

/// The files records go to.
#[derive(Debug)]
pub struct RecordFiles {
    /// `ws_daemon.log`, shared with the diagnostics.
    pub daemon_log: SharedFile,
    /// `ws_daemon.metrics.jsonl`.
    pub metrics: RotatingFile,
    /// `tool_calls_all.jsonl`.
    pub calls: RotatingFile,
    /// `tool_failures.jsonl`.
    pub failures: RotatingFile,
    /// `progress.log`.
    pub progress: RotatingFile,
}

impl RecordFiles {
    /// Opens the files under their names in the log directory.
    #[must_use]
    pub fn open(logs: &Path, daemon_log: SharedFile, limits: RotateLimits) -> Self {
        let open = |name: &str| RotatingFile::open(logs.join(name), limits);
        Self {
            daemon_log,
            metrics: open("ws_daemon.metrics.jsonl"),
            calls: open("tool_calls_all.jsonl"),
            failures: open("tool_failures.jsonl"),
            progress: open("progress.log"),
        }
    }

    /// Whether any of them has lines that it could not take.
    fn owe(&self) -> bool {
        let files = [&self.metrics, &self.calls, &self.failures, &self.progress];
        self.daemon_log.owes() || files.into_iter().any(RotatingFile::owes)
    }

    /// What goes wrong with each, from now on.
    #[must_use]
    pub fn faults(&self) -> Vec<Arc<WriteFaults>> {
        let files = [&self.metrics, &self.calls, &self.failures, &self.progress];
        let own = files.into_iter().map(RotatingFile::faults);
        std::iter::once(self.daemon_log.faults())
            .chain(own)
            .collect()
    }
}

/// The running writer.
#[derive(Debug)]
pub struct RecordWriter {
    thread: JoinHandle<u64>,
    done: std::sync::mpsc::Receiver<()>,
    faults: Vec<Arc<WriteFaults>>,
    headway: Arc<AtomicU64>,
}

impl RecordWriter {
    /// Starts the writer; its first line is the boot's.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(
        records: Receiver<Record>,
        files: RecordFiles,
        boot: Boot,
        clock: WallClock,
    ) -> io::Result<Self> {
        let faults = files.faults();
        let mut writer = Writer::new(files, boot, clock);
        let headway = Arc::clone(&writer.headway);
        let (ended, done) = std::sync::mpsc::sync_channel(1);
        let thread = Builder::new()
            .name("exai-records".to_owned())
            .spawn(move || {
                let count = writer.run(records);
                // Nobody waits for it any more: then nobody needs to know.
                let _ = ended.try_send(());
                count
            })?;
        Ok(Self {
            thread,
            done,
            faults,
            headway,
        })
    }

    /// What the owner should look at; empty is good.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .faults
            .iter()
            .filter_map(|file| file.describe())
            .collect();
        if self.thread.is_finished() {
            all.push("the record writer has ended; no call is recorded any more".to_owned());
        }
        all
    }

    /// The files' faults, to be told by somebody who does not hold the writer.
    #[must_use]
    pub fn watch(&self) -> Vec<Arc<WriteFaults>> {
        self.faults.clone()
    }

    /// Counts the writer's turns, up at the begin and up at the end of each: an odd number that
    /// stays is a turn that does not end.
    #[must_use]
    pub fn headway(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.headway)
    }

    /// Waits until the channel is closed and all it held is written; the number of records.
    /// Blocks. Something that never lets go of its end of the channel must not keep the process
    /// from ending, hence the limit: then the log shows no orderly shutdown, as is true.
    ///
    /// # Errors
    /// `TimedOut`, or that the writer died before its time.
    pub fn finish(self, within: Duration) -> io::Result<u64> {
        match self.done.recv_timeout(within) {
            Err(RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => self
                .thread
                .join()
                .map_err(|_| io::Error::other("the record writer panicked")),
        }
    }
}

/// The lines of one batch, one buffer a file.
#[derive(Default)]
struct Buffers {
    daemon_log: Vec<u8>,
    metrics: Vec<u8>,
    calls: Vec<u8>,
    failures: Vec<u8>,
    progress: Vec<u8>,
}

struct Writer {
    files: RecordFiles,
    boot: Boot,
    clock: WallClock,
    stamps: Stamps,
    buffers: Buffers,
    headway: Arc<AtomicU64>,
}

impl Writer {
    fn new(files: RecordFiles, boot: Boot, clock: WallClock) -> Self {
        Self {
            files,
            boot,
            clock,
            stamps: Stamps::default(),
            buffers: Buffers::default(),
            headway: Arc::default(),
        }
    }

    /// What a file owes is work that is not done.
    fn mark(&self, works: bool) {
        if (self.headway.load(Relaxed) % 2 == 1) != works {
            self.headway.fetch_add(1, Relaxed);
        }
    }

    fn run(&mut self, mut records: Receiver<Record>) -> u64 {
        let now = (self.clock)();
        lines::boot(
            &mut self.buffers.daemon_log,
            &mut self.stamps,
            now,
            &self.boot,
        );
        self.write();
        let mut batch = Vec::new();
        let mut count = 0;
        while self.receive(&mut records, &mut batch) > 0 {
            self.mark(true);
            count += batch.len() as u64;
            for record in batch.drain(..) {
                self.add(&record);
            }
            self.write();
            self.mark(self.files.owe());
            // Half full means senders may soon wait for us; closed means somebody waits to exit.
            if records.len() < records.max_capacity() / 2 && !records.is_closed() {
                std::thread::sleep(REST);
            }
        }
        let now = (self.clock)();
        lines::shutdown(
            &mut self.buffers.daemon_log,
            &mut self.stamps,
            now,
            &self.boot,
        );
        self.write();
        count
    }

    /// Waits for records. While a file owes lines, it is tried again in between: what a full
    /// disk kept back must not wait for the next call.
    fn receive(&mut self, records: &mut Receiver<Record>, batch: &mut Vec<Record>) -> usize {
        while self.files.owe() {
            match records.try_recv() {
                Err(TryRecvError::Disconnected) => return 0,
                Err(TryRecvError::Empty) => {
                    std::thread::sleep(RETRY);
                    self.write();
                    self.mark(self.files.owe());
                }
                Ok(record) => {
                    batch.push(record);
                    while batch.len() < BATCH
                        && let Ok(record) = records.try_recv()
                    {
                        batch.push(record);
                    }
                    return batch.len();
                }
            }
        }
        records.blocking_recv_many(batch, BATCH)
    }

    fn add(&mut self, record: &Record) {
        let Self {
            buffers,
            stamps,
            boot,
            ..
        } = self;
        match record {
            Record::Received(call) => lines::received(&mut buffers.daemon_log, stamps, boot, call),
            Record::Progress(said) => lines::progress(&mut buffers.progress, said),
            Record::Finished(end) => {
                for said in &end.late_progress {
                    lines::progress(&mut buffers.progress, said);
                }
                if end.progress_left_out > 0 {
                    lines::left_out(&mut buffers.progress, end);
                }
                lines::finished(&mut buffers.daemon_log, stamps, boot, end);
                lines::metrics(&mut buffers.metrics, boot, end);
                lines::calls(&mut buffers.calls, boot, end);
                if end.outcome != Outcome::Ok {
                    lines::failures(&mut buffers.failures, boot, end);
                }
            }
        }
    }

    fn write(&mut self) {
        let (buffers, files) = (&mut self.buffers, &mut self.files);
        files.daemon_log.append(&buffers.daemon_log);
        files.metrics.append(&buffers.metrics);
        files.calls.append(&buffers.calls);
        files.failures.append(&buffers.failures);
        files.progress.append(&buffers.progress);
        for buffer in [
            &mut buffers.daemon_log,
            &mut buffers.metrics,
            &mut buffers.calls,
            &mut buffers.failures,
            &mut buffers.progress,
        ] {
            buffer.clear();
            buffer.shrink_to(KEEP_BUFFER);
        }
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
