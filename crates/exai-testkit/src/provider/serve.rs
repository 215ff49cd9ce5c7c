//! Accepting connections and serving them, on the server's own thread.

use super::{
    Tls,
    book::Book,
    incoming::{Heard, Inbox},
    plan::{self, End},
    play,
};
use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    select,
    sync::watch,
    task::JoinSet,
    time::sleep,
};

/// What the server is to be, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Up,
    /// Nobody listens, and every connection is gone.
    Down,
    Over,
}

/// How often a lost port is asked for again.
const TRIES: usize = 400;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// A fatal `handshake_failure` alert, TLS 1.2 record (RFC 5246 §7.2).
const ALERT: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 40];
const CLEAR_TEXT: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\
    connection: close\r\n\r\nThis port speaks HTTP without TLS.\n";

/// Serves until it is over.
pub(super) async fn serve(
    listener: TcpListener,
    address: SocketAddr,
    book: Arc<Book>,
    mut wanted: watch::Receiver<State>,
    is: watch::Sender<State>,
) {
    let mut listener = Some(listener);
    loop {
        if let Some(listener) = listener.take() {
            is.send_replace(State::Up);
            let mut connections = JoinSet::new();
            select! {
                () = accept(&listener, &book, &mut connections) => {}
                _ = wanted.wait_for(|state| *state != State::Up) => {}
            }
            // Dropped, not awaited: all connections end with the listener.
        }
        is.send_replace(State::Down);
        match wanted
            .wait_for(|state| *state != State::Down)
            .await
            .as_deref()
        {
            Ok(State::Up) => match bind(address).await {
                Some(bound) => listener = Some(bound),
                None => return,
            },
            _ => return,
        }
    }
}

/// The port may still be held for a moment by what was just closed.
async fn bind(address: SocketAddr) -> Option<TcpListener> {
    for _ in 0..TRIES {
        if let Ok(listener) = TcpListener::bind(address).await {
            return Some(listener);
        }
        sleep(BETWEEN_TRIES).await;
    }
    None
}

async fn accept(listener: &TcpListener, book: &Arc<Book>, connections: &mut JoinSet<()>) {
    while let Ok((stream, _)) = listener.accept().await {
        let book = Arc::clone(book);
        connections.spawn(async move {
            // A broken connection is what these tests are about: who cares reads the book.
            let _ = connection(stream, &book).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(mut stream: TcpStream, book: &Book) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let number = book.connected();
    let mut inbox = Inbox::default();
    loop {
        let incoming = match inbox.hear(&mut stream).await? {
            Heard::Request(incoming) => incoming,
            Heard::TlsHello => return refuse_tls(stream, &mut inbox, book.tls_hello()).await,
            Heard::End => return Ok(()),
        };
        let (request, reply) = book.receive(incoming, number);
        let index = request.index;
        let plan = plan::plan(reply, &request, SystemTime::now());
        let (mut reader, mut writer) = stream.split();
        let played = select! {
            biased;
            played = play::play(plan.steps, &mut writer, |told| book.tell(index, told)) => played,
            () = inbox.until_gone(&mut reader) => Err(io::ErrorKind::BrokenPipe.into()),
        };
        if played.is_err() {
            book.hung_up(index);
            return played;
        }
        book.ended(index);
        match plan.end {
            End::KeepAlive => {}
            End::Close => return stream.shutdown().await,
            End::Reset => return stream.set_zero_linger(),
        }
    }
}

async fn refuse_tls(mut stream: TcpStream, inbox: &mut Inbox, how: Tls) -> io::Result<()> {
    match how {
        Tls::ClearText => stream.write_all(CLEAR_TEXT).await?,
        Tls::Alert => stream.write_all(&ALERT).await?,
        Tls::HangUp => {}
        Tls::Stall => inbox.until_gone(&mut stream).await,
    }
    stream.shutdown().await
}
