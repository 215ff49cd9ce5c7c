//! The heart: the registry, sessions, the life of a call, admission, deadlines and the event
//! bus. It opens nothing (no socket, file, process or clock of its own), so its tests run
//! whole days in milliseconds.

pub mod account;
pub mod admission;
pub mod calls;
pub mod engine;
pub mod events;
mod folders;
mod handing_over;
pub mod ports;
pub mod progress;
pub mod quotas;
pub mod registry;
pub mod sessions;
pub mod surface;
pub mod tool;

pub use engine::{Config, Engine, Ports, Runner};
pub use folders::Folders;
