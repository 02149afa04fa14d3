//! What is wrong with a policy, where, and what would be right: shown as a good compiler shows it.

use std::fmt;

use crate::hujson::{self, Span};
use crate::limits;

/// One thing that is wrong. Lines and columns count from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The bytes of the text that it is about.
    pub at: Span,
    /// Line of the first of them.
    pub line: usize,
    /// Column of the first of them.
    pub column: usize,
    /// What is wrong, in the words that the hosted service uses where they are known.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
    /// The line, or the part of it around the place where the line is long.
    pub excerpt: String,
    /// Characters of the excerpt before the place.
    indent: usize,
    /// Characters of the excerpt that the place takes, at least one.
    width: usize,
}

impl Problem {
    /// Finds the place in the text.
    pub fn new(text: &[u8], at: Span, message: String, hint: Option<String>) -> Self {
        let start = (at.start as usize).min(text.len());
        let end = (at.end as usize).clamp(start, text.len());
        let position = hujson::position(text, start);
        let (before, rest) = text.split_at_checked(start).unwrap_or((text, &[]));
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let until_newline = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line_before = String::from_utf8_lossy(before.get(line_start..).unwrap_or_default());
        let line_rest = String::from_utf8_lossy(rest.get(..until_newline).unwrap_or_default());
        // A policy of one line is as long as the policy.
        let skip = line_before.chars().count().saturating_sub(limits::EXCERPT_BEFORE_MAX);
        let shown_before: String = line_before.chars().skip(skip).map(printable).collect();
        let shown_rest: String = line_rest.trim_end().chars().take(limits::EXCERPT_AFTER_MAX).map(printable).collect();
        let marked = rest.get(..(end - start).min(until_newline)).unwrap_or_default();
        let width = String::from_utf8_lossy(marked).chars().count().min(shown_rest.chars().count()).max(1);
        Self {
            at,
            line: position.line,
            column: position.column,
            message: sentence(&message),
            hint: hint.as_deref().map(sentence),
            indent: shown_before.chars().count(),
            width,
            excerpt: shown_before + &shown_rest,
        }
    }

    /// The problem with its line and a mark below it.
    fn render(&self, out: &mut String, file: &str) {
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let (indent, marks) = (" ".repeat(self.indent), "^".repeat(self.width));
        out.push_str(&format!("error: {}\n{gutter}--> {file}:{}:{}\n", self.message, self.line, self.column));
        out.push_str(&format!("{gutter} |\n{number} | {}\n", self.excerpt));
        let line = format!("{gutter} | {indent}{marks} {}", self.hint.as_deref().unwrap_or_default());
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy, line {}, column {}: {}", self.line, self.column, self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

/// Everything that is wrong with a policy; never empty. The first is what the hosted service would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// All of them, each with its line and a mark below it.
    pub fn report(&self, file: &str) -> String {
        let mut out = String::new();
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                out.push('\n');
            }
            problem.render(&mut out, file);
        }
        out
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// As much of a text as people read.
fn sentence(text: &str) -> String {
    let mut shown: String = text.chars().take(limits::MESSAGE_MAX).map(printable).collect();
    if text.chars().nth(limits::MESSAGE_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

/// A terminal shall show the excerpt on one line, and nothing in it may steer the terminal.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        character if character.is_control() => char::REPLACEMENT_CHARACTER,
        character => character,
    }
}
