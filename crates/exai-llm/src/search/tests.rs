//! Search contracts.
