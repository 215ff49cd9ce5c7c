//! The rounds: each sends one request to every model that is still there, all at once, and
//! leaves what is missing at its end as missing. All state is here, in one call.

use super::{
    NAME,
    asked::{Asked, Seat, Second},
    ballot::{self, letter},
    together::together,
    words,
};
use crate::{
    args::Args,
    files::Entry,
    request::{self, prepare},
    wish,
};
use exai_engine::{
    ports::{
        models::{Answer, AssistantTurn, Message, Models, Spent, Watch, Wish},
        threads::{Open, Said},
    },
    tool::{ToolCall, ToolError},
};
use exai_protocol::Code;
use std::{fmt::Write as _, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Left of the deadline for telling what there is.
const MARGIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// What became of one request.
type Outcome = Result<Answer, ToolError>;

/// One model and what it said.
pub(super) struct Voice {
    pub(super) seat: Seat,
    wish: Wish,
    /// Its first answer.
    pub(super) first: Option<Outcome>,
    /// What it made of the others'.
    pub(super) second: Option<Outcome>,
    /// What its ballot took.
    ballot: Option<Answer>,
}

impl Voice {
    /// The answer that counts: the revised one, where there is one.
    pub(super) fn answer<'a>(&'a self, asked: &Asked) -> Option<&'a Answer> {
        let first = self.first.as_ref()?.as_ref().ok()?;
        match (&self.second, asked.second) {
            (Some(Ok(revised)), Second::Revise) => Some(revised),
            _ => Some(first),
        }
    }

    fn answers(&self) -> impl Iterator<Item = &Answer> {
        let rounds = [self.first.as_ref(), self.second.as_ref()];
        let said = rounds
            .into_iter()
            .flatten()
            .filter_map(|said| said.as_ref().ok());
        said.chain(&self.ballot)
    }
}

/// Everybody.
pub(super) struct Council {
    pub(super) voices: Vec<Voice>,
    /// What became of the files.
    pub(super) entries: Vec<Entry>,
    /// The same for models with another room for them, by the names they were asked under.
    pub(super) otherwise: Vec<(String, Vec<Entry>)>,
    pub(super) notes: Vec<String>,
    /// What was sent and is no field.
    pub(super) unused: Option<String>,
    /// The turn so far.
    pub(super) said: Said,
    pub(super) ballots: Vec<Vec<usize>>,
    pub(super) judge: Option<Outcome>,
    judging: Option<Wish>,
    stages_left: u32,
}

impl Council {
    /// Makes everybody's request; nothing is sent yet.
    pub(super) async fn gather(
        asked: &Asked,
        args: &Args,
        call: &ToolCall,
        with: (&dyn Models, &Open),
    ) -> Result<Self, ToolError> {
        let mut council = Self {
            voices: Vec::new(),
            entries: Vec::new(),
            otherwise: Vec::new(),
            notes: Vec::new(),
            unused: None,
            said: Said::default(),
            ballots: Vec::new(),
            judge: None,
            judging: None,
            stages_left: asked.stages(),
        };
        for seat in &asked.seats {
            let system = words::system(seat);
            let wish = council.wish(asked, args, call, with, (&seat.model, Some(&system)));
            let mut wish = wish.await?;
            if let Some(most) = seat.max_output {
                wish.chat.max_output = most;
            }
            council.voices.push(Voice {
                wish,
                seat: seat.clone(),
                first: None,
                second: None,
                ballot: None,
            });
        }
        if let Some(judge) = &asked.judge {
            let wish = council.wish(asked, args, call, with, (judge, None)).await?;
            council.judging = Some(wish);
        }
        Ok(council)
    }

    async fn wish(
        &mut self,
        asked: &Asked,
        args: &Args,
        call: &ToolCall,
        (models, open): (&dyn Models, &Open),
        (model, system): (&str, Option<&str>),
    ) -> Result<Wish, ToolError> {
        let mut wish = wish::of(args, NAME)?;
        wish.model = Some(model.to_owned());
        wish.watch = Watch::Silent;
        let request = request::Asked {
            tool: NAME,
            system,
            prompt: &asked.prompt,
            files: asked.files.clone(),
            images: asked.images.clone(),
            turns: Arc::clone(&open.turns),
            stands_alone: false,
        };
        let prepared = prepare(request, call, (models, open), &mut wish).await?;
        // Each is asked by name, whatever model the conversation has.
        wish.pin = None;
        if self.voices.is_empty() {
            self.entries = prepared.entries;
            self.notes = prepared.notes;
            self.said = prepared.said;
            return Ok(wish);
        }
        if prepared.entries != self.entries {
            self.otherwise.push((model.to_owned(), prepared.entries));
        }
        let new = prepared.notes.into_iter();
        let new: Vec<String> = new.filter(|note| !self.notes.contains(note)).collect();
        self.notes
            .extend(new.into_iter().map(|note| format!("for {model}: {note}")));
        Ok(wish)
    }

