//! The daemon's money: its database, opened before anything is served and closed after the last
//! call, and the purse that settings make of it.

use crate::compose;
use anyhow::{Context as _, Result};
use exai_config::{Home, Settings, settings};
use exai_engine::ports::purse::Purse;
use exai_protocol::BootId;
use exai_store::{Budgets, Ceiling, MicroUsd, Options, Scope, Store};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// See the module.
pub(crate) struct Funds {
    pub(crate) store: Store,
    pub(crate) purse: Arc<dyn Purse>,
}

/// Opens the home's database. Whatever is wrong with it is told and no reason not to serve.
pub(crate) async fn open(home: &Home, settings: &Settings, boot_id: BootId) -> Result<Funds> {
    let options = Options::new(home.database(), boot_id, compose::system_clock());
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
    Ok(Funds {
        store,
        purse: Arc::new(purse),
    })
}

impl Funds {
    /// Writes what was taken in. What is still under way counts as all it may cost, at the
    /// next start.
    pub(crate) async fn close(self, limit: Duration) {
        if timeout(limit, self.store.close()).await.is_err() {
            tracing::warn!("the database did not close in time; the next start goes on from there");
        }
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
