//! Texts that were read, one file each, named by a fingerprint. Written whole or not at all,
//! readable by their owner only, old ones gone after a week, the oldest first where room ends.

use exai_protocol::WallClock;
use serde::{Deserialize, Serialize};
use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

const KEPT_MS: u64 = 7 * 24 * 3600 * 1000;
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// The directory.
pub(super) struct Cache {
    dir: PathBuf,
    clock: WallClock,
    most_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    at_ms: u64,
    text: String,
}

impl Cache {
    pub(super) fn new(dir: PathBuf, clock: WallClock) -> Self {
        Self {
            dir,
            clock,
            most_bytes: MOST_BYTES,
        }
    }

    /// What is kept and neither old nor damaged.
    pub(super) fn get(&self, key: &str) -> Option<String> {
        let path = self.path(key);
        let bytes = std::fs::read(&path).ok()?;
        let kept = serde_json::from_slice::<Kept>(&bytes).ok();
        let now = (self.clock)().0;
        let good = kept.filter(|kept| kept.key == key && now < kept.at_ms.saturating_add(KEPT_MS));
        if good.is_none() {
            let _ = std::fs::remove_file(path);
        }
        good.map(|kept| kept.text)
    }

    pub(super) fn put(&self, key: &str, text: &str) -> io::Result<()> {
        create(&self.dir)?;
        let kept = Kept {
            key: key.to_owned(),
            at_ms: (self.clock)().0,
            text: text.to_owned(),
        };
        let bytes = serde_json::to_vec(&kept)?;
        let mut staged = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(&self.dir)?;
        staged.write_all(&bytes)?;
        staged
            .persist(self.path(key))
            .map_err(|error| error.error)?;
        self.tidy();
        Ok(())
    }

    pub(super) fn clear(&self) {
        for (path, ..) in self.all() {
            let _ = std::fs::remove_file(path);
        }
    }

    /// What is old goes, and then the oldest until there is room.
    fn tidy(&self) {
        let mut all = self.all();
        all.sort_by_key(|(_, _, written)| *written);
        let mut sum: u64 = all.iter().map(|(_, bytes, _)| bytes).sum();
        let old = Duration::from_millis(KEPT_MS);
        for (path, bytes, written) in all {
            let is_old = written.elapsed().is_ok_and(|age| age > old);
            if !is_old && sum <= self.most_bytes {
                break;
            }
            if std::fs::remove_file(path).is_ok() {
                sum = sum.saturating_sub(bytes);
            }
        }
    }

    fn all(&self) -> Vec<(PathBuf, u64, SystemTime)> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else {
            return Vec::new();
        };
        let files = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            let meta = entry.metadata().ok()?;
            meta.is_file().then(|| {
                (
                    entry.path(),
                    meta.len(),
                    meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                )
            })
        });
        files.collect()
    }

    fn path(&self, key: &str) -> PathBuf {
        self.dir.join(format!("{key}.json"))
    }
}

#[cfg(unix)]
fn create(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

#[cfg(not(unix))]
fn create(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use exai_protocol::UnixMillis;
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    #[test]
    fn it_keeps_what_is_whole_and_young_and_not_more_than_fits() {
        let dir = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicU64::new(1000));
        let clock = Arc::clone(&now);
        let mut cache = Cache::new(
            dir.path().join("files"),
            Arc::new(move || UnixMillis(clock.load(Ordering::Relaxed))),
        );
        assert_eq!(cache.get("a"), None);
        cache.put("a", "text").unwrap();
        assert_eq!(cache.get("a").as_deref(), Some("text"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&cache.path("a")), 0o600);
            assert_eq!(mode(&cache.dir), 0o700);
        }
        // Another key's file under this name, half a file, an old one.
        std::fs::copy(cache.path("a"), cache.path("b")).unwrap();
        assert_eq!(cache.get("b"), None);
        assert!(!cache.path("b").exists());
        let half = std::fs::OpenOptions::new()
            .write(true)
            .open(cache.path("a"))
            .unwrap();
        half.set_len(10).unwrap();
        assert_eq!(cache.get("a"), None);
        cache.put("a", "text").unwrap();
        now.fetch_add(KEPT_MS, Ordering::Relaxed);
        assert_eq!(cache.get("a"), None);
        cache.most_bytes = 1000;
        for name in ["c", "d", "e", "f"] {
            cache.put(name, &"x".repeat(400)).unwrap();
        }
        let sum: u64 = cache.all().iter().map(|(_, bytes, _)| bytes).sum();
        assert!(sum <= 1000, "{sum}");
        assert!(cache.get("f").is_some() && cache.get("c").is_none());
        cache.clear();
        assert!(cache.all().is_empty());
    }
}
