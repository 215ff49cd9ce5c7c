//! No frame over the limit leaves: the copy is dropped first, then the result is paged.

use crate::{
    house::{House, Plan},
    peer::Peer,
};
use exai_server::Settings;

const LIMIT: usize = 4096;

fn small() -> House {
    limited(LIMIT)
}

fn limited(max_frame_bytes: usize) -> House {
    let settings = Settings {
        max_frame_bytes,
        ..Plan::default().settings
    };
    House::planned(Plan {
        settings,
        ..Plan::default()
    })
}

async fn result_text(peer: &mut Peer) -> String {
    loop {
        let text = peer.text().await;
        assert!(text.len() <= LIMIT, "{} bytes", text.len());
        if text.contains("call_tool_res") {
            return text;
        }
    }
}

/// All pages of a result, joined.
async fn collect(peer: &mut Peer, most: usize, id: &str, limit: &str) -> String {
    let mut whole = String::new();
    loop {
        let offset = whole.len();
        peer.send(&format!(
            r#"{{"op":"collect","request_id":"{id}","offset":{offset}{limit}}}"#
        ))
        .await;
        let text = peer.text().await;
        assert!(text.len() <= most, "{} bytes", text.len());
        let page: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&page["op"], &page["offset"]),
            (&"collect_res".into(), &offset.into())
        );
        whole.push_str(page["chunk"].as_str().unwrap());
        if page["eof"] == true {
            assert_eq!(page["total_bytes"], whole.len());
            return whole;
        }
        assert!(whole.len() > offset, "no page is empty but the last");
    }
}

#[tokio::test(start_paused = true)]
async fn i07_first_the_copy_goes_then_the_result() {
    let house = small();
    let mut peer = house.v1().await;
    peer.call("1", "act", r#"{"bytes":1500}"#).await;
    let frame = result_text(&mut peer).await;
    assert!(
        frame.contains(r#""text":"xxx"#) && frame.len() > 3000,
        "both fit"
    );
    peer.call("2", "act", r#"{"bytes":3000}"#).await;
    let frame: serde_json::Value = serde_json::from_str(&result_text(&mut peer).await).unwrap();
    assert!(frame["text"].is_null() && frame["error"].is_null());
    assert_eq!(frame["outputs"][0]["text"].as_str().unwrap().len(), 3000);
    peer.call("3", "act", r#"{"bytes":100000}"#).await;
    let frame: serde_json::Value = serde_json::from_str(&result_text(&mut peer).await).unwrap();
    assert_eq!(frame["error"]["code"], "TOO_LARGE");
    let words = frame["error"]["message"].as_str().unwrap();
    assert!(
        words.contains("100027 bytes") && words.contains("4096") && words.contains("collect"),
        "{words}"
    );
    assert!(frame["outputs"].is_null());
    let whole = collect(&mut peer, LIMIT, "3", "").await;
    assert_eq!(
        whole,
        format!(r#"[{{"type":"text","text":"{}"}}]"#, "x".repeat(100_000))
    );
}

#[tokio::test(start_paused = true)]
async fn i07_pages_fit_whatever_they_hold_and_whatever_is_asked() {
    let house = limited(64 * 1024);
    let mut peer = house.featured("a").await;
    let outputs = format!(
        r#"[{{"type":"text","text":"{}"}}]"#,
        r#"\"\\\u0001ä🙂 "#.repeat(2000)
    );
    peer.call("1", "act", &format!(r#"{{"outputs":{outputs}}}"#))
        .await;
    peer.result("1").await;
    for limit in [
        "",
        r#","limit":1"#,
        r#","limit":1000"#,
        r#","limit":999999999999"#,
    ] {
        assert_eq!(
            collect(&mut peer, 64 * 1024, "1", limit).await,
            outputs,
            "{limit}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn i07_an_error_without_end_is_cut_to_the_frame() {
    let house = small();
    for rich in [false, true] {
        let mut peer = if rich {
            house.featured("a").await
        } else {
            house.v1().await
        };
        peer.call("1", "act", r#"{"then":"fail at length","bytes":100000}"#)
            .await;
        let frame: serde_json::Value = serde_json::from_str(&result_text(&mut peer).await).unwrap();
        assert_eq!(frame["error"]["code"], "EXEC_ERROR");
        assert!(
            frame["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with("ä\u{1}ä")
        );
        assert_eq!(collect(&mut peer, LIMIT, "1", "").await, "");
    }
}

#[tokio::test(start_paused = true)]
async fn i07_words_on_the_way_fit_too() {
    let house = small();
    let mut peer = house.featured("a").await;
    let words = "\\u0001".repeat(200);
    peer.call(
        "1",
        "act",
        &format!(r#"{{"ms":2000,"say":"{words}","streams":"{words}"}}"#),
    )
    .await;
    let frame = result_text(&mut peer).await;
    assert!(frame.contains("done"));
}
