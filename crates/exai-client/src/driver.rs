//! The one task that owns a client's socket and everything pending. Two phases in turn:
//! without a link it waits and dials, with one it serves; commands are taken in both.

use crate::{
    asks::Asks,
    backoff::Backoff,
    calls::{Calls, Turn},
    command::Command,
    config::ClientConfig,
    dial::Dial,
    events::{Follow, News},
    handshake,
    heartbeat::{Beat, Heartbeat},
    inbound::{self, Inbound},
    state::{Failure, Link, LinkState, Session},
    wire::{Loss, Step, Wire},
};
use exai_protocol::{RequestId, WallClock, control::AttachRes, hello::ClientInfo};
use std::{future::Future, pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Bytes, Message, Utf8Bytes},
};

pub(crate) struct Driver {
    config: Arc<ClientConfig>,
    introduction: ClientInfo,
    wall: WallClock,
    link: Link,
    calls: Calls,
    asks: Asks,
    follow: Follow,
    news: broadcast::Sender<News>,
    out: Vec<Utf8Bytes>,
    minted: u64,
}

/// Signs of life of one link.
struct Pulse {
    heart: Heartbeat,
    heard: Instant,
}

/// What a step led to.
enum Next {
    GoOn,
    Lost,
    Close(Option<oneshot::Sender<()>>),
}

/// Why a phase ended for good.
struct Closing(Option<oneshot::Sender<()>>);

impl Driver {
    pub(crate) fn new(
        config: Arc<ClientConfig>,
        wall: WallClock,
        news: broadcast::Sender<News>,
    ) -> Self {
        let rng = config
            .seed
            .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let backoff = Backoff::new(config.backoff, rng);
        let (times, max, frame) = (config.times, config.max_pending, config.max_frame_bytes);
        Self {
            introduction: config.client.clone(),
            link: Link::new(backoff, times, Instant::now()),
            calls: Calls::new(times, max, frame),
            asks: Asks::new(times, max, frame),
            follow: Follow::default(),
            out: Vec::new(),
            minted: 0,
            config,
            wall,
            news,
        }
    }

    pub(crate) fn link(&self) -> watch::Receiver<LinkState> {
        self.link.subscribe()
    }

    /// Runs until every handle is dropped, or one of them closes the client.
    pub(crate) async fn run<D: Dial>(mut self, mut dial: D, mut commands: mpsc::Receiver<Command>) {
        let closing = loop {
            match self.reach(&mut dial, &mut commands).await {
                Ok(wire) => match self.serve(wire, &mut dial, &mut commands).await {
                    Ok(()) => {}
                    Err(closing) => break closing,
                },
                Err(closing) => break closing,
            }
        };
        self.link.close();
        self.calls.close();
        self.asks.close();
        // Commands still in the queue are refused, not forgotten.
        commands.close();
        while let Some(command) = commands.recv().await {
            self.obey(command);
            self.calls.close();
            self.asks.close();
        }
        if let Some(done) = closing.0 {
            let _ = done.send(());
        }
    }

    /// Without a link: waits, dials, and again.
    async fn reach<D: Dial>(
        &mut self,
        dial: &mut D,
        commands: &mut mpsc::Receiver<Command>,
    ) -> Result<Wire<D::Stream>, Closing> {
        loop {
            let retry_at = self.link.retry_at();
            let wait = async {
                tokio::select! {
                    () = sleep_until(retry_at) => false,
                    () = dial.changed() => true,
                }
            };
            if self.meanwhile(commands, wait).await? {
                self.link.hurry(Instant::now());
                let retry_at = self.link.retry_at();
                self.meanwhile(commands, sleep_until(retry_at)).await?;
            }
            self.link.dialling(Instant::now());
            dial.wanted(self.calls.any() || self.asks.any());
            let config = Arc::clone(&self.config);
            let introduction = self.introduction.clone();
            let attempt = handshake::attempt(dial, &config, &introduction);
            match self.meanwhile(commands, attempt).await? {
                Ok((socket, session)) => return Ok(self.welcomed(socket, session)),
                Err(failure) => self.failed(failure),
            }
        }
    }

    /// Does `work`, and takes commands and watches deadlines while it lasts.
    async fn meanwhile<T>(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        work: impl Future<Output = T>,
    ) -> Result<T, Closing> {
        let mut work = pin!(work);
        loop {
            let due = self.next_due();
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                command = commands.recv() => match command {
                    None => return Err(Closing(None)),
                    Some(Command::Close(done)) => return Err(Closing(Some(done))),
                    Some(command) => self.obey(command),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.sweep(),
            }
        }
    }

