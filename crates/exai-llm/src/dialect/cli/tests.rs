//! Conversations to one text, and printed output to items.
