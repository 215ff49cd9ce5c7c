//! What a call costs.
