//! What stands between tokens: white space and comments. The reader steps over it, the formatter keeps it.

use super::SyntaxError;

/// A comment as written, its ends trimmed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comment<'a> {
    /// From `//` to before the line break, or from `/*` to `*/`.
    pub(super) text: &'a str,
    /// Line breaks between what came before and this.
    pub(super) breaks: usize,
    /// Whether it stands behind the comma of what came before.
    pub(super) after_comma: bool,
}

impl Comment<'_> {
    /// Whether nothing may follow on the same line, or it is itself several lines.
    pub(super) fn breaks_the_line(&self) -> bool {
        self.text.starts_with("//") || self.text.contains('\n')
    }
}

/// A walk over white space and comments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trivia<'a> {
    text: &'a str,
    /// Where the walk is. After `next_comment` returned `None`: where a token begins, or the end.
    pub(super) at: usize,
    /// Line breaks since the last comment.
    pub(super) breaks: usize,
}

impl<'a> Trivia<'a> {
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        Self { text, at, breaks: 0 }
    }

    /// The next comment before the next token.
    pub(super) fn next_comment(&mut self) -> Result<Option<Comment<'a>>, SyntaxError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let solid = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let space = rest.len() - solid.len();
        self.breaks += rest.bytes().take(space).filter(|byte| *byte == b'\n').count();
        self.at += space;
        let length = if solid.starts_with("//") {
            solid.find('\n').unwrap_or(solid.len())
        } else if let Some(inside) = solid.strip_prefix("/*") {
            let end = inside.find("*/").ok_or_else(|| SyntaxError::new(self.at, "this comment has no closing */"))?;
            "/*".len() + end + "*/".len()
        } else {
            return Ok(None);
        };
        self.at += length;
        let text = solid.get(..length).unwrap_or_default().trim_end();
        Ok(Some(Comment { text, breaks: std::mem::take(&mut self.breaks), after_comma: false }))
    }
}
