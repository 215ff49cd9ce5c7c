//! Over real sockets, where a connection dropped with unread bytes is reset and the last
//! words before it are lost: the close must be read all the same.

use crate::{
    hostile::raw_frame,
    house::{House, TOKEN},
    peer::Peer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn dial(port: u16) -> Peer<TcpStream> {
    Peer::upgrade_at(TcpStream::connect(("127.0.0.1", port)).await.unwrap(), port).await
}

async fn welcomed(port: u16) -> Peer<TcpStream> {
    let mut peer = dial(port).await;
    assert_eq!(
        peer.ask(&format!(r#"{{"op":"hello","token":"{TOKEN}"}}"#))
            .await["ok"],
        true
    );
    peer
}

#[tokio::test]
async fn i07_a_frame_over_the_limit_is_answered_with_1009() {
    let (_house, port) = House::on_tcp().await;
    let mut peer = welcomed(port).await;
    let frame = raw_frame(0x81, 40 << 20, &vec![b' '; 40 << 20]);
    peer.socket.get_mut().write_all(&frame).await.unwrap();
    assert_eq!(peer.closed().await.unwrap().0, 1009);
}

#[tokio::test]
async fn s06_a_hello_over_the_limit_is_answered_with_4000() {
    let (_house, port) = House::on_tcp().await;
    let mut peer = dial(port).await;
    let padding = "x".repeat(1 << 20);
    peer.send(&format!(
        r#"{{"op":"hello","token":"{TOKEN}","padding":"{padding}"}}"#
    ))
    .await;
    assert_eq!(peer.json().await["error"], "invalid_hello");
    assert_eq!(peer.closed().await.unwrap().0, 4000);
}

#[tokio::test]
async fn r25_goodbye_is_read_by_a_peer_in_the_midst_of_asking() {
    let (house, port) = House::on_tcp().await;
    let mut peer = welcomed(port).await;
    for n in 0..200 {
        peer.call(&n.to_string(), "instant", "{}").await;
    }
    peer.result("199").await;
    house.goodbye.cancel();
    house.closing.cancel();
    for n in 0..200 {
        if peer
            .socket
            .get_mut()
            .write_all(b"\x89\x80\0\0\0\0")
            .await
            .is_err()
        {
            panic!("reset after {n} pings");
        }
    }
    assert_eq!(peer.closed().await.unwrap().0, 1001);
    house.serving.await.unwrap();
}

/// A person with a browser, or a probe of a load balancer.
#[tokio::test]
async fn a_plain_request_is_told_what_this_port_is() {
    let (house, port) = House::on_tcp().await;
    for line in ["GET / HTTP/1.1", "GET /health HTTP/1.0", "POST / HTTP/1.1"] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!("{line}\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"),
            "{line}: {answer}"
        );
        assert!(answer.contains("\r\nUpgrade: websocket\r\n"), "{answer}");
        assert!(answer.contains("WebSocket"), "{answer}");
    }
    // What is no HTTP at all gets nothing.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream
        .write_all(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
    drop(house);
}
