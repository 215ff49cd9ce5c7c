//! Base64 as data addresses and providers write it (RFC 4648, with padding).

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes it.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for n in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * n) & 63) as usize];
            text.push(if n <= three.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    text
}

/// Reads the first bytes of it, enough to tell what it is; `None` when it is not base64.
pub(super) fn beginning(text: &str, bytes: usize) -> Option<Vec<u8>> {
    let body = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - body.len() > 2 {
        return None;
    }
    let mut read = Vec::with_capacity(bytes + 3);
    for four in body.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for letter in four {
            bits = bits << 6 | value(*letter)?;
        }
        bits <<= 6 * (4 - four.len());
        if read.len() < bytes {
            let [_, triple @ ..] = bits.to_be_bytes();
            read.extend_from_slice(&triple[..four.len() - 1]);
        }
    }
    read.truncate(bytes);
    Some(read)
}

fn value(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(beginning(text, 100).unwrap(), bytes.as_bytes());
        }
        assert_eq!(beginning("Zm9vYmFy", 2).unwrap(), b"fo");
        for broken in ["Zg", "Zg=", "Z===", "Zm9v\n", "Zm9*", "Z"] {
            assert_eq!(beginning(broken, 9), None, "{broken}");
        }
    }
}
