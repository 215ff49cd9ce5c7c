//! Sizes and times both sides agree on unless configured otherwise. The errors that enforce
//! them quote them.

/// Largest frame either side sends or accepts, in bytes (`EXAI_WS_MAX_BYTES`).
pub const MAX_FRAME_BYTES: usize = 32 * 1024 * 1024;
/// Deepest nesting of arrays and objects in any frame.
pub const MAX_DEPTH: usize = 128;
/// Longest `request_id`, in bytes.
pub const MAX_REQUEST_ID_BYTES: usize = 256;
/// Longest client id, name, version or working directory in `hello`, in bytes.
pub const MAX_HELLO_FIELD_BYTES: usize = 1024;
/// Bytes a peer may send before it is authenticated: the upgrade and the hello, each.
pub const MAX_HANDSHAKE_BYTES: usize = 4 * 1024;
/// Most bytes one `collect` page carries.
pub const MAX_COLLECT_BYTES: usize = 8 * 1024 * 1024;
/// Closest spacing of two progress messages of one call, in milliseconds.
pub const PROGRESS_SPACING_MS: u64 = 250;
/// The predecessor's port.
pub const DEFAULT_PORT: u16 = 8765;
