//! Who wants to hear that the tool list changed: a client of the old era, if it has seen
//! another list, and every open subscription of the new one.

use crate::{catalog::Catalog, stdout::Output};
use rmcp::{model::RequestId, service::SubscriptionSink};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const LIST_CHANGED: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
/// Every tool is a prompt.
const PROMPTS_CHANGED: &[u8] =
    br#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#;

pub(crate) struct Listeners {
    catalog: Arc<Catalog>,
    output: Output,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    initialized: bool,
    /// Being told would change nothing for it.
    is_deaf: bool,
    /// The version a client of the old era saw or heard of last; 0 for none.
    told: u64,
    /// The same of the prompts, which are made of the tools.
    prompts_told: u64,
    sinks: Vec<SubscriptionSink>,
}

const RESOURCES_CHANGED: &[u8] =
    br#"{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}"#;

impl Listeners {
    pub(crate) fn new(catalog: Arc<Catalog>, output: Output) -> Arc<Self> {
        Arc::new(Self {
            catalog,
            output,
            state: Mutex::default(),
        })
    }

    /// A client of the old era was given this version.
    pub(crate) fn listed(&self, version: u64) {
        self.lock().told = version;
    }

    /// A client of the old era was given the prompts of this version.
    pub(crate) fn prompts_listed(&self, version: u64) {
        self.lock().prompts_told = version;
    }

    /// The version there is now.
    pub(crate) fn version(&self) -> u64 {
        self.catalog.list().version
    }

    /// It may be notified from now on, if it does anything about it.
    pub(crate) async fn initialized(&self, heeds: bool) {
        {
            let mut state = self.lock();
            state.initialized = true;
            state.is_deaf = !heeds;
        }
        self.tell_legacy().await;
    }

    pub(crate) fn add(&self, sink: SubscriptionSink) {
        self.lock().sinks.push(sink);
    }

    pub(crate) fn remove(&self, id: &RequestId) {
        self.lock().sinks.retain(|sink| sink.id() != id);
    }

    /// Tells everybody of every change.
    pub(crate) async fn announce(self: Arc<Self>) {
        let mut changes = self.catalog.changes();
        changes.mark_unchanged();
        while changes.changed().await.is_ok() {
            self.tell_legacy().await;
            let sinks = self.lock().sinks.clone();
            for sink in sinks {
                let told = sink.notify_tool_list_changed().await;
                if let Err(error) = told.and(sink.notify_prompt_list_changed().await) {
                    tracing::debug!(%error, "a subscription that does not listen");
                }
            }
        }
    }

    /// What a client was shown to read is no longer what there is.
    pub(crate) async fn tell_of_resources(&self) {
        let (is_told, sinks) = {
            let state = self.lock();
            let is_told = state.initialized && !state.is_deaf;
            (is_told, state.sinks.clone())
        };
        if is_told {
            // A closed stdout ends the process elsewhere.
            let _ = self.output.send(RESOURCES_CHANGED.to_vec()).await;
        }
        for sink in sinks {
            if let Err(error) = sink.notify_resource_list_changed().await {
                tracing::debug!(%error, "a subscription that does not listen");
            }
        }
    }

    async fn tell_legacy(&self) {
        let version = self.version();
        let mut news = Vec::new();
        {
            let mut state = self.lock();
            if !state.initialized || state.is_deaf {
                return;
            }
            let State {
                told, prompts_told, ..
            } = &mut *state;
            for (told, line) in [(told, LIST_CHANGED), (prompts_told, PROMPTS_CHANGED)] {
                if *told != 0 && *told != version {
                    *told = version;
                    news.push(line);
                }
            }
        }
        for line in news {
            // A closed stdout ends the process elsewhere.
            let _ = self.output.send(line.to_vec()).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdout;
    use exai_protocol::RawValue;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn r03_only_a_client_that_saw_another_list_is_told_and_once() {
        let (output, queue) = stdout::queue();
        let catalog = Arc::new(Catalog::open(None));
        let listeners = Listeners::new(Arc::clone(&catalog), output);
        let change = |name: &str| {
            let list = format!(r#"[{{"name":"{name}"}}]"#);
            catalog.offer(RawValue::from_string(list).unwrap(), None);
        };
        listeners.initialized(true).await;
        change("one");
        listeners.tell_legacy().await;
        listeners.listed(catalog.list().version);
        listeners.tell_legacy().await;
        change("two");
        listeners.tell_legacy().await;
        listeners.tell_legacy().await;
        drop(listeners);
        let (mut theirs, ours) = tokio::io::duplex(1024);
        stdout::write(ours, queue).await.unwrap();
        let mut text = String::new();
        theirs.read_to_string(&mut text).await.unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("notifications/tools/list_changed"));
    }
}
