//! What elder and heir say to each other: one JSON object a line. Words neither knows are passed
//! over, so that either may be the newer one.

use exai_engine::calls::CallKey;
use exai_protocol::{BootId, Principal, RequestId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{io, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
};

/// Longest line: a step with a whole small result, every byte of it escaped.
const MOST: u64 = 1 << 20;

/// Whose call is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Which {
    principal: Principal,
    scope: String,
    request: RequestId,
}

impl From<&CallKey> for Which {
    fn from(key: &CallKey) -> Self {
        Self {
            principal: key.principal.clone(),
            scope: key.scope.to_string(),
            request: key.request_id.clone(),
        }
    }
}

impl From<Which> for CallKey {
    fn from(which: Which) -> Self {
        Self {
            principal: which.principal,
            scope: Arc::from(which.scope),
            request_id: which.request,
        }
    }
}

/// From the one that has the home.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub(super) enum FromElder {
    /// The descriptors are on their way: the lock, then the listeners.
    Will {
        boot: BootId,
        version: String,
        pid: u32,
    },
    /// It will not, or not now.
    No { why: String },
    /// From here on the home is the heir's.
    Yours,
    /// A step of a call, to be written.
    Step { number: u64, step: String },
    /// A call said something.
    Said {
        call: Which,
        stage: String,
        message: String,
    },
    /// A call's streamed text.
    Text { call: Which, text: String },
    /// A call has ended.
    Ended { call: Which },
    /// A newer elder's.
    #[serde(other)]
    Unknown,
}

/// From the one that wants it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub(super) enum FromHeir {
    /// May I?
    Ask {
        boot: BootId,
        version: String,
        pid: u32,
    },
    /// All that can fail has been done.
    Ready,
    /// The record names the heir, and it accepts.
    Serving,
    /// A step is written, or why it is not.
    Kept { number: u64, error: Option<String> },
    /// Somebody waits for a call here.
    Follow { call: Which },
    /// Nobody does any more.
    Leave { call: Which },
    /// Somebody wants it stopped.
    Stop { call: Which, reason: String },
    /// The heir itself is to end: what the calls get.
    Drain { ms: u64 },
    /// A newer heir's.
    #[serde(other)]
    Unknown,
}

/// Hears lines. Waiting for one may be given up and begun again.
pub(super) struct Ears {
    reader: BufReader<OwnedReadHalf>,
    line: Vec<u8>,
}

impl Ears {
    pub(super) fn new(half: OwnedReadHalf) -> Self {
        Self {
            reader: BufReader::new(half),
            line: Vec::new(),
        }
    }

    /// The next word; `None` when the other one is gone.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let room = MOST.saturating_sub(self.line.len() as u64);
        let mut bounded = (&mut self.reader).take(room);
        bounded.read_until(b'\n', &mut self.line).await?;
        if self.line.last() != Some(&b'\n') {
            let is_long = self.line.len() as u64 >= MOST;
            return match is_long {
                true => Err(io::Error::other("a line without an end")),
                false => Ok(None),
            };
        }
        let word = serde_json::from_slice(&self.line);
        self.line.clear();
        word.map(Some).map_err(io::Error::other)
    }
}

/// Says lines.
pub(super) async fn say(half: &mut OwnedWriteHalf, word: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    half.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixStream;

    #[tokio::test]
    async fn r44_words_of_a_newer_one_are_passed_over_and_garbage_is_an_error() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (half, _keep) = ours.into_split();
        let mut ears = Ears::new(half);
        let (_, mut mouth) = theirs.into_split();
        say(
            &mut mouth,
            &serde_json::json!({"word": "blessing", "of": 3}),
        )
        .await
        .unwrap();
        say(&mut mouth, &FromHeir::Ready).await.unwrap();
        assert!(matches!(ears.next().await, Ok(Some(FromHeir::Unknown))));
        assert!(matches!(ears.next().await, Ok(Some(FromHeir::Ready))));
        mouth.write_all(b"nonsense\n").await.unwrap();
        assert!(ears.next::<FromHeir>().await.is_err());
        mouth.write_all(b"{\"word\":\"rea").await.unwrap();
        drop(mouth);
        assert!(
            matches!(ears.next::<FromHeir>().await, Ok(None)),
            "half a line is none"
        );
    }
}
