//! Looks at the servers from time to time, but only while somebody follows what is told of
//! them, or a model there is being asked.

use super::{Manager, server::Server};
use crate::provider::Standing;
use exai_engine::events::Bus;
use exai_protocol::event::{EventBody, Topic};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

/// Between two looks at what is loaded.
const LOADED: Duration = Duration::from_secs(5);
/// Between two looks at whether it is there.
const STATUS: Duration = Duration::from_secs(10);
/// Between two looks at what is installed.
const INSTALLED: Duration = Duration::from_secs(30);

/// Runs until it is dropped.
pub async fn watch(manager: Arc<Manager>, bus: Arc<Bus>) {
    let mut watchers = JoinSet::new();
    for at in 0..manager.servers.len() {
        let (manager, bus) = (Arc::clone(&manager), Arc::clone(&bus));
        watchers.spawn(async move {
            if let Some(server) = manager.servers.get(at) {
                server.watched(&bus).await;
            }
        });
    }
    while watchers.join_next().await.is_some() {}
    // Without servers there is nothing to do, and nobody to tell.
    std::future::pending().await
}

/// When to look next.
struct Due {
    /// Whether it answered last.
    there: bool,
    status: Instant,
    installed: Instant,
}

impl Server {
    async fn watched(&self, bus: &Bus) {
        loop {
            self.until_wanted(bus).await;
            self.known.forget_status();
            let now = Instant::now();
            let mut due = Due {
                there: false,
                status: now,
                installed: now,
            };
            while self.is_wanted(bus) {
                self.look(&mut due).await;
                sleep(LOADED).await;
            }
        }
    }

    fn is_wanted(&self, bus: &Bus) -> bool {
        let busy = self
            .live
            .meter()
            .is_some_and(|meter| *meter.busy().borrow() > 0);
        busy || bus.is_followed(&Topic::OLLAMA)
    }

    async fn until_wanted(&self, bus: &Bus) {
        let busy = async {
            match self.live.meter().map(super::Meter::busy) {
                // It ends with the daemon, and so do we.
                Some(mut busy) => drop(busy.wait_for(|busy| *busy > 0).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = bus.followed(&Topic::OLLAMA) => {}
            () = busy => {}
        }
    }

    async fn look(&self, due: &mut Due) {
        let now = Instant::now();
        if now >= due.status {
            due.status = now + STATUS;
            let status = self.status().await;
            let counted_on = matches!(self.live.resolved().standing, Standing::Ready);
            due.there = status.reachable;
            if self.known.status(&status, counted_on) {
                (self.herald)(EventBody::OllamaStatus(status));
            }
        }
        if !due.there {
            return;
        }
        if let Ok(rows) = self.loaded().await {
            self.tell(self.known.loaded(&rows));
        }
        if now >= due.installed {
            due.installed = now + INSTALLED;
            if let Ok(rows) = self.installed().await {
                self.tell(self.known.installed(rows));
            }
        }
    }
}
