//! The MCP stdio server every editor window launches, as a library: the program is [`run`], and
//! the readers of what any client may send are here to be fuzzed as they are shipped.

mod answer;
mod autostart;
mod bridge;
mod calling;
mod catalog;
mod continuing;
pub mod envelope;
mod flags;
mod forwarding;
mod goes_on;
mod handler;
mod id_scan;
mod ids;
mod inside;
mod lifecycle;
mod listeners;
mod pages;
mod parts;
mod patience;
mod pipes;
mod profiles;
mod progress;
mod run;
mod setup;
mod shelf;
pub mod stdin;
mod stdout;
mod tasks;
mod tickets;
mod transport;
mod waiting;
mod whereabouts;

pub use run::run;
