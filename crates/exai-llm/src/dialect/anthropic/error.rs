//! `{"type":"error","error":{"type","message"}}`, in bodies and in streams.

use crate::dialect::errors::{Said, common};
use serde_json::Value;

pub(in crate::dialect) fn said(body: &Value) -> Said {
    common(body)
}
