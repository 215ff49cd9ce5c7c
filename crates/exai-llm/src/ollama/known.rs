//! What was last seen of a server, so that only changes are told.

use exai_protocol::event::{OllamaLoaded, OllamaModel, OllamaModelUpdate, OllamaStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nothing is known before the first look.
#[derive(Default)]
pub(super) struct Known(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    status: Option<OllamaStatus>,
    installed: Option<Vec<OllamaModel>>,
    loaded: Option<Vec<OllamaLoaded>>,
}

impl Known {
    /// Whether the status is news. A server that was never there is none, unless somebody
    /// counts on it.
    pub(super) fn status(&self, status: &OllamaStatus, wanted: bool) -> bool {
        let mut seen = self.lock();
        let news = match &seen.status {
            Some(before) => {
                before.reachable != status.reachable || before.version != status.version
            }
            None => status.reachable || wanted,
        };
        if news {
            seen.status = Some(status.clone());
        }
        news
    }

    /// A new follower wants to hear how things are.
    pub(super) fn forget_status(&self) {
        self.lock().status = None;
    }

    /// What changed among the installed; the first look is no change.
    pub(super) fn installed(&self, now: Vec<OllamaModel>) -> Option<OllamaModelUpdate> {
        let before = self.lock().installed.replace(now.clone())?;
        let of =
            |list: &[OllamaModel], name: &str| list.iter().find(|one| one.name == name).cloned();
        let mut update = OllamaModelUpdate::default();
        for model in &now {
            match of(&before, &model.name) {
                None => update.added.push(model.clone()),
                Some(old) if old.digest != model.digest => update.changed.push(model.clone()),
                Some(_) => {}
            }
        }
        let gone = before.into_iter().map(|model| model.name);
        update.removed = gone.filter(|name| of(&now, name).is_none()).collect();
        (update != OllamaModelUpdate::default()).then_some(update)
    }

    /// What is loaded, if that changed. That a model stays longer is no change.
    pub(super) fn loaded(&self, now: &[OllamaLoaded]) -> Option<OllamaModelUpdate> {
        let before = self.lock().loaded.replace(now.to_vec());
        let words = |list: &[OllamaLoaded]| {
            let mut words: Vec<_> = list
                .iter()
                .map(|one| {
                    (
                        one.name.clone(),
                        one.digest.clone(),
                        one.size,
                        one.size_vram,
                        one.context_length,
                    )
                })
                .collect();
            words.sort();
            words
        };
        let changed = words(&before.unwrap_or_default()) != words(now);
        changed.then(|| OllamaModelUpdate {
            loaded: Some(now.to_vec()),
            ..OllamaModelUpdate::default()
        })
    }

    /// Whether the list of installed models was ever seen.
    pub(super) fn knows_installed(&self) -> bool {
        self.lock().installed.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str, digest: &str) -> OllamaModel {
        OllamaModel {
            name: name.into(),
            digest: digest.into(),
            ..OllamaModel::default()
        }
    }

    #[test]
    fn changes_are_told_by_digest_and_the_first_look_is_none() {
        let known = Known::default();
        assert_eq!(
            known.installed(vec![model("a", "1"), model("b", "1")]),
            None
        );
        let update = known
            .installed(vec![model("b", "2"), model("c", "1")])
            .unwrap();
        assert_eq!(
            (update.added, update.removed, update.changed),
            (
                vec![model("c", "1")],
                vec!["a".to_owned()],
                vec![model("b", "2")]
            )
        );
        assert_eq!(
            known.installed(vec![model("c", "1"), model("b", "2")]),
            None,
            "order is nothing"
        );
    }

    #[test]
    fn a_longer_stay_is_no_change() {
        let known = Known::default();
        let row = |until: &str| OllamaLoaded {
            name: "a".into(),
            expires_at: Some(until.into()),
            ..OllamaLoaded::default()
        };
        assert_eq!(known.loaded(&[]), None);
        assert!(known.loaded(&[row("1")]).is_some());
        assert_eq!(known.loaded(&[row("2")]), None);
        assert_eq!(known.loaded(&[]).unwrap().loaded, Some(Vec::new()));
    }

    #[test]
    fn a_server_that_was_never_there_is_no_news() {
        let known = Known::default();
        let status = |reachable| OllamaStatus {
            reachable,
            ..OllamaStatus::default()
        };
        assert!(!known.status(&status(false), false));
        assert!(known.status(&status(true), false));
        assert!(!known.status(&status(true), false));
        assert!(known.status(&status(false), false));
        known.forget_status();
        assert!(known.status(&status(false), true));
    }
}
