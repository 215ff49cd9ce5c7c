//! Finding out who is at the other end of a TCP connection before anything is said to it: whoever
//! listens on the port hears a number, and must answer with a signature that only one who knows
//! the token can make.

use exai_protocol::{
    Secret,
    hello::ServerInfo,
    proof::{Exchange, NONCE_BYTES, Proof, Prove, Role, is_nonce, nonce},
    version,
};

/// A question that was asked.
#[derive(Debug)]
pub struct Asked {
    prove: Prove,
}

/// Why what answered is not spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stranger {
    /// It knows nothing of proof, and said this.
    NoProof(String),
    /// It speaks like exai and does not know our token; who it says that it is.
    OtherToken(Box<ServerInfo>),
}

impl Asked {
    /// A question with a number nobody has seen.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new() -> Result<Self, String> {
        let mut bytes = [0; NONCE_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| format!("the system gives no random bytes: {error}"))?;
        Ok(Self {
            prove: Prove {
                protocol: version::PROTOCOL.to_owned(),
                nonce: nonce(bytes),
            },
        })
    }

    /// The question's frame.
    #[must_use]
    pub fn frame(&self) -> String {
        serde_json::to_string(&self.prove).unwrap_or_default()
    }

    /// Our own signature, for the hello, once the answer's is found right.
    ///
    /// # Errors
    /// [`Stranger`].
    pub fn judge(&self, answer: &str, token: &Secret) -> Result<String, Stranger> {
        let answer: Proof = serde_json::from_str(answer)
            .ok()
            .filter(|answer: &Proof| is_nonce(&answer.nonce) && answer.nonce != self.prove.nonce)
            .ok_or_else(|| Stranger::NoProof("its answer is no proof".to_owned()))?;
        let exchange = Exchange::of(&self.prove, &answer);
        let mut known = false;
        for proof in &answer.proofs {
            known |= exchange.is_signed(Role::Daemon, token, proof);
        }
        if known {
            Ok(exchange.sign(Role::Client, token))
        } else {
            Err(Stranger::OtherToken(Box::new(answer.server)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(asked: &Asked, token: &str) -> Proof {
        let mut answer = Proof {
            protocol: "1.1".to_owned(),
            nonce: nonce([7; NONCE_BYTES]),
            proofs: Vec::new(),
            server: ServerInfo {
                name: "exai-daemon".to_owned(),
                version: "0".to_owned(),
                build: "b".to_owned(),
                boot_id: "boot".into(),
                home: "/h".to_owned(),
            },
        };
        let signed = Exchange::of(&asked.prove, &answer).sign(Role::Daemon, &Secret::new(token));
        answer.proofs = vec!["00".repeat(32), signed];
        answer
    }

    fn judged(asked: &Asked, answer: &Proof) -> Result<String, Stranger> {
        asked.judge(
            &serde_json::to_string(answer).unwrap(),
            &Secret::new("token"),
        )
    }

    #[test]
    fn s05_only_an_answer_to_this_question_by_one_who_knows_is_believed() {
        let (asked, other) = (Asked::new().unwrap(), Asked::new().unwrap());
        assert_ne!(asked.prove.nonce, other.prove.nonce);
        let good = answer(&asked, "token");
        assert!(judged(&asked, &good).is_ok(), "either of two tokens");
        assert!(judged(&other, &good).is_err(), "a captured answer");
        assert!(matches!(
            judged(&asked, &answer(&asked, "another")),
            Err(Stranger::OtherToken(server)) if server.home == "/h"
        ));
        let mut echo = good.clone();
        echo.nonce.clone_from(&asked.prove.nonce);
        assert!(
            judged(&asked, &echo).is_err(),
            "our own number is no answer"
        );
        for text in ["", "{}", r#"{"op":"hello_ack","ok":true}"#, &asked.frame()] {
            let judged = asked.judge(text, &Secret::new("token"));
            assert!(matches!(judged, Err(Stranger::NoProof(_))), "{text}");
        }
    }
}
