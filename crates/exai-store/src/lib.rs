//! The daemon's one SQLite file: the journal of calls, what models used, what budgets have
//! left, and conversations. One thread
//! owns the connection that writes; everybody else asks it, or reads on connections of their
//! own. Whatever is wrong with the file is a [`Condition`], never a reason not to run.

mod ages;
mod aside;
mod budget;
mod calls;
mod condition;
mod day;
mod error;
mod fault;
mod job;
mod journal;
mod migrate;
mod money;
mod open;
mod options;
mod purse;
mod queue;
mod read;
mod receipt;
mod reservation;
mod salvage;
mod store;
mod threads;
mod usage;
mod who;
mod writer;

pub use aside::standing as damaged_beside;
pub use budget::{Ask, Ceiling, Expected, OverBudget, Scope, Standing, Sums};
pub use calls::list::{CallRow, CallsQuery};
pub use condition::{Condition, State};
pub use day::Day;
pub use error::{ReserveError, StoreError};
pub use journal::{Elder, Heir, Journal, Keeping};
pub use money::{Cost, MicroUsd};
pub use options::{Lives, Options};
pub use purse::Budgets;
pub use read::Reader;
pub use receipt::Receipt;
pub use reservation::{Grant, Reservation, Settled};
pub use store::Store;
pub use threads::{StoredThreads, ThreadLimits};
pub use usage::{By, Tokens, Usage, UsageQuery, UsageTotal};
pub use who::{ModelCall, Who};
