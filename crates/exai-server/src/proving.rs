//! The daemon's half of the proof: it signs first, for every token that opens the door, and looks
//! at the client's signature in the hello.

use crate::Control;
use exai_protocol::{
    proof::{Exchange, NONCE_BYTES, Proof, Prove, Role, nonce},
    version::PROTOCOL,
};

/// An exchange that was begun.
pub(crate) struct Proving {
    asked: Prove,
    answered: Proof,
}

impl Proving {
    /// Answers a question; `None` when the system gives no randomness.
    pub(crate) fn answer<C: Control>(asked: Prove, control: &C) -> Option<(Self, String)> {
        let mut bytes = [0; NONCE_BYTES];
        if let Err(error) = getrandom::fill(&mut bytes) {
            tracing::error!(%error, "no randomness for a proof");
            return None;
        }
        let mut answered = Proof {
            protocol: PROTOCOL.to_owned(),
            nonce: nonce(bytes),
            proofs: Vec::new(),
            server: control.identity().clone(),
        };
        let exchange = Exchange::of(&asked, &answered);
        let tokens = control.tokens();
        let signed = tokens
            .iter()
            .map(|token| exchange.sign(Role::Daemon, token));
        answered.proofs = signed.collect();
        let frame = serde_json::to_string(&answered).ok()?;
        Some((Self { asked, answered }, frame))
    }

    /// Whether a client's signature is that of one who knows a token which opens now.
    pub(crate) fn is_proven<C: Control>(&self, proof: &str, control: &C) -> bool {
        let exchange = Exchange::of(&self.asked, &self.answered);
        let mut proven = false;
        for token in control.tokens() {
            proven |= exchange.is_signed(Role::Client, &token, proof);
        }
        proven
    }
}
