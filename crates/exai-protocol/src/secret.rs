//! A string that must not reach a log: no `Debug`, no `Display`, no `Serialize`.

/// Holds a token or key. The only way to the text is [`Secret::expose`], easy to search for.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; call it only where the bytes leave for their owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// An empty token counts as none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
