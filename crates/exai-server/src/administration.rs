//! What is the owner's alone. A peer that came in by a named key is a client and nothing more: the
//! daemon's end, its token, its operators' tools and what others do are not its business, whatever
//! it says of itself.

use crate::{
    Control,
    outbox::encode,
    wire_in::{Desk, Later},
};
use exai_engine::calls::Refusal;
use exai_protocol::{
    RequestId,
    control::{ErrorFrame, RotateTokenRes, SessionsRes},
    health::Health,
    request::Op,
};
use std::sync::Arc;

impl<C: Control> Desk<C> {
    /// Whether the peer is the owner's.
    pub(crate) fn is_owners(&self) -> bool {
        self.member.session.principal == self.shared.control.owner()
    }

    /// The op, where the peer may have it served; else it has been refused.
    pub(crate) fn guarded<'f>(
        &self,
        request_id: Option<&RequestId>,
        op: Op<'f>,
    ) -> Result<Option<Op<'f>>, Later> {
        let what = match &op {
            Op::Operate(_) => "the tools of operators are",
            Op::RotateToken { .. } => "the token is",
            Op::Shutdown { .. } => "stopping the daemon is",
            Op::Subscribe(_) => "events, which tell of all clients, are",
            Op::Cancel { key: Some(_), .. } => "calls made by another key are",
            _ => return Ok(Some(op)),
        };
        if self.is_owners() {
            return Ok(Some(op));
        }
        let message = self.refusal(what);
        match op {
            Op::Operate(call) => {
                self.shared.engine.record_refusal(Refusal {
                    session: &self.member.session,
                    request_id: request_id.cloned(),
                    name: Some(&call.name),
                    arguments: call.arguments,
                    message: &message,
                })?;
                self.reply(&ErrorFrame {
                    request_id: request_id.cloned(),
                    message,
                });
            }
            Op::RotateToken { .. } => self.reply(&RotateTokenRes {
                request_id: request_id.cloned(),
                ok: false,
                error: Some(message),
            }),
            _ => self.error(request_id.cloned(), message),
        }
        Ok(None)
    }

    /// The vital signs; of others and of the home only for the owner.
    pub(crate) fn health(&self) -> Health {
        let health = self.shared.control.health();
        match self.is_owners() {
            true => health,
            false => health.without_others(),
        }
    }

    /// Tells the sessions of the peer's principal; the owner those of all, by no key that opens no
    /// more: that is looked at first, which puts those out who came in by one.
    pub(crate) fn sessions(&self, request_id: Option<RequestId>) {
        let (engine, owner) = (Arc::clone(&self.shared.engine), self.shared.control.owner());
        let principal = self.member.session.principal.clone();
        let passes = (principal == owner).then(|| self.shared.control.passes());
        let (voice, closed) = (Arc::clone(&self.voice), self.closed.clone());
        self.tasks.spawn(async move {
            let listed = async {
                let Some(passes) = passes else {
                    return engine.sessions().list(&principal);
                };
                drop(passes.await);
                engine.sessions().everybodys()
            };
            let mut sessions = tokio::select! {
                () = closed.cancelled() => return,
                sessions = listed => sessions,
            };
            for session in &mut sessions {
                session.key.take_if(|key| *key == owner);
            }
            voice.outbox.answer(encode(&SessionsRes {
                request_id,
                sessions,
            }));
        });
    }

    fn refusal(&self, what: &str) -> String {
        let key = &self.member.session.principal;
        format!(
            "unauthorized: {what} for the owner alone, and this connection proved the key '{key}'; \
             nothing was done. Ask with the home's own token: unset EXAI_WS_TOKEN there"
        )
    }
}
