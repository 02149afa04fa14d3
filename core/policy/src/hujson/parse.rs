//! HuJSON text to [`Value`]s: one descent over the text, no deeper than [`limits::DEPTH_MAX`].

use super::literal::{self, shown};
use super::trivia::Trivia;
use super::{Kind, Member, Span, SyntaxError, Value, position};
use crate::limits;

/// Reads a text: one value, with comments and white space around it.
pub fn parse(text: &[u8]) -> Result<Value, SyntaxError> {
    read(text).map(|document| document.value)
}

/// A text that is HuJSON.
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) value: Value,
    /// Whether it is plain JSON too: no comments, no trailing commas.
    pub(super) plain: bool,
}

pub(super) fn read(text: &[u8]) -> Result<Document<'_>, SyntaxError> {
    if text.len() > limits::TEXT_BYTES_MAX {
        return Err(SyntaxError::new(0, format!("the policy is longer than {} bytes", limits::TEXT_BYTES_MAX)));
    }
    let text = std::str::from_utf8(text).map_err(|error| {
        let byte = text.get(error.valid_up_to()).copied().unwrap_or_default();
        SyntaxError::new(error.valid_up_to(), format!("the byte 0x{byte:02x} is not UTF-8; save the policy as UTF-8"))
    })?;
    if text.starts_with('\u{feff}') {
        return Err(SyntaxError::new(0, "a byte order mark (U+FEFF) stands here; save the policy without it"));
    }
    let mut parser = Parser { text, at: 0, plain: true };
    parser.skip()?;
    if parser.rest().is_empty() {
        return Err(SyntaxError::new(0, "the policy is empty"));
    }
    let value = parser.value(0)?;
    parser.skip()?;
    match parser.rest().chars().next() {
        None => Ok(Document { text, value, plain: parser.plain }),
        Some(closer @ ('}' | ']')) => Err(parser.error(format!("this {closer} closes nothing"))),
        Some(_) => Err(parser.error(format!("expected the end of the policy, found {}", parser.found()))),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    plain: bool,
}

