//! One endpoint in force: what it is, its gate, its keys, and the way a request takes there.

mod asks;
mod health;
mod live;

pub use crate::limits::gate::Place;
pub use health::EndpointHealth;
pub use live::{Failed, Live, Sent};
