//! Who is told what happens to providers. The daemon gives the engine's bus; this crate knows
//! only the words.

use exai_protocol::event::EventBody;
use std::sync::Arc;

/// Takes an event and never waits.
pub type Herald = Arc<dyn Fn(EventBody) + Send + Sync>;
