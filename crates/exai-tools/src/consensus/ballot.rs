//! Ballots: a line `RANKING: B > A > C` in what a model wrote, and what many of them add up to.

/// The places of `count` answers, the best first; `None` where the line is missing, names one
/// twice or leaves one out.
pub(super) fn read(text: &str, count: usize) -> Option<Vec<usize>> {
    let line = text.lines().rev().find_map(|line| {
        let at = line.to_uppercase().find("RANKING:")?;
        line.get(at + "RANKING:".len()..)
    })?;
    let places: Vec<usize> = line
        .split(['>', ',', ' '])
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(index)
        .collect::<Option<_>>()?;
    let whole = places.len() == count && (0..count).all(|answer| places.contains(&answer));
    whole.then_some(places)
}

/// Answers by their average place, with it; equals in their order.
pub(super) fn count(ballots: &[Vec<usize>], answers: usize) -> Vec<(usize, f64)> {
    let place = |answer: usize| {
        let places = ballots.iter().filter_map(|ballot| {
            let at = ballot.iter().position(|one| *one == answer)?;
            Some((at + 1) as f64)
        });
        places.sum::<f64>() / ballots.len().max(1) as f64
    };
    let mut all: Vec<(usize, f64)> = (0..answers).map(|answer| (answer, place(answer))).collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    all
}

/// The letter of an answer; there are never more than ten.
pub(super) fn letter(answer: usize) -> char {
    let offset = u8::try_from(answer).unwrap_or(25).min(25);
    char::from(b'A' + offset)
}

fn index(word: &str) -> Option<usize> {
    let mut letters = word.chars();
    let letter = letters.next()?.to_ascii_uppercase();
    let alone = letters.next().is_none() && letter.is_ascii_uppercase();
    alone.then(|| usize::from(letter as u8 - b'A'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_ballot_counts() {
        for (text, expected) in [
            ("because\nRANKING: B > A > C\n", Some(vec![1, 0, 2])),
            ("**Ranking: c, a, b**", Some(vec![2, 0, 1])),
            ("RANKING: A > B", None),
            ("RANKING: A > A > B", None),
            ("RANKING: A > B > D", None),
            ("RANKING: A > B > Cx", None),
            ("A is best", None),
        ] {
            assert_eq!(read(text, 3), expected, "{text}");
        }
    }

    #[test]
    fn places_are_averaged() {
        let ballots = [vec![1, 0, 2], vec![1, 2, 0]];
        assert_eq!(count(&ballots, 3), [(1, 1.0), (0, 2.5), (2, 2.5)]);
        assert_eq!(letter(2), 'C');
    }
}
