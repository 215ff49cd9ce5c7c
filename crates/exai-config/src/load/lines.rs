//! On which line of a TOML file a setting stands, for whoever has to mend it. Found by its text,
//! after the file was parsed: good enough to point a finger, never used to read a value.

/// The line of a key by its whole path, such as `network.port`.
pub(super) fn of_key(text: &str, full: &str) -> Option<usize> {
    let mut section = String::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start_matches('\u{feff}').trim();
        if let Some(head) = line.strip_prefix('[') {
            let head = head.split(']').next().unwrap_or_default();
            section = format!("{}.", bare(head));
            continue;
        }
        let Some((key, _)) = line.split_once('=') else {
            continue;
        };
        let found = format!("{}{}", section.trim_start_matches('.'), bare(key));
        let within = |inner: &str| inner.starts_with('.');
        if full
            .strip_prefix(&found)
            .is_some_and(|rest| rest.is_empty() || within(rest))
        {
            return Some(index + 1);
        }
    }
    None
}

/// A key as it is spelt without blanks and quotes.
fn bare(key: &str) -> String {
    key.chars()
        .filter(|c| !c.is_whitespace() && *c != '"' && *c != '\'')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::of_key;

    #[test]
    fn keys_are_found_where_they_stand() {
        let text = "calls.call_timeout_secs = 3\n\n[network]\n# port = 1\nport = 2 # here\n\n\
                    [limits]\nproviders = { kimi = 3 }\n[ 'limits' . providers2 ]\nglm = 1\n";
        assert_eq!(of_key(text, "calls.call_timeout_secs"), Some(1));
        assert_eq!(of_key(text, "network.port"), Some(5));
        assert_eq!(of_key(text, "limits.providers.kimi"), Some(8));
        assert_eq!(of_key(text, "limits.providers2.glm"), Some(10));
        assert_eq!(of_key(text, "network.host"), None);
    }
}
