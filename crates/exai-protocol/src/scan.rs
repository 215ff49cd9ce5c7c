//! One pass over the bytes of a frame before anything is kept: bounds nesting without
//! recursion, so that a hostile frame cannot cost more than its own length.

/// Why a text is refused before it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Nested deeper than the limit.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The limit that was passed.
        limit: usize,
    },
    /// A zero byte, which no JSON text holds.
    #[error("contains a zero byte at offset {at}")]
    ZeroByte {
        /// Where it stands.
        at: usize,
    },
}

/// Checks that `text` nests at most `limit` deep and holds no zero byte.
///
/// # Errors
/// The first fault found; grammar is left to the parser.
pub fn check(text: &[u8], limit: usize) -> Result<(), ScanError> {
    let mut depth = 0usize;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => at = end_of_string(text, at),
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return Err(ScanError::TooDeep { limit });
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            0 => return Err(ScanError::ZeroByte { at }),
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// The offset of the quote that closes the string opened at `open`, or the text's end.
fn end_of_string(text: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < text.len() {
        match text[at] {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_depth_is_bounded_without_recursion() {
        let deep = "[".repeat(1_000_000);
        assert_eq!(
            check(deep.as_bytes(), 128),
            Err(ScanError::TooDeep { limit: 128 })
        );
        let at_limit = format!("{}{}", "[".repeat(128), "]".repeat(128));
        assert_eq!(check(at_limit.as_bytes(), 128), Ok(()));
    }

    #[test]
    fn brackets_inside_strings_do_not_count() {
        assert_eq!(check(br#"{"a":"[[[[\"[[[","b":"\\"}"#, 1), Ok(()));
        assert_eq!(check(br#""unterminated \"#, 1), Ok(()));
    }

    #[test]
    fn a_zero_byte_outside_a_string_is_refused() {
        assert_eq!(check(b"{\0}", 8), Err(ScanError::ZeroByte { at: 1 }));
    }
}
