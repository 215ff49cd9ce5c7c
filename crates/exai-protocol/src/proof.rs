//! Proof that both ends know the token, without showing it to either. The client asks with a
//! number of its own, the daemon answers with one of its and signs both; only a client that finds
//! the signature right says hello, and signs in turn. Whoever else listens on the port, or reads
//! along, has seen two numbers used once. The frames that follow are not encrypted: whoever relays
//! them can read them.

use crate::{BootId, Secret, hello::ServerInfo, object::RawObject};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// What a client that will prove itself asks for in the upgrade, in the WebSocket subprotocol: a
/// web page cannot, without saying `Origin`, and a stranger does not know to answer.
pub const SUBPROTOCOL: &str = "exai.proof";
/// Random bytes in a nonce.
pub const NONCE_BYTES: usize = 32;
/// Hexadecimal digits of a nonce and of a signature.
const DIGITS: usize = 2 * NONCE_BYTES;
/// Another way of signing would be another word here.
const LABEL: &str = "exai proof 1";

/// The first frame of a client that shows no token: `prove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename = "prove")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Prove {
    /// `major.minor` of the client.
    pub protocol: String,
    /// The client's number: 64 hexadecimal digits, used once.
    pub nonce: String,
}

/// The daemon's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename = "proof")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Proof {
    /// `major.minor` of the daemon.
    pub protocol: String,
    /// The daemon's number.
    pub nonce: String,
    /// One signature for each token that opens the door: two for a while after a rotation.
    pub proofs: Vec<String>,
    /// Who it says that it is.
    pub server: ServerInfo,
}

impl Prove {
    /// Reads a first frame; `None` when it is another one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(text: &str) -> Option<Result<Self, String>> {
        let object = RawObject::parse(text).ok()?;
        if !matches!(object.string("op"), Ok(Some(op)) if op == "prove") {
            return None;
        }
        let read: Result<Self, _> = serde_json::from_str(text);
        Some(match read {
            Ok(prove) if is_hex(&prove.nonce) => Ok(prove),
            Ok(_) => Err(format!("nonce must be {DIGITS} hexadecimal digits")),
            Err(error) => Err(error.to_string()),
        })
    }
}

/// Who signs. A signature of one is never one of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It answers.
    Daemon,
    /// It asks.
    Client,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Client => "client",
        }
    }
}

/// What both sign: everything that was said so far, and to which run of the daemon.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// See [`Prove::protocol`].
    pub client_protocol: &'a str,
    /// See [`Prove::nonce`].
    pub client_nonce: &'a str,
    /// See [`Proof::protocol`].
    pub daemon_protocol: &'a str,
    /// See [`Proof::nonce`].
    pub daemon_nonce: &'a str,
    /// Which run of the daemon.
    pub boot_id: &'a BootId,
}

impl<'a> Exchange<'a> {
    /// The exchange of a question and its answer.
    #[must_use]
    pub fn of(asked: &'a Prove, answered: &'a Proof) -> Self {
        Self {
            client_protocol: &asked.protocol,
            client_nonce: &asked.nonce,
            daemon_protocol: &answered.protocol,
            daemon_nonce: &answered.nonce,
            boot_id: &answered.server.boot_id,
        }
    }

    /// Signs it.
    #[must_use]
    pub fn sign(&self, role: Role, token: &Secret) -> String {
        let bytes = self.mac(role, token).map(|mac| mac.finalize().into_bytes());
        bytes.map_or_else(String::new, |bytes| hex(&bytes))
    }

    /// Whether that is the signature of one who knows the token; takes the same time wherever two
    /// signatures differ. No token is known to nobody.
    #[must_use]
    pub fn is_signed(&self, role: Role, token: &Secret, signature: &str) -> bool {
        let (Some(mac), Some(bytes)) = (self.mac(role, token), unhex(signature)) else {
            return false;
        };
        !token.is_empty() && mac.verify_slice(&bytes).is_ok()
    }

