//! Why a policy was refused, and where.

/// A policy that cannot be obeyed. Lines and columns count from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy, line {line}, column {column}: {message}")]
pub struct PolicyError {
    /// Line of the first character of what is wrong.
    pub line: usize,
    /// Column of it.
    pub column: usize,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
}

impl PolicyError {
    /// An error at a byte position of the text.
    pub(crate) fn at(text: &str, position: usize, message: impl Into<String>) -> Self {
        let before = text.get(..position).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            message: message.into(),
        }
    }
}
