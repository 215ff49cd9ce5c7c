//! Waiting for a call: for its end, for the client to let go, or for the end of the client's
//! patience, whichever comes first; and saying meanwhile how far the call is.

use crate::{
    patience::Patience,
    progress::{self, Reporter},
    tickets::{LetGo, Ticket},
};
use exai_client::{CallEvent, CallStream, LinkState};
use exai_protocol::{
    Code, RequestId, WireError, call::CallToolRes, error::Ran, request::CancelMode,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// What ended the wait.
pub(crate) enum End {
    /// The call's own end.
    Result(CallToolRes),
    /// The client let go.
    LetGo(LetGo),
    /// The client has to have an answer now.
    OutOfPatience,
}

/// One wait, and what it came to know.
pub(crate) struct Waiting {
    link: watch::Receiver<LinkState>,
    reporter: Option<Reporter>,
    patience: Patience,
    /// When the client has to have an answer.
    by: Option<Instant>,
    /// The tool's own name.
    pub(crate) tool: Option<String>,
    /// The last it said.
    pub(crate) last: Option<String>,
    /// When it was accepted, as far as that is known here.
    pub(crate) began: Instant,
    /// The daemon has it, and keeps its result: what is answered at once is not kept.
    pub(crate) is_kept: bool,
}

impl Waiting {
    pub(crate) fn new(
        mut link: watch::Receiver<LinkState>,
        mut reporter: Option<Reporter>,
        patience: Patience,
        by: Option<Instant>,
    ) -> Self {
        if let Some(reporter) = &mut reporter {
            reporter.say(words(&link.borrow_and_update()));
        }
        Self {
            link,
            reporter,
            patience,
            by,
            tool: None,
            last: None,
            began: patience.began(),
            is_kept: false,
        }
    }

    /// Waits for this call.
    pub(crate) async fn follow(&mut self, stream: &mut CallStream, ticket: &mut Ticket) -> End {
        loop {
            let due = self.reporter.as_ref().map(Reporter::due);
            tokio::select! {
                biased;
                let_go = ticket.let_go() => return self.let_go(let_go),
                event = stream.next() => match event {
                    Some(CallEvent::Finished(result)) => return End::Result(result),
                    Some(event) => self.hears(event),
                    None => return End::Result(lost(stream.id())),
                },
                Ok(()) = self.link.changed(), if self.reporter.is_some() => {
                    let words = words(&self.link.borrow_and_update());
                    self.say(|| words);
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    if let Some(reporter) = &mut self.reporter {
                        reporter.tell();
                    }
                }
                () = sleep_until(self.by.unwrap_or_else(Instant::now)), if self.by.is_some() => {
                    if self.is_continued() {
                        return End::OutOfPatience;
                    }
                    self.by = None;
                }
            }
        }
    }

    /// Waits for something that is no call; `None` once the client has to be answered.
    pub(crate) async fn until<T>(
        &mut self,
        work: impl Future<Output = T>,
        ticket: &mut Ticket,
    ) -> Result<T, End> {
        tokio::pin!(work);
        loop {
            let due = self.reporter.as_ref().map(Reporter::due);
            tokio::select! {
                biased;
                let_go = ticket.let_go() => return Err(self.let_go(let_go)),
                done = &mut work => return Ok(done),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    if let Some(reporter) = &mut self.reporter {
                        reporter.tell();
                    }
                }
                () = sleep_until(self.by.unwrap_or_else(Instant::now)), if self.by.is_some() => {
                    return Err(End::OutOfPatience);
                }
            }
        }
    }

    /// How the link is.
    pub(crate) fn link(&self) -> LinkState {
        self.link.borrow().clone()
    }

    /// How long this wait has lasted.
    pub(crate) fn waited(&self) -> std::time::Duration {
        self.patience.began().elapsed()
    }

    /// Whether a call can be left and found again: a predecessor of exai cannot do that.
    fn is_continued(&self) -> bool {
        let link = self.link.borrow();
        link.session().is_none_or(|session| !session.is_legacy())
    }

    fn let_go(&self, mut let_go: LetGo) -> End {
        let told = self.reporter.as_ref().and_then(Reporter::told_at);
        if self.patience.is_over(Instant::now(), told) {
            let_go.mode = CancelMode::Detach;
        }
        End::LetGo(let_go)
    }

    fn hears(&mut self, event: CallEvent) {
        match event {
            CallEvent::Acknowledged { .. } => {
                self.is_kept = true;
                self.say(|| "accepted".to_owned());
            }
            CallEvent::Attached { since, message } => {
                self.is_kept = true;
                self.began = Instant::now().checked_sub(since).unwrap_or(self.began);
                if let Some(message) = message {
                    self.say(|| message.clone());
                    self.last = Some(message);
                }
            }
            CallEvent::Progress(progress) => {
                self.is_kept = true;
                if progress
                    .message
                    .as_deref()
                    .is_some_and(|words| !words.is_empty())
                {
                    self.last = Some(progress::words(&progress));
                }
                if let Some(reporter) = &mut self.reporter {
                    reporter.hears(&progress);
                }
                self.tool = Some(progress.name);
            }
            CallEvent::Partial(text) => {
                if let Some(reporter) = &mut self.reporter {
                    reporter.reads(&text);
                }
            }
            CallEvent::Finished(_) => {}
        }
    }

    fn say(&mut self, words: impl FnOnce() -> String) {
        if let Some(reporter) = &mut self.reporter {
            reporter.say(words());
        }
    }
}

fn words(link: &LinkState) -> String {
    match link {
        LinkState::Ready(_) => "sent to the exai daemon".to_owned(),
        other => format!("waiting for the exai daemon: {}", other.describe()),
    }
}

/// Cannot happen while the client keeps its word.
fn lost(id: &RequestId) -> CallToolRes {
    let message = "the call ended without an answer; whether it ran is not known";
    CallToolRes::failed(
        id.clone(),
        WireError::new(Code::Internal, message).ran(Ran::Unknown),
    )
}