    pub(super) async fn first(&mut self, call: &ToolCall, models: &dyn Models, _: &Asked) {
        let wishes: Vec<Wish> = self.voices.iter().map(|voice| voice.wish.clone()).collect();
        let outcomes = self.round(call, models, "answered", wishes).await;
        for (voice, outcome) in self.voices.iter_mut().zip(outcomes) {
            voice.first = Some(outcome);
        }
    }

    /// Each reads the others, unnamed.
    pub(super) async fn second(&mut self, call: &ToolCall, models: &dyn Models, asked: &Asked) {
        if asked.second == Second::None || self.answered().len() < 2 {
            return;
        }
        let answered = self.answered();
        let wishes = answered.iter().map(|at| {
            let mut wish = self.voices[*at].wish.clone();
            let own = self.voices[*at].answer(asked);
            let text = own.map(|own| own.turn.text.clone()).unwrap_or_default();
            let others = self.answers(asked, Some(*at));
            wish.chat.messages.push(Message::Assistant(AssistantTurn {
                text,
                ..AssistantTurn::default()
            }));
            let task = words::second(asked.second, &others);
            wish.chat.messages.push(Message::user(task));
            wish
        });
        let wishes = wishes.collect();
        let outcomes = self.round(call, models, "replied", wishes).await;
        for (at, outcome) in answered.into_iter().zip(outcomes) {
            self.voices[at].second = Some(outcome);
        }
    }

    /// Each ranks all, and knows of none whose it is.
    pub(super) async fn rank(&mut self, call: &ToolCall, models: &dyn Models, asked: &Asked) {
        let answered = self.answered();
        if !asked.rank || answered.len() < 2 {
            return;
        }
        let task = words::rank(&asked.prompt, &self.answers(asked, None));
        let wishes = answered.iter().map(|at| {
            let mut wish = self.voices[*at].wish.clone();
            wish.chat.messages = vec![Message::user(task.clone())];
            wish.chat.cache.stable_messages = 0;
            (wish.documents, wish.chat.search) = (Vec::new(), None);
            wish
        });
        let wishes = wishes.collect();
        let outcomes = self.round(call, models, "ranked", wishes).await;
        for (at, outcome) in answered.iter().zip(outcomes) {
            let Ok(answer) = outcome else { continue };
            let ballot = ballot::read(&answer.turn.text, answered.len());
            self.ballots.extend(ballot);
            self.voices[*at].ballot = Some(answer);
        }
    }

    pub(super) async fn judge(&mut self, call: &ToolCall, models: &dyn Models, asked: &Asked) {
        let Some(mut wish) = self.judging.take() else {
            return;
        };
        let ranking = self.ranking();
        let mut answers = self.answers(asked, None);
        answers.push_str(&self.criticism(asked));
        let task = words::judge(&answers, &ranking);
        if let Some(Message::User(parts)) = wish.chat.messages.last_mut() {
            parts.push(exai_engine::ports::models::Part::Text(task));
        }
        let outcome = self.round(call, models, "judged", vec![wish]).await;
        self.judge = outcome.into_iter().next();
    }

    /// Whether enough have answered.
    pub(super) fn quorum(&self, asked: &Asked) -> Result<(), ToolError> {
        let (got, all) = (self.answered().len(), self.voices.len());
        if got >= asked.quorum {
            return Ok(());
        }
        let mut words = format!(
            "{got} of {all} models answered, and the quorum is {}; ask again, name others, or \
             lower 'quorum'.",
            asked.quorum
        );
        let failed = self.voices.iter().filter_map(|voice| {
            let error = voice.first.as_ref()?.as_ref().err()?;
            Some((&voice.seat.model, error))
        });
        let mut codes = Vec::new();
        let mut retry_after = None;
        for (model, error) in failed {
            let _ = write!(words, "\n- {model}: {}", error.message);
            codes.push(error.code);
            retry_after = retry_after.max(error.retry_after);
        }
        if got > 0 {
            words.push_str("\n\nWhat was answered and paid for:\n\n");
            words.push_str(&self.answers(asked, None));
        }
        // One cause of all is the cause of the whole.
        let same = codes
            .first()
            .filter(|first| codes.iter().all(|code| code == *first));
        let code = same
            .copied()
            .filter(|_| got == 0)
            .unwrap_or(Code::ExecError);
        let mut error = ToolError::new(code, words);
        error.retry_after = retry_after;
        error.metadata = crate::chat::report::raw(&self.spent()).ok();
        Err(error)
    }

