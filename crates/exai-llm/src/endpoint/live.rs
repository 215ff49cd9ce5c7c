//! Sends requests to one endpoint, and learns from what comes back.

use super::{EndpointHealth, Place};
use crate::{
    attempt::{self, Clocks, Ended, Limit, Sending},
    chat::{Applied, ChatRequest, Collector, Errand, ModelTraits, StreamItem},
    cli::{Job, Runner},
    dialect::{self, Dialect, StreamReader, Target},
    fault::{Fault, FaultClass},
    herald::Herald,
    http::{Ask, Body, Headers, Http, Method},
    keys::Keys,
    limits::{
        breaker::{Position, Verdict},
        gate::Gate,
    },
    ollama::Meter,
    provider::Resolved,
};
use exai_protocol::{Secret, WallClock, event::EventBody};
use sha2::{Digest as _, Sha256};
use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// An endpoint in force.
pub struct Live {
    pub(super) resolved: Resolved,
    pub(super) http: Http,
    pub(super) keys: Arc<Keys>,
    pub(super) clock: WallClock,
    gate: Arc<Gate>,
    /// Runs command lines, where this is one.
    runner: OnceLock<Runner>,
    /// The fingerprint of the key that was refused last.
    refused: Mutex<Option<[u8; 32]>>,
    /// For an Ollama server, which measures nothing itself.
    meter: Option<Meter>,
}

/// A request that was answered to the end.
#[derive(Debug)]
pub struct Sent {
    /// The answer.
    pub said: Collector,
    /// What became of the wish.
    pub applied: Applied,
    /// From the request to the first piece of the answer.
    pub first_delta: Option<Duration>,
    /// From the request to the end.
    pub took: Duration,
    /// The headers of the answer.
    pub headers: Headers,
}

/// A request that was not.
#[derive(Debug)]
pub struct Failed {
    /// What went wrong, without keys.
    pub fault: Fault,
    /// The limit of time that fired, if one did.
    pub limit: Option<Limit>,
    /// What came before it.
    pub said: Collector,
    /// What became of the wish; absent when it could not be written.
    pub applied: Option<Applied>,
    /// The provider may have read the request, and may bill it.
    pub bytes_sent: bool,
    /// From the request to the first piece of the answer.
    pub first_delta: Option<Duration>,
    /// From the request to the fault.
    pub took: Duration,
}

impl Failed {
    /// Whether the provider may bill it: it read the request, and did not refuse it. What does
    /// not even begin like an answer (a hotel's login page) comes from nobody who bills.
    #[must_use]
    pub fn may_be_billed(&self) -> bool {
        let refused = self.fault.status.is_some_and(|status| status >= 400);
        let no_answer = self.fault.class == FaultClass::Malformed && self.first_delta.is_none();
        self.bytes_sent && !refused && !no_answer
    }
}

impl Live {
    /// An endpoint nobody has asked yet.
    #[must_use]
    pub fn new(
        resolved: Resolved,
        http: Http,
        keys: Arc<Keys>,
        clock: WallClock,
        herald: Herald,
    ) -> Arc<Self> {
        let (name, now) = (resolved.name.clone(), Arc::clone(&clock));
        let meter = (resolved.endpoint.dialect == Dialect::Ollama)
            .then(|| Meter::new(&name, Arc::clone(&herald)));
        let gate = Gate::new(&resolved.name, &resolved.endpoint.limits, move |standing| {
            let health = EndpointHealth::of(standing.clone(), now());
            herald(EventBody::ProviderStatus(health.told(&name)));
        });
        Arc::new(Self {
            resolved,
            http,
            keys,
            clock,
            gate,
            runner: OnceLock::new(),
            refused: Mutex::default(),
            meter,
        })
    }

    /// Lets it run its command line, if it is one. Whoever composes says so once; without,
    /// such an endpoint refuses.
    pub fn run_with(&self, runner: &Runner) {
        // Said twice, the first one counts.
        let _ = self.runner.set(runner.clone());
    }

