//! What the store says, in the words of the port.

use crate::error::StoreError;
use exai_engine::ports::threads::ThreadError;

pub(super) fn told(error: &StoreError) -> ThreadError {
    ThreadError::Unavailable(error.to_string())
}
