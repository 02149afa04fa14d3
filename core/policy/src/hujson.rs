//! HuJSON: JSON with comments and trailing commas, as policies are written ("JWCC"). [`parse`] reads it to a [`Value`]
//! whose every part knows its place, [`format()`] lays it out, [`Value::to_json`] writes the plain JSON of it.
//!
//! It knows nothing of policies. It reads what `tailscale/hujson` (`parse.go`, `Parse`) reads, and refuses besides: a
//! name that stands twice in one object, what is larger or deeper than [`crate::limits`]. One thing it takes that the
//! other refuses: a `//` comment that ends with the text instead of a line break.

mod format;
mod literal;
mod parse;
mod position;
mod print;
#[cfg(test)]
mod tests;
mod trivia;

pub use format::format;
pub use parse::parse;
pub use position::{Position, position};

/// Byte range of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// Texts are shorter than [`crate::limits::TEXT_BYTES_MAX`], so nothing is cut.
    fn new(start: usize, end: usize) -> Self {
        let byte = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: byte(start), end: byte(end) }
    }

    fn start(self) -> usize {
        self.start as usize
    }

    fn end(self) -> usize {
        self.end as usize
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// From its first byte to its last; brackets and quotes are part of it.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a value may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as it was written: no precision is lost, and nobody has to agree on a type.
    Number(String),
    /// A text with its escapes undone.
    String(String),
    /// `[ ... ]`
    Array(Vec<Value>),
    /// `{ ... }`, in the order written. No name stands twice.
    Object(Vec<Member>),
}

/// A name and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The name with its escapes undone.
    pub name: String,
    /// Where it stands, quotes included.
    pub name_span: Span,
    /// What it names.
    pub value: Value,
}

/// Why a text is not HuJSON, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// The byte where it is wrong; [`position`] makes it a line and a column.
    pub offset: usize,
    /// What stands there and what would be right, without a full stop.
    pub message: String,
}

impl SyntaxError {
    fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }
}
