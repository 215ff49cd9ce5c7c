//! Text that grows on a terminal while it comes, and is there exactly once when it is whole. In
//! a pipe it comes when it is whole: what reads a pipe wants the answer or an error, not half.

use crate::{markdown::Markdown, output};
use std::io;

/// What of a result is on the terminal.
pub(in crate::commands) struct Live {
    on: bool,
    /// Markdown is shown as what it means.
    markdown: Option<Markdown>,
    shown: String,
    /// Other words were written below it.
    broken: bool,
}

impl Live {
    pub(in crate::commands) fn new(on: bool) -> Self {
        Self {
            on,
            markdown: None,
            shown: String::new(),
            broken: false,
        }
    }

    /// A model's answer: on a terminal that shows styles its Markdown is rendered.
    pub(in crate::commands) fn rendered(on: bool) -> Self {
        Self {
            markdown: (on && output::data_is_styled()).then(|| Markdown::new(output::width())),
            ..Self::new(on)
        }
    }

    pub(in crate::commands) fn is_on(&self) -> bool {
        self.on
    }

    /// Shows more of it.
    pub(in crate::commands) fn grow(&mut self, text: &str) -> io::Result<()> {
        if !self.on {
            return Ok(());
        }
        self.shown.push_str(text);
        self.write(&output::tame(text))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        match &mut self.markdown {
            Some(markdown) => output::raw(markdown.push(text).as_bytes()),
            None => output::raw(text.as_bytes()),
        }
    }

    /// What the renderer still holds back.
    fn end(&mut self) -> io::Result<()> {
        match &mut self.markdown {
            Some(markdown) => output::raw(markdown.end().as_bytes()),
            None => Ok(()),
        }
    }

    /// Leaves the text's line, so that other words can be written.
    pub(in crate::commands) fn pause(&mut self) -> io::Result<()> {
        if self.shown.is_empty() || self.shown.ends_with('\n') {
            return Ok(());
        }
        self.broken = true;
        self.end()?;
        output::raw(b"\n")
    }

    /// Shows what is missing of the whole text, and ends its line.
    pub(in crate::commands) fn finish(mut self, whole: &str) -> io::Result<()> {
        let tamed = |text: &str| {
            if output::data_is_watched() {
                output::tame(text)
            } else {
                text.to_owned()
            }
        };
        let rest = match missing(&self.shown, whole) {
            Some(rest) if !self.broken => rest,
            // Some of it was missed on the way, or cut in two: then the whole is shown below.
            _ if whole.is_empty() => {
                self.pause()?;
                return Ok(());
            }
            _ => {
                self.pause()?;
                output::hint("(the whole text)");
                whole
            }
        };
        self.write(&tamed(rest))?;
        self.end()?;
        let (last, any) = (whole, !whole.is_empty());
        output::raw(if any && !last.ends_with('\n') {
            b"\n"
        } else {
            b""
        })
    }
}

/// What of the whole is not shown yet; `None` when something else was shown.
fn missing<'w>(shown: &str, whole: &'w str) -> Option<&'w str> {
    whole.strip_prefix(shown)
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn only_what_is_missing_is_shown() {
        assert_eq!(missing("", "all"), Some("all"));
        assert_eq!(missing("al", "all"), Some("l"));
        assert_eq!(missing("all", "all"), Some(""));
        assert_eq!(missing("other", "all"), None);
        assert_eq!(missing("all of it", "all"), None);
    }
}
