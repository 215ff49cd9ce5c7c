//! Pages of a result that is too large for one frame, cut where characters end.

use exai_protocol::limits::MAX_COLLECT_BYTES;

/// The page of `text` that begins at `offset` (moved back to a character's start) and is at
/// most `limit` bytes; its true offset, and whether it is the last.
#[must_use]
pub fn page(text: &str, offset: u64, limit: u64) -> (u64, &str, bool) {
    let size = |wanted: u64| usize::try_from(wanted).unwrap_or(usize::MAX);
    let mut start = size(offset).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    // At least one character goes, or a reader would never come to the end.
    let room = size(limit).clamp(4, MAX_COLLECT_BYTES);
    let mut end = start.saturating_add(room).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (start as u64, &text[start..end], end == text.len())
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn pages_join_to_the_whole_whatever_the_limit() {
        let text = "grün🙂 und weiter, grün🙂";
        for limit in 0..12 {
            let (mut offset, mut whole) = (0, String::new());
            loop {
                let (at, chunk, last) = page(text, offset, limit);
                assert_eq!(at, offset);
                whole.push_str(chunk);
                offset += chunk.len() as u64;
                if last {
                    break;
                }
            }
            assert_eq!(whole, text, "limit {limit}");
        }
    }

    #[test]
    fn an_offset_past_the_end_is_an_empty_last_page() {
        assert_eq!(page("abc", 99, 10), (3, "", true));
    }
}
