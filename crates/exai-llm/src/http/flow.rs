//! An answer as it comes.

use super::{Headers, fail};
use crate::fault::{Fault, FaultClass};
use bytes::Bytes;
use exai_protocol::Secret;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// How long the end of an answer that has said all may take, so that its connection can be
/// used again.
const LEFTOVER: Duration = Duration::from_millis(500);

/// An answer whose head has come. Dropping it closes its stream at the provider.
pub struct Flow {
    response: reqwest::Response,
    key: Option<(&'static str, &'static str, Secret)>,
    tasks: TaskTracker,
}

/// An answer that has come whole.
#[derive(Debug, Clone)]
pub struct Whole {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
}

impl Flow {
    pub(super) fn new(
        response: reqwest::Response,
        key: Option<(&'static str, &'static str, Secret)>,
        tasks: TaskTracker,
    ) -> Self {
        Self {
            response,
            key,
            tasks,
        }
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Its headers; those that are no text are left out.
    #[must_use]
    pub fn headers(&self) -> Headers {
        let lines = self.response.headers().iter();
        lines
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect()
    }

    /// The next bytes, or `None` at the end of the body.
    ///
    /// # Errors
    /// [`FaultClass::Truncated`] when the connection broke.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        self.response.chunk().await.map_err(|error| {
            let said = format!(
                "the connection broke: {}",
                fail::chain(&error.without_url())
            );
            fail::clean(Fault::new(FaultClass::Truncated, said), &self.key)
        })
    }

    /// The body up to `most` bytes; what came before a break counts, and so does a body that
    /// is longer, cut.
    pub async fn beginning(&mut self, most: usize) -> Vec<u8> {
        let mut body = Vec::new();
        while let Ok(Some(bytes)) = self.chunk().await {
            let room = most - body.len();
            body.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if body.len() >= most {
                break;
            }
        }
        body
    }

    /// The whole answer.
    ///
    /// # Errors
    /// When it is longer than `most`, or breaks off.
    pub async fn whole(mut self, most: usize) -> Result<Whole, Fault> {
        let mut body = Vec::new();
        while let Some(bytes) = self.chunk().await? {
            if body.len() + bytes.len() > most {
                let said = format!("the answer is larger than {most} bytes");
                return Err(Fault::malformed(said));
            }
            body.extend_from_slice(&bytes);
        }
        Ok(Whole {
            status: self.status(),
            headers: self.headers(),
            body: body.into(),
        })
    }

    /// All was said; lets the rest come for a moment, so that the connection can be used
    /// again. Nobody waits for it.
    pub(crate) async fn leave(mut self) {
        let now = tokio::time::timeout(Duration::ZERO, self.response.chunk()).await;
        if !matches!(now, Err(_) | Ok(Ok(Some(_)))) {
            return;
        }
        let tasks = self.tasks.clone();
        // Not waited for at the end of the daemon: half a second, and nothing is lost.
        drop(tasks.spawn(async move {
            let rest = async { while let Ok(Some(_)) = self.response.chunk().await {} };
            // Past the limit the connection closes instead.
            let _ = tokio::time::timeout(LEFTOVER, rest).await;
        }));
    }
}
