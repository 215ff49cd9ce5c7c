//! Clients decorate tool names with their server's name. Exact match first; then this rule;
//! else the closest names are offered. Pure functions over the list of names.

/// Finds the tool a decorated name means, given a test for existing names.
pub fn resolve(asked: &str, exists: impl Fn(&str) -> bool) -> Option<&str> {
    if exists(asked) {
        return Some(asked);
    }
    let bare = without_prefix(asked).unwrap_or(asked);
    [Some(bare), without_suffix(bare)]
        .into_iter()
        .flatten()
        .find(|name| exists(name))
}

/// `mcp__exai__chat` → `chat`; any server key, since the client chose it.
fn without_prefix(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("mcp__")?;
    rest.split_once("__").map(|(_, tool)| tool)
}

/// `chat_EXAI-WS-VSCode1` → `chat`: drops the last `[_-]exai([-_]ws)?([-_]\w+)?`.
fn without_suffix(name: &str) -> Option<&str> {
    let lower = name.to_ascii_lowercase();
    let at = lower.rfind("_exai").max(lower.rfind("-exai"))?;
    let rest = &lower[at + "_exai".len()..];
    let rest = rest
        .strip_prefix("-ws")
        .or_else(|| rest.strip_prefix("_ws"))
        .unwrap_or(rest);
    let tail_fits = rest.is_empty()
        || rest.strip_prefix(['-', '_']).is_some_and(|tail| {
            !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        });
    (at > 0 && tail_fits).then(|| &name[..at])
}

/// The existing names nearest to a wrong one, best first, at most three.
pub fn closest<'n>(asked: &str, names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let asked = without_prefix(asked).unwrap_or(asked);
    let asked = without_suffix(asked).unwrap_or(asked).to_ascii_lowercase();
    let mut ranked: Vec<(usize, &str)> = names
        .map(|name| (edits(&asked, name), name))
        .filter(|(distance, name)| *distance <= name.len().max(asked.chars().count()) / 2)
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Levenshtein's distance, with the longer word cut at 64 letters: names are short.
fn edits(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let changed = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 5] = ["chat", "thinkdeep", "version", "self-check", "status"];

    fn find(asked: &str) -> Option<&str> {
        resolve(asked, |name| NAMES.contains(&name))
    }

    #[test]
    fn decorated_names_find_their_tool() {
        for (asked, tool) in [
            ("chat", "chat"),
            ("thinkdeep_exai", "thinkdeep"),
            ("chat_EXAI-WS", "chat"),
            ("chat-EXAI_WS", "chat"),
            ("chat_EXAI-WS-VSCode1", "chat"),
            ("mcp__exai__chat", "chat"),
            ("mcp__my_server__self-check", "self-check"),
            ("mcp__exai__chat_exai", "chat"),
        ] {
            assert_eq!(find(asked), Some(tool), "{asked}");
        }
    }

    #[test]
    fn other_names_do_not() {
        for asked in [
            "",
            "exai",
            "_exai",
            "chat_exaiX!",
            "chat_other",
            "mcp__chat",
            "chat-exai-",
        ] {
            assert_eq!(find(asked), None, "{asked}");
        }
    }

    #[test]
    fn an_exact_name_wins_over_the_rule() {
        assert_eq!(
            resolve("run_exai", |name| name == "run_exai" || name == "run"),
            Some("run_exai")
        );
    }

    #[test]
    fn near_names_are_offered() {
        assert_eq!(closest("versoin", NAMES.into_iter()), ["version"]);
        assert_eq!(closest("selfcheck_exai", NAMES.into_iter()), ["self-check"]);
        assert!(closest("zzzzzzzz", NAMES.into_iter()).is_empty());
    }
}
