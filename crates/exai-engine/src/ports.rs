//! What the engine needs done and does not do itself. Others implement these; the engine
//! opens nothing.

pub mod ledger;
pub mod logs;
pub mod models;
pub mod ollama;
pub mod purse;
pub mod recorder;
pub mod threads;
pub mod vitals;
