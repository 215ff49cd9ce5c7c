//! Over real sockets, where a connection dropped with unread bytes is reset and the last
//! words before it are lost: the close must be read all the same.

use crate::{
    hostile::raw_frame,
    house::{House, TOKEN},
    peer::Peer,
};
use tokio::{io::AsyncWriteExt, net::TcpStream};

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
