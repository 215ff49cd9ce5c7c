//! One connection: a reader that never waits for work, and a writer that alone touches the
//! sink. Either ending ends the other; the calls go on.

use crate::{
    Control, Shared,
    handshake::{Socket, Welcomed},
    outbox::{Outbox, Work, encode},
    wire_in::Desk,
    wire_out::{Abilities, Voice},
};
use bytes::Bytes;
use exai_engine::{
    events::Happening,
    sessions::{Membership, Peer, Push},
};
use exai_protocol::{
    SessionId,
    control::ErrorFrame,
    event::ConnectionStatus,
    hello::{HelloAck, Limits, close},
    limits::MAX_DEPTH,
    version::{FEATURES, PROTOCOL},
};
use futures_util::{SinkExt, StreamExt, stream::{SplitSink, SplitStream}};
use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::{
    self, Error, Message,
    error::CapacityError,
    protocol::CloseFrame,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a peer gets to answer our close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves a welcomed peer until either side ends it.
pub(crate) async fn run<S, C>(welcomed: Welcomed<S>, shared: Arc<Shared<C>>, goodbye: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    C: Control,
{
    let Welcomed { socket, hello, principal } = welcomed;
    let engine = Arc::clone(&shared.engine);
    let outbox = Arc::new(Outbox::new(shared.settings.max_frame_bytes));
    let voice = Arc::new(Voice {
        outbox: Arc::clone(&outbox),
        abilities: Abilities::of(|feature| hello.has(feature)),
        peer: OnceLock::new(),
        clock: engine.clock(),
        max_frame_bytes: shared.settings.max_frame_bytes,
        compat_text: shared.settings.compat_text,
    });
    let fresh_id = SessionId::new(&*engine.mint_session_id());
    let peer = Arc::clone(&voice) as Arc<dyn Peer>;
    let announced = hello.protocol.is_some();
    let member = engine.sessions().join(principal, hello.client, peer, fresh_id, engine.now());
    greet(announced, &shared, &member, &voice);
    announce(&shared, &member.session, true, None);
    let closed = CancellationToken::new();
    let desk = Desk {
        shared: Arc::clone(&shared),
        member,
        voice,
        tasks: TaskTracker::new(),
        closed: closed.clone(),
        subscription: Mutex::new(None),
    };
    let reason = converse(socket, &desk, &outbox, goodbye).await;
    closed.cancel();
    engine.detach_peer(desk.member.peer);
    engine.sessions().leave(&desk.member, engine.now());
    announce(&shared, &desk.member.session, false, Some(reason));
}

async fn converse<S, C>(
    socket: Socket<S>,
    desk: &Desk<C>,
    outbox: &Arc<Outbox>,
    goodbye: CancellationToken,
) -> String
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    C: Control,
{
    let (sink, stream) = socket.split();
    let alive = Arc::new(AtomicBool::new(true));
    let (interval, patience) = (desk.shared.settings.ping_interval, desk.shared.settings.ping_timeout);
    let writer = Writer { sink, outbox: Arc::clone(outbox), alive: Arc::clone(&alive), interval, patience };
    let mut writing = desk.tasks.spawn(writer.run());
    let reading = read(stream, desk, &alive);
    tokio::pin!(reading);
    let reason = tokio::select! {
        reason = &mut reading => reason,
        reason = &mut writing => return reason.unwrap_or_else(|_| "writer ended".to_owned()),
        () = goodbye.cancelled() => {
            outbox.end(close::GOING_AWAY, "the daemon is shutting down".to_owned());
            "daemon shutting down".to_owned()
        }
    };
    outbox.end(tungstenite::protocol::frame::coding::CloseCode::Normal.into(), String::new());
    // What is already answered still leaves, if the peer takes it.
    let _ = timeout(CLOSE_TIMEOUT * 2, &mut writing).await;
    writing.abort();
    reason
}

async fn read<S, C>(mut stream: SplitStream<Socket<S>>, desk: &Desk<C>, alive: &AtomicBool) -> String
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Control,
{
    let outbox = &desk.voice.outbox;
    loop {
        let message = stream.next().await;
        alive.store(true, Relaxed);
        match message {
            None => return "closed".to_owned(),
            Some(Ok(Message::Text(text))) => desk.frame(&text),
            Some(Ok(Message::Binary(_))) => {
                let message = "invalid_message: frames must be text, not binary".to_owned();
                outbox.answer(encode(&ErrorFrame { request_id: None, message }));
            }
            Some(Ok(Message::Close(_))) => return "closed by the client".to_owned(),
            Some(Ok(_)) => {}
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { size, max_size }))) => {
                let reason = format!("frame of {size} bytes; the limit is {max_size}");
                outbox.end(close::TOO_BIG, reason.clone());
                return reason;
            }
            Some(Err(error)) => return error.to_string(),
        }
    }
}

