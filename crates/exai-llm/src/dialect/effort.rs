//! One effort scale onto each provider's own words: the strongest word not above the wish,
//! else the weakest there is. Never more effort than asked for, where there is a choice.

use crate::chat::Effort;

/// Where a provider's word stands on our scale.
fn rank(word: &str) -> u8 {
    match word {
        "none" | "off" | "disabled" | "false" => 0,
        "minimal" => 1,
        "low" => 2,
        "medium" => 3,
        "high" | "enabled" | "true" => 4,
        "xhigh" => 5,
        _ => 6,
    }
}

fn wished(effort: Effort) -> u8 {
    match effort {
        Effort::Off => 0,
        Effort::Minimal => 1,
        Effort::Low => 2,
        Effort::Medium => 3,
        Effort::High => 4,
        Effort::Max => 6,
    }
}

/// Whether the word means "do not think".
pub(super) fn is_off(word: &str) -> bool {
    rank(word) == 0
}

/// The word for a wish, and whether it is the wish. `None` when there are no words.
pub(super) fn choose(effort: Effort, words: &[String]) -> Option<(&str, bool)> {
    let wish = wished(effort);
    // A switch has no degrees: anything but off is on.
    let switch = words
        .iter()
        .all(|word| matches!(rank(word), 0) || matches!(word.as_str(), "enabled" | "true"));
    if switch {
        let on = wish > 0;
        let word = words.iter().find(|word| is_off(word) != on);
        return match word {
            Some(word) => Some((word, matches!(effort, Effort::Off | Effort::High))),
            None => words.first().map(|word| (word.as_str(), false)),
        };
    }
    let below = words
        .iter()
        .filter(|word| rank(word) <= wish && (wish == 0 || !is_off(word)))
        .max_by_key(|word| rank(word));
    let weakest = || {
        words
            .iter()
            .filter(|word| !is_off(word))
            .min_by_key(|word| rank(word))
    };
    let word = below.or_else(weakest)?;
    let exact = rank(word) == wish || (effort == Effort::Max && rank(word) >= 5);
    Some((word, exact))
}

/// Those of our words that say exactly what an endpoint's words say.
#[must_use]
pub fn efforts(words: &[String]) -> Vec<Effort> {
    let all = [
        Effort::Off,
        Effort::Minimal,
        Effort::Low,
        Effort::Medium,
        Effort::High,
        Effort::Max,
    ];
    let exact = |effort: &Effort| choose(*effort, words).is_some_and(|(_, exact)| exact);
    all.into_iter().filter(exact).collect()
}

/// Tokens to think with, out of what may be written: at least a thousand, always leaving as
/// much for the answer. `None` when there is no such room.
pub(super) fn budget(word: &str, max_output: u64) -> Option<u64> {
    const LEAST: u64 = 1024;
    let (share, most) = match rank(word) {
        0 => return None,
        1 => (5, 1024),
        2 => (20, 4096),
        3 => (40, 12_288),
        4 => (60, 24_576),
        _ => (80, 32_768),
    };
    let room = max_output.checked_sub(LEAST)?;
    let budget = (max_output / 100 * share).clamp(LEAST, most).min(room);
    (budget >= LEAST).then_some(budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &str) -> Vec<String> {
        list.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_wish_gets_the_nearest_word_that_is_not_above_it() {
        for (list, effort, expected) in [
            ("low medium high", Effort::Medium, Some(("medium", true))),
            ("low medium high", Effort::Max, Some(("high", false))),
            ("low medium high xhigh", Effort::Max, Some(("xhigh", true))),
            ("low medium high", Effort::Minimal, Some(("low", false))),
            ("low medium high", Effort::Off, Some(("low", false))),
            ("none low high", Effort::Off, Some(("none", true))),
            ("none low high", Effort::Minimal, Some(("low", false))),
            ("low high max", Effort::Medium, Some(("low", false))),
            ("max", Effort::Low, Some(("max", false))),
            ("disabled enabled", Effort::Off, Some(("disabled", true))),
            ("disabled enabled", Effort::Low, Some(("enabled", false))),
            ("enabled", Effort::Off, Some(("enabled", false))),
            ("", Effort::High, None),
        ] {
            let words = words(list);
            assert_eq!(choose(effort, &words), expected, "{list} {effort:?}");
        }
    }

    #[test]
    fn a_budget_leaves_room_for_the_answer() {
        assert_eq!(budget("low", 1000), None);
        assert_eq!(budget("max", 2000), None);
        assert_eq!(budget("max", 2048), Some(1024));
        assert_eq!(budget("high", 8192), Some(4860));
        assert_eq!(budget("minimal", 100_000), Some(1024));
        assert_eq!(budget("max", 1_000_000), Some(32_768));
        assert_eq!(budget("off", 8192), None);
    }
}
