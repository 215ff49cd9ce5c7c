//! The store from outside: one binary, so that it is linked once.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod budgets;
mod faults;
mod full;
mod journal;
mod journal_behind;
mod journal_bounds;
mod kill;
mod migrations;
mod properties;
mod purse;
mod support;
mod threads;
mod threads_killed;
mod totals;
