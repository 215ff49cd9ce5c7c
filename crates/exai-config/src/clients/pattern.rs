//! Names of clients with `*` for anything: small enough to be understood without a manual.

/// How much of a text that fits a pattern names itself; `None` where it does not fit.
/// Case does not matter.
pub(super) fn fit(pattern: &str, text: &str) -> Option<usize> {
    let (pattern, text) = (pattern.to_lowercase(), text.trim().to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let mut rest = text.strip_prefix(first)?;
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        // No star at all: the whole text, and better than any that only begins so.
        return rest.is_empty().then_some(first.len() + 1);
    };
    for part in &parts {
        let at = rest.find(part)?;
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
        .then(|| pattern.chars().filter(|c| *c != '*').count())
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn stars_stand_for_anything_and_case_for_nothing() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "anything"),
            ("codex*", "Codex-MCP-Client"),
            ("*copilot*", "github-copilot-cli"),
            ("a*b*c", "a-b-b-c"),
            ("1.*", "1.18.2"),
            ("mcp", " MCP "),
        ] {
            assert!(fit(pattern, text).is_some(), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("mcp", "mcporter"),
            ("codex*", "my-codex"),
            ("a*b*c", "a-c"),
            ("ab*ba", "aba"),
            ("1.*", "2.1."),
            ("", "x"),
        ] {
            assert_eq!(fit(pattern, text), None, "{pattern} {text}");
        }
        assert!(fit("mcp", "mcp") > fit("mcp*", "mcp"));
        assert!(fit("codex-m*", "codex-mcp") > fit("codex*", "codex-mcp"));
    }
}
