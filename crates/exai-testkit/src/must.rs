//! Panics that say what the test was doing.

use std::fmt::Display;

/// Takes the value, or ends the test with what went wrong.
pub trait Must<T> {
    /// `doing` completes "cannot …".
    #[track_caller]
    fn must(self, doing: impl Display) -> T;
}

impl<T, E: Display> Must<T> for Result<T, E> {
    #[track_caller]
    fn must(self, doing: impl Display) -> T {
        match self {
            Ok(value) => value,
            Err(error) => panic!("cannot {doing}: {error}"),
        }
    }
}

impl<T> Must<T> for Option<T> {
    #[track_caller]
    fn must(self, doing: impl Display) -> T {
        match self {
            Some(value) => value,
            None => panic!("cannot {doing}"),
        }
    }
}
