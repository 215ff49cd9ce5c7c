//! Golden lines: what a reader of the predecessor's files, or of ours, may rely on.

use super::*;
use exai_protocol::{ClientId, Code, Principal, RawValue, RequestId, SessionId, WireError};
use std::sync::Arc;

fn call() -> CallFacts {
    CallFacts {
        number: 12,
        principal: Principal::from("owner"),
        session_id: SessionId::from("s-1"),
        client_id: Some(ClientId::from("w-1")),
        client_name: Arc::from("vs code"),
        request_id: RequestId::from("r-1"),
        tool: Arc::from("chat"),
        provider: Arc::from("kimi"),
        args_bytes: 123,
        args_hash: 0x0123_4567_89ab_cdef,
        arguments: None,
        received_at: UnixMillis(1_763_693_280_042),
    }
}

fn end(call: CallFacts, outcome: Outcome, error: Option<WireError>) -> FinishedRecord {
    FinishedRecord {
        call: Arc::new(call),
        outcome,
        error,
        usage: None,
        finished_at: UnixMillis(1_763_693_281_500),
        queue_us: 12,
        run_us: Some(1_457_001),
        result_bytes: 77,
        late_progress: Vec::new(),
        progress_left_out: 0,
        progress: 3,
        watchers: 1,
    }
}

fn this_boot() -> Boot {
    Boot {
        boot_id: BootId::from("b-1"),
        pid: 4711,
        version: "0.1.0".to_owned(),
        after: None,
    }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches('\n').count(), 1, "{text}");
    text.strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn readable_lines() {
    let mut stamps = Stamps::default();
    assert_eq!(
        written(|out| boot(
            out,
            &mut stamps,
            UnixMillis(1_763_693_279_000),
            &this_boot()
        )),
        "2025-11-21 02:47:59 INFO calls: boot boot=b-1 pid=4711 version=0.1.0"
    );
    let heir = Boot {
        after: Some(BootId::from("b-0")),
        ..this_boot()
    };
    assert_eq!(
        written(|out| boot(out, &mut stamps, UnixMillis(1_763_693_279_000), &heir)),
        "2025-11-21 02:47:59 INFO calls: boot boot=b-1 pid=4711 version=0.1.0 after=b-0"
    );
    assert_eq!(
        written(|out| received(out, &mut stamps, &this_boot(), &call())),
        "2025-11-21 02:48:00 INFO calls: received call=12 id=r-1 session=s-1 client=\"vs code\" tool=chat \
         args=123B sha=0123456789abcdef boot=b-1"
    );
    assert_eq!(
        written(|out| finished(
            out,
            &mut stamps,
            &this_boot(),
            &end(call(), Outcome::Ok, None)
        )),
        "2025-11-21 02:48:01 INFO calls: finished call=12 id=r-1 session=s-1 client=\"vs code\" tool=chat \
         outcome=ok queue=0.012ms run=1457.001ms bytes=77 boot=b-1"
    );
    let error = WireError::new(Code::OverCapacity, "no room;\ntry again");
    let mut refused = end(call(), Outcome::OverCapacity, Some(error));
    refused.run_us = None;
    assert_eq!(
        written(|out| finished(out, &mut stamps, &this_boot(), &refused)),
        "2025-11-21 02:48:01 WARNING calls: finished call=12 id=r-1 session=s-1 client=\"vs code\" \
         tool=chat outcome=over_capacity queue=0.012ms run=- bytes=77 boot=b-1 code=OVER_CAPACITY \
         error=\"no room;\\ntry again\""
    );
    assert_eq!(
        written(|out| shutdown(
            out,
            &mut stamps,
            UnixMillis(1_763_693_282_000),
            &this_boot()
        )),
        "2025-11-21 02:48:02 INFO calls: shutdown boot=b-1"
    );
}

#[test]
fn metrics_keep_the_predecessors_fields_first() {
    assert_eq!(
        written(|out| metrics(out, &this_boot(), &end(call(), Outcome::Ok, None))),
        "{\"t\":1763693281.500,\"op\":\"call_tool\",\"lat\":1.457013,\"sess\":\"s-1\",\
         \"name\":\"chat\",\"prov\":\"KIMI\",\"timestamp\":1763693281.500,\"request_id\":\"r-1\",\
         \"client\":\"vs code\",\"client_id\":\"w-1\",\"outcome\":\"ok\",\"code\":null,\
         \"queue_ms\":0.012,\"run_ms\":1457.001,\"bytes\":77,\"boot_id\":\"b-1\"}"
    );
}

#[test]
fn the_complete_record_of_a_call() {
    assert_eq!(
        written(|out| calls(out, &this_boot(), &end(call(), Outcome::Ok, None))),
        "{\"timestamp\":1763693281.500,\"t\":1763693281.500,\"tool\":\"chat\",\
         \"duration\":1.457013,\"success\":true,\"error\":null,\"session\":\"s-1\",\
         \"request_id\":\"r-1\",\"client\":\"vs code\",\"client_id\":\"w-1\",\"outcome\":\"ok\",\
         \"code\":null,\"queue_ms\":0.012,\"run_ms\":1457.001,\"bytes\":77,\"boot_id\":\"b-1\",\
         \"received_at\":1763693280.042,\"provider\":\"kimi\",\"args_bytes\":123,\
         \"args_hash\":\"0123456789abcdef\",\"number\":12,\"progress\":3,\"watchers\":1}"
    );
}

