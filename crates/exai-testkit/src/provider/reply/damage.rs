//! How an answer is cut up and broken.

use super::Reply;
use crate::provider::{
    act::{Act, At, Cut},
    event::Split,
};

impl Reply {
    /// Ends here.
    #[must_use]
    pub fn cut(mut self, at: At, how: Cut) -> Self {
        let inside = false;
        self.acts.push((at, Act::Cut { how, inside }));
        self
    }

    /// Ends in the middle of what would come here.
    #[must_use]
    pub fn cut_inside(mut self, at: At, how: Cut) -> Self {
        let inside = true;
        self.acts.push((at, Act::Cut { how, inside }));
        self
    }

    /// An event that is not JSON comes here; a body that is no stream ends too early, and
    /// says that it is whole.
    #[must_use]
    pub fn bad_json(self, at: At) -> Self {
        self.event(at, r#"{"choices": [{"delta": {"content": "#)
    }

    /// An event with this payload comes here.
    #[must_use]
    pub fn event(mut self, at: At, payload: impl ToString) -> Self {
        self.acts.push((at, Act::Event(payload.to_string())));
        self
    }

    /// The dialect's error event comes here, and nothing after it.
    #[must_use]
    pub fn error_event(mut self, at: At, message: &str) -> Self {
        self.acts.push((at, Act::Error(message.to_owned())));
        self.cut(at, Cut::Clean)
    }

    /// HTTP chunks of this many bytes, whatever the events are.
    #[must_use]
    pub fn split(mut self, bytes: usize) -> Self {
        self.style.split = Split::Bytes(bytes);
        self
    }

    /// An HTTP chunk ends inside every character of more than one byte.
    #[must_use]
    pub fn split_inside_characters(mut self) -> Self {
        self.style.split = Split::InsideCharacters;
        self
    }

    /// Lines end with CR LF.
    #[must_use]
    pub fn crlf(mut self) -> Self {
        self.style.line_end = "\r\n";
        self
    }

    /// Lines end with CR alone, which the standard of events allows.
    #[must_use]
    pub fn cr(mut self) -> Self {
        self.style.line_end = "\r";
        self
    }

    /// A byte order mark stands before the first event.
    #[must_use]
    pub fn bom(mut self) -> Self {
        self.style.mark = true;
        self
    }

    /// A comment stands before every event.
    #[must_use]
    pub fn comments(mut self) -> Self {
        self.style.comments = true;
        self
    }

    /// Neither a length nor chunks: the body ends when the connection closes.
    #[must_use]
    pub fn until_close(mut self) -> Self {
        self.until_close = true;
        self
    }
}