    fn mac(&self, role: Role, token: &Secret) -> Option<Hmac<Sha256>> {
        // Any length is a key.
        let mut mac = Hmac::<Sha256>::new_from_slice(token.expose().as_bytes()).ok()?;
        let said = [
            LABEL,
            role.word(),
            self.client_protocol,
            self.daemon_protocol,
            self.boot_id.as_str(),
            self.client_nonce,
            self.daemon_nonce,
        ];
        for part in said {
            // With its length, so that no two exchanges are written alike.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Some(mac)
    }
}

/// A nonce of random bytes, as it is written.
#[must_use]
pub fn nonce(bytes: [u8; NONCE_BYTES]) -> String {
    hex(&bytes)
}

/// Whether an answer is one that can be checked at all.
#[must_use]
pub fn is_nonce(text: &str) -> bool {
    is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !is_hex(text) {
        return None;
    }
    let digits = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .filter_map(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = digits.collect();
    Some(digits.chunks(2).map(|two| (two[0] << 4) | two[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange<'a>(boot_id: &'a BootId, client: &'a str, daemon: &'a str) -> Exchange<'a> {
        Exchange {
            client_protocol: "1.1",
            client_nonce: client,
            daemon_protocol: "1.1",
            daemon_nonce: daemon,
            boot_id,
        }
    }

    #[test]
    fn s05_a_signature_is_good_for_one_exchange_one_role_and_one_boot() {
        let (boot, other_boot) = (BootId::from("b"), BootId::from("c"));
        let (one, two) = (nonce([1; NONCE_BYTES]), nonce([2; NONCE_BYTES]));
        let (token, wrong) = (Secret::new("t0k3n"), Secret::new("t0k3m"));
        let said = exchange(&boot, &one, &two);
        let signature = said.sign(Role::Client, &token);
        assert_eq!(signature.len(), DIGITS);
        assert!(said.is_signed(Role::Client, &token, &signature));
        assert!(!said.is_signed(Role::Daemon, &token, &signature));
        assert!(!said.is_signed(Role::Client, &wrong, &signature));
        for other in [
            exchange(&other_boot, &one, &two),
            exchange(&boot, &two, &two),
            exchange(&boot, &one, &one),
            Exchange {
                client_protocol: "1.2",
                ..said
            },
            Exchange {
                daemon_protocol: "1.0",
                ..said
            },
        ] {
            assert!(!other.is_signed(Role::Client, &token, &signature));
        }
        for broken in [
            "",
            "00",
            &signature[2..],
            &"z".repeat(DIGITS),
            &"é".repeat(32),
        ] {
            assert!(!said.is_signed(Role::Client, &token, broken), "{broken}");
        }
        let none = Secret::new("");
        assert!(!said.is_signed(Role::Client, &none, &said.sign(Role::Client, &none)));
    }

    /// The bytes that are signed are a contract; this was computed apart from this code.
    #[test]
    fn s05_the_signature_is_that_of_the_description() {
        let boot = BootId::from("0123456789abcdef");
        let (one, two) = (nonce([0x11; NONCE_BYTES]), nonce([0x22; NONCE_BYTES]));
        let signature = exchange(&boot, &one, &two).sign(Role::Daemon, &Secret::new("secret"));
        assert_eq!(
            signature,
            "d433286da15529d589c5ef9c107d97150aa1549cefb3cca35ae3bf3334bd81d1"
        );
    }

    #[test]
    fn s05_a_question_without_a_whole_nonce_is_none() {
        let good = format!(
            r#"{{"op":"prove","protocol":"1.1","nonce":"{}"}}"#,
            "a".repeat(DIGITS)
        );
        assert!(Prove::decode(&good).is_some_and(|read| read.is_ok()));
        for nonce in ["", "ab", &"g".repeat(DIGITS)] {
            let text = format!(r#"{{"op":"prove","protocol":"1.1","nonce":"{nonce}"}}"#);
            assert!(
                Prove::decode(&text).is_some_and(|read| read.is_err()),
                "{text}"
            );
        }
        assert!(Prove::decode(r#"{"op":"prove"}"#).is_some_and(|read| read.is_err()));
        assert!(Prove::decode(r#"{"op":"hello"}"#).is_none() && Prove::decode("x").is_none());
    }
}