#[test]
fn a_failure_names_its_cause_and_need_not_have_run() {
    let error = WireError::new(Code::Timeout, "the tool's limit of 5 s fired");
    let mut failed = end(call(), Outcome::Timeout, Some(error));
    failed.run_us = None;
    assert_eq!(
        written(|out| failures(out, &this_boot(), &failed)),
        "{\"t\":1763693281.500,\"tool\":\"chat\",\"error\":\"the tool's limit of 5 s fired\",\
         \"duration\":0.000012,\"session\":\"s-1\",\"timestamp\":1763693281.500,\
         \"request_id\":\"r-1\",\"client\":\"vs code\",\"client_id\":\"w-1\",\
         \"outcome\":\"timeout\",\"code\":\"TIMEOUT\",\"queue_ms\":0.012,\"run_ms\":null,\
         \"bytes\":77,\"boot_id\":\"b-1\"}"
    );
}

#[test]
fn progress_is_time_and_message_then_whose() {
    let said = ProgressRecord {
        call: Arc::new(call()),
        at: UnixMillis(1_763_693_280_900),
        seq: 2,
        stage: Arc::from("reading files"),
        message: Arc::from("7 of 12: \"a b.rs\""),
    };
    assert_eq!(
        written(|out| progress(out, &said)),
        "1763693280.900: 7 of 12: \"a b.rs\" (tool=chat id=r-1 stage=\"reading files\" seq=2)"
    );
}

#[test]
fn what_was_left_out_is_counted_in_its_line() {
    let mut end = end(call(), Outcome::Ok, None);
    end.progress_left_out = 8_234;
    assert_eq!(
        written(|out| left_out(out, &end)),
        "1763693281.500: 8234 more messages were left out (tool=chat id=r-1 stage=finished)"
    );
}

/// Whatever clients and tools put into names and messages.
fn hostile() -> FinishedRecord {
    let evil = "x\n2025-11-21 02:48:00 INFO calls: received id=forged\r\u{1b}[2J\u{2028}\"\\";
    let mut call = call();
    call.request_id = RequestId::from(evil);
    call.session_id = SessionId::from(evil);
    call.client_id = Some(ClientId::from(evil));
    call.client_name = Arc::from(evil.repeat(100));
    call.tool = Arc::from(evil);
    call.provider = Arc::from(evil);
    call.arguments = RawValue::from_string("{\n\"a\"\r\n:\t1}".to_owned()).ok();
    end(
        call,
        Outcome::Internal,
        Some(WireError::new(Code::Internal, evil.repeat(1000))),
    )
}

#[test]
fn s13_a_line_stays_a_line_and_stays_bounded_whatever_is_in_it() {
    let end = hostile();
    let said = ProgressRecord {
        call: Arc::clone(&end.call),
        at: UnixMillis(0),
        seq: 0,
        stage: Arc::clone(&end.call.tool),
        message: Arc::from("m\n".repeat(100_000)),
    };
    let mut stamps = Stamps::default();
    let lines = [
        written(|out| received(out, &mut stamps, &this_boot(), &end.call)),
        written(|out| finished(out, &mut Stamps::default(), &this_boot(), &end)),
        written(|out| metrics(out, &this_boot(), &end)),
        written(|out| calls(out, &this_boot(), &end)),
        written(|out| failures(out, &this_boot(), &end)),
        written(|out| progress(out, &said)),
    ];
    for line in &lines {
        assert!(
            !line.chars().any(|c| c.is_control() || c == '\u{2028}'),
            "{line}"
        );
        assert!(line.len() < 20_000, "{}", line.len());
    }
    for json in &lines[2..5] {
        let value: serde_json::Value = serde_json::from_str(json).expect(json);
        let names: Vec<&String> = value.as_object().unwrap().keys().collect();
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(names.len(), distinct.len());
        assert_eq!(value["t"], value["timestamp"]);
        assert_eq!(
            value["request_id"].as_str(),
            Some(end.call.request_id.as_str())
        );
    }
}

#[test]
fn s13_arguments_are_written_only_where_the_record_holds_them() {
    let plain = end(call(), Outcome::Ok, None);
    let with = |json: String| {
        let mut call = call();
        call.arguments = RawValue::from_string(json).ok();
        end(call, Outcome::Ok, None)
    };
    let line = |end: &FinishedRecord| written(|out| calls(out, &this_boot(), end));
    assert!(!line(&plain).contains("argument"));
    let small = with("{\"prompt\":\n \"hi\"}".to_owned());
    let value: serde_json::Value = serde_json::from_str(&line(&small)).unwrap();
    assert_eq!(value["arguments"]["prompt"], "hi");
    let shown = written(|out| received(out, &mut Stamps::default(), &this_boot(), &small.call));
    assert!(
        shown.ends_with("arguments=\"{\\\"prompt\\\":\\n \\\"hi\\\"}\""),
        "{shown}"
    );
    let large = with(format!("{{\"prompt\":\"{}\"}}", "y".repeat(100_000)));
    let value: serde_json::Value = serde_json::from_str(&line(&large)).unwrap();
    assert_eq!(
        value["arguments_start"].as_str().map(str::len),
        Some(64 * 1024)
    );
}
