//! A raw peer of the daemon: frames are values or any bytes at all, so that tests can say
//! what no client of ours would.

use crate::{Must as _, PATIENCE};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::{collections::VecDeque, net::Ipv4Addr, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest as _,
        http::{HeaderName, HeaderValue, Response},
        protocol::WebSocketConfig,
    },
};

/// What came from the daemon.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// A text frame that is JSON.
    Json(Value),
    /// The end: its close code and reason where one was sent.
    Closed(Option<(u16, String)>),
    /// Nothing in time.
    Silence,
}

/// The first frame of a peer.
#[derive(Debug, Clone)]
pub struct Handshake {
    frame: Value,
}

impl Handshake {
    /// Any frame at all.
    #[must_use]
    pub fn of(frame: Value) -> Self {
        Self { frame }
    }

    /// A V1 client, which announces nothing.
    #[must_use]
    pub fn v1(token: &str) -> Self {
        Self {
            frame: json!({ "op": "hello", "session_id": "testkit", "token": token }),
        }
    }

    /// A client of today with a stable id.
    #[must_use]
    pub fn modern(token: &str, client_id: &str, features: &[&str]) -> Self {
        Self {
            frame: json!({
                "op": "hello",
                "session_id": "",
                "token": token,
                "protocol": "1.1",
                "features": features,
                "client": { "id": client_id, "name": "testkit", "version": "0", "pid": std::process::id() },
            }),
        }
    }
}

/// A connection.
pub struct Ws {
    stream: WebSocketStream<TcpStream>,
    /// Frames read while looking for another.
    aside: VecDeque<Value>,
    next_id: u64,
}

impl Ws {
    /// Connects without a hello; ends the test when it cannot.
    pub async fn connect(port: u16) -> Self {
        Self::connect_with(port, &[])
            .await
            .unwrap_or_else(|error| panic!("cannot connect to {port}: {error}"))
    }

    /// The same, `None` when nobody listens (yet).
    pub async fn try_connect(port: u16) -> Option<Self> {
        Self::connect_with(port, &[]).await.ok()
    }

