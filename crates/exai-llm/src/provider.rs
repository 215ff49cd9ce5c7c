//! Endpoints as data.
