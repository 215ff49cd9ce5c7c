//! Keeping the journal within its bounds, now and then, and at the start what a daemon left
//! behind that nobody refers to.

use super::Journal;
use crate::{
    calls::sweep::{self, Bounds, Swept},
    error::StoreError,
    job::Task,
    money,
};
use rusqlite::Connection;
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::oneshot;

/// Steps of one chore; the rest has time.
const STEPS: usize = 64;

impl Journal {
    /// Says what daemons that are gone have left open.
    pub async fn tell_what_is_open(&self) {
        let boot = std::sync::Arc::clone(&self.boot);
        let lives = self.desk.lives.clone();
        let counted = self.store.read(move |db| {
            let mut statement = db.prepare(
                "SELECT boot, COUNT(*) FILTER (WHERE state = 'accepted'), \
                 COUNT(*) FILTER (WHERE state = 'started') \
                 FROM calls WHERE state <> 'finished' AND boot <> ?1 GROUP BY boot",
            )?;
            let (mut waiting, mut interrupted) = (0, 0);
            let mut rows = statement.query([&*boot])?;
            while let Some(row) = rows.next()? {
                if !lives(&row.get::<_, String>(0)?) {
                    waiting += row.get::<_, i64>(1)?;
                    interrupted += row.get::<_, i64>(2)?;
                }
            }
            Ok((waiting, interrupted))
        });
        match counted.await {
            Ok((0, 0)) | Err(_) => {}
            Ok((waiting, interrupted)) => tracing::info!(
                waiting,
                interrupted,
                "calls of earlier daemons have no end; who comes back for one is answered \
                 (`exai-daemon calls --open`)"
            ),
        }
    }

    /// Waits until so much was kept that it may be too much.
    pub async fn has_grown(&self) {
        self.growth.is_much().await;
    }

    /// Lets go of what is too old or too much. What cannot be done now is done next time.
    pub async fn sweep(&self) {
        for _ in 0..STEPS {
            match self.sweep_step().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return tracing::debug!(%error, "the journal was not swept"),
            }
        }
    }

    /// Removes large results to which no call refers, once they are older than any result may
    /// be: a damaged database may have lost the call, and its owner may look for the result.
    /// Daemons that die while they write leave many; beyond the bound in bytes the oldest go.
    pub async fn sweep_files(&self) {
        let kept = self.store.read(|db| {
            let mut statement = db.prepare(
                "SELECT result_file, kept_bytes FROM calls WHERE result_file IS NOT NULL",
            )?;
            let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            statement
                .query_map([], pair)?
                .collect::<rusqlite::Result<HashMap<String, i64>>>()
        });
        let Ok(kept) = kept.await else { return };
        let in_use: u64 = kept.values().copied().map(money::count).sum();
        let kept: HashSet<String> = kept.into_keys().collect();
        let age = self.keeping.results_for;
        let age = Some(age).filter(|_| self.desk.tells_ages());
        let (own, lives) = (Arc::clone(&self.boot), self.desk.lives.clone());
        let directory = self.place.directory.clone();
        // One bound for all that lies there: what is in use comes first.
        let most = self.keeping.result_bytes.saturating_sub(in_use);
        let swept = tokio::task::spawn_blocking(move || {
            // Its call may be on its way into the file.
            let is_alive = |boot: &str| boot == &*own || lives(boot);
            let is_kept = |name: &str| {
                let boot = name.split_once('-').map_or("", |(boot, _)| boot);
                kept.contains(name) || is_alive(boot)
            };
            strays(&directory, is_kept, age, most)
        })
        .await;
        if let Ok(count @ 1..) = swept {
            tracing::info!(count, "kept results without a call were removed");
        }
    }

    async fn sweep_step(&self) -> Result<bool, StoreError> {
        let pass = self.desk.ask_room().await?;
        let bounds = self.bounds();
        let (sender, answer) = oneshot::channel();
        let work = move |db: &Connection| sweep::step(db, &bounds);
        let tell = move |swept: Result<Swept, StoreError>| {
            let _ = sender.send(swept);
        };
        self.desk.submit(Task::asked(work, tell), pass);
        let Swept { files, more } = answer.await.map_err(|_| StoreError::closed())??;
        let directory = self.place.directory.clone();
        let remove = move || {
            for file in files {
                if let Err(error) = std::fs::remove_file(directory.join(&file)) {
                    tracing::debug!(file, %error, "a kept result was not removed");
                }
            }
        };
        let _ = tokio::task::spawn_blocking(remove).await;
        Ok(more)
    }

    fn bounds(&self) -> Bounds {
        let rows_for = self.keeping.rows_for.max(self.keeping.results_for);
        Bounds {
            results_since: self.desk.ago(self.keeping.results_for).0,
            result_bytes: self.keeping.result_bytes,
            rows_since: self.desk.ago(rows_for).0,
            rows: self.keeping.rows,
        }
    }
}

fn strays(
    directory: &Path,
    is_kept: impl Fn(&str) -> bool,
    age: Option<Duration>,
    most_bytes: u64,
) -> usize {
    let Ok(entries) = directory.read_dir() else {
        return 0;
    };
    let now = SystemTime::now();
    let stray = |entry: &std::fs::DirEntry| {
        let name = entry.file_name();
        !name.to_str().is_none_or(&is_kept)
    };
    let mut strays: Vec<(SystemTime, u64, PathBuf)> = entries
        .flatten()
        .filter(stray)
        .filter_map(|entry| {
            let meta = entry.metadata().ok()?;
            Some((meta.modified().ok()?, meta.len(), entry.path()))
        })
        .collect();
    // The youngest first: what has room stays.
    strays.sort_unstable_by(|one, other| other.cmp(one));
    let too_old = |at| age.is_some_and(|age| now.duration_since(at).is_ok_and(|old| old > age));
    let mut bytes = 0_u64;
    let goes = |(at, length, _): &(SystemTime, u64, PathBuf)| {
        bytes = bytes.saturating_add(*length);
        bytes > most_bytes || too_old(*at)
    };
    let going: Vec<_> = strays.into_iter().filter(goes).collect();
    let removed = going
        .iter()
        .filter(|(.., path)| std::fs::remove_file(path).is_ok());
    removed.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dying_daemons_left_is_bounded_in_bytes_and_the_youngest_stays() {
        let folder = tempfile::tempdir().unwrap();
        for (name, hours) in [("old", 3), ("young", 1), ("kept", 9)] {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            file.set_len(100).unwrap();
            let at = SystemTime::now() - Duration::from_secs(hours * 3600);
            file.set_modified(at).unwrap();
        }
        let day = Some(Duration::from_secs(86_400));
        let swept = |age, most| strays(folder.path(), |name| name == "kept", age, most);
        assert_eq!(swept(day, 200), 0);
        assert_eq!(swept(day, 150), 1);
        assert!(folder.path().join("young").exists() && !folder.path().join("old").exists());
        assert_eq!(swept(None, 150), 0, "the clock is not believed");
        assert_eq!(swept(Some(Duration::from_secs(60)), 150), 1);
        assert!(folder.path().join("kept").exists());
    }
}
