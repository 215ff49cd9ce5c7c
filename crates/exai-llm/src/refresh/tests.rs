//! Written with the next step.
