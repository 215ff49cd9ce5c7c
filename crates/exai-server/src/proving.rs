//! The daemon's half of the proof: it signs first, for every token that opens the door, and looks
//! at the client's signature in the hello.

use crate::{Control, auth::Pass};
use exai_protocol::{
    Secret,
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
    pub(crate) fn answer<C: Control>(
        asked: Prove,
        control: &C,
        passes: &[Pass],
    ) -> Option<(Self, String)> {
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
        let signed = passes
            .iter()
            .map(|pass| exchange.sign(Role::Daemon, &pass.key));
        answered.proofs = signed.collect();
        let frame = serde_json::to_string(&answered).ok()?;
        Some((Self { asked, answered }, frame))
    }

    /// Whether a client's signature is that of one who knows this key.
    pub(crate) fn is_proven(&self, proof: &str, key: &Secret) -> bool {
        let exchange = Exchange::of(&self.asked, &self.answered);
        exchange.is_signed(Role::Client, key, proof)
    }
}
