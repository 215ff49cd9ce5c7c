//! The writer: every record lands in its files, in order, completely, also at the end.

use super::*;
use crate::check;
use exai_protocol::{
    BootId, Code, Principal, RequestId, SessionId, UnixMillis, WireError,
    record::{CallFacts, FinishedRecord, ProgressRecord},
};
use tokio::sync::mpsc;

const LONG: Duration = Duration::from_secs(60);
const LIMITS: RotateLimits = RotateLimits {
    max_bytes: 1 << 30,
    keep: 1,
    shared: false,
};

fn call(number: usize) -> Arc<CallFacts> {
    Arc::new(CallFacts {
        number: number as u64,
        principal: Principal::from("owner"),
        session_id: SessionId::from("s"),
        client_id: None,
        client_name: Arc::from("test"),
        request_id: RequestId::new(format!("r-{number}")),
        tool: Arc::from("chat"),
        provider: Arc::from(""),
        args_bytes: 2,
        args_hash: 1,
        arguments: None,
        received_at: UnixMillis(1_000),
    })
}

fn end(call: Arc<CallFacts>, ok: bool) -> Record {
    let error = WireError::new(Code::ExecError, "it failed");
    Record::Finished(Arc::new(FinishedRecord {
        call,
        outcome: if ok { Outcome::Ok } else { Outcome::ToolError },
        error: (!ok).then_some(error),
        usage: None,
        finished_at: UnixMillis(2_000),
        queue_us: 1,
        run_us: Some(2),
        result_bytes: 3,
        late_progress: Vec::new(),
        progress_left_out: 0,
        progress: 1,
        watchers: 1,
    }))
}

fn start(logs: &Path, depth: usize) -> (mpsc::Sender<Record>, RecordWriter) {
    let (sender, receiver) = mpsc::channel(depth);
    let log = SharedFile::new(RotatingFile::open(logs.join("ws_daemon.log"), LIMITS));
    let files = RecordFiles::open(logs, log, LIMITS);
    let boot = Boot {
        boot_id: BootId::from("b"),
        pid: 1,
        version: "0".to_owned(),
        after: None,
    };
    let clock: WallClock = Arc::new(|| UnixMillis(500));
    (
        sender,
        RecordWriter::spawn(receiver, files, boot, clock).unwrap(),
    )
}

fn lines(logs: &Path, name: &str) -> usize {
    std::fs::read_to_string(logs.join(name))
        .unwrap()
        .lines()
        .count()
}

#[test]
fn r40_everything_sent_is_in_the_files_when_the_channel_has_closed() {
    const CALLS: usize = 5_000;
    let dir = tempfile::tempdir().unwrap();
    // A small channel, so that senders really wait at its bound.
    let (sender, writer) = start(dir.path(), 64);
    for number in 0..CALLS {
        let call = call(number);
        let said = ProgressRecord {
            call: Arc::clone(&call),
            at: UnixMillis(1_500),
            seq: 1,
            stage: Arc::from("running"),
            message: Arc::from("half way"),
        };
        for record in [
            Record::Received(Arc::clone(&call)),
            Record::Progress(Arc::new(said)),
            end(call, number % 10 != 0),
        ] {
            sender.blocking_send(record).unwrap();
        }
    }
    assert_eq!(writer.faults(), Vec::<String>::new());
    drop(sender);
    assert_eq!(writer.finish(LONG).unwrap(), 3 * CALLS as u64);
    assert_eq!(lines(dir.path(), "ws_daemon.log"), 2 * CALLS + 2);
    assert_eq!(lines(dir.path(), "ws_daemon.metrics.jsonl"), CALLS);
    assert_eq!(lines(dir.path(), "tool_calls_all.jsonl"), CALLS);
    assert_eq!(lines(dir.path(), "tool_failures.jsonl"), CALLS / 10);
    assert_eq!(lines(dir.path(), "progress.log"), CALLS);
    let report = check::check(&dir.path().join("ws_daemon.log"), |_| false).unwrap();
    assert!(
        report.is_clean() && report.interrupted.is_empty(),
        "{report:?}"
    );
    assert_eq!(
        (report.received, report.finished),
        (CALLS as u64, CALLS as u64)
    );
}

#[test]
fn a_record_after_silence_is_written_without_being_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, writer) = start(dir.path(), 16);
    sender.blocking_send(Record::Received(call(1))).unwrap();
    let path = dir.path().join("ws_daemon.log");
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !std::fs::read_to_string(&path)
        .unwrap_or_default()
        .contains("received call=1 id=r-1")
    {
        assert!(std::time::Instant::now() < deadline, "never written");
        std::thread::yield_now();
    }
    drop(sender);
    assert_eq!(writer.finish(LONG).unwrap(), 1);
}

#[test]
fn somebody_who_keeps_the_channel_open_does_not_keep_the_process_from_ending() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, writer) = start(dir.path(), 16);
    sender.blocking_send(Record::Received(call(1))).unwrap();
    let error = writer.finish(Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(sender);
}

#[cfg(target_os = "linux")]
#[test]
fn r42_a_full_disk_neither_stops_the_writer_nor_passes_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["ws_daemon.metrics.jsonl", "tool_calls_all.jsonl"] {
        std::os::unix::fs::symlink("/dev/full", dir.path().join(name)).unwrap();
    }
    let (sender, writer) = start(dir.path(), 16);
    for number in 0..100 {
        sender
            .blocking_send(Record::Received(call(number)))
            .unwrap();
        sender.blocking_send(end(call(number), true)).unwrap();
    }
    drop(sender);
    let faults = writer.watch();
    assert_eq!(writer.finish(LONG).unwrap(), 200);
    let told: Vec<String> = faults.iter().filter_map(|file| file.describe()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("ws_daemon.metrics.jsonl: "), "{told:?}");
    assert_eq!(lines(dir.path(), "ws_daemon.log"), 202);
}
