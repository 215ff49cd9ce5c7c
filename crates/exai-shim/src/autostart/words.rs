//! What a start that failed said, as one line for a model and whoever reads over its shoulder.

/// Half of what is passed on of long words: the beginning says what happened, the end of a log
/// why.
const HALF: usize = 400;

/// Its words, if it said any.
pub(super) fn told(said: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    let said = said.strip_prefix("error: ").unwrap_or(&said);
    let mut line = String::new();
    for word in said.split(|at: char| at.is_whitespace() || at.is_control()) {
        if !word.is_empty() {
            line.extend((!line.is_empty()).then_some(' '));
            line.push_str(word);
        }
    }
    (!line.is_empty()).then(|| shortened(line))
}

fn shortened(line: String) -> String {
    if line.len() <= 2 * HALF {
        return line;
    }
    let (head, tail) = (line.floor_char_boundary(HALF), line.len() - HALF);
    let tail = line.ceil_char_boundary(tail);
    format!("{} … {}", &line[..head], &line[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_line_of_bounded_length_and_nothing_is_nothing() {
        assert_eq!(told(b""), None);
        assert_eq!(told(b"error: \n"), None);
        let words = told(b"error: it did not come up\n  | \x1b[31mlog\x1b[0m\xff\n").unwrap();
        assert_eq!(words, "it did not come up | [31mlog [0m\u{fffd}");
        let long = told(
            &[
                b"begin ".as_slice(),
                &"ö".repeat(9000).into_bytes(),
                b" end",
            ]
            .concat(),
        );
        let long = long.unwrap();
        assert!(long.starts_with("begin ") && long.ends_with(" end"));
        assert!(long.len() < 2 * HALF + 20, "{}", long.len());
    }
}
