//! An ear: a watcher, or a peer, that notes everything it is told and when.

use exai_engine::{
    calls::{Finished, Update, Watcher},
    sessions::{Peer, Push},
};
use exai_protocol::{Code, Outcome, error::Ran, record::CallFacts};
use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// One thing heard.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Accepted,
    Acknowledged(Duration),
    Progress {
        seq: u64,
        stage: String,
        message: String,
    },
    Partial(String),
    End(Ending),
}

/// How a call ended, in short.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    pub(crate) outputs: Option<String>,
    pub(crate) code: Option<Code>,
    pub(crate) message: String,
    pub(crate) ran: Option<Ran>,
    pub(crate) retry_after: Option<u64>,
    pub(crate) started: bool,
    pub(crate) attached: bool,
    pub(crate) replayed: bool,
}

impl Ending {
    fn of(end: &Finished, attached: bool, replayed: bool) -> Self {
        Self {
            outcome: end.outcome(),
            outputs: end.outputs.as_ref().map(|raw| raw.get().to_owned()),
            code: end.error.as_ref().map(|error| error.code),
            message: end
                .error
                .as_ref()
                .map(|error| error.message.clone())
                .unwrap_or_default(),
            ran: end.error.as_ref().and_then(|error| error.ran),
            retry_after: end.error.as_ref().and_then(|error| error.retry_after),
            started: end.run_us.is_some(),
            attached,
            replayed,
        }
    }
}

/// See the module.
pub(crate) struct Ear {
    peer: u64,
    heard: Mutex<Vec<(Instant, Heard)>>,
    ended: Notify,
}

impl Ear {
    pub(crate) fn new(peer: u64) -> Arc<Self> {
        Arc::new(Self {
            peer,
            heard: Mutex::default(),
            ended: Notify::new(),
        })
    }

    /// Everything so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.lock().iter().map(|(_, heard)| heard.clone()).collect()
    }

    /// The progress so far, with its times.
    pub(crate) fn progress(&self) -> Vec<(Instant, u64, String, String)> {
        let heard = self.lock().clone();
        heard
            .into_iter()
            .filter_map(|(at, heard)| match heard {
                Heard::Progress {
                    seq,
                    stage,
                    message,
                } => Some((at, seq, stage, message)),
                _ => None,
            })
            .collect()
    }

    /// The streamed text so far, with its times.
    pub(crate) fn pieces(&self) -> Vec<(Instant, String)> {
        let heard = self.lock().clone().into_iter();
        heard
            .filter_map(|(at, heard)| match heard {
                Heard::Partial(text) => Some((at, text)),
                _ => None,
            })
            .collect()
    }

    /// Ends told so far.
    pub(crate) fn endings(&self) -> Vec<Ending> {
        let heard = self.heard().into_iter();
        heard
            .filter_map(|heard| {
                if let Heard::End(end) = heard {
                    Some(end)
                } else {
                    None
                }
            })
            .collect()
    }

    /// Waits for the end.
    pub(crate) async fn end(&self) -> Ending {
        loop {
            if let Some(end) = self.endings().first() {
                return end.clone();
            }
            self.ended.notified().await;
        }
    }

    fn note(&self, heard: Heard) {
        let ended = matches!(heard, Heard::End(_));
        self.lock().push((Instant::now(), heard));
        if ended {
            self.ended.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, Heard)>> {
        self.heard.lock().unwrap()
    }
}

impl Watcher for Ear {
    fn peer(&self) -> u64 {
        self.peer
    }

    fn update(&self, _: &CallFacts, update: &Update<'_>) {
        self.note(match update {
            Update::Accepted => Heard::Accepted,
            Update::Acknowledged { limit, .. } => Heard::Acknowledged(*limit),
            Update::Progress {
                seq,
                stage,
                message,
            } => {
                let (stage, message) = ((*stage).to_owned(), (*message).to_owned());
                Heard::Progress {
                    seq: *seq,
                    stage,
                    message,
                }
            }
            Update::Partial(text) => Heard::Partial((*text).to_owned()),
            Update::Finished {
                end,
                attached,
                replayed,
            } => Heard::End(Ending::of(end, *attached, *replayed)),
        });
    }
}

/// A connection that may have announced that it takes pushes.
pub(crate) struct Mailbox {
    announced: bool,
    got: Mutex<Vec<String>>,
}

impl Mailbox {
    pub(crate) fn new(announced: bool) -> Arc<Self> {
        Arc::new(Self {
            announced,
            got: Mutex::default(),
        })
    }

    pub(crate) fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

impl Peer for Mailbox {
    fn push(&self, push: &Push<'_>) -> bool {
        if self.announced {
            self.got.lock().unwrap().push(match push {
                Push::Notice {
                    from,
                    level,
                    message,
                } => format!("{from} {level}: {message}"),
                Push::ToolsChanged { hash } => format!("tools {hash}"),
                Push::ResourcesChanged => "resources".to_owned(),
            });
        }
        self.announced
    }
}
