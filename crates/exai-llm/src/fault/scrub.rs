//! Keys out of texts. Providers quote keys in their errors, whole or half; both go.

/// What a provider's own words may take at most.
const MOST_CHARS: usize = 400;
/// What keys begin with, at providers that mark theirs.
const MARKS: [&str; 7] = ["sk-", "sk_", "gsk_", "xai-", "AIza", "tgp_", "hf_"];
const MASK: &str = "[key]";

/// The text on one line, without `keys` or anything that looks like one, shortened.
#[must_use]
pub fn scrub(text: &str, keys: &[&str]) -> String {
    let mut text = text.to_owned();
    for key in keys.iter().filter(|key| key.len() >= 4) {
        text = text.replace(key, MASK);
    }
    let mut clean = String::with_capacity(text.len().min(2 * MOST_CHARS));
    let mut bearer = false;
    for word in text.split_whitespace() {
        if !clean.is_empty() {
            clean.push(' ');
        }
        if bearer && word.len() >= 8 {
            clean.push_str(MASK);
        } else {
            clean.push_str(&mask_word(word));
        }
        bearer = word.to_ascii_lowercase().ends_with("bearer");
        if clean.len() > 8 * MOST_CHARS {
            break;
        }
    }
    match clean.char_indices().nth(MOST_CHARS) {
        Some((at, _)) => format!("{}…", &clean[..at]),
        None => clean,
    }
}

/// Masks what follows a key's mark inside a word, up to what no key contains.
fn mask_word(word: &str) -> String {
    let starts_part = |at: usize| {
        word[..at]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric())
    };
    let found = MARKS
        .iter()
        .filter_map(|mark| word.find(mark))
        .filter(|at| starts_part(*at))
        .min();
    let Some(at) = found else {
        return mask_query(word);
    };
    let in_key = |letter: char| letter.is_ascii_alphanumeric() || "-_*.…•".contains(letter);
    let rest = &word[at..];
    let end = rest.find(|letter| !in_key(letter)).unwrap_or(rest.len());
    if end < 8 {
        return word.to_owned();
    }
    format!("{}{MASK}{}", &word[..at], mask_word(&rest[end..]))
}

/// `…?key=SECRET` in an address.
fn mask_query(word: &str) -> String {
    for name in ["?key=", "&key=", "api_key=", "apikey=", "access_token="] {
        if let Some(at) = word.find(name) {
            let from = at + name.len();
            let end = word[from..]
                .find(['&', '"', '\'', ')'])
                .map_or(word.len(), |end| from + end);
            return format!("{}{MASK}{}", &word[..from], &word[end..]);
        }
    }
    word.to_owned()
}
