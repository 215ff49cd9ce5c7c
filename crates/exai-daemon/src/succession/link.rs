//! The link between elder and heir once the home has changed hands. Either may die at any
//! moment: then its end of the link is silent, and the other goes on alone.

use super::words::{Ears, FromElder, FromHeir, Which, say};
use exai_engine::{
    Engine,
    calls::{CallKey, Update, Watcher},
    ports::ledger::News,
};
use exai_protocol::record::CallFacts;
use exai_store::{Elder, Heir, Journal};
use serde::Serialize;
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::unix::OwnedWriteHalf,
    sync::{mpsc, oneshot, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Words on their way; beyond that news are lost, which nobody depends on, and steps are written
/// by who has them.
const WORDS: usize = 1024;
/// News of a call that its follower has not taken yet.
const NEWS: usize = 64;
/// The number of the link among a call's watchers; connections never count so far.
const PEER: u64 = 1 << 62;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says what is put in, until the other one is gone or nobody puts anything in.
async fn speak<T: Serialize>(mut half: OwnedWriteHalf, mut words: mpsc::Receiver<T>) {
    while let Some(word) = words.recv().await {
        if say(&mut half, &word).await.is_err() {
            return;
        }
    }
}

/// What the elder has to say, of which nothing is said before the home is given.
pub(super) struct Unsaid {
    half: OwnedWriteHalf,
    words: mpsc::Receiver<FromElder>,
}

impl Unsaid {
    /// Gives the home: the first word the heir hears. Steps may lie there already, and are next.
    pub(super) async fn yours(mut self, tasks: &TaskTracker) -> io::Result<()> {
        say(&mut self.half, &FromElder::Yours).await?;
        tasks.spawn(speak(self.half, self.words));
        Ok(())
    }
}

/// The elder's end.
pub(crate) struct ToHeir {
    words: mpsc::Sender<FromElder>,
    /// Steps whose answer has not come; `None` once none can come any more.
    unanswered: Mutex<Option<(u64, HashMap<u64, Answer>)>>,
    /// What the heir gives our calls, once it is to end.
    drain: watch::Sender<Option<Duration>>,
    serving: watch::Sender<bool>,
    /// How many steps are unanswered.
    owed: watch::Sender<usize>,
    pub(crate) gone: CancellationToken,
}

type Answer = oneshot::Sender<Result<(), String>>;

impl ToHeir {
    /// Takes up the link.
    pub(super) fn begin(
        ears: Ears,
        half: OwnedWriteHalf,
        engine: &Arc<Engine>,
        journal: &Journal,
        tasks: &TaskTracker,
    ) -> (Arc<Self>, Unsaid) {
        let (words, unsaid) = mpsc::channel(WORDS);
        let unsaid = Unsaid {
            half,
            words: unsaid,
        };
        let link = Arc::new(Self {
            words,
            unanswered: Mutex::new(Some((0, HashMap::new()))),
            drain: watch::Sender::new(None),
            serving: watch::Sender::new(false),
            owed: watch::Sender::new(0),
            gone: CancellationToken::new(),
        });
        let (heard, engine, journal) = (Arc::clone(&link), Arc::clone(engine), journal.clone());
        let forwards = tasks.clone();
        tasks.spawn(async move {
            heard.hear(ears, &engine, &journal, &forwards).await;
            *locked(&heard.unanswered) = None;
            heard.owed.send_replace(0);
            heard.gone.cancel();
        });
        (link, unsaid)
    }

    fn say(&self, word: FromElder) -> bool {
        self.words.try_send(word).is_ok()
    }

    /// Resolves once the heir serves; never, if it does not come to that.
    pub(super) async fn serving(&self) {
        if self
            .serving
            .subscribe()
            .wait_for(|serves| *serves)
            .await
            .is_err()
        {
            std::future::pending().await
        }
    }

    /// Resolves when the heir is to end, with what is left to our calls.
    pub(crate) async fn drained(&self) -> Duration {
        let mut drain = self.drain.subscribe();
        match drain.wait_for(Option::is_some).await {
            Ok(drain) => drain.unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Resolves once the heir has written every step, or is gone and writes none. One that stands
    /// still may yet do either: until then nobody but us knows how a call of ours ended.
    pub(crate) async fn settled(&self) {
        let mut owed = self.owed.subscribe();
        // We hold its sender ourselves.
        let _ = owed.wait_for(|owed| *owed == 0).await;
    }

    async fn hear(
        self: &Arc<Self>,
        mut ears: Ears,
        engine: &Engine,
        journal: &Journal,
        tasks: &TaskTracker,
    ) {
        loop {
            let word = match ears.next().await {
                Ok(Some(word)) => word,
                Ok(None) => return,
                Err(error) => return tracing::warn!(%error, "the next daemon cannot be understood"),
            };
            match word {
                FromHeir::Serving => drop(self.serving.send_replace(true)),
                FromHeir::Kept { number, error } => self.answered(number, error),
                FromHeir::Follow { call } => self.follow(call, engine, journal, tasks),
                FromHeir::Leave { call } => engine.unwatch(&call.into(), PEER),
                FromHeir::Stop { call, reason } => {
                    let key = call.into();
                    if !engine.stop_call(&key, &reason)
                        && let Some(elder) = journal.elder()
                    {
                        elder.stop(&key, &reason);
                    }
                }
                FromHeir::Drain { ms } => {
                    self.drain.send_replace(Some(Duration::from_millis(ms)));
                }
                FromHeir::Ask { .. } | FromHeir::Ready | FromHeir::Unknown => {}
            }
        }
    }

    fn answered(&self, number: u64, error: Option<String>) {
        let mut unanswered = locked(&self.unanswered);
        let answer = unanswered.as_mut().and_then(|(_, waiting)| {
            let answer = waiting.remove(&number);
            self.owed.send_replace(waiting.len());
            answer
        });
        drop(unanswered);
        if let Some(answer) = answer {
            // Whoever asked may be gone.
            let _ = answer.send(error.map_or(Ok(()), Err));
        }
    }

    /// A call of ours, or of the one before us.
    fn follow(
        self: &Arc<Self>,
        call: Which,
        engine: &Engine,
        journal: &Journal,
        tasks: &TaskTracker,
    ) {
        let key = CallKey::from(call.clone());
        let relay = Relay {
            call: call.clone(),
            words: self.words.clone(),
        };
        if engine.watch(&key, &(Arc::new(relay) as Arc<dyn Watcher>)) {
            return;
        }
        let Some(elder) = journal.elder() else {
            // It ended in this moment.
            self.say(FromElder::Ended { call });
            return;
        };
        let (mut news, words) = (elder.follow(&key), self.words.clone());
        tasks.spawn(async move {
            while let Some(heard) = news.recv().await {
                let _ = words.try_send(retold(&call, heard));
            }
        });
    }
}

fn retold(call: &Which, news: News) -> FromElder {
    let call = call.clone();
    match news {
        News::Progress { stage, message } => FromElder::Said {
            call,
            stage,
            message,
        },
        News::Text(text) => FromElder::Text { call, text },
        News::Ended => FromElder::Ended { call },
    }
}

impl Heir for ToHeir {
    fn write(&self, step: String) -> oneshot::Receiver<Result<(), String>> {
        let (sender, answer) = oneshot::channel();
        if let Some((last, waiting)) = &mut *locked(&self.unanswered) {
            *last += 1;
            let number = *last;
            // Without room for it the sender is dropped, which says the same as no heir.
            if self.say(FromElder::Step { number, step }) {
                waiting.insert(number, sender);
                self.owed.send_replace(waiting.len());
            }
        }
        answer
    }
}

/// Watches a call in the name of those who wait at the heir's.
struct Relay {
    call: Which,
    words: mpsc::Sender<FromElder>,
}

impl Watcher for Relay {
    fn peer(&self) -> u64 {
        PEER
    }

    fn update(&self, _: &CallFacts, update: &Update<'_>) {
        let news = match update {
            Update::Progress { stage, message, .. } => News::Progress {
                stage: (*stage).to_owned(),
                message: (*message).to_owned(),
            },
            Update::Partial(text) => News::Text((*text).to_owned()),
            Update::Finished { .. } => News::Ended,
            Update::Accepted | Update::Acknowledged { .. } => return,
        };
        let _ = self.words.try_send(retold(&self.call, news));
    }
}

/// The heir's end.
pub(crate) struct ToElder {
    words: mpsc::Sender<FromHeir>,
    /// Who follows which call; `None` once the elder is gone.
    followers: Mutex<Option<Followers>>,
    pub(crate) gone: CancellationToken,
}

type Followers = HashMap<Which, Vec<mpsc::Sender<News>>>;

impl ToElder {
    /// Takes up the link; the journal writes the elder's steps from now on.
    pub(super) fn begin(
        ears: Ears,
        half: OwnedWriteHalf,
        journal: &Journal,
        tasks: &TaskTracker,
    ) -> Arc<Self> {
        let (words, spoken) = mpsc::channel(WORDS);
        let link = Arc::new(Self {
            words,
            followers: Mutex::new(Some(HashMap::new())),
            gone: CancellationToken::new(),
        });
        tasks.spawn(speak(half, spoken));
        let (heard, journal, writing) = (Arc::clone(&link), journal.clone(), tasks.clone());
        tasks.spawn(async move {
            heard.hear(ears, &journal, &writing).await;
            // Its followers look into the journal from here on.
            *locked(&heard.followers) = None;
            heard.gone.cancel();
            tracing::info!("the daemon before this one has ended");
        });
        link
    }

    pub(super) fn serving(&self) {
        let _ = self.words.try_send(FromHeir::Serving);
    }

    /// We are to end: the elder's calls get as long as ours.
    pub(crate) fn drain(&self, limit: Duration) {
        let ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let _ = self.words.try_send(FromHeir::Drain { ms });
    }

    async fn hear(&self, mut ears: Ears, journal: &Journal, tasks: &TaskTracker) {
        loop {
            let word = match ears.next().await {
                Ok(Some(word)) => word,
                Ok(None) => return,
                Err(error) => return tracing::warn!(%error, "the last daemon cannot be understood"),
            };
            match word {
                FromElder::Step { number, step } => {
                    let (journal, words) = (journal.clone(), self.words.clone());
                    tasks.spawn(async move {
                        let written = journal.write_for_elder(step).await;
                        let error = written.err().map(|error| error.to_string());
                        let _ = words.send(FromHeir::Kept { number, error }).await;
                    });
                }
                FromElder::Said {
                    call,
                    stage,
                    message,
                } => self.tell(&call, &News::Progress { stage, message }),
                FromElder::Text { call, text } => self.tell(&call, &News::Text(text)),
                FromElder::Ended { call } => {
                    self.tell(&call, &News::Ended);
                    if let Some(all) = &mut *locked(&self.followers) {
                        all.remove(&call);
                    }
                }
                FromElder::Will { .. }
                | FromElder::No { .. }
                | FromElder::Yours
                | FromElder::Unknown => {}
            }
        }
    }

    fn tell(&self, call: &Which, news: &News) {
        let mut followers = locked(&self.followers);
        let Some(all) = followers.as_mut() else {
            return;
        };
        let Some(of_call) = all.get_mut(call) else {
            return;
        };
        of_call.retain(|follower| {
            !matches!(
                follower.try_send(news.clone()),
                Err(mpsc::error::TrySendError::Closed(_))
            )
        });
        if of_call.is_empty() {
            all.remove(call);
            let _ = self.words.try_send(FromHeir::Leave { call: call.clone() });
        }
    }
}

impl Elder for ToElder {
    fn follow(&self, key: &CallKey) -> mpsc::Receiver<News> {
        let (sender, news) = mpsc::channel(NEWS);
        let call = Which::from(key);
        if let Some(all) = &mut *locked(&self.followers) {
            all.entry(call.clone()).or_default().push(sender);
            let _ = self.words.try_send(FromHeir::Follow { call });
        }
        news
    }

    fn stop(&self, key: &CallKey, reason: &str) -> bool {
        let word = FromHeir::Stop {
            call: Which::from(key),
            reason: reason.to_owned(),
        };
        !self.gone.is_cancelled() && self.words.try_send(word).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixStream;

    #[tokio::test]
    async fn r44_nothing_is_said_before_the_home_is_given() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (_keep, half) = ours.into_split();
        let (mouth, words) = mpsc::channel(2);
        let step = String::from("an end of this moment");
        mouth
            .send(FromElder::Step { number: 1, step })
            .await
            .unwrap();
        let tasks = TaskTracker::new();
        Unsaid { half, words }.yours(&tasks).await.unwrap();
        let (half, _) = theirs.into_split();
        let mut ears = Ears::new(half);
        assert!(matches!(ears.next().await, Ok(Some(FromElder::Yours))));
        let next = ears.next().await;
        assert!(matches!(next, Ok(Some(FromElder::Step { number: 1, .. }))));
    }
}