    /// Who has answered, by number.
    pub(super) fn answered(&self) -> Vec<usize> {
        let all = self.voices.iter().enumerate();
        let answered = all.filter(|(_, voice)| matches!(voice.first, Some(Ok(_))));
        answered.map(|(at, _)| at).collect()
    }

    /// The ranking in words; empty without a ballot.
    pub(super) fn ranking(&self) -> String {
        let mut words = String::new();
        if self.ballots.is_empty() {
            return words;
        }
        let places = ballot::count(&self.ballots, self.answered().len());
        for (place, (answer, average)) in places.into_iter().enumerate() {
            let (place, letter) = (place + 1, letter(answer));
            let _ = writeln!(words, "{place}. {letter} (average place {average:.2})");
        }
        words
    }

    /// All answers by letter, without a name and without the one of `but`.
    fn answers(&self, asked: &Asked, but: Option<usize>) -> String {
        let mut words = String::new();
        for (number, at) in self.answered().into_iter().enumerate() {
            let answer = self.voices[at].answer(asked).filter(|_| Some(at) != but);
            if let Some(answer) = answer {
                let _ = write!(
                    words,
                    "### Answer {}\n{}\n\n",
                    letter(number),
                    answer.turn.text.trim()
                );
            }
        }
        words.truncate(words.trim_end().len());
        words
    }

    /// What each said of the others; a revision stands in its answer's place instead.
    fn criticism(&self, asked: &Asked) -> String {
        let mut words = String::new();
        if asked.second != Second::Critique {
            return words;
        }
        for (number, at) in self.answered().into_iter().enumerate() {
            if let Some(Ok(said)) = &self.voices[at].second {
                let (letter, said) = (letter(number), said.turn.text.trim());
                let _ = write!(words, "### {letter} on the others\n{said}\n\n");
            }
        }
        words
    }

    /// One round of requests, all at once; those that are not answered when its share of the
    /// time is up have failed.
    async fn round(
        &mut self,
        call: &ToolCall,
        models: &dyn Models,
        verb: &str,
        wishes: Vec<Wish>,
    ) -> Vec<Outcome> {
        let until = self.until(call.deadline);
        let all = wishes.len();
        call.progress.say(NAME, format!("asking {all}"));
        let asking = wishes.into_iter().map(|wish| async move {
            let answer = models.ask(call, wish).await?;
            with_text(answer)
        });
        let told = |ended: usize, outcome: &Outcome| {
            let who = match outcome {
                Ok(answer) => format!("{verb}: {}", answer.model),
                Err(error) => format!("failed: {}", error.code.as_str()),
            };
            call.progress.say(NAME, format!("{ended} of {all}; {who}"));
        };
        let outcomes = together(asking.collect(), until, told).await;
        let late = || {
            let what = "it had not answered when its share of the call's time was up";
            Err(ToolError::new(Code::Timeout, what))
        };
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(late))
            .collect()
    }

    /// The end of this round: of several, each leaves time for those after it.
    fn until(&mut self, deadline: Instant) -> Instant {
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        let left = left.saturating_sub((left / 10).clamp(MARGIN.0, MARGIN.1));
        let share = if self.stages_left > 1 {
            left / 5 * 3
        } else {
            left
        };
        self.stages_left = self.stages_left.saturating_sub(1);
        now + share
    }

    /// What all of it took.
    pub(super) fn spent(&self) -> Spent {
        let judged = self.judge.iter().filter_map(|said| said.as_ref().ok());
        let all = self.voices.iter().flat_map(Voice::answers).chain(judged);
        let mut sum = Spent::default();
        let mut usd = Some(0.0);
        for Answer { spent, .. } in all {
            if let Some(tokens) = &spent.tokens {
                sum.tokens.get_or_insert_default().add(tokens);
            }
            usd = usd.zip(spent.price.usd).map(|(sum, more)| sum + more);
            sum.price.estimated |= spent.price.estimated;
            if sum.price.unknown.is_none() {
                sum.price.unknown.clone_from(&spent.price.unknown);
            }
            sum.attempts.extend(spent.attempts.iter().cloned());
            sum.queued_ms = sum.queued_ms.max(spent.queued_ms);
            sum.total_ms = sum.total_ms.max(spent.total_ms);
            let named = sum.model.split(',').any(|model| model == spent.model);
            if !named {
                let comma = if sum.model.is_empty() { "" } else { "," };
                let _ = write!(sum.model, "{comma}{}", spent.model);
            }
        }
        sum.price.usd = usd;
        sum
    }
}

/// An empty answer is none.
fn with_text(answer: Answer) -> Outcome {
    if answer.turn.text.trim().is_empty() {
        let (model, endpoint) = (&answer.model, &answer.endpoint);
        let what = format!("{model} at {endpoint} answered without any text");
        return Err(ToolError::failed(what));
    }
    Ok(answer)
}
