//! Good and bad lines.

use super::*;

fn refusal(line: &str) -> (i32, Option<RequestId>) {
    match read(line.as_bytes()) {
        Incoming::Refused(refusal) => (refusal.code.0, refusal.id),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn r07_every_kind_of_garbage_gets_its_error_and_its_id_back() {
    let number = |id| Some(RequestId::Number(id));
    let deep = format!(r#"{{"jsonrpc":"2.0","id":6,"a":{}"#, "[".repeat(10_000));
    for (line, code, id) in [
        ("not json", -32700, None),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping""#,
            -32700,
            number(1),
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":}"#, -32700, number(1)),
        ("[]", -32600, None),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            -32600,
            None,
        ),
        ("42", -32600, None),
        (r#""x""#, -32600, None),
        ("null", -32600, None),
        (
            r#"{"jsonrpc":"2.0","id":2,"method":"ping","method":"x"}"#,
            -32600,
            number(2),
        ),
        (
            r#"{"jsonrpc":"1.0","id":3,"method":"ping"}"#,
            -32600,
            number(3),
        ),
        (r#"{"id":3,"method":"ping"}"#, -32600, number(3)),
        (r#"{"JSONRPC":"2.0","ID":3,"Method":"ping"}"#, -32600, None),
        (r#"{"jsonrpc":"2.0","id":4}"#, -32600, number(4)),
        (r#"{"jsonrpc":"2.0","id":4,"method":7}"#, -32600, number(4)),
        (
            r#"{"jsonrpc":"2.0","id":4,"method":"x","result":{}}"#,
            -32600,
            number(4),
        ),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            -32600,
            None,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1.5,"method":7}"#,
            -32600,
            ids::read("1.5"),
        ),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600, None),
        (deep.as_str(), -32600, number(6)),
        ("{\"jsonrpc\":\"2.0\",\"id\":7,\0}", -32700, number(7)),
        (
            r#"{"jsonrpc":"2.0","id":8,"method":"tools/call"}"#,
            -32602,
            number(8),
        ),
        (
            r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":[1]}"#,
            -32602,
            number(8),
        ),
        (
            r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":5}}"#,
            -32602,
            number(8),
        ),
        (
            r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":""}}"#,
            -32602,
            number(8),
        ),
        (
            r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"a","arguments":[]}}"#,
            -32602,
            number(8),
        ),
        (
            r#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
            -32602,
            number(8),
        ),
        (
            r#"{"jsonrpc":"2.0","id":9,"method":"initialize","params":{}}"#,
            -32602,
            number(9),
        ),
        (
            r#"{"jsonrpc":"2.0","id":9,"method":"subscriptions/listen","params":{"notifications":1}}"#,
            -32602,
            number(9),
        ),
        (
            r#"{"jsonrpc":"2.0","id":9,"method":"tools/list","params":"x"}"#,
            -32602,
            number(9),
        ),
        (
            r#"{"jsonrpc":"2.0","id":9,"method":"tools/list","params":{"cursor":7}}"#,
            -32602,
            number(9),
        ),
    ] {
        assert_eq!(refusal(line), (code, id), "{line}");
    }
    assert!(matches!(
        read(b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"\xff\"}"),
        Incoming::Refused(Refusal {
            id: Some(RequestId::Number(5)),
            code: ErrorCode::PARSE_ERROR,
            ..
        })
    ));
}

#[test]
fn a_call_keeps_its_arguments_as_they_are() {
    let line = r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"chat",
        "arguments":{ "b" : 1.00, "a":"\u0041" },"_meta":{"progressToken":3}}}"#;
    let Incoming::Call(call) = read(line.as_bytes()) else {
        panic!("not a call")
    };
    assert_eq!(
        call.arguments.unwrap().get(),
        r#"{ "b" : 1.00, "a":"\u0041" }"#
    );
    assert_eq!(call.name, "chat");
    assert_eq!(call.progress.unwrap().get(), "3");
}

#[test]
fn arguments_may_be_left_out_or_null() {
    for params in [r#"{"name":"a"}"#, r#"{"name":"a","arguments":null}"#] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let Incoming::Call(call) = read(line.as_bytes()) else {
            panic!("not a call: {line}")
        };
        assert!(call.arguments.is_none());
    }
}

#[test]
fn the_rest_goes_to_the_library() {
    for line in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"something/new","params":{"x":1}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/odd","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}"#,
    ] {
        assert!(
            matches!(read(line.as_bytes()), Incoming::Message(_)),
            "{line}"
        );
    }
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4,"reason":"r"}}"#;
    let Incoming::Cancelled { params, .. } = read(cancel.as_bytes()) else {
        panic!("not cancelled")
    };
    assert_eq!(params.request_id, Some(RequestId::Number(4)));
    let odd = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[]}}"#;
    assert!(matches!(read(odd.as_bytes()), Incoming::Ignored(_)));
    let nothing = r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#;
    assert!(matches!(read(nothing.as_bytes()), Incoming::Ignored(_)));
    let huge =
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1e30}}"#;
    let Incoming::Cancelled { params, .. } = read(huge.as_bytes()) else {
        panic!("not cancelled")
    };
    assert_eq!(params.request_id, ids::read("1e30"));
}