    /// What measures an Ollama server.
    #[must_use]
    pub fn meter(&self) -> Option<&Meter> {
        self.meter.as_ref()
    }

    /// What it is.
    #[must_use]
    pub fn resolved(&self) -> &Resolved {
        &self.resolved
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> EndpointHealth {
        EndpointHealth::of(self.gate.standing(), (self.clock)())
    }

    /// The next request may try even if the breaker is open: a person wants to know.
    pub fn try_now(&self) {
        self.gate.try_now();
    }

    /// Waits for a place: fewer requests under way, rates, the provider's wish to wait, or the
    /// verdict of a request that tries the endpoint after failures. `on_wait` is told why, and
    /// again when the reason changes.
    ///
    /// # Errors
    /// At once when the breaker is open (with its cause's class, and how long), or when the
    /// wait would be longer than the deadline; at the deadline otherwise. Nothing was sent.
    pub async fn place(
        &self,
        tokens: u64,
        deadline: Instant,
        on_wait: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Place, Fault> {
        self.look_for_another_key().await;
        self.gate.place(tokens, deadline, on_wait).await
    }

    /// One request, never repeated: gives items as they come, and ends with all of them.
    ///
    /// # Errors
    /// What went wrong, with what came before it. Dropping the future ends the request at the
    /// provider at once, and is held against nobody.
    pub async fn send(
        &self,
        place: &Place,
        traits: &ModelTraits,
        request: &ChatRequest,
        errand: Option<&Errand>,
        deadline: Instant,
        sink: &mut (dyn FnMut(&StreamItem) + Send),
    ) -> Result<Sent, Box<Failed>> {
        let started = Instant::now();
        let target = Target {
            endpoint: &self.resolved.name,
            dialect: self.resolved.endpoint.dialect,
            quirks: &self.resolved.endpoint.quirks,
            traits,
        };
        let unsent = |fault, applied| Box::new(Failed::unsent(fault, applied, started));
        let wire = dialect::write(&target, request).map_err(|fault| unsent(fault, None))?;
        let applied = wire.applied;
        let clocks = Clocks::start(self.resolved.endpoint.timeouts, deadline);
        if target.dialect == Dialect::Cli {
            let ended = self.run(place, (&wire.body, errand), clocks, sink).await;
            return finished(ended, applied);
        }
        if errand.is_some() {
            let fault = Fault::unsupported("a model there only answers; it works in no folder");
            return Err(unsent(fault, Some(applied)));
        }
        let key = match clocks.within(self.keys.read(&self.resolved.key)).await {
            Ok(Ok(key)) => key,
            Ok(Err(fault)) => return Err(unsent(fault, Some(applied))),
            Err((fault, _)) => return Err(unsent(fault, Some(applied))),
        };
        let ask = match self.ask(&wire.path, wire.headers, &wire.body, key.clone()) {
            Ok(ask) => ask,
            Err(fault) => return Err(unsent(fault, Some(applied))),
        };
        let sending = Sending {
            http: &self.http,
            dialect: target.dialect,
            ask,
            reader: StreamReader::new(&target, request),
            clocks,
            clock: &self.clock,
        };
        place.begin();
        let _busy = self.meter.as_ref().map(Meter::begin);
        let mut on_head = |headers: &Headers| place.learn(headers, (self.clock)().0);
        let mut on_life = || place.judge(&Verdict::Lives);
        let ended = attempt::read(sending, &mut on_head, &mut on_life, sink).await;
        self.judge(place, &ended, key.as_ref());
        if let Some(meter) = &self.meter {
            meter.note(&request.model, place.waited(), &ended);
        }
        finished(ended, applied)
    }

    /// The same through a command line.
    async fn run(
        &self,
        place: &Place,
        (body, errand): (&serde_json::Value, Option<&Errand>),
        clocks: Clocks,
        sink: &mut (dyn FnMut(&StreamItem) + Send),
    ) -> Ended {
        let endpoint = &self.resolved.endpoint;
        let (Some(runner), Some(spec)) = (self.runner.get(), &endpoint.command) else {
            return Ended::unsent(Fault::unsupported("command lines are not run here"));
        };
        let job = Job {
            endpoint: &self.resolved.name,
            spec,
            answer: &endpoint.quirks.answer,
            body,
            clocks,
            errand,
        };
        place.begin();
        let mut on_life = || place.judge(&Verdict::Lives);
        let ended = runner.run(job, &mut on_life, sink).await;
        self.judge(place, &ended, None);
        ended
    }

    fn ask(
        &self,
        path: &str,
        more: Headers,
        body: &serde_json::Value,
        key: Option<Secret>,
    ) -> Result<Ask, Fault> {
        let Some(base) = &self.resolved.base_url else {
            return Err(Fault::unsupported("the endpoint has no address"));
        };
        let mut headers = self.resolved.headers.clone();
        headers.extend(more);
        let timeouts = &self.resolved.endpoint.timeouts;
        let (name, before) = self.resolved.endpoint.dialect.key_header();
        Ok(Ask {
            method: Method::Post,
            url: format!("{base}{path}"),
            headers,
            key: key.map(|key| (name, before, key)),
            body: Body::Text(body.to_string().into()),
            connect: Duration::from_millis(timeouts.connect_ms),
        })
    }

    fn judge(&self, place: &Place, ended: &Ended, key: Option<&Secret>) {
        if let Some(usage) = &ended.said.usage
            && let (Some(input), Some(output)) = (usage.input, usage.output)
        {
            place.settle(input.saturating_add(output));
        }
        let verdict = match &ended.fault {
            None => Verdict::Good,
            // A caller in a hurry is no fault of the endpoint.
            Some((_, Some(Limit::Deadline))) => Verdict::Nothing,
            Some((fault, _)) => Verdict::Bad(fault.clone()),
        };
        if let Some((fault, _)) = &ended.fault
            && matches!(fault.class, FaultClass::Auth | FaultClass::QuotaExhausted)
        {
            self.keys.drop_cached(&self.resolved.key);
            *self.refused() = key.map(fingerprint);
        }
        place.judge(&verdict);
    }

    fn refused(&self) -> MutexGuard<'_, Option<[u8; 32]>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a key was put in the place of one that was refused: then all is forgiven.
    async fn look_for_another_key(&self) {
        let refused = *self.refused();
        let Some(refused) = refused else {
            return;
        };
        if self.gate.standing().breaker == Position::Closed {
            return;
        }
        if let Ok(Some(key)) = self.keys.read(&self.resolved.key).await
            && fingerprint(&key) != refused
        {
            *self.refused() = None;
            self.gate.reset();
        }
    }
}

impl Failed {
    fn unsent(fault: Fault, applied: Option<Applied>, started: Instant) -> Self {
        Self {
            fault,
            limit: None,
            said: Collector::default(),
            applied,
            bytes_sent: false,
            first_delta: None,
            took: started.elapsed(),
        }
    }
}

fn finished(ended: Ended, applied: Applied) -> Result<Sent, Box<Failed>> {
    let Ended {
        said,
        headers,
        first_delta,
        took,
        bytes_sent,
        fault,
    } = ended;
    match fault {
        None => Ok(Sent {
            said,
            applied,
            first_delta,
            took,
            headers,
        }),
        Some((fault, limit)) => Err(Box::new(Failed {
            fault,
            limit,
            said,
            applied: Some(applied),
            bytes_sent,
            first_delta,
            took,
        })),
    }
}

fn fingerprint(key: &Secret) -> [u8; 32] {
    Sha256::digest(key.expose().as_bytes()).into()
}
