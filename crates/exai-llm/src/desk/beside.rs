//! Two things that are had without asking a model: the request that a wish would become, and
//! what a provider reads in a document. The same steps as an ask takes, and no further.

use super::{Models, ceiling, of_wire};
use crate::{
    choice::effective_context,
    dialect::{self, Target},
    fault::Place,
    files::Files,
};
use exai_engine::{
    ports::models::{Document, Wish},
    tool::{ToolCall, ToolError},
};
use serde_json::{Value, json};
use std::sync::Arc;

impl Models {
    pub(super) fn shown(&self, wish: Wish) -> Result<Value, ToolError> {
        let candidates = self.candidates(&wish)?;
        let Some(candidate) = candidates.first() else {
            return Err(ToolError::invalid("no model fits this wish"));
        };
        let live = self.live(&candidate.model)?;
        let resolved = live.resolved();
        let mut request = wish.chat;
        request.model.clone_from(&candidate.model.id);
        let context = effective_context(&candidate.model, &live.state());
        request.max_output = ceiling::of(&request, &candidate.model, context);
        let target = Target {
            endpoint: &resolved.name,
            dialect: resolved.endpoint.dialect,
            quirks: &resolved.endpoint.quirks,
            traits: &candidate.model.traits,
        };
        let wire =
            dialect::write(&target, &request).map_err(|fault| ToolError::invalid(fault.detail))?;
        Ok(json!({
            "sent": false,
            "endpoint": resolved.name,
            "model": candidate.model.id,
            "chosen": candidate.reason,
            "url": resolved.base_url.as_ref().map(|base| format!("{base}{}", wire.path)),
            "body": wire.body,
            "applied": wire.applied,
        }))
    }

    pub(super) async fn read_document(
        &self,
        call: &ToolCall,
        endpoint: &str,
        document: Document,
    ) -> Result<String, ToolError> {
        let live = self.setup.endpoints.get(endpoint);
        let live = live.filter(|live| Files::reads(live)).ok_or_else(|| {
            ToolError::invalid(format!("'{endpoint}' is no provider that reads documents"))
        })?;
        if let Some(lacks) = live.state().lacks() {
            let what = format!("'{endpoint}' cannot be used: {lacks}. Nothing was sent.");
            return Err(ToolError::new(exai_protocol::Code::Unavailable, what));
        }
        let bytes = bytes::Bytes::from_owner(Arc::clone(&document.bytes));
        let (name, kind) = (&document.name, &document.media_type);
        let files = &self.setup.files;
        let read = files.extract(live, name, bytes, kind, call.deadline).await;
        read.map(|extracted| extracted.text).map_err(|fault| {
            let place = Place {
                endpoint,
                model: name,
                key_from: &live.resolved().key_from(),
            };
            of_wire(fault.tell(&place))
        })
    }
}
