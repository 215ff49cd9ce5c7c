//! The typed client with never-ending reconnect: what the shim, the command line and the
//! tests speak to the daemon with. It opens no file and starts no process.
//!
//! # Use
//!
//! * [`Client::spawn`]`(config, dial, wall_clock, &tracker)` starts the one driver task. The
//!   handle is [`Clone`]; the driver ends with the last handle, or at [`Client::close`].
//! * `dial` is a [`Dial`]: [`TcpDial`] for a fixed [`Target`], or [`WatchedDial`] around a
//!   [`Rendezvous`] (three small methods: where is it, did that change, start one).
//! * [`Client::call`]`(CallSpec) -> `[`CallStream`], whose [`CallStream::next`] yields
//!   [`CallEvent`]s and ends with exactly one [`CallEvent::Finished`], whatever happens to
//!   links and daemons. [`CallStream::cancel`] stops or detaches; dropping detaches.
//! * [`Client::list_tools`], [`Client::health`], [`Client::sessions`], [`Client::collect`], …
//!   are requests with one reply; [`Client::subscribe`] follows events across reconnects;
//!   [`Client::news`] is what comes unasked.
//! * [`Client::link`] is a watch channel of [`LinkState`]; [`Client::ready`] waits for a link.
//!
//! # What happens to a call when the link breaks
//!
//! | the call | the same daemon returns | another daemon |
//! |---|---|---|
//! | not sent yet | sent | sent |
//! | in flight, repeatable | re-attached by id | sent again (at most three times) |
//! | in flight, other | re-attached by id | ends `OUTCOME_UNKNOWN` with what is known |
//! | asked to stop | stop is sent again | – |
//!
//! A call not yet sent waits [`Times::connect_wait`], one in flight [`Times::reattach_wait`].

mod asks;
mod backoff;
mod call;
mod calls;
mod client;
mod command;
mod config;
mod dial;
mod driver;
mod events;
mod explain;
mod handle;
mod handshake;
mod heartbeat;
mod inbound;
mod outbound;
mod prove;
mod state;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

pub use asks::RequestError;
pub use backoff::{Backoff, BackoffPolicy, BadBackoff};
pub use call::{CallEvent, CallSpec, CallStream, Detached};
pub use client::{Client, Collected};
pub use config::{ClientConfig, Times};
pub use dial::{
    Credential, Dial, Rendezvous, Socket, Target, TcpDial, Unreachable, WatchedDial, connect,
    connect_tcp,
};
pub use events::{EventItem, EventStream, News};
pub use explain::unavailable;
pub use handle::{Handle, NoHandle};
pub use prove::{Asked, Stranger};
pub use state::{LinkState, Outage, Session};
pub use stream::Stream;
