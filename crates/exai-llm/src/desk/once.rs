//! One request and its repetitions at one endpoint: wait for a place, hold the money, send,
//! count what it used. It is repeated only while nothing of its answer has reached the caller.

use super::{asking::Asking, next::WrittenSearch, tally::Trip, told};
use crate::{
    chat::{Applied, ChatRequest, Collector, Message, Searched, Usage},
    choice::Candidate,
    endpoint::{Failed, Live, Sent},
    fault::Fault,
    limits,
    price::{self, Cost, Estimate, Price, Size},
    search,
};
use exai_engine::{
    ports::purse::{Amount, Ask, Held, Used, Who},
    tool::ToolError,
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Searches one answer may bill where it may search at all; what the dialects ask for at most.
const MOST_SEARCHES: u64 = 5;

/// Why there is no answer.
pub(super) enum Stop {
    /// The endpoint's fault; so many characters had come.
    Fault(Fault, usize),
    /// The endpoint did not read a document, which says nothing of the next one.
    Unread(Fault),
    /// The purse's no.
    Refused(ToolError),
}

impl Asking<'_> {
    /// Sends the request until it is answered or not worth repeating.
    pub(super) async fn request(
        &mut self,
        live: &Arc<Live>,
        candidate: &Candidate,
        request: &ChatRequest,
    ) -> Result<Sent, Stop> {
        // Work in a folder may have begun: it is done once, whatever became of it.
        let retries = match self.wish.errand {
            Some(_) => 0,
            None => live.resolved().endpoint.limits.retries,
        };
        let mut attempt = 1;
        loop {
            let failed = match self.once(live, candidate, request).await? {
                Ok(sent) => return Ok(sent),
                Err(failed) => failed,
            };
            let received = failed.said.turn.text.chars().count();
            let wait = limits::retry_wait(&failed.fault, attempt, retries, &mut self.dice)
                .filter(|_| !self.screen.reached())
                .filter(|wait| Instant::now() + *wait < self.deadline);
            let Some(wait) = wait else {
                return Err(Stop::Fault(failed.fault, received));
            };
            self.screen
                .say("retrying", retrying(&failed.fault, wait, candidate));
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    async fn once(
        &mut self,
        live: &Arc<Live>,
        candidate: &Candidate,
        request: &ChatRequest,
    ) -> Result<Result<Sent, Box<Failed>>, Stop> {
        let size = Size::of(request);
        let mut guess = self.desk.estimates.guess(&candidate.model.pin(), &size);
        // What a search found is not in the request, but is read and billed with it.
        let found = search::found_tokens(&request.messages);
        guess.tokens = guess.tokens.saturating_add(found);
        guess.at_most = guess.at_most.saturating_add(found);
        let since = Instant::now();
        let screen = &self.screen;
        let mut on_wait = |why: &str| screen.say("waiting", why.to_owned());
        let tokens = guess.tokens.saturating_add(request.max_output);
        let wait = live.place(tokens, self.deadline, &mut on_wait);
        // Whoever waits for a provider keeps nobody from asking another.
        let place = self.call.seat.without(wait).await;
        self.tally.waited(since.elapsed());
        let place = place.map_err(|fault| {
            self.note(candidate, Duration::ZERO, None, Some(&fault));
            Stop::Fault(fault, 0)
        })?;
        let held = self.hold(live, candidate, request, guess).await;
        if held.is_err() {
            // Nothing is sent: the minute's tokens are not used.
            place.settle(0);
        }
        let held = held?;
        self.screen.asks(&candidate.model);
        let screen = &mut self.screen;
        let mut sink = |item: &crate::chat::StreamItem| screen.show(item);
        let outcome = live
            .send(
                &place,
                &candidate.model.traits,
                request,
                self.wish.errand.as_ref(),
                self.deadline,
                &mut sink,
            )
            .await;
        drop(place);
        Ok(match outcome {
            Ok(sent) => {
                self.note(candidate, sent.took, sent.first_delta, None);
                self.settle(held, candidate, request, &sent.said, guess);
                self.desk.estimates.learn(
                    &candidate.model.pin(),
                    request,
                    sent.said.usage.as_ref(),
                );
                let model = candidate.model.pin();
                self.desk.remembered.take(&model, request, &sent.headers);
                Ok(sent)
            }
            Err(failed) => {
                self.note(
                    candidate,
                    failed.took,
                    failed.first_delta,
                    Some(&failed.fault),
                );
                if failed.may_be_billed() {
                    self.settle(held, candidate, request, &failed.said, guess);
                } else {
                    held.release();
                }
                Err(failed)
            }
        })
    }

    /// Holds the most the request may cost.
    async fn hold(
        &mut self,
        live: &Live,
        candidate: &Candidate,
        request: &ChatRequest,
        guess: Estimate,
    ) -> Result<Box<dyn Held>, Stop> {
        let searches = if request.search.is_some() {
            MOST_SEARCHES
        } else {
            0
        };
        let price = price_of(candidate, guess.tokens);
        let ceiling = price::ceiling(guess.at_most, request.max_output, searches, price);
        let tokens = (guess.at_most, request.max_output);
        self.reserve(live, candidate, tokens, &ceiling).await
    }

    async fn reserve(
        &mut self,
        live: &Live,
        candidate: &Candidate,
        (input, output): (u64, u64),
        ceiling: &Cost,
    ) -> Result<Box<dyn Held>, Stop> {
        let ask = Ask {
            who: Who::of(self.call),
            thread: self.wish.thread.clone(),
            tool: Arc::clone(&self.wish.tool),
            endpoint: Arc::from(&*candidate.model.endpoint),
            key_ref: live.resolved().key_name().map(|name| Arc::from(&*name)),
            model: Arc::from(&*candidate.model.id),
            input,
            output,
            cost: amount(ceiling),
            confirmed: self.wish.confirmed,
        };
        match self.desk.setup.purse.reserve(ask).await {
            Ok(grant) => {
                self.tally.warn(grant.warnings);
                Ok(grant.held)
            }
            Err(refusal) => Err(Stop::Refused(told::refusal(
                candidate,
                &refusal,
                &self.tally,
            ))),
        }
    }

    /// Counts what the request used, as the provider reports it or, where it did not, as we see it.
    fn settle(
        &mut self,
        held: Box<dyn Held>,
        candidate: &Candidate,
        request: &ChatRequest,
        said: &Collector,
        guess: Estimate,
    ) {
        let reported = said
            .usage
            .filter(|usage| usage.input.is_some() && usage.output.is_some());
        let mut estimated = reported.is_none();
        let mut usage = reported.unwrap_or_else(|| seen(said, request, guess));
        // Kimi, GLM and Gemini bill searches that their usage does not count.
        if usage.searches.is_none() {
            usage.searches = searches_seen(said);
            estimated |= usage.searches.is_some();
        }
        let price = price_of(candidate, usage.input.unwrap_or(0));
        let cost = price::cost(Some(&usage), price);
        self.tally.used(Some(&usage), &cost, estimated);
        held.settle(used(&usage, &cost, estimated));
    }

    /// Runs a search at the provider's own door, which is paid for like any other.
    pub(super) async fn search(
        &mut self,
        live: &Live,
        candidate: &Candidate,
        search: WrittenSearch,
    ) -> Result<(Searched, Vec<Message>), Stop> {
        let one = Usage {
            input: Some(0),
            output: Some(0),
            searches: Some(1),
            ..Usage::default()
        };
        let cost = price::cost(Some(&one), candidate.model.price.as_ref());
        let held = self.reserve(live, candidate, (0, 0), &cost).await?;
        match search.run(live, self.deadline).await {
            Ok(found) => {
                self.tally.used(Some(&one), &cost, false);
                held.settle(used(&one, &cost, false));
                Ok(found)
            }
            Err(fault) => {
                if fault.status.is_some_and(|status| status >= 400) {
                    held.release();
                }
                Err(Stop::Fault(fault, 0))
            }
        }
    }

    pub(super) fn note(
        &mut self,
        candidate: &Candidate,
        took: Duration,
        first_delta: Option<Duration>,
        fault: Option<&Fault>,
    ) {
        let trip = Trip {
            endpoint: &candidate.model.endpoint,
            model: &candidate.model.id,
            took,
            first_delta,
        };
        self.tally.attempt(&trip, fault);
    }
}

/// The price of a request this long. The catalogue's `context` ends where the price rises, so
/// what is longer has no price that we know.
fn price_of(candidate: &Candidate, input: u64) -> Option<&Price> {
    let within = candidate
        .model
        .traits
        .context
        .is_none_or(|most| input <= most);
    candidate.model.price.as_ref().filter(|_| within)
}

/// What was used as far as we can see it: all we sent, and what came. Of an answer that broke
/// off, more may have been written than came, so that counts with its ceiling.
fn seen(said: &Collector, request: &ChatRequest, guess: Estimate) -> Usage {
    let came = Size::of_text(&said.turn.text) + Size::of_text(&said.turn.reasoning);
    let output = if said.reason.is_some() {
        came
    } else {
        request.max_output.max(came)
    };
    Usage {
        input: Some(guess.tokens),
        output: Some(output),
        ..said.usage.unwrap_or_default()
    }
}

/// Searches that ran, as far as the answer shows; each query is one.
fn searches_seen(said: &Collector) -> Option<u64> {
    let searched = said.searched.as_ref()?;
    Some((searched.queries.len() as u64).max(1))
}

fn used(usage: &Usage, cost: &Cost, estimated: bool) -> Used {
    Used {
        input: usage.input.unwrap_or(0),
        output: usage.output.unwrap_or(0),
        cached: usage.cached.unwrap_or(0),
        reasoning: usage.reasoning.unwrap_or(0),
        searches: usage.searches.unwrap_or(0),
        cost: amount(cost),
        estimated,
    }
}

fn amount(cost: &Cost) -> Amount {
    match cost {
        Cost::Known(amount) | Cost::Stated(amount) => Amount::Picos(amount.picos()),
        Cost::Unknown(why) => Amount::Unknown(Arc::from(&**why)),
    }
}

fn retrying(fault: &Fault, wait: Duration, candidate: &Candidate) -> String {
    let (cause, model) = (fault.class.as_str(), candidate.model.full_name());
    let seconds = wait.as_secs_f64();
    format!("{model}: {cause}; trying again in {seconds:.1} s")
}

/// What became of the wish over several requests of one answer: the changes of all of them.
pub(super) fn joined(before: Option<Applied>, now: Applied) -> Applied {
    let Some(before) = before else { return now };
    let mut joined = now;
    joined.search |= before.search;
    for change in before.changes {
        if !joined.changes.contains(&change) {
            joined.changes.push(change);
        }
    }
    joined
}
