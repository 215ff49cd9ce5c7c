//! A client that comes back to a new daemon asks for calls this one never saw. The ledger
//! knows them; asking it takes a moment, so the answer comes from a task.

use crate::{outbox::encode, partings::Partings, wire_out::Voice};
use exai_engine::{
    Engine,
    calls::{Remembered, Update, Watcher},
    sessions::{Membership, Session},
};
use exai_protocol::{
    RequestId,
    control::{AttachRes, CallState, CancelRes, ErrorFrame},
    record::CallFacts,
    request::CancelMode,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// A journal that cannot be read is asked again for so long: whoever asks would take silence of
/// the journal for its word.
const PATIENCE: Duration = Duration::from_secs(8);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// Whose call, and who asks.
pub(crate) struct Question {
    pub(crate) engine: Arc<Engine>,
    pub(crate) session: Arc<Session>,
    pub(crate) peer: u64,
    pub(crate) voice: Arc<Voice>,
    pub(crate) partings: Arc<Partings>,
    pub(crate) id: RequestId,
}

/// What is wanted of it.
pub(crate) enum Wish {
    /// Its frames.
    Attach,
    /// A page of its result.
    Collect { offset: u64, limit: u64 },
    /// That it does not run.
    Cancel { mode: CancelMode, reason: String },
}

pub(crate) async fn answer(question: Question, wish: Wish) {
    let remembered = question.remembered().await;
    // Somebody may have taken it up while the ledger was asked.
    let (known, _) = question.engine.look_up(&question.session, &question.id);
    let state = match known {
        CallState::Unknown | CallState::Expired => remembered.state(),
        known => known,
    };
    if let (Remembered::Unreadable(why), CallState::Unknown) = (&remembered, state) {
        return question.cannot_tell(why);
    }
    match wish {
        Wish::Attach => attach(&question, remembered, state).await,
        Wish::Collect { offset, limit } => {
            collect(&question, remembered, state, offset, limit).await;
        }
        Wish::Cancel { mode, reason } => cancel(&question, remembered, state, mode, &reason).await,
    }
}

/// What an attach met.
pub(crate) fn attach_res(
    engine: &Engine,
    session: &Session,
    id: RequestId,
    state: CallState,
) -> AttachRes {
    let standing = engine.standing(session, &id);
    let (since, message) = standing.unzip();
    AttachRes {
        request_id: Some(id),
        state,
        since_ms: since.map(|since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        message: message
            .filter(|words| !words.is_empty())
            .map(|words| words.to_string()),
        journal: None,
        incomplete: false,
    }
}

async fn attach(question: &Question, remembered: Remembered, state: CallState) {
    let (session, id) = (&question.session, question.id.clone());
    let mut frame = attach_res(&question.engine, session, id, state);
    if state == CallState::Unknown {
        let engine = &question.engine;
        let name = engine.absent(session, &question.id).await;
        frame.journal = name.map(|name| name.to_string());
        frame.incomplete = !engine.remembers_all();
    }
    question.voice.outbox.answer(encode(&frame));
    let watcher = Arc::clone(&question.voice) as Arc<dyn Watcher>;
    match remembered {
        Remembered::Open(_) => question.revive(remembered, watcher, None).await,
        Remembered::Finished(end) if state == CallState::Finished => {
            let Question {
                engine,
                session,
                id,
                ..
            } = question;
            engine.replay(&end, session, id, &*watcher);
        }
        _ => {
            question
                .engine
                .attach(&question.session, &question.id, watcher);
        }
    }
    question.part();
}

/// What was never run is run now; its result is there for a later page.
async fn collect(
    question: &Question,
    remembered: Remembered,
    state: CallState,
    offset: u64,
    limit: u64,
) {
    let finished = match &remembered {
        Remembered::Finished(finished) => Some(Arc::clone(finished)),
        _ => None,
    };
    question.revive(remembered, question.mute(), None).await;
    if finished.is_some() {
        question.engine.taken(&question.session, &question.id);
    }
    let id = question.id.clone();
    let frame = question
        .voice
        .page(id, state, finished.as_deref(), offset, limit);
    question.voice.outbox.answer(encode(&frame));
}

/// A call that waits to be taken up is, and ends before it begins.
async fn cancel(
    question: &Question,
    remembered: Remembered,
    state: CallState,
    mode: CancelMode,
    reason: &str,
) {
    if mode == CancelMode::Stop {
        let stop = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        let stop = stop.unwrap_or_else(|| "cancelled by its client".to_owned());
        question
            .revive(remembered, question.mute(), Some(stop))
            .await;
        // Somebody else may have taken it up meanwhile.
        let member = Membership {
            session: Arc::clone(&question.session),
            peer: question.peer,
        };
        question.engine.cancel(&member, &question.id, mode, reason);
    }
    question.voice.outbox.answer(encode(&CancelRes {
        request_id: Some(question.id.clone()),
        state,
    }));
}

impl Question {
    /// What the ledger has, as soon as it can be asked.
    async fn remembered(&self) -> Remembered {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.engine.recall(&self.session, &self.id).await {
                Remembered::Unreadable(_) if Instant::now() < end => sleep(LOOK).await,
                other => return other,
            }
        }
    }

    /// Neither that it is known nor that it is not.
    fn cannot_tell(&self, why: &str) {
        let message = format!(
            "the call journal cannot be read now, so that nothing can be said of this call: \
             {why}. Ask again in a moment; `exai-daemon status` says more"
        );
        self.voice.outbox.answer(encode(&ErrorFrame {
            request_id: Some(self.id.clone()),
            message,
        }));
    }

    /// Takes an open call up again, as soon as the record has room for it.
    async fn revive(
        &self,
        remembered: Remembered,
        watcher: Arc<dyn Watcher>,
        stop: Option<String>,
    ) {
        let Remembered::Open(mut revived) = remembered else {
            return;
        };
        loop {
            let (watcher, stop) = (Arc::clone(&watcher), stop.clone());
            match self
                .engine
                .revive(&self.session, &self.id, revived, watcher, stop)
            {
                Ok(()) => return,
                Err(back) => revived = back,
            }
            self.engine.room().await;
        }
    }

    /// The client let go while the ledger was asked.
    fn part(&self) {
        if self.partings.take(&self.session, &self.id) {
            let member = Membership {
                session: Arc::clone(&self.session),
                peer: self.peer,
            };
            let reason = "let go of while it was looked up";
            self.engine
                .cancel(&member, &self.id, CancelMode::Detach, reason);
        }
    }

    fn mute(&self) -> Arc<dyn Watcher> {
        Arc::new(Mute(self.peer))
    }
}

/// Waits like its connection does, and says nothing: who asks for a page wants a page.
struct Mute(u64);

impl Watcher for Mute {
    fn peer(&self) -> u64 {
        self.0
    }

    fn update(&self, _: &CallFacts, _: &Update<'_>) {}
}