    /// Connects with headers of one's own (`Origin`, `Host`); a refusal comes as its status.
    ///
    /// # Errors
    /// What the socket or the daemon says.
    pub async fn connect_with(
        port: u16,
        headers: &[(&str, &str)],
    ) -> Result<Self, tungstenite::Error> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        tcp.set_nodelay(true)?;
        let mut request = format!("ws://127.0.0.1:{port}/").into_client_request()?;
        for (name, value) in headers {
            let name: HeaderName = name.parse().must("name a header");
            let value: HeaderValue = value.parse().must("give a header a value");
            request.headers_mut().insert(name, value);
        }
        let config = WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None);
        let upgrade = client_async_with_config(request, tcp, Some(config));
        let (stream, _) = timeout(PATIENCE, upgrade).await.must("upgrade in time")?;
        Ok(Self {
            stream,
            aside: VecDeque::new(),
            next_id: 0,
        })
    }

    /// The HTTP status of a refused upgrade.
    #[must_use]
    pub fn status(error: &tungstenite::Error) -> Option<u16> {
        match error {
            tungstenite::Error::Http(response) => Some(status_of(response)),
            _ => None,
        }
    }

    /// Says hello and returns the ack, or whatever else came first.
    pub async fn hello(&mut self, handshake: &Handshake) -> Frame {
        self.send(&handshake.frame).await;
        self.next(PATIENCE).await
    }

    /// Says hello as a V1 client and ends the test unless it is welcome.
    pub async fn hello_v1(&mut self, token: &str) -> Value {
        match self.hello(&Handshake::v1(token)).await {
            Frame::Json(ack) if ack["ok"] == true => ack,
            other => panic!("not welcome: {other:?}"),
        }
    }

    /// Says hello and returns the first frame, `None` when none comes.
    pub async fn try_hello(&mut self, handshake: &Handshake) -> Option<Value> {
        let hello = Message::text(handshake.frame.to_string());
        self.stream.send(hello).await.ok()?;
        match self.next(Duration::from_secs(5)).await {
            Frame::Json(ack) => Some(ack),
            Frame::Closed(_) | Frame::Silence => None,
        }
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &Value) {
        self.send_text(&frame.to_string()).await;
    }

    /// Sends any text.
    pub async fn send_text(&mut self, text: &str) {
        self.try_send(Message::text(text))
            .await
            .must("send a frame");
    }

    /// Sends any message; the daemon may have closed.
    ///
    /// # Errors
    /// What the socket says, or that it took too long.
    pub async fn try_send(&mut self, message: Message) -> Result<(), tungstenite::Error> {
        let late = || tungstenite::Error::Io(std::io::ErrorKind::TimedOut.into());
        timeout(PATIENCE, self.stream.send(message))
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    /// Sends a frame; the daemon may have closed.
    ///
    /// # Errors
    /// As [`Ws::try_send`].
    pub async fn try_send_json(&mut self, frame: &Value) -> Result<(), tungstenite::Error> {
        self.try_send(Message::text(frame.to_string())).await
    }

    /// The next frame, or what came instead within `limit`.
    pub async fn next(&mut self, limit: Duration) -> Frame {
        if let Some(frame) = self.aside.pop_front() {
            return Frame::Json(frame);
        }
        let end = tokio::time::Instant::now() + limit;
        loop {
            let message = match tokio::time::timeout_at(end, self.stream.next()).await {
                Err(_) => return Frame::Silence,
                Ok(None | Some(Err(_))) => return Frame::Closed(None),
                Ok(Some(Ok(message))) => message,
            };
            match message {
                Message::Text(text) => {
                    return Frame::Json(serde_json::from_str(&text).must("read a frame as JSON"));
                }
                Message::Close(close) => {
                    return Frame::Closed(
                        close.map(|close| (close.code.into(), close.reason.to_string())),
                    );
                }
                Message::Binary(_) => panic!("the daemon sent a binary frame"),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// The next frame; ends the test when none comes.
    #[track_caller]
    pub fn recv(&mut self) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            match self.next(PATIENCE).await {
                Frame::Json(frame) => frame,
                other => panic!("{caller}: wanted a frame, got {other:?}"),
            }
        }
    }

    /// The next frame that fits; others are kept for later.
    #[track_caller]
    pub fn recv_where(&mut self, fits: impl Fn(&Value) -> bool) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            if let Some(at) = self.aside.iter().position(&fits) {
                return self.aside.remove(at).unwrap_or_default();
            }
            let mut passed = std::mem::take(&mut self.aside);
            let end = tokio::time::Instant::now() + PATIENCE;
            loop {
                let left = end.saturating_duration_since(tokio::time::Instant::now());
                match self.next(left).await {
                    Frame::Json(frame) if fits(&frame) => {
                        self.aside = passed;
                        return frame;
                    }
                    Frame::Json(frame) => passed.push_back(frame),
                    other => panic!("{caller}: got {other:?} after {passed:?}"),
                }
            }
        }
    }

    /// The next frame with this `op`.
    #[track_caller]
    pub fn recv_op(&mut self, op: &str) -> impl Future<Output = Value> {
        self.recv_where(move |frame| frame["op"] == op)
    }

    /// The terminal frame of a call.
    #[track_caller]
    pub fn result(&mut self, request_id: &str) -> impl Future<Output = Value> {
        self.recv_where(move |frame| {
            frame["op"] == "call_tool_res" && frame["request_id"] == request_id
        })
    }

    /// Asks for a call under a fresh id, and returns the id.
    pub async fn call(&mut self, tool: &str, arguments: Value) -> String {
        self.next_id += 1;
        let id = format!("t{}", self.next_id);
        self.call_as(&id, tool, arguments).await;
        id
    }

    /// Asks for a call under this id.
    pub async fn call_as(&mut self, request_id: &str, tool: &str, arguments: Value) {
        let frame = json!({ "op": "call_tool", "request_id": request_id, "name": tool, "arguments": arguments });
        self.send(&frame).await;
    }

    /// A call from beginning to end.
    pub async fn call_and_wait(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.call(tool, arguments).await;
        self.result(&id).await
    }

    /// Reads to the end of the connection; returns its close code and reason.
    pub async fn closed(&mut self) -> Option<(u16, String)> {
        loop {
            match self.next(PATIENCE).await {
                Frame::Json(_) => {}
                Frame::Closed(why) => return why,
                Frame::Silence => panic!("the connection is still open after {PATIENCE:?}"),
            }
        }
    }

    /// Closes the connection in good order.
    pub async fn close(mut self) {
        let _ = timeout(PATIENCE, self.stream.close(None)).await;
    }
}

fn status_of<T>(response: &Response<T>) -> u16 {
    response.status().as_u16()
}
