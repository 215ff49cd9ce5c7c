//! One ask: along the declared chain, one model after another, each as often as its answer
//! needs, until one has answered or none is left.

use super::{
    Models, ceiling, next,
    next::{MOST_ROUNDS, Next},
    once::{Stop, joined},
    screen::Screen,
    tally::Tally,
    told,
};
use crate::{
    chat::{Applied, ChatRequest, Collector},
    choice::{Candidate, effective_context},
    endpoint::Live,
    fault::{Fault, FaultClass},
};
use exai_engine::{
    ports::models::{Answer, DoneReason, SearchReport, Wish},
    tool::{ToolCall, ToolError},
};
use exai_protocol::Code;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Kept of the call's time, to tell what happened before the engine ends the call itself.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// One ask under way.
pub(super) struct Asking<'a> {
    pub(super) desk: &'a Models,
    pub(super) call: &'a ToolCall,
    pub(super) wish: Wish,
    pub(super) deadline: Instant,
    pub(super) screen: Screen,
    pub(super) tally: Tally,
    pub(super) dice: fastrand::Rng,
}

/// An answer, before it is told.
struct Answered {
    said: Collector,
    applied: Applied,
    request: ChatRequest,
}

impl<'a> Asking<'a> {
    pub(super) fn new(desk: &'a Models, call: &'a ToolCall, wish: Wish) -> Self {
        let screen = Screen::new(call.progress.clone(), wish.watch);
        let deadline = call
            .deadline
            .checked_sub(LAST_WORDS)
            .unwrap_or(call.deadline);
        Self {
            desk,
            call,
            wish,
            deadline,
            screen,
            tally: Tally::default(),
            dice: fastrand::Rng::new(),
        }
    }

    pub(super) async fn run(mut self) -> Result<Answer, ToolError> {
        let candidates = self.desk.candidates(&self.wish)?;
        let mut failures: Vec<String> = Vec::new();
        let mut chain = candidates.into_iter().peekable();
        while let Some(candidate) = chain.next() {
            let live = self.desk.live(&candidate.model)?;
            let (fault, received, worth) = match self.answer(&live, &candidate).await {
                Ok(answered) => return Ok(self.tell(candidate, answered, &failures)),
                Err(Stop::Refused(error)) => return Err(error),
                Err(Stop::Unread(fault)) => (fault, 0, true),
                Err(Stop::Fault(fault, received)) => {
                    let worth = told::worth_another(fault.class);
                    (fault, received, worth)
                }
            };
            let last = chain.peek().is_none()
                || self.screen.reached()
                || !worth
                || Instant::now() >= self.deadline;
            if last {
                let tally = &self.tally;
                return Err(told::fault(&live, &candidate, &fault, received, tally));
            }
            failures.push(self.falls_back(&candidate, &fault));
        }
        Err(ToolError::new(
            Code::Internal,
            "the chain of models was empty",
        ))
    }

    fn falls_back(&self, candidate: &Candidate, fault: &Fault) -> String {
        let cause = fault.class.as_str();
        let failed = format!("{} failed ({cause})", candidate.model.full_name());
        self.screen.say(
            "falling back",
            format!("{failed}; asking the next of the chain"),
        );
        failed
    }

    /// Asks one model until its answer is whole: a search may take several requests.
    async fn answer(&mut self, live: &Arc<Live>, candidate: &Candidate) -> Result<Answered, Stop> {
        let mut request = self.request_for(live, candidate);
        self.read_documents(live, &mut request)
            .await
            .map_err(Stop::Unread)?;
        let mut whole = Collector::default();
        let mut applied: Option<Applied> = None;
        for round in 0..=MOST_ROUNDS {
            let sent = self.request(live, candidate, &request).await?;
            applied = Some(joined(applied, sent.applied));
            let next = next::after(live, &request, &sent.said);
            let more = matches!(next, Next::Nothing).then_some(()).is_none();
            let reason = sent.said.reason.clone();
            gather(&mut whole, sent.said, more);
            let messages = match next {
                Next::Nothing => {
                    whole.reason = reason;
                    let applied = applied.unwrap_or_default();
                    return Ok(Answered {
                        said: whole,
                        applied,
                        request,
                    });
                }
                Next::Again(messages) => messages,
                Next::Search(search) => {
                    self.screen.say("searching", "searching the web".to_owned());
                    let (searched, messages) = self.search(live, candidate, *search).await?;
                    whole.take(crate::chat::StreamItem::Search(searched));
                    messages
                }
            };
            tracing::debug!(
                round,
                model = candidate.model.id,
                "the answer takes another request"
            );
            request.messages.extend(messages);
        }
        let why = format!("the model searched more than {MOST_ROUNDS} times without an answer");
        Err(Stop::Fault(Fault::new(FaultClass::Malformed, why), 0))
    }

    /// The wish as this model gets it. There always is an output ceiling.
    fn request_for(&self, live: &Live, candidate: &Candidate) -> ChatRequest {
        let mut request = self.wish.chat.clone();
        request.model.clone_from(&candidate.model.id);
        let context = effective_context(&candidate.model, &live.state());
        request.max_output = ceiling::of(&request, &candidate.model, context);
        // What comes again belongs to a conversation.
        if request.cache.stable_messages > 0 && request.cache.key.is_none() {
            request.cache.key = self.wish.thread.as_deref().map(str::to_owned);
        }
        let model = candidate.model.pin();
        self.desk.remembered.show(&model, &mut request);
        request
    }

    fn tell(self, candidate: Candidate, answered: Answered, failures: &[String]) -> Answer {
        let Answered {
            said,
            mut applied,
            request,
        } = answered;
        // What nobody asked for cannot be otherwise than asked.
        if self.wish.chat.max_output == 0 {
            applied.changes.retain(|one| one.field != "max_output");
        }
        let search = SearchReport::of(&request, &applied, &said);
        let session = said.session.filter(|_| self.wish.errand.is_some());
        let chosen = failures
            .iter()
            .fold(candidate.reason.clone(), |mut why, failed| {
                why.push_str("; ");
                why.push_str(failed);
                why
            });
        Answer {
            spent: self.tally.spent(&candidate.model),
            endpoint: candidate.model.endpoint.clone(),
            model: candidate.model.id.clone(),
            chosen,
            reason: said.reason.unwrap_or(DoneReason::Stop),
            session,
            turn: said.turn,
            applied,
            search,
            warnings: self.tally.warnings,
        }
    }
}

/// Adds a round to the answer. Calls that were answered on the way are not the caller's.
fn gather(whole: &mut Collector, round: Collector, more_follows: bool) {
    whole.turn.text.push_str(&round.turn.text);
    whole.turn.reasoning.push_str(&round.turn.reasoning);
    whole.turn.carry = round.turn.carry;
    if !more_follows {
        whole.turn.tool_calls = round.turn.tool_calls;
    }
    whole.session = round.session;
    if let Some(usage) = round.usage {
        whole.usage.get_or_insert_default().add(&usage);
    }
    if let Some(searched) = round.searched {
        whole.take(crate::chat::StreamItem::Search(searched));
    }
}