    fn welcomed<S>(&mut self, socket: WebSocketStream<S>, session: Session) -> Wire<S>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let session = Arc::new(session);
        self.link.welcomed(Instant::now(), Arc::clone(&session));
        self.turn(|driver, turn| {
            driver.calls.link_up(turn);
            driver.asks.pump(turn);
            driver.follow.link_up(turn);
        });
        Wire::new(socket, session)
    }

    fn failed(&mut self, failure: Failure) {
        self.link.failed(Instant::now(), failure);
        self.turn(|driver, turn| {
            driver.calls.link_failed(turn);
            driver.asks.link_failed(turn);
            driver.calls.sweep(turn);
            driver.asks.sweep(turn);
        });
    }

    fn lost(&mut self, loss: &Loss) {
        let now = Instant::now();
        let session = self.link.current().session().cloned();
        let legacy = session.is_none_or(|session| session.is_legacy());
        self.link.lost(now, &loss.cause);
        self.calls.link_lost(loss, legacy, now);
        self.asks.link_lost(&loss.cause, now);
        self.out.clear();
    }

    /// With a link: serves it until it breaks, and tells everything pending.
    async fn serve<D: Dial>(
        &mut self,
        mut wire: Wire<D::Stream>,
        dial: &mut D,
        commands: &mut mpsc::Receiver<Command>,
    ) -> Result<(), Closing> {
        let now = Instant::now();
        let mut pulse = Pulse {
            heart: Heartbeat::new(self.config.times, now, (self.wall)()),
            heard: now,
        };
        let mut timer = pin!(sleep_until(pulse.heart.next_due()));
        loop {
            for frame in self.out.drain(..) {
                wire.queue(Message::Text(frame));
            }
            let beat = pulse.heart.next_due();
            let due = self.next_due().map_or(beat, |due| due.min(beat));
            if due != timer.deadline() {
                timer.as_mut().reset(due);
            }
            let step = wire.step(commands, timer.as_mut()).await;
            match self.take(step, &mut wire, dial, &mut pulse) {
                Next::GoOn => {}
                Next::Lost => return Ok(()),
                Next::Close(done) => {
                    wire.goodbye().await;
                    return Err(Closing(done));
                }
            }
        }
    }

    fn take<D: Dial>(
        &mut self,
        step: Step,
        wire: &mut Wire<D::Stream>,
        dial: &mut D,
        pulse: &mut Pulse,
    ) -> Next {
        let now = Instant::now();
        if matches!(step, Step::Text(_) | Step::Noise) {
            pulse.heart.heard(now);
            pulse.heard = now;
        }
        let loss = match step {
            Step::Text(text) => {
                self.heed(&text, dial);
                return Next::GoOn;
            }
            Step::Noise => return Next::GoOn,
            Step::Pong(payload) => {
                pulse.heart.pong(&payload, now);
                return Next::GoOn;
            }
            Step::Command(None) => return Next::Close(None),
            Step::Command(Some(Command::Close(done))) => return Next::Close(Some(done)),
            Step::Command(Some(command)) => {
                let loss = beat(&mut pulse.heart, wire, now, &self.wall);
                if let Some(loss) = &loss {
                    // The dead link first: the command waits for the next one.
                    self.lost(loss);
                }
                self.obey(command);
                return if loss.is_some() {
                    Next::Lost
                } else {
                    Next::GoOn
                };
            }
            Step::Due => {
                self.sweep();
                let dead = beat(&mut pulse.heart, wire, now, &self.wall);
                dead.or_else(|| self.mute(&wire.session, now - pulse.heard))
            }
            Step::Gone(loss) => Some(loss),
        };
        match loss {
            Some(loss) => {
                self.lost(&loss);
                Next::Lost
            }
            None => Next::GoOn,
        }
    }

    /// A predecessor sends heartbeats while calls run; its silence means it will never answer.
    fn mute(&self, session: &Session, silence: Duration) -> Option<Loss> {
        let mute = session.is_legacy()
            && silence >= self.config.times.legacy_silence
            && self.calls.any_on_wire();
        mute.then(|| Loss::new("the predecessor's socket went silent during a call"))
    }

    fn obey(&mut self, command: Command) {
        self.turn(|driver, turn| match command {
            Command::Submit(submit) => driver.calls.submit(submit, turn),
            Command::LetGo { id, mode, reason } => {
                driver.calls.let_go(&id, mode, &reason, turn);
            }
            Command::Unwanted(id) => driver.calls.unwanted(&id),
            Command::Ask(ask) => driver.asks.submit(ask, turn),
            Command::Follow { subscribe, sink } => {
                driver.minted += 1;
                let id = RequestId::new(format!("events-{}", driver.minted));
                driver.follow.start(id, subscribe, sink, turn);
            }
            Command::Introduce(client) => {
                let id = client.id.clone().or_else(|| driver.introduction.id.take());
                driver.introduction = ClientInfo { id, ..client };
            }
            Command::Close(done) => drop(done),
        });
    }

    fn heed(&mut self, text: &Utf8Bytes, dial: &mut impl Dial) {
        let frame = match inbound::read(text) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::warn!(%error, bytes = text.len(), "a frame that cannot be read");
                return;
            }
        };
        self.turn(|driver, turn| match frame {
            Inbound::Finished(result) => {
                driver.calls.finished(*result, || dial.is_stopped(), turn);
            }
            Inbound::Progress(progress) => driver.calls.progress(progress, turn),
            Inbound::Acknowledged(ack) => driver.calls.acknowledged(&ack, turn),
            Inbound::Partial(partial) => driver.calls.partial(&partial, turn),
            Inbound::Subscribed(reply) => driver.follow.subscribed(reply),
            Inbound::Event(event) => driver.follow.event(event, turn),
            Inbound::Lagged(lagged) => driver.follow.lagged(lagged),
            // Nobody listening is fine.
            Inbound::Notify(notify) => drop(driver.news.send(News::Notify(notify))),
            Inbound::ToolsChanged(changed) => {
                drop(driver.news.send(News::ToolsChanged(changed)));
            }
            Inbound::ResourcesChanged => drop(driver.news.send(News::ResourcesChanged)),
            Inbound::Error { id, message } => driver.refused(id.as_ref(), &message, turn),
            Inbound::Reply { op, id } => driver.replied(&op, id.as_ref(), text, turn),
        });
    }

    fn refused(&mut self, id: Option<&RequestId>, message: &str, turn: &mut Turn<'_>) {
        let legacy = turn
            .link
            .session()
            .is_some_and(|session| session.is_legacy());
        let of_ask = (id.is_some() || legacy) && self.asks.refused(id, message, turn);
        if of_ask || id.is_some_and(|id| self.calls.refused(id, message)) {
            return;
        }
        tracing::warn!(
            why = message,
            id = id.map_or("", |id| id.as_str()),
            "the daemon complains"
        );
    }

    fn replied(&mut self, op: &str, id: Option<&RequestId>, text: &Utf8Bytes, turn: &mut Turn<'_>) {
        if self.asks.replied(op, id, text, turn) {
            return;
        }
        match (op, id) {
            ("attach_res", Some(id)) if self.calls.is_attaching(id) => {
                match serde_json::from_str::<AttachRes>(text) {
                    Ok(reply) => self.calls.attached(id, reply, turn),
                    Err(error) => tracing::warn!(%error, "attach_res cannot be read"),
                }
            }
            ("cancel_res", Some(id)) => self.calls.word_came(id),
            ("cancel_res" | "unsubscribe_res", _) => {}
            _ => tracing::debug!(op, "a frame nobody asked for"),
        }
    }

    fn sweep(&mut self) {
        self.turn(|driver, turn| {
            driver.calls.sweep(turn);
            driver.asks.sweep(turn);
        });
    }

    fn next_due(&self) -> Option<Instant> {
        [self.calls.next_due(), self.asks.next_due()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Lends the rules the time, the link and the outbox.
    fn turn(&mut self, rules: impl FnOnce(&mut Self, &mut Turn<'_>)) {
        let link = self.link.current();
        let mut out = std::mem::take(&mut self.out);
        rules(
            self,
            &mut Turn {
                now: Instant::now(),
                link: &link,
                out: &mut out,
            },
        );
        self.out = out;
    }
}

fn beat<S>(
    heart: &mut Heartbeat,
    wire: &mut Wire<S>,
    now: Instant,
    wall: &WallClock,
) -> Option<Loss>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    match heart.poll(now, wall()) {
        Beat::Idle => None,
        Beat::Ping(payload) => {
            wire.queue(Message::Ping(Bytes::copy_from_slice(&payload)));
            None
        }
        Beat::Dead(why) => Some(Loss::new(why)),
    }
}
