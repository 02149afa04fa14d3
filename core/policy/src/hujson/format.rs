//! The one way a policy is laid out, after the manner of the hosted service (`tailscale/hujson`, `format.go`): tabs;
//! a list or object stands on one line if it was written so and fits, else with one part a line; values of neighbouring
//! members begin in one column; at most one blank line; a comma behind every last part on a line of its own, unless
//! the text was plain JSON, which it stays. Comments keep their place, strings and numbers their spelling.

mod comment;
mod level;

use self::comment::write_comment;
use self::level::{Entry, Gap, Level};
use super::parse::{Document, read};
use super::trivia::Comment;
use super::{Kind, SyntaxError, Value};
use crate::limits;

/// Columns of a line. Longer lists and objects are broken up; a long string is left alone.
const COLUMNS_MAX: usize = 100;
/// Columns that a tab counts for.
const TAB_COLUMNS: usize = 4;
/// Longer names do not push their neighbours' values aside: one such name among thousands would multiply the text.
const ALIGNED_NAME_COLUMNS_MAX: usize = 40;

/// Lays a text out. What it means is unchanged, and what is laid out stays as it is.
pub fn format(text: &[u8]) -> Result<String, SyntaxError> {
    let Document { text, value, plain } = read(text)?;
    let mut layout = Layout { text, plain, out: String::with_capacity(text.len()) };
    layout.document(&value)?;
    if layout.out.len() > limits::TEXT_BYTES_MAX {
        let message = format!("the policy would be longer than {} bytes when laid out", limits::TEXT_BYTES_MAX);
        return Err(SyntaxError::new(0, message));
    }
    Ok(layout.out)
}

struct Layout<'a> {
    text: &'a str,
    plain: bool,
    out: String,
}

impl<'a> Layout<'a> {
    fn document(&mut self, value: &'a Value) -> Result<(), SyntaxError> {
        let before = Gap::between(self.text, 0, value.span.start())?;
        for (index, comment) in before.comments.iter().enumerate() {
            self.advance(if index == 0 { None } else { Some(comment.breaks) }, 0);
            write_comment(comment, 0, &mut self.out);
        }
        self.advance(if before.comments.is_empty() { None } else { Some(before.breaks) }, 0);
        match self.one_line(value, COLUMNS_MAX)? {
            Some(line) => self.out.push_str(&line),
            None => self.expanded(value, 0)?,
        }
        for comment in &Gap::between(self.text, value.span.end(), self.text.len())?.comments {
            self.advance(Some(comment.breaks), 0);
            write_comment(comment, 0, &mut self.out);
        }
        self.out.push('\n');
        Ok(())
    }

    /// Begins the next thing: on the same line behind a space, on the next line, or after one blank line. `None`: right
    /// here.
    fn advance(&mut self, breaks: Option<usize>, depth: usize) {
        match breaks {
            None => return,
            Some(0) => return self.out.push(' '),
            Some(1) => self.out.push('\n'),
            Some(_) => self.out.push_str("\n\n"),
        }
        self.indent(depth);
    }

    fn indent(&mut self, depth: usize) {
        self.out.extend(std::iter::repeat_n('\t', depth));
    }

