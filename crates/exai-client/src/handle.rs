//! A call's whole identity as one word, to be given to a model and read back from it: in another
//! process, in another life of the daemon, in another window of the same user.

use exai_protocol::{
    ClientId, RequestId,
    limits::{MAX_HELLO_FIELD_BYTES, MAX_REQUEST_ID_BYTES},
};
use std::{fmt, str::FromStr};

/// What ids of clients begin with that are made here.
const CLIENT: &str = "c-";
/// The same of calls.
const CALL: &str = "r-";
/// Hexadecimal digits of a client's own part of such an id, and of the part its calls share.
const OWN: usize = 16;

/// Which client's call, and which of them.
///
/// Ids made here are written in short (`<the client's digits>-<count>`), others as
/// `<client>/<call>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Handle {
    /// Whose call it is.
    pub client: ClientId,
    /// Its id there.
    pub call: RequestId,
}

/// A word that is no handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a handle of exai's")]
pub struct NoHandle;

impl Handle {
    /// How the journal names its client.
    #[must_use]
    pub fn scope(&self) -> String {
        format!("client:{}", self.client)
    }
}

/// The id of a client that gave itself none.
pub(crate) fn client_id(own: u64, nonce: u64) -> ClientId {
    ClientId::new(format!("{CLIENT}{own:016x}{nonce:016x}"))
}

/// What the ids of a client's calls begin with.
pub(crate) fn calls_prefix(nonce: u64) -> String {
    format!("{CALL}{nonce:016x}-")
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (client, call) = (self.client.as_str(), self.call.as_str());
        match short(client, call) {
            Some((digits, count)) => write!(f, "{digits}-{count}"),
            None => write!(f, "{client}/{call}"),
        }
    }
}

fn short<'a>(client: &'a str, call: &'a str) -> Option<(&'a str, &'a str)> {
    let digits = client.strip_prefix(CLIENT).filter(|text| are_hex(text))?;
    let (nonce, count) = call.strip_prefix(CALL)?.split_once('-')?;
    let fits = digits.len() == 2 * OWN && digits[OWN..] == *nonce && is_count(count);
    fits.then_some((digits, count))
}

impl FromStr for Handle {
    type Err = NoHandle;

    fn from_str(text: &str) -> Result<Self, NoHandle> {
        let text = text.trim();
        if let Some((client, call)) = text.rsplit_once('/') {
            let sizes = 1..=MAX_HELLO_FIELD_BYTES;
            let fits = sizes.contains(&client.len())
                && (1..=MAX_REQUEST_ID_BYTES).contains(&call.len())
                && !text.chars().any(char::is_control);
            return fits
                .then(|| Self {
                    client: client.into(),
                    call: call.into(),
                })
                .ok_or(NoHandle);
        }
        let (digits, count) = text.split_once('-').ok_or(NoHandle)?;
        if digits.len() != 2 * OWN || !are_hex(digits) || !is_count(count) {
            return Err(NoHandle);
        }
        Ok(Self {
            client: ClientId::new(format!("{CLIENT}{digits}")),
            call: RequestId::new(format!("{CALL}{}-{count}", &digits[OWN..])),
        })
    }
}

fn are_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn is_count(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(client: &str, call: &str) -> Handle {
        Handle {
            client: client.into(),
            call: call.into(),
        }
    }

    #[test]
    fn a_handle_comes_back_as_it_went() {
        let ours = Handle {
            client: client_id(0xab, 0xcd),
            call: format!("{}7", calls_prefix(0xcd)).as_str().into(),
        };
        assert_eq!(ours.to_string(), "00000000000000ab00000000000000cd-7");
        let others = [
            handle("my window", "r-00000000000000cd-7"),
            handle("c-00000000000000ab00000000000000cd", "r-ee-7"),
            handle("a/b", "r"),
            ours,
        ];
        for given in others {
            let read: Handle = format!(" {given}\n").parse().unwrap();
            assert_eq!(read, given);
        }
    }

    #[test]
    fn other_words_are_refused() {
        for wrong in [
            "",
            "x",
            "7",
            "/r-1",
            "c-1/",
            "00000000000000ab00000000000000cd",
            "00000000000000ab00000000000000cd-",
            "00000000000000ab00000000000000cd-x",
            "00000000000000AB00000000000000CD-7",
            "a\u{1}/b",
        ] {
            assert_eq!(wrong.parse::<Handle>(), Err(NoHandle), "{wrong:?}");
        }
    }
}
