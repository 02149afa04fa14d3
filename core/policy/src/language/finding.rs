//! What reading and checking find wrong, in order, before lines and columns are counted.

use super::problem::{Problem, Problems};
use crate::hujson::Span;
use crate::limits;

/// Why some text does not mean anything: the hosted service's words, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the hint if there is one.
    pub(super) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// Says first which part of the policy it is about.
    pub(super) fn within(mut self, place: &str) -> Self {
        self.message.insert_str(0, place);
        self
    }
}

/// Everything found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// What could not be read. The hosted service stops at the first of these, so they come first.
    unreadable: Vec<(Span, Wrong)>,
    /// What was read and must not be.
    refused: Vec<(Span, Wrong)>,
}

impl Findings {
    /// Something that cannot be read.
    pub(super) fn unreadable(&mut self, at: Span, wrong: Wrong) {
        push(&mut self.unreadable, at, wrong);
    }

    /// Something that can be read but must not be.
    pub(super) fn refused(&mut self, at: Span, wrong: Wrong) {
        push(&mut self.refused, at, wrong);
    }

    /// Whether nobody would see a further refusal: then it need not be looked for either.
    pub(super) fn is_full(&self) -> bool {
        self.unreadable.len() + self.refused.len() >= limits::PROBLEMS_MAX
    }

    /// Whether nothing that is read from here on would be used or shown.
    pub(super) fn reading_is_over(&self) -> bool {
        self.unreadable.len() >= limits::PROBLEMS_MAX
    }

    /// What was read if it could be, else nothing and why.
    pub(super) fn read<T>(&mut self, at: Span, read: impl FnOnce() -> Result<T, Wrong>) -> Option<T> {
        if self.reading_is_over() {
            return None;
        }
        read().map_err(|wrong| self.unreadable(at, wrong)).ok()
    }

    /// Everything with its place in the text; `None`: nothing is wrong.
    pub(super) fn into_problems(self, text: &[u8]) -> Option<Problems> {
        let all = self.unreadable.into_iter().chain(self.refused);
        let problems: Vec<_> = all
            .take(limits::PROBLEMS_MAX)
            .map(|(at, wrong)| Problem::new(text, at, wrong.message, wrong.hint))
            .collect();
        (!problems.is_empty()).then_some(Problems(problems))
    }
}

fn push(list: &mut Vec<(Span, Wrong)>, at: Span, wrong: Wrong) {
    if list.len() < limits::PROBLEMS_MAX {
        list.push((at, wrong));
    }
}