    fn source(&self, value: &Value) -> &'a str {
        self.text.get(value.span.start()..value.span.end()).unwrap_or_default()
    }

    /// A list or object with one part a line. `depth` is that of the line on which it begins.
    fn expanded(&mut self, value: &'a Value, depth: usize) -> Result<(), SyntaxError> {
        let level = Level::of(self.text, value)?;
        let (open, close) = brackets(value);
        self.out.push(open);
        for comment in &level.opening {
            self.advance(Some(0), depth);
            write_comment(comment, depth, &mut self.out);
        }
        let lines = level
            .entries
            .iter()
            .map(|entry| self.one_line(entry.value, entry.room(depth + 1)))
            .collect::<Result<Vec<_>, _>>()?;
        let columns = aligned_columns(&level.entries, &lines);
        let count = level.entries.len();
        for (index, ((entry, line), column)) in level.entries.iter().zip(lines).zip(columns).enumerate() {
            self.comments(&entry.leading, depth + 1, index == 0);
            self.advance(Some(own_line(entry.breaks, entry.leading.is_empty(), index == 0)), depth + 1);
            if let Some(name) = entry.name {
                self.out.push_str(name);
                self.out.push(':');
                self.out.extend(std::iter::repeat_n(' ', 1 + column.saturating_sub(columns_of(name))));
            }
            for comment in &entry.inner {
                self.out.push_str(comment.text);
                self.out.push(' ');
            }
            match line {
                Some(line) => self.out.push_str(&line),
                None => self.expanded(entry.value, depth + 1)?,
            }
            if !self.plain || index + 1 < count {
                self.out.push(',');
            }
            for comment in &entry.trailing {
                self.out.push(' ');
                write_comment(comment, depth + 1, &mut self.out);
            }
        }
        self.comments(&level.dangling, depth + 1, count == 0);
        self.advance(Some(1), depth);
        self.out.push(close);
        Ok(())
    }

    /// Comments of which the first begins a line. `first`: no blank line before it.
    fn comments(&mut self, comments: &[Comment<'a>], depth: usize, first: bool) {
        for (index, comment) in comments.iter().enumerate() {
            self.advance(Some(own_line(comment.breaks, index == 0, first)), depth);
            write_comment(comment, depth, &mut self.out);
        }
    }

    /// The value on one line, if it was written so and fits into `room`.
    fn one_line(&self, value: &'a Value, room: usize) -> Result<Option<String>, SyntaxError> {
        let source = self.source(value);
        let parts = match &value.kind {
            Kind::Array(elements) => elements.len(),
            Kind::Object(members) => members.len(),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => return Ok(Some(source.to_owned())),
        };
        if parts == 0 && self.inside_is_blank(source) {
            let (open, close) = brackets(value);
            return Ok(Some(String::from_iter([open, close])));
        }
        // Each part takes a column at least: what cannot fit is not tried.
        if source.contains('\n') || parts > room {
            return Ok(None);
        }
        let mut line = String::new();
        let fits = self.write_line(value, room, &mut line)? && columns_of(&line) <= room;
        Ok(fits.then_some(line))
    }

    fn inside_is_blank(&self, source: &str) -> bool {
        source.get(1..source.len().saturating_sub(1)).is_some_and(|inside| inside.trim().is_empty())
    }

    /// Writes a value without line breaks, and says `false` as soon as it is too long.
    fn write_line(&self, value: &'a Value, room: usize, line: &mut String) -> Result<bool, SyntaxError> {
        let parts = match &value.kind {
            Kind::Array(elements) => elements.len(),
            Kind::Object(members) => members.len(),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
                line.push_str(self.source(value));
                return Ok(true);
            }
        };
        if parts > room {
            return Ok(false);
        }
        let level = Level::of(self.text, value)?;
        let (open, close) = brackets(value);
        line.push(open);
        for (index, entry) in level.entries.iter().enumerate() {
            if index > 0 {
                line.push_str(", ");
            }
            for comment in &entry.leading {
                line.push_str(comment.text);
                line.push(' ');
            }
            if let Some(name) = entry.name {
                line.push_str(name);
                line.push_str(": ");
            }
            for comment in &entry.inner {
                line.push_str(comment.text);
                line.push(' ');
            }
            if !self.write_line(entry.value, room, line)? || columns_of(line) > room {
                return Ok(false);
            }
            for comment in &entry.trailing {
                line.push(' ');
                line.push_str(comment.text);
            }
        }
        for (index, comment) in level.dangling.iter().enumerate() {
            if index > 0 {
                line.push(' ');
            }
            line.push_str(comment.text);
        }
        line.push(close);
        Ok(true)
    }
}

impl Entry<'_> {
    /// Columns left for the value and its comma, were it alone on a line at `depth`.
    fn room(&self, depth: usize) -> usize {
        let name = self.name.map_or(0, |name| columns_of(name) + ": ".len());
        let inner: usize = self.inner.iter().map(|comment| columns_of(comment.text) + 1).sum();
        COLUMNS_MAX.saturating_sub(depth * TAB_COLUMNS + name + inner + ",".len())
    }

    /// The columns of the name, if it begins its line and the value ends on it.
    fn row(&self, line: Option<&String>) -> Option<usize> {
        let begins = self.leading.is_empty() || self.breaks > 0;
        self.name.map(columns_of).filter(|columns| begins && line.is_some() && *columns <= ALIGNED_NAME_COLUMNS_MAX)
    }
}

/// For each entry the columns that its name is to fill: as many as the longest among neighbouring rows has. A comment, a
/// blank line or a value of several lines ends a neighbourhood.
fn aligned_columns(entries: &[Entry<'_>], lines: &[Option<String>]) -> Vec<usize> {
    let rows: Vec<(&Entry<'_>, Option<usize>)> =
        entries.iter().zip(lines).map(|(entry, line)| (entry, entry.row(line.as_ref()))).collect();
    let neighbours = rows.chunk_by(|(_, above), (entry, below)| {
        above.is_some() && below.is_some() && entry.leading.is_empty() && entry.breaks <= 1
    });
    neighbours
        .flat_map(|rows| {
            let widest = rows.iter().filter_map(|(_, columns)| *columns).max().unwrap_or_default();
            std::iter::repeat_n(widest, rows.len())
        })
        .collect()
}

/// Line breaks before something that begins an entry or follows one of its comments.
fn own_line(breaks: usize, begins: bool, first: bool) -> usize {
    match (begins, first) {
        (true, true) => 1,
        (true, false) => breaks.max(1),
        (false, _) => breaks,
    }
}

fn brackets(value: &Value) -> (char, char) {
    if matches!(value.kind, Kind::Object(_)) { ('{', '}') } else { ('[', ']') }
}

fn columns_of(text: &str) -> usize {
    text.chars().count()
}
