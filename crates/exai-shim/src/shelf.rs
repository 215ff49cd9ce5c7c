//! What a client was shown to read, and whether that is still what there is. The daemon says when
//! something may have changed; whether this client's list did is found out by asking for it, so
//! that nobody is told of a change that is none. Who never asked for the list is told nothing.

use crate::listeners::Listeners;
use exai_client::{Client, News};
use exai_protocol::RawValue;
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::broadcast::error::RecvError, time::sleep};

/// The request whose answers are remembered.
pub(crate) const LIST: &str = "resources/list";
/// Changes often come several at a time, and each costs a question.
const TOGETHER: Duration = Duration::from_millis(200);

/// See the module.
pub(crate) struct Shelf {
    listeners: Arc<Listeners>,
    shown: Mutex<Option<Shown>>,
}

/// Address and name of each; how long a conversation is, and which was used last, is no change of
/// what there is.
type Shown = BTreeSet<(String, String)>;

#[derive(Deserialize)]
struct List {
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    uri: String,
    #[serde(default)]
    title: String,
}

fn read(list: &RawValue) -> Option<Shown> {
    let list: List = serde_json::from_str(list.get()).ok()?;
    let pairs = list.resources.into_iter().map(|one| (one.uri, one.title));
    Some(pairs.collect())
}

impl Shelf {
    pub(crate) fn new(listeners: Arc<Listeners>) -> Arc<Self> {
        Arc::new(Self {
            listeners,
            shown: Mutex::default(),
        })
    }

    /// The client is shown this list.
    pub(crate) fn listed(&self, list: &RawValue) {
        if let Some(shown) = read(list) {
            *self.lock() = Some(shown);
        }
    }

    /// Follows the daemon's news, and asks anew whenever a link is new: nobody knows what changed
    /// while there was none.
    pub(crate) async fn keep_true(self: Arc<Self>, client: Client) {
        let (mut link, mut news) = (client.link(), client.news());
        loop {
            tokio::select! {
                changed = link.changed() => match changed {
                    Ok(()) if link.borrow_and_update().is_ready() => {}
                    Ok(()) => continue,
                    Err(_) => return,
                },
                heard = news.recv() => match heard {
                    Ok(News::ResourcesChanged) | Err(RecvError::Lagged(_)) => {}
                    Ok(_) => continue,
                    Err(RecvError::Closed) => return,
                },
            }
            if self.lock().is_none() {
                continue;
            }
            sleep(TOGETHER).await;
            // What was said meanwhile is in the answer.
            news = client.news();
            self.look(&client).await;
        }
    }

    async fn look(&self, client: &Client) {
        let answer = client.mcp(LIST, None).await;
        let list = answer.ok().and_then(|answer| answer.result);
        // Without an answer there will be another link, and another look.
        let Some(now) = list.as_deref().and_then(read) else {
            return;
        };
        let is_another = {
            let mut shown = self.lock();
            let is_another = shown.as_ref().is_some_and(|shown| *shown != now);
            if is_another {
                *shown = Some(now);
            }
            is_another
        };
        if is_another {
            self.listeners.tell_of_resources().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(list: &serde_json::Value) -> Option<Shown> {
        read(&RawValue::from_string(list.to_string()).unwrap())
    }

    #[test]
    fn r03_order_and_length_are_no_change_and_names_are() {
        let one = |uri: &str, title: &str, turns: u32| json!({ "uri": uri, "title": title, "description": format!("{turns} turns") });
        let before = shown(&json!({ "resources": [one("a", "A", 1), one("b", "B", 2)] }));
        let later = shown(&json!({ "resources": [one("b", "B", 3), one("a", "A", 1)] }));
        assert!(before.is_some() && before == later);
        let renamed = shown(&json!({ "resources": [one("a", "C", 1), one("b", "B", 2)] }));
        let fewer = shown(&json!({ "resources": [one("a", "A", 1)] }));
        assert!(before != renamed && before != fewer);
        assert_eq!(shown(&json!({ "no": "list" })), None);
    }
}
