//! The daemon's money and memory: its database, opened before anything is served and closed after
//! the last call, and the purse and the conversations that settings make of it.

use crate::{compose, lifecycle::alive};
use anyhow::{Context as _, Result, bail};
use exai_config::{Home, Settings, settings};
use exai_engine::ports::{purse::Purse, threads::Threads};
use exai_protocol::BootId;
use exai_store::{
    Budgets, Ceiling, Journal, Keeping, MicroUsd, Options, Scope, Store, StoredThreads,
    ThreadLimits,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};
use tokio::time::timeout;

/// Calls whose end could not be written yet, beyond those that run or wait.
const SPARE_CALLS: usize = 512;
/// A clock that was set, or a start, is followed by so long in which nothing goes for its age;
/// where conversations are kept for less, by so long as they are.
const STEADY: Duration = Duration::from_secs(600);
/// Between two looks at what the journal may let go of.
const SWEEP: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct Funds {
    pub(crate) store: Store,
    pub(crate) purse: Arc<dyn Purse>,
    /// `None` where the owner wants none.
    pub(crate) journal: Option<Journal>,
    pub(crate) threads: Arc<dyn Threads>,
}

/// Opens the home's database. Whatever is wrong with it is told and no reason not to serve.
pub(crate) async fn open(
    home: &Home,
    settings: &Settings,
    boot_id: BootId,
    as_guest: bool,
) -> Result<Funds> {
    let mut options = Options::new(home.database(), boot_id, compose::system_clock());
    options.sync = settings.journal.sync;
    if as_guest && !options.path.exists() {
        bail!(
            "the database {} was taken away; the running daemon writes it again with its next \
             call, so try again after that",
            options.path.display()
        );
    }
    options.lives = alive::lives(home);
    options.guest = Arc::new(AtomicBool::new(as_guest));
    options.steady_for = STEADY.min(settings.threads.keep);
    // Each that runs, each that waits, and some whose ends wait for a disk.
    options.calls = settings.limits.queue_calls + settings.limits.global_inflight + SPARE_CALLS;
    let store = tokio::task::spawn_blocking(move || Store::open(options))
        .await
        .context("the database could not be opened")?;
    for warning in store.condition().warnings() {
        tracing::warn!("{warning}");
    }
    let budgets = &settings.budgets;
    let purse = Budgets {
        store: store.clone(),
        ceilings: ceilings(budgets),
        confirm_above: budgets.confirm_above.map(MicroUsd),
        refuse_unknown: budgets.refuse_unknown_price,
    };
    let journal = settings
        .journal
        .enabled
        .then(|| Journal::new(&store, keeping(home, &settings.journal)));
    let threads = StoredThreads::new(store.clone(), thread_limits(&settings.threads));
    Ok(Funds {
        store,
        purse: Arc::new(purse),
        journal,
        threads: Arc::new(threads),
    })
}

/// Where large results are.
pub(crate) fn results_of(home: &Home) -> std::path::PathBuf {
    home.data_dir().join("results")
}

fn keeping(home: &Home, settings: &settings::Journal) -> Keeping {
    Keeping {
        directory: results_of(home),
        results_for: settings.results_for,
        left_for: settings.left_for,
        result_bytes: settings.result_bytes,
        most_bytes: settings.largest_result,
        rows_for: settings.calls_for,
        rows: settings.calls,
    }
}

/// Keeps the journal within its bounds, and an eye on the clock, for as long as it is polled.
pub(crate) async fn tidy(store: Store, journal: Option<Journal>) {
    if let Some(journal) = &journal {
        journal.tell_what_is_open().await;
        journal.sweep_files().await;
    }
    let mut told_ages = false;
    loop {
        let tells_ages = store.tells_ages();
        if let Some(journal) = &journal {
            journal.sweep().await;
            if tells_ages && !told_ages {
                journal.sweep_files().await;
            }
        }
        told_ages = tells_ages;
        let grown = async {
            match &journal {
                Some(journal) => journal.has_grown().await,
                None => std::future::pending().await,
            }
        };
        // Whichever is first.
        let _ = timeout(SWEEP, grown).await;
    }
}

impl Funds {
    /// The turns of the database's writer.
    pub(crate) fn headway(&self) -> Arc<AtomicU64> {
        self.store.headway()
    }

    /// What of the database should worry its owner, and what that means for calls.
    pub(crate) fn troubles(&self) -> impl Fn() -> Vec<String> + Send + Sync + use<> {
        let (store, journaled) = (self.store.clone(), self.journal.is_some());
        move || {
            let condition = store.condition();
            let mut troubles = condition.warnings();
            if journaled && !condition.keeps() {
                let refused = "calls that must be written down first are refused (UNAVAILABLE) \
                               until the database is in order; tools that answer at once go on";
                troubles.push(refused.to_owned());
            }
            troubles
        }
    }

    /// Writes what was taken in. What is still under way counts as all it may cost, at the
    /// next start.
    pub(crate) async fn close(self, limit: Duration) {
        let closing = async {
            if let Some(journal) = &self.journal {
                journal.settle().await;
            }
            self.store.close().await;
        };
        if timeout(limit, closing).await.is_err() {
            tracing::warn!("the database did not close in time; the next start goes on from there");
        }
    }
}

/// How long conversations are kept, and how large they may grow.
pub(crate) fn thread_limits(threads: &settings::Threads) -> ThreadLimits {
    ThreadLimits {
        unused: threads.keep,
        turns: threads.turns,
        bytes: threads.bytes,
    }
}

/// The limits the owner set.
pub(crate) fn ceilings(budgets: &settings::Budgets) -> Vec<Ceiling> {
    let limits = [budgets.call, budgets.thread, budgets.client, budgets.day];
    let ceiling = |(scope, limit): (Scope, Option<u64>)| {
        Some(Ceiling {
            scope,
            limit: MicroUsd(limit?),
            warn_percent: budgets.warn_percent,
        })
    };
    Scope::ALL
        .into_iter()
        .zip(limits)
        .filter_map(ceiling)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_is_the_ceiling_of_its_own_scope() {
        let mut budgets = Settings::defaults().budgets;
        assert!(ceilings(&budgets).is_empty());
        (budgets.call, budgets.thread) = (Some(1), Some(2));
        (budgets.client, budgets.day) = (Some(3), Some(4));
        let found: Vec<_> = ceilings(&budgets)
            .iter()
            .map(|ceiling| {
                (
                    ceiling.scope.as_str(),
                    ceiling.limit.0,
                    ceiling.warn_percent,
                )
            })
            .collect();
        let expected = [
            ("call", 1, 80),
            ("thread", 2, 80),
            ("client", 3, 80),
            ("day", 4, 80),
        ];
        assert_eq!(found, expected);
    }
}