/// What differs between lists and objects when something is wrong.
#[derive(Clone, Copy)]
struct Composite {
    open_at: usize,
    close: char,
    /// What it is called.
    name: &'static str,
    /// What its parts are called.
    part: &'static str,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError::new(self.at, message)
    }

    /// What stands here, for a message.
    fn found(&self) -> String {
        let word = literal::word(self.rest());
        match self.rest().chars().next() {
            None => "the end of the policy".to_owned(),
            Some('"' | '“' | '”' | '\'' | '`') => "a text".to_owned(),
            Some(_) if !word.is_empty() => format!("`{}`", shown(word)),
            Some(mark @ ' '..='~') => format!("`{mark}`"),
            Some(other) => format!("U+{:04X}", u32::from(other)),
        }
    }

    /// Steps over white space and comments.
    fn skip(&mut self) -> Result<(), SyntaxError> {
        let mut trivia = Trivia::new(self.text, self.at);
        while trivia.next_comment()?.is_some() {
            self.plain = false;
        }
        self.at = trivia.at;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        let start = self.at;
        let kind = match self.rest().chars().next() {
            Some('{' | '[') if depth == limits::DEPTH_MAX => {
                return Err(self.error(format!("lists and objects stand more than {depth} deep in one another")));
            }
            Some('{') => self.object(depth + 1)?,
            Some('[') => self.array(depth + 1)?,
            Some('"') => Kind::String(self.string()?),
            Some('\'' | '`') => return Err(self.error("a text must stand in double quotes")),
            Some('“' | '”') => return Err(self.error("a text must stand in straight double quotes: \"")),
            Some('#') => return Err(self.error("a comment begins with // or /*")),
            Some(mark @ (',' | ':' | '}' | ']')) => {
                return Err(self.error(format!("expected a value before this {mark}")));
            }
            _ => {
                let word = literal::word(self.rest());
                if word.is_empty() {
                    return Err(self.error(format!("expected a value, found {}", self.found())));
                }
                let kind = literal::bare(word, self.at)?;
                self.at += word.len();
                kind
            }
        };
        Ok(Value { span: Span::new(start, self.at), kind })
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        let (string, end) = literal::string(self.text, self.at)?;
        self.at = end;
        Ok(string)
    }

    fn array(&mut self, depth: usize) -> Result<Kind, SyntaxError> {
        let composite = Composite { open_at: self.at, close: ']', name: "list", part: "element" };
        let mut elements = Vec::new();
        self.at += 1;
        while self.another(composite, elements.len())? {
            elements.push(self.value(depth)?);
            if !self.comma(composite)? {
                break;
            }
        }
        Ok(Kind::Array(elements))
    }

    fn object(&mut self, depth: usize) -> Result<Kind, SyntaxError> {
        let composite = Composite { open_at: self.at, close: '}', name: "object", part: "value" };
        let mut members = Vec::new();
        self.at += 1;
        while self.another(composite, members.len())? {
            let (name, name_span) = self.name()?;
            self.colon(name_span)?;
            let value = self.value(depth)?;
            members.push(Member { name, name_span, value });
            if !self.comma(composite)? {
                break;
            }
        }
        self.refuse_twins(&members)?;
        Ok(Kind::Object(members))
    }

    fn name(&mut self) -> Result<(String, Span), SyntaxError> {
        let start = self.at;
        let word = literal::word(self.rest());
        match self.rest().chars().next() {
            Some('"') => {}
            Some('\'' | '`' | '“' | '”') => {
                return Err(self.error("a name must stand in straight double quotes: \""));
            }
            Some('#') => return Err(self.error("a comment begins with // or /*")),
            Some(mark @ (',' | ':')) => return Err(self.error(format!("expected a name before this {mark}"))),
            Some(_) if !word.is_empty() => {
                return Err(self.error(format!("a name must stand in double quotes: \"{}\"", shown(word))));
            }
            _ => return Err(self.error(format!("expected a name in double quotes or }}, found {}", self.found()))),
        }
        let name = self.string()?;
        Ok((name, Span::new(start, self.at)))
    }

    fn colon(&mut self, name: Span) -> Result<(), SyntaxError> {
        self.skip()?;
        if !self.rest().starts_with(':') {
            let message = format!("expected a colon after this name, found {}", self.found());
            let at = if self.rest().starts_with(starts_a_value) { name.end() } else { self.at };
            return Err(SyntaxError::new(at, message));
        }
        self.at += 1;
        self.skip()
    }

    /// Whether another part stands here, `parts` having been read. `false` has stepped over the closing bracket.
    fn another(&mut self, composite: Composite, parts: usize) -> Result<bool, SyntaxError> {
        self.skip()?;
        match self.rest().chars().next() {
            Some(closer) if closer == composite.close => {
                self.at += 1;
                // Only behind a comma does anybody look for another part.
                self.plain &= parts == 0;
                Ok(false)
            }
            Some('}' | ']') => Err(self.wrong_closer(composite)),
            None => Err(self.never_closed(composite)),
            Some(_) => Ok(true),
        }
    }

    /// Whether a comma stands behind a part, and not the closing bracket. Steps over either.
    fn comma(&mut self, composite: Composite) -> Result<bool, SyntaxError> {
        let end = self.at;
        let Composite { close, part, .. } = composite;
        self.skip()?;
        match self.rest().chars().next() {
            Some(mark) if mark == ',' || mark == close => {
                self.at += 1;
                Ok(mark == ',')
            }
            Some('}' | ']') => Err(self.wrong_closer(composite)),
            None => Err(self.never_closed(composite)),
            // What is missing belongs behind the part; what is too much stands here.
            Some(next) if starts_a_value(next) => {
                Err(SyntaxError::new(end, format!("expected a comma or {close} after this {part}")))
            }
            Some(_) => {
                Err(self.error(format!("expected a comma or {close} after this {part}, found {}", self.found())))
            }
        }
    }

    fn wrong_closer(&self, Composite { open_at, close, name, .. }: Composite) -> SyntaxError {
        let line = position(self.text.as_bytes(), open_at).line;
        self.error(format!("expected {close} to close the {name} of line {line}, found {}", self.found()))
    }

    fn never_closed(&self, Composite { open_at, close, name, .. }: Composite) -> SyntaxError {
        SyntaxError::new(open_at, format!("this {name} has no closing {close}"))
    }

    /// Go would take the last of two; whoever wrote both meant both.
    fn refuse_twins(&self, members: &[Member]) -> Result<(), SyntaxError> {
        let mut sorted: Vec<&Member> = members.iter().collect();
        sorted.sort_by(|left, right| left.name.cmp(&right.name));
        let twins = sorted.windows(2).filter_map(|pair| match pair {
            [first, second] if first.name == second.name => Some((*first, *second)),
            _ => None,
        });
        let Some((first, second)) = twins.min_by_key(|(_, second)| second.name_span.start) else { return Ok(()) };
        let line = position(self.text.as_bytes(), first.name_span.start()).line;
        let message = format!("\"{}\" stands here a second time; the first is on line {line}", shown(&second.name));
        Err(SyntaxError::new(second.name_span.start(), message))
    }
}

fn starts_a_value(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '"' | '\'' | '`' | '“' | '{' | '[' | '-' | '+' | '.' | '_')
}
