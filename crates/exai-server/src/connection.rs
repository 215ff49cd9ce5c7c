//! One connection: joins its session, is greeted, talks, leaves. Its end ends nothing else;
//! the calls go on.

use crate::{
    Control, Shared,
    handshake::{Socket, Welcomed},
    mcp,
    outbox::{Outbox, encode},
    pipe::{Hold, Pipe, Reader},
    wire_in::{Desk, Later},
    wire_out::{Abilities, Voice},
};
use exai_engine::{
    events::Happening,
    registry::View,
    sessions::{Membership, Peer, Push},
};
use exai_protocol::{
    SessionId,
    event::ConnectionStatus,
    hello::{HelloAck, Limits, close},
    limits::MAX_DEPTH,
    version::{FEATURES, PROTOCOL, feature},
};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a peer gets to take its last frames and answer our close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Between two looks whether a peer still waits for something.
const LOOK: Duration = Duration::from_millis(20);

/// Serves a welcomed peer until either side ends it.
pub(crate) async fn run<S, C>(
    welcomed: Box<Welcomed<S>>,
    shared: Arc<Shared<C>>,
    goodbye: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    C: Control,
{
    let Welcomed {
        socket,
        hello,
        principal,
        revoked,
    } = *welcomed;
    let engine = Arc::clone(&shared.engine);
    let outbox = Arc::new(Outbox::new(
        shared.settings.max_frame_bytes,
        promised(&shared),
    ));
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
    let member = engine
        .sessions()
        .join(principal, hello.client, peer, fresh_id, engine.now());
    outbox.belongs_to(&engine, &member.session);
    greet(announced, &shared, &member, &voice);
    announce(&shared, &member.session, true, None);
    let desk = Desk {
        shared,
        member,
        voice,
        tasks: TaskTracker::new(),
        closed: CancellationToken::new(),
        subscription: Mutex::new(None),
        mcp_places: Arc::new(Semaphore::new(mcp::AT_ONCE)),
        partings: Arc::default(),
        revoked,
    };
    let mut presence = Presence {
        desk,
        reason: "a fault of the daemon's own".to_owned(),
        said_goodbye: false,
    };
    let sent_over = sent_over(&presence.desk, announced);
    (presence.reason, presence.said_goodbye) =
        converse(socket, &presence.desk, &outbox, sent_over, goodbye).await;
}

/// Ready when another daemon is to serve this peer. One of V1 knows no way to ask there for
/// what runs here.
fn sent_over<C: Control>(
    desk: &Desk<C>,
    announced: bool,
) -> impl Future<Output = ()> + Send + use<C> {
    let (shared, peer) = (Arc::clone(&desk.shared), desk.member.peer);
    async move {
        shared.moving.cancelled().await;
        while !announced && shared.engine.waits(peer) {
            sleep(LOOK).await;
        }
    }
}

/// A peer in its session. It leaves however its conversation ends, even by a panic of ours.
struct Presence<C> {
    desk: Desk<C>,
    reason: String,
    said_goodbye: bool,
}

impl<C> Drop for Presence<C> {
    fn drop(&mut self) {
        let Desk {
            shared,
            member,
            closed,
            voice,
            ..
        } = &self.desk;
        closed.cancel();
        shared.engine.detach_peer(member.peer);
        voice.outbox.abandon();
        shared.engine.sessions().leave(member, shared.engine.now());
        if self.said_goodbye {
            shared.engine.farewell(member);
        }
        announce(
            shared,
            &member.session,
            false,
            Some(std::mem::take(&mut self.reason)),
        );
    }
}

/// Moves frames until the connection is over; returns why it ended, and whether its peer said so.
async fn converse<S, C>(
    socket: Socket<S>,
    desk: &Desk<C>,
    outbox: &Arc<Outbox>,
    sent_over: impl Future<Output = ()> + Send,
    goodbye: CancellationToken,
) -> (String, bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    C: Control,
{
    let mut pipe = Pipe::new(socket, Arc::clone(outbox));
    let (interval, patience) = (
        desk.shared.settings.ping_interval,
        desk.shared.settings.ping_timeout,
    );
    let mut next = Next::Ping(Instant::now() + interval);
    let mut sent_over = pin!(sent_over);
    loop {
        tokio::select! {
            biased;
            reason = poll_fn(|context| pipe.poll(context, desk)) => return (reason, pipe.said_goodbye),
            () = outbox.ended() => next = Next::End(Instant::now() + CLOSE_TIMEOUT),
            () = &mut sent_over, if !matches!(next, Next::End(_)) => {
                let words = "another daemon has taken over; connect again";
                outbox.end(close::GOING_AWAY, words.to_owned());
                next = Next::End(Instant::now() + CLOSE_TIMEOUT);
            }
            () = desk.revoked.cancelled(), if !matches!(next, Next::End(_)) => {
                let session = &desk.member.session;
                tracing::warn!(key = %session.principal, client = %session.client_name(), "its key was revoked; the connection ends");
                outbox.end(close::UNAUTHORIZED, "unauthorized: the key was revoked".to_owned());
                next = Next::End(Instant::now() + CLOSE_TIMEOUT);
            }
            () = goodbye.cancelled(), if !matches!(next, Next::End(_)) => {
                outbox.end(close::GOING_AWAY, "the daemon is shutting down".to_owned());
            }
            () = sleep_until(next.at()), if !interval.is_zero() || matches!(next, Next::End(_)) => match next {
                Next::End(_) => return (outbox.why(), false),
                Next::Pong(_) if !pipe.heard => pipe.give_up(),
                Next::Pong(at) => next = Next::Ping(at + interval.saturating_sub(patience)),
                Next::Ping(_) => {
                    pipe.heard = false;
                    pipe.ping();
                    next = Next::Pong(Instant::now() + patience);
                }
            },
        }
    }
}

/// What the connection's timer is for.
#[derive(Clone, Copy)]
enum Next {
    Ping(Instant),
    Pong(Instant),
    End(Instant),
}

impl Next {
    fn at(self) -> Instant {
        match self {
            Self::Ping(at) | Self::Pong(at) | Self::End(at) => at,
        }
    }
}

impl<C: Control> Reader for Desk<C> {
    fn text(&self, text: &str) -> Result<(), Hold> {
        if self.revoked.is_cancelled() {
            // It is on its way out; what it says meanwhile is a stranger's.
            return Ok(());
        }
        let outbox = &self.voice.outbox;
        if outbox.is_choked() {
            return Err(self.until_read(usize::MAX));
        }
        self.frame(text).map_err(|later| match later {
            Later::Recorded => Hold {
                room: Box::pin(self.shared.engine.room()),
                for_the_peer: false,
            },
            Later::Read => self.until_read(self.shared.engine.config().limits.client_bytes),
        })
    }

    fn binary(&self) {
        let message = "invalid_message: frames must be text, not binary".to_owned();
        self.error(None, message);
    }
}

impl<C: Control> Desk<C> {
    /// Nothing more is read before the peer has.
    fn until_read(&self, most: usize) -> Hold {
        let outbox = Arc::clone(&self.voice.outbox);
        Hold {
            room: Box::pin(async move { outbox.unchoked(most).await }),
            for_the_peer: true,
        }
    }
}

/// What a peer's calls may return at most without its reading any of it: what makes the engine
/// hold them back, and the results of those that began before.
fn promised<C>(shared: &Shared<C>) -> usize {
    let limits = &shared.engine.config().limits;
    let running = limits
        .client
        .saturating_mul(shared.settings.max_frame_bytes);
    limits.client_bytes.saturating_add(running)
}

/// The answer to hello comes before anything else, so pushes are not taken until it is queued.
fn greet<C: Control>(announced: bool, shared: &Shared<C>, member: &Membership, voice: &Voice) {
    let greeted = shared.engine.view(&member.session);
    voice.outbox.answer(encode(&greeting(
        announced,
        shared,
        member.session.id.clone(),
        &greeted,
    )));
    let _ = voice.peer.set(member.peer);
    let now = shared.engine.view(&member.session);
    if greeted.hash() != now.hash() {
        voice.push(&Push::ToolsChanged { hash: now.hash() });
    }
}

fn greeting<C: Control>(
    announced: bool,
    shared: &Shared<C>,
    session_id: SessionId,
    view: &View,
) -> HelloAck {
    let mut ack = HelloAck::refusal("");
    ack.ok = true;
    ack.error = None;
    ack.session_id = Some(session_id);
    if announced {
        let engine = &shared.engine;
        ack.protocol = Some(PROTOCOL.to_owned());
        ack.server = Some(shared.control.identity().clone());
        ack.features = FEATURES.map(str::to_owned).to_vec();
        ack.features.push(feature::PROOF.to_owned());
        ack.features.push(feature::SCOPES.to_owned());
        if engine.remembers_all() {
            ack.features.push(feature::JOURNAL.to_owned());
        }
        ack.journal = engine.memory().map(|name| name.to_string());
        ack.tools_hash = Some(view.hash().to_string());
        ack.limits = Some(Limits {
            max_frame_bytes: shared.settings.max_frame_bytes as u64,
            max_depth: MAX_DEPTH as u64,
            client_inflight: engine.config().limits.client as u64,
            call_timeout_secs: engine.config().call_timeout.as_secs(),
            retention_secs: engine.config().retention.ttl.as_secs(),
            unwatched_ms: u64::try_from(engine.config().unwatched.as_millis()).ok(),
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
    shared
        .engine
        .bus()
        .publish(shared.engine.now(), Happening::Connection(status));
}
