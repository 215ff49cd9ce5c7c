//! What the daemon says unasked: followed events, and news for whoever listens. Bounded both
//! ways; what a slow reader missed is counted and told.

use crate::{calls::Turn, command::Command, outbound};
use exai_protocol::{
    RequestId,
    control::{EventFrame, Lagged, Notify, SubscribeRes, ToolsChanged},
    request::Subscribe,
};
use tokio::sync::mpsc;

/// News that nobody has to ask for.
#[derive(Debug, Clone)]
pub enum News {
    /// The list of tools this client sees is another one now.
    ToolsChanged(ToolsChanged),
    /// What there is to read may be something else now.
    ResourcesChanged,
    /// Somebody tells the people behind this client something.
    Notify(Notify),
}

/// One thing on an event stream.
#[derive(Debug)]
pub enum EventItem {
    /// Events follow from here; also after every reconnect. With `resync_required` a gap was
    /// not replayed: read the state anew.
    Subscribed(SubscribeRes),
    /// One event.
    Event(Box<EventFrame>),
    /// Events were passed over, here or in the daemon.
    Lagged(Lagged),
}

/// Events, across reconnects. One per client; dropping it unsubscribes.
pub struct EventStream {
    pub(crate) items: mpsc::Receiver<EventItem>,
    /// Keeps the driver alive for as long as somebody follows.
    pub(crate) _commands: mpsc::Sender<Command>,
}

impl EventStream {
    /// The next item; `None` when the client is closed or another stream took its place.
    pub async fn next(&mut self) -> Option<EventItem> {
        self.items.recv().await
    }
}

/// Most items waiting for a slow reader.
pub(crate) const BACKLOG: usize = 1024;

pub(crate) type EventSink = mpsc::Sender<EventItem>;

/// The one subscription of a client.
#[derive(Default)]
pub(crate) struct Follow {
    following: Option<Following>,
}

struct Following {
    id: RequestId,
    wanted: Subscribe,
    sink: EventSink,
    dropped: u64,
}

impl Follow {
    pub(crate) fn start(
        &mut self,
        id: RequestId,
        wanted: Subscribe,
        sink: EventSink,
        turn: &mut Turn<'_>,
    ) {
        self.following = Some(Following {
            id,
            wanted,
            sink,
            dropped: 0,
        });
        self.link_up(turn);
    }

    /// Subscribes at a new link, from where the last one ended.
    pub(crate) fn link_up(&mut self, turn: &mut Turn<'_>) {
        let legacy = turn
            .link
            .session()
            .is_none_or(|session| session.is_legacy());
        if let Some(following) = self.following.as_ref().filter(|_| !legacy) {
            turn.out
                .push(outbound::subscribe(&following.id, &following.wanted));
        }
    }

    pub(crate) fn subscribed(&mut self, reply: SubscribeRes) {
        if let Some(following) = &mut self.following {
            // A replay begins after `since`; without one, "now" is where we stand.
            if reply.resync_required || following.wanted.since.is_none() {
                following.wanted.since = Some(reply.seq);
            }
            following.wanted.boot_id = Some(reply.boot_id.as_str().to_owned());
            following.deliver(EventItem::Subscribed(reply));
        }
    }

    /// Returns the frame that ends the subscription when nobody follows any more.
    pub(crate) fn event(&mut self, event: Box<EventFrame>, turn: &mut Turn<'_>) {
        let Some(following) = &mut self.following else {
            return;
        };
        following.wanted.since = Some(event.seq);
        following.deliver(EventItem::Event(event));
        if following.sink.is_closed() {
            turn.out
                .push(outbound::Frame::new("unsubscribe", &following.id).done());
            self.following = None;
        }
    }

    pub(crate) fn lagged(&mut self, lagged: Lagged) {
        if let Some(following) = &mut self.following {
            following.deliver(EventItem::Lagged(lagged));
        }
    }
}

impl Following {
    fn deliver(&mut self, item: EventItem) {
        if self.dropped > 0 {
            let next_seq = self.wanted.since.unwrap_or_default();
            let lagged = EventItem::Lagged(Lagged {
                dropped: self.dropped,
                next_seq,
            });
            if self.sink.try_send(lagged).is_err() {
                self.dropped += 1;
                return;
            }
            self.dropped = 0;
        }
        if self.sink.try_send(item).is_err() {
            self.dropped += 1;
        }
    }
}
