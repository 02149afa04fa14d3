//! One list or object, cut into its parts with the comments that belong to each.

use crate::hujson::trivia::{Comment, Trivia};
use crate::hujson::{Kind, Member, SyntaxError, Value};

/// The parts of one list or object.
pub(super) struct Level<'a> {
    /// Comments on the line of the opening bracket.
    pub(super) opening: Vec<Comment<'a>>,
    pub(super) entries: Vec<Entry<'a>>,
    /// Comments on lines of their own before the closing bracket.
    pub(super) dangling: Vec<Comment<'a>>,
}

/// An element or a member.
pub(super) struct Entry<'a> {
    /// Comments before it.
    pub(super) leading: Vec<Comment<'a>>,
    /// Line breaks right before it.
    pub(super) breaks: usize,
    /// A member's name as written.
    pub(super) name: Option<&'a str>,
    /// Comments between name and value.
    pub(super) inner: Vec<Comment<'a>>,
    pub(super) value: &'a Value,
    /// Comments behind it on its line.
    pub(super) trailing: Vec<Comment<'a>>,
}

/// Comments between two tokens, and the line breaks after the last.
pub(super) struct Gap<'a> {
    pub(super) comments: Vec<Comment<'a>>,
    pub(super) breaks: usize,
}

impl<'a> Gap<'a> {
    /// All from `start` to the next token that is neither comma nor colon, at `end` or before it.
    pub(super) fn between(text: &'a str, start: usize, end: usize) -> Result<Self, SyntaxError> {
        let mut trivia = Trivia::new(text, start);
        let (mut comments, mut after_comma) = (Vec::new(), false);
        loop {
            if let Some(comment) = trivia.next_comment()? {
                comments.push(Comment { after_comma, ..comment });
            } else if trivia.at < end {
                // Between two tokens of a text that was read stand only these.
                after_comma |= text.as_bytes().get(trivia.at) == Some(&b',');
                trivia.at += 1;
            } else {
                return Ok(Self { comments, breaks: trivia.breaks });
            }
        }
    }

    /// How many comments stand on the line of the token before.
    fn on_its_line(&self) -> usize {
        self.comments.iter().take_while(|comment| comment.breaks == 0).count()
    }

    /// Whether a line break follows the comments on the line of the token before.
    fn line_ends(&self) -> bool {
        self.on_its_line() < self.comments.len() || self.breaks > 0
    }

    /// Takes the comments that belong to the bracket before.
    fn take_opening(&mut self) -> Vec<Comment<'a>> {
        let count = if self.line_ends() { self.on_its_line() } else { 0 };
        self.comments.drain(..count).collect()
    }

    /// Takes the comments that belong to the part before.
    fn take_trailing(&mut self, last: bool) -> Vec<Comment<'a>> {
        let mut count = self.on_its_line();
        if !last && !self.line_ends() {
            count = self.comments.iter().take_while(|comment| !comment.after_comma).count();
        }
        self.comments.drain(..count).collect()
    }
}

impl<'a> Level<'a> {
    pub(super) fn of(text: &'a str, value: &'a Value) -> Result<Self, SyntaxError> {
        let parts: Vec<(Option<&'a Member>, &'a Value)> = match &value.kind {
            Kind::Array(elements) => elements.iter().map(|element| (None, element)).collect(),
            Kind::Object(members) => members.iter().map(|member| (Some(member), &member.value)).collect(),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => Vec::new(),
        };
        let close = value.span.end().saturating_sub(1);
        let begin = |index: usize| match parts.get(index) {
            Some((Some(member), _)) => member.name_span.start(),
            Some((None, element)) => element.span.start(),
            None => close,
        };
        let mut before = Gap::between(text, value.span.start() + 1, begin(0))?;
        let opening = before.take_opening();
        let mut entries = Vec::with_capacity(parts.len());
        for (index, (member, value)) in parts.iter().enumerate() {
            let mut after = Gap::between(text, value.span.end(), begin(index + 1))?;
            let trailing = after.take_trailing(index + 1 == parts.len());
            let Gap { comments: leading, breaks } = std::mem::replace(&mut before, after);
            let mut entry = Entry { leading, breaks, name: None, inner: Vec::new(), value, trailing };
            if let Some(member) = member {
                entry.name = text.get(member.name_span.start()..member.name_span.end());
                let gap = Gap::between(text, member.name_span.end(), value.span.start())?;
                entry.settle(gap.comments);
            }
            entries.push(entry);
        }
        Ok(Self { opening, entries, dangling: before.comments })
    }
}

impl<'a> Entry<'a> {
    /// Comments between name and value stay there if they can; the others move to lines of their own before the name.
    fn settle(&mut self, inner: Vec<Comment<'a>>) {
        for comment in inner {
            if comment.breaks_the_line() {
                self.leading.push(Comment { breaks: 1, ..comment });
                self.breaks = 1;
            } else {
                self.inner.push(comment);
            }
        }
    }
}
