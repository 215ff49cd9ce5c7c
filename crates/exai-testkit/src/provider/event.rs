//! Events of a stream and how they become bytes: line ends, the byte order mark, comments,
//! and the places where bytes are cut apart.

/// What an event is to a script's moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Part of the shape.
    Frame,
    /// Carries thought, text or arguments.
    Piece,
    /// Belongs to the end.
    Tail,
}

#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) name: Option<String>,
    pub(super) data: String,
    pub(super) role: Role,
    /// What the server remembers from the moment in which it is sent.
    pub(super) then: Option<Mark>,
}

impl Event {
    pub(super) fn new(role: Role, data: impl ToString) -> Self {
        Self {
            name: None,
            data: data.to_string(),
            role,
            then: None,
        }
    }

    pub(super) fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    pub(super) fn then(mut self, mark: Mark) -> Self {
        self.then = Some(mark);
        self
    }
}

/// What becomes true in the server's memory with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// This much of the model has been pulled.
    Pulled { name: String, bytes: u64 },
    /// All of it.
    Installed { name: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Sse,
    Lines,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Split {
    #[default]
    Events,
    /// Chunks of this many bytes.
    Bytes(usize),
    /// A chunk ends inside every character that has an inside.
    InsideCharacters,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) line_end: &'static str,
    pub(super) mark: bool,
    pub(super) comments: bool,
    pub(super) split: Split,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            line_end: "\n",
            mark: false,
            comments: false,
            split: Split::Events,
        }
    }
}

impl Style {
    pub(super) fn bytes(&self, framing: Framing, event: &Event) -> Vec<u8> {
        let end = self.line_end;
        if framing == Framing::Lines {
            return format!("{}{end}", event.data).into_bytes();
        }
        let mut out = String::new();
        if self.comments {
            out.push_str(&self.comment(framing));
        }
        if let Some(name) = &event.name {
            out.push_str(&format!("event: {name}{end}"));
        }
        for line in event.data.split('\n') {
            out.push_str(&format!("data: {line}{end}"));
        }
        out.push_str(end);
        out.into_bytes()
    }

    /// What keeps a connection alive and says nothing.
    pub(super) fn comment(&self, framing: Framing) -> String {
        let end = self.line_end;
        match framing {
            Framing::Sse => format!(": keep-alive{end}{end}"),
            Framing::Lines => end.to_owned(),
        }
    }

    pub(super) fn split(&self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        match self.split {
            Split::Events => vec![bytes],
            Split::Bytes(size) => bytes.chunks(size.max(1)).map(<[u8]>::to_vec).collect(),
            // A byte from 0xC0 on begins a character that goes on.
            Split::InsideCharacters => bytes
                .split_inclusive(|byte| *byte >= 0xC0)
                .map(<[u8]>::to_vec)
                .collect(),
        }
    }
}