struct Writer<S> {
    sink: SplitSink<Socket<S>, Message>,
    outbox: Arc<Outbox>,
    alive: Arc<AtomicBool>,
    interval: Duration,
    patience: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer<S> {
    /// Writes until told to close, or the peer is gone; returns why it ended.
    async fn run(mut self) -> String {
        let outbox = Arc::clone(&self.outbox);
        let mut next_ping = Instant::now() + self.interval;
        loop {
            let step = tokio::select! {
                biased;
                work = outbox.work() => match work {
                    Work::Close(end) => {
                        let frame = CloseFrame { code: end.code.into(), reason: end.reason.clone().into() };
                        let _ = timeout(CLOSE_TIMEOUT, self.sink.send(Message::Close(Some(frame)))).await;
                        return end.reason;
                    }
                    Work::Frames(frames) => {
                        tokio::select! {
                            biased;
                            written = write(&mut self.sink, frames) => written,
                            () = outbox.aborted() => return "slow reader".to_owned(),
                        }
                    }
                },
                () = sleep_until(next_ping), if !self.interval.is_zero() => {
                    next_ping = Instant::now() + self.interval;
                    if !self.ping().await {
                        return "no pong".to_owned();
                    }
                    Ok(())
                }
            };
            if let Err(error) = step {
                return error.to_string();
            }
        }
    }

    /// Any frame from the peer counts as its pong; answers go on leaving meanwhile.
    async fn ping(&mut self) -> bool {
        if self.alive.swap(false, Relaxed) {
            return timeout(self.patience, self.sink.send(Message::Ping(Bytes::new()))).await.is_ok();
        }
        // Silent for a whole interval and our last ping unanswered: the patience is what is left.
        let asked = timeout(self.patience, self.sink.send(Message::Ping(Bytes::new()))).await;
        if asked.is_err() {
            return false;
        }
        tokio::time::sleep(self.patience).await;
        self.alive.load(Relaxed)
    }
}

/// Frames that wait together leave in one flush.
async fn write<S>(sink: &mut SplitSink<Socket<S>, Message>, frames: Vec<tungstenite::Utf8Bytes>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for frame in frames {
        sink.feed(Message::Text(frame)).await?;
    }
    sink.flush().await
}

/// The answer to hello comes before anything else, so pushes are not taken until it is queued.
fn greet<C: Control>(announced: bool, shared: &Shared<C>, member: &Membership, voice: &Voice) {
    let greeted = shared.engine.registry().snapshot();
    voice.outbox.answer(encode(&greeting(announced, shared, member.session.id.clone())));
    let _ = voice.peer.set(member.peer);
    let now = shared.engine.registry().snapshot();
    if greeted.hash() != now.hash() {
        voice.push(&Push::ToolsChanged { hash: now.hash() });
    }
}

fn greeting<C: Control>(announced: bool, shared: &Shared<C>, session_id: SessionId) -> HelloAck {
    let mut ack = HelloAck::refusal("");
    ack.ok = true;
    ack.error = None;
    ack.session_id = Some(session_id);
    if announced {
        let engine = &shared.engine;
        ack.protocol = Some(PROTOCOL.to_owned());
        ack.server = Some(shared.control.identity().clone());
        ack.features = FEATURES.map(str::to_owned).to_vec();
        ack.tools_hash = Some(engine.registry().snapshot().hash().to_string());
        ack.limits = Some(Limits {
            max_frame_bytes: shared.settings.max_frame_bytes as u64,
            max_depth: MAX_DEPTH as u64,
            client_inflight: engine.config().limits.client as u64,
            call_timeout_secs: engine.config().call_timeout.as_secs(),
            retention_secs: engine.config().retention.ttl.as_secs(),
        });
    }
    ack
}

fn announce<C>(
    shared: &Shared<C>,
    session: &exai_engine::sessions::Session,
    connected: bool,
    reason: Option<String>,
) {
    let client = session.client_name();
    let connections = session.connections();
    tracing::info!(session = %session.id, %client, connections, reason, "{}", if connected { "connected" } else { "disconnected" });
    let status = ConnectionStatus {
        session_id: session.id.clone(),
        client: client.to_string(),
        connected,
        connections,
        reason,
    };
    shared.engine.bus().publish(shared.engine.now(), Happening::Connection(status));
}
