//! Files at providers that read them for us (Kimi, GLM): uploaded, their text fetched, kept
//! here by the fingerprint of their bytes, and deleted there. The same file is read once,
//! however many calls want it and however often.

mod cache;
mod flight;
#[cfg(test)]
mod tests;
mod wire;

use crate::{
    endpoint::Live,
    fault::{Fault, FaultClass},
    provider::FileDoor,
};
use bytes::Bytes;
use cache::Cache;
use exai_protocol::WallClock;
use flight::Flights;
use sha2::{Digest as _, Sha256};
use std::{fmt::Write as _, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::task::TaskTracker;

/// Uploads under way, over all endpoints.
const UPLOADS: usize = 3;
/// Waits between attempts to fetch a text that is not ready yet.
const PATIENCE: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
/// How long a deletion may take that nobody waits for.
const DELETION: Duration = Duration::from_secs(30);

/// Has files read by providers.
pub struct Files {
    cache: Arc<Cache>,
    flights: Flights,
    uploads: Semaphore,
    tracker: TaskTracker,
}

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    /// Its text.
    pub text: String,
    /// Whether it was read before, and nothing was sent.
    pub cached: bool,
}

impl Files {
    /// Keeps what was read in `dir`, which is ours alone.
    #[must_use]
    pub fn new(dir: PathBuf, clock: WallClock) -> Self {
        Self {
            cache: Arc::new(Cache::new(dir, clock)),
            flights: Flights::default(),
            uploads: Semaphore::new(UPLOADS),
            tracker: TaskTracker::new(),
        }
    }

    /// Whether this endpoint reads files.
    #[must_use]
    pub fn reads(live: &Live) -> bool {
        live.resolved().endpoint.files.is_some()
    }

    /// The text of a file. Dropping the future deletes what was uploaded.
    ///
    /// # Errors
    /// [`FaultClass::Unsupported`] where the endpoint reads no files, [`FaultClass::TooLarge`]
    /// before anything is sent, and what any request may end with.
    pub async fn extract(
        &self,
        live: &Arc<Live>,
        name: &str,
        bytes: Bytes,
        media_type: &str,
        deadline: Instant,
    ) -> Result<Extracted, Fault> {
        let door = door(live)?;
        if bytes.is_empty() {
            return Err(Fault::unsupported(format!("'{name}' is empty")));
        }
        if bytes.len() as u64 > door.max_bytes {
            let (size, most) = (bytes.len(), door.max_bytes);
            let what = format!("'{name}' has {size} bytes; files there have at most {most}");
            return Err(Fault::new(FaultClass::TooLarge, what));
        }
        let key = key(&live.resolved().name, &door.purpose, &bytes);
        if let Some(text) = self.kept(&key).await {
            return Ok(Extracted { text, cached: true });
        }
        let mut turn = within(deadline, self.flights.turn(&key)).await?;
        // Somebody was faster, or failed for all who waited.
        if let Some(text) = self.kept(&key).await {
            return Ok(Extracted { text, cached: true });
        }
        if let Some(fault) = turn.failed() {
            return Err(fault);
        }
        let read = self
            .read(
                live,
                door,
                wire::plain_name(name),
                bytes,
                media_type,
                deadline,
            )
            .await;
        match read {
            Ok(text) => {
                self.keep(&key, &text).await;
                Ok(Extracted {
                    text,
                    cached: false,
                })
            }
            Err(fault) => {
                turn.fail(&fault);
                Err(fault)
            }
        }
    }

    /// Deletes a file at its provider; one that is not there any more is no fault.
    ///
    /// # Errors
    /// As any request.
    pub async fn delete(live: &Live, id: &str, deadline: Instant) -> Result<(), Fault> {
        let door = door(live)?;
        let ask = wire::delete(&live.url(&door.path)?, id);
        match live.short(ask, deadline).await {
            Err(fault) if fault.class != FaultClass::NotFound => Err(fault),
            _ => Ok(()),
        }
    }

    /// Forgets everything that was read.
    pub async fn forget(&self) {
        let cache = Arc::clone(&self.cache);
        let _ = tokio::task::spawn_blocking(move || cache.clear()).await;
    }

