//! What a word of the caller's means: a file, some lines of one, a folder, or a pattern. A name
//! that exists as it stands is always that name.

use super::{
    plain,
    roots::{Found, Places},
    walk::{Budget, Passed, walk},
};
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Lines of a file, counted from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Lines {
    /// All there are.
    pub(super) const ALL: Self = Self {
        from: 1,
        to: usize::MAX,
    };

    /// Whether that is the whole file.
    pub(super) fn are_all(self) -> bool {
        self == Self::ALL
    }
}

/// One thing that came of a word.
pub(super) enum Item<'p> {
    /// A file.
    File {
        found: Found<'p>,
        lines: Lines,
        /// By its own name, and not as one of many in a folder.
        named: bool,
    },
    /// How a folder or a pattern was gone through, after its files.
    Passed { name: String, words: String },
    /// Nothing: why.
    Refused { name: String, why: String },
}

/// What a word stands for.
pub(super) fn resolve<'p>(places: &'p Places, asked: &str, budget: &mut Budget) -> Vec<Item<'p>> {
    let refused = |why| {
        let name = plain(asked);
        vec![Item::Refused { name, why }]
    };
    match places.find(asked) {
        Ok(found) if found.is_folder() => below(found, None, budget),
        Ok(found) => vec![one(found, Lines::ALL)],
        Err(why) => {
            if let Some((path, lines)) = lines_of(asked)
                && let Ok(found) = places.find(path)
            {
                return vec![one(found, lines)];
            }
            match pattern(asked) {
                Some((base, rest)) => match (places.find(base), glob(rest)) {
                    (Ok(found), Ok(glob)) => below(found, Some((&glob, rest)), budget),
                    (Err(why), _) | (_, Err(why)) => refused(why),
                },
                // A path with lines is refused for what is wrong with the path.
                None => match lines_of(asked).map(|(path, _)| places.find(path)) {
                    Some(Err(why)) => refused(why),
                    _ => refused(why),
                },
            }
        }
    }
}

fn one(found: Found<'_>, lines: Lines) -> Item<'_> {
    Item::File {
        found,
        lines,
        named: true,
    }
}

/// The files of a folder, and what was passed over.
fn below<'p>(
    folder: Found<'p>,
    pick: Option<(&Gitignore, &str)>,
    budget: &mut Budget,
) -> Vec<Item<'p>> {
    let name = match (&pick, folder.name.as_str()) {
        (None, ".") => "./".to_owned(),
        (None, name) => format!("{name}/"),
        (Some((_, rest)), ".") => plain(rest),
        (Some((_, rest)), name) => plain(&format!("{name}/{rest}")),
    };
    // Hidden files only where a pattern spells the dot out.
    let hidden = pick.is_some_and(|(_, rest)| rest.starts_with('.') || rest.contains("/."));
    let base = folder.below().to_owned();
    let picks = |found: &Found<'_>| {
        let below = found.below().strip_prefix(&base).unwrap_or(found.below());
        pick.is_none_or(|(glob, _)| glob.matched(below, false).is_ignore())
    };
    let mut passed = Passed::default();
    let (mut items, mut files) = (Vec::new(), 0_usize);
    for found in walk(folder, hidden, budget, &mut passed, &picks) {
        match found {
            Ok(found) => {
                files += 1;
                items.push(Item::File {
                    found,
                    lines: Lines::ALL,
                    named: false,
                });
            }
            Err((name, why)) => items.push(Item::Refused { name, why }),
        }
    }
    if items.is_empty() {
        let why = format!("no file there may be sent{passed}");
        return vec![Item::Refused { name, why }];
    }
    let words = format!("{files} files{passed}");
    items.push(Item::Passed { name, words });
    items
}

/// `path:10`, `path:10-40`, `path:10-`, `path#L10-L40`.
pub(super) fn lines_of(asked: &str) -> Option<(&str, Lines)> {
    let (path, range) = asked
        .rsplit_once("#L")
        .or_else(|| asked.rsplit_once(':'))
        .filter(|(path, _)| !path.is_empty())?;
    let number = |text: &str| -> Option<usize> {
        let text = text.strip_prefix('L').unwrap_or(text);
        text.parse().ok().filter(|line| *line > 0)
    };
    let lines = match range.split_once('-') {
        None => number(range).map(|line| Lines {
            from: line,
            to: line,
        }),
        Some((from, "")) => number(from).map(|from| Lines {
            from,
            to: usize::MAX,
        }),
        Some((from, to)) => Some(Lines {
            from: number(from)?,
            to: number(to)?,
        }),
    }?;
    (lines.from <= lines.to).then_some((path, lines))
}

/// A pattern's folder, which is a plain path, and the pattern below it.
pub(super) fn pattern(asked: &str) -> Option<(&str, &str)> {
    let first = asked.find(['*', '?', '[', '{'])?;
    match asked[..first].rfind('/') {
        Some(0) => Some(("/", &asked[1..])),
        Some(at) => Some((&asked[..at], &asked[at + 1..])),
        None => Some((".", asked)),
    }
}

/// Patterns are those of ignore files: `*` stays in its folder, `**` does not.
fn glob(pattern: &str) -> Result<Gitignore, String> {
    let mut builder = GitignoreBuilder::new("");
    let said = builder.add_line(None, &format!("/{pattern}")).map(drop);
    said.and_then(|()| builder.build())
        .map_err(|error| format!("the pattern cannot be understood ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_in_three_ways() {
        let read = |asked| lines_of(asked).map(|(path, lines)| (path, lines.from, lines.to));
        assert_eq!(read("a.rs:10-40"), Some(("a.rs", 10, 40)));
        assert_eq!(read("a.rs:7"), Some(("a.rs", 7, 7)));
        assert_eq!(read("C:/a.rs:7-"), Some(("C:/a.rs", 7, usize::MAX)));
        assert_eq!(read("a.rs#L3-L5"), Some(("a.rs", 3, 5)));
        for no in ["a.rs", "a:b", "a:0", "a:5-3", ":4", "a:-4", "a:4-x"] {
            assert_eq!(read(no), None, "{no}");
        }
    }

    #[test]
    fn a_pattern_begins_at_a_folder() {
        assert_eq!(pattern("src/**/*.rs"), Some(("src", "**/*.rs")));
        assert_eq!(pattern("*.rs"), Some((".", "*.rs")));
        assert_eq!(pattern("/a/b*/c"), Some(("/a", "b*/c")));
        assert_eq!(pattern("a/b"), None);
    }
}
