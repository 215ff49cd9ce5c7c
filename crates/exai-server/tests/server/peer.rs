//! A raw WebSocket peer over memory.

use crate::house::PORT;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error, Message, protocol::WebSocketConfig},
};

pub(crate) struct Peer<S = DuplexStream> {
    pub(crate) socket: WebSocketStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) async fn upgrade(stream: S) -> Self {
        Self::upgrade_at(stream, PORT).await
    }

    /// The upgrade names the port it was dialled at.
    pub(crate) async fn upgrade_at(stream: S, port: u16) -> Self {
        let config = WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None);
        let (socket, _) =
            client_async_with_config(format!("ws://127.0.0.1:{port}/"), stream, Some(config))
                .await
                .unwrap();
        Self { socket }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next text frame.
    pub(crate) async fn text(&mut self) -> String {
        loop {
            match self
                .socket
                .next()
                .await
                .expect("an open connection")
                .unwrap()
            {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn json(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
    }

    /// Asks and takes the next frame for the answer.
    pub(crate) async fn ask(&mut self, text: &str) -> Value {
        self.send(text).await;
        self.json().await
    }

    /// Calls a tool.
    pub(crate) async fn call(&mut self, id: &str, tool: &str, arguments: &str) {
        let frame = format!(
            r#"{{"op":"call_tool","request_id":"{id}","name":"{tool}","arguments":{arguments}}}"#
        );
        self.send(&frame).await;
    }

    /// Skips to the next frame of that op.
    pub(crate) async fn until(&mut self, op: &str) -> Value {
        loop {
            let frame = self.json().await;
            if frame["op"] == op {
                return frame;
            }
        }
    }

    /// Skips to the result of that call.
    pub(crate) async fn result(&mut self, id: &str) -> Value {
        loop {
            let frame = self.until("call_tool_res").await;
            if frame["request_id"] == id {
                return frame;
            }
        }
    }

    /// Frames that come within a time; nothing else may happen.
    pub(crate) async fn within(&mut self, time: Duration) -> Vec<Value> {
        let mut frames = Vec::new();
        let deadline = tokio::time::Instant::now() + time;
        while let Ok(frame) = tokio::time::timeout_at(deadline, self.json()).await {
            frames.push(frame);
        }
        frames
    }

    /// Reads to the end; the close code and reason, where there is a close.
    pub(crate) async fn closed(&mut self) -> Option<(u16, String)> {
        let mut close = None;
        while let Some(message) = self.socket.next().await {
            match message {
                Ok(Message::Close(frame)) => {
                    close = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                }
                Ok(_) => {}
                Err(Error::Protocol(_) | Error::Io(_)) => break,
                Err(error) => panic!("{error}"),
            }
        }
        close
    }
}
