//! What the processes write down: the readable log, the record of every call in its several
//! forms, the health file; and how what was written is read back and proved. Used by the two
//! binaries only.

pub mod check;
pub mod follow;
pub mod health_file;
pub mod lines;
pub mod logging;
mod pending;
pub mod process;
pub mod records;
pub mod rotate;
pub mod shared;
pub mod tail;
pub mod text;
pub mod utc;

pub use rotate::{RotateLimits, RotatingFile, WriteFaults};
pub use shared::SharedFile;