    /// Waits for deletions nobody waits for; for a daemon's own end.
    pub async fn settle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.tracker.reopen();
    }

    async fn read(
        &self,
        live: &Arc<Live>,
        door: &FileDoor,
        name: String,
        bytes: Bytes,
        media_type: &str,
        deadline: Instant,
    ) -> Result<String, Fault> {
        let _permit = within(deadline, self.uploads.acquire()).await?;
        let url = live.url(&door.path)?;
        let ask = wire::upload(&url, &door.purpose, &name, media_type, bytes);
        let answer = live.short(ask, deadline).await?;
        let uploaded = Uploaded {
            live: Arc::clone(live),
            id: wire::uploaded(&answer.body)?,
            delete: door.delete_after,
            tracker: self.tracker.clone(),
        };
        let text = fetch(live, &url, &uploaded.id, deadline).await?;
        if text.trim().is_empty() {
            let what = format!("the provider found no text in '{name}'");
            return Err(Fault::new(FaultClass::BadRequest, what));
        }
        Ok(text)
    }

    async fn kept(&self, key: &str) -> Option<String> {
        let (cache, key) = (Arc::clone(&self.cache), key.to_owned());
        let read = tokio::task::spawn_blocking(move || cache.get(&key));
        read.await.ok().flatten()
    }

    async fn keep(&self, key: &str, text: &str) {
        let (cache, key, text) = (Arc::clone(&self.cache), key.to_owned(), text.to_owned());
        let kept = tokio::task::spawn_blocking(move || cache.put(&key, &text)).await;
        // It was read; that it will be read again is no reason to fail.
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, "a file's text cannot be kept");
        }
    }
}

/// A file at a provider, deleted there when nobody needs it any more.
struct Uploaded {
    live: Arc<Live>,
    id: String,
    delete: bool,
    tracker: TaskTracker,
}

impl Drop for Uploaded {
    fn drop(&mut self) {
        if !self.delete || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (live, id) = (Arc::clone(&self.live), std::mem::take(&mut self.id));
        self.tracker.spawn(async move {
            let deadline = Instant::now() + DELETION;
            if let Err(fault) = Files::delete(&live, &id, deadline).await {
                let endpoint = &live.resolved().name;
                tracing::warn!(%endpoint, %id, %fault, "an uploaded file stays there");
            }
        });
    }
}

/// The text, which may take a moment to be ready.
async fn fetch(live: &Live, url: &str, id: &str, deadline: Instant) -> Result<String, Fault> {
    let mut patience = PATIENCE.iter();
    loop {
        let fault = match live.short(wire::content(url, id), deadline).await {
            Ok(whole) => return Ok(wire::text(&whole.body)),
            Err(fault) => fault,
        };
        let passes = fault.class.worth_repeating() || fault.class == FaultClass::NotFound;
        let Some(wait) = patience.next().filter(|_| passes) else {
            return Err(fault);
        };
        let asked = fault.retry_after_ms.map(Duration::from_millis);
        let wait = asked.unwrap_or(*wait);
        if Instant::now() + wait >= deadline {
            return Err(fault);
        }
        sleep(wait).await;
    }
}

async fn within<T>(deadline: Instant, what: impl Future<Output = T>) -> Result<T, Fault> {
    let late = "the call's deadline came before the file was read";
    let done = timeout_at(deadline, what).await;
    done.map_err(|_| Fault::new(FaultClass::Timeout, late))
}

fn door(live: &Live) -> Result<&FileDoor, Fault> {
    let resolved = live.resolved();
    resolved.endpoint.files.as_ref().ok_or_else(|| {
        let name = &resolved.name;
        Fault::unsupported(format!("'{name}' reads no files"))
    })
}

fn key(endpoint: &str, purpose: &str, bytes: &[u8]) -> String {
    let mut all = Sha256::new();
    for part in [endpoint.as_bytes(), purpose.as_bytes()] {
        all.update(part);
        all.update([0]);
    }
    all.update(Sha256::digest(bytes));
    let mut name = String::with_capacity(64);
    for byte in all.finalize() {
        let _ = write!(name, "{byte:02x}");
    }
    name
}
