//! The fields of an object by the names that the language knows, whatever their case.

use super::document::Spot;
use super::finding::{Findings, Wrong};
use super::near::did_you_mean;
use super::quote::quote;
use crate::hujson::{Kind, Member, Span, Value};

/// What an object says, looked up by name.
pub(super) struct Fields<'a> {
    known: Vec<(&'static str, &'a Value)>,
    /// Where the object stands.
    pub(super) at: Span,
}

impl<'a> Fields<'a> {
    /// Takes the object apart. Unknown names are refused, and so are names that stand twice; names that begin with `#`
    /// are remarks of tools.
    pub(super) fn read(
        value: &'a Value,
        what: &str,
        names: &'static [&'static str],
        findings: &mut Findings,
    ) -> Option<Self> {
        let members = object(value, what, findings)?;
        let mut known: Vec<(&'static str, &'a Value)> = Vec::new();
        for member in members {
            if findings.reading_is_over() {
                break;
            }
            if member.name.starts_with('#') {
                continue;
            }
            let Some(name) = names.iter().copied().find(|name| name.eq_ignore_ascii_case(&member.name)) else {
                let hint = did_you_mean(&member.name, names.iter().copied())
                    .unwrap_or_else(|| format!("{what} has {}", names.join(", ")));
                let wrong = Wrong::new(format!("json: unknown field {}", quote(&member.name))).hint(hint);
                findings.unreadable(member.name_span, wrong);
                continue;
            };
            if known.iter().any(|(seen, _)| *seen == name) {
                findings.unreadable(member.name_span, twice(&member.name));
            } else {
                known.push((name, &member.value));
            }
        }
        // Null says as little as nothing.
        known.retain(|(_, value)| !matches!(value.kind, Kind::Null));
        Some(Self { known, at: value.span })
    }

    /// The value of a field, if it is there.
    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        self.known.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The value of the first of these fields that is there: old names stand after new ones.
    pub(super) fn either(&self, new: &str, old: &str, findings: &mut Findings) -> Option<&'a Value> {
        if let (Some(_), Some(value)) = (self.value(new), self.value(old)) {
            let wrong = Wrong::new(format!("{} and {} both given", quote(new), quote(old)));
            findings
                .unreadable(value.span, wrong.hint(format!("{old:?} is the old name of {new:?}: keep one of them")));
        }
        self.value(new).or_else(|| self.value(old))
    }

    /// A list of texts; absent is empty.
    pub(super) fn texts(&self, name: &str, findings: &mut Findings) -> Vec<(&'a str, Span)> {
        self.value(name).map(|value| texts(value, name, findings)).unwrap_or_default()
    }

    /// A text.
    pub(super) fn text(&self, name: &str, findings: &mut Findings) -> Option<(&'a str, Span)> {
        text(self.value(name)?, name, findings)
    }

    /// Yes or no; absent is no.
    pub(super) fn flag(&self, name: &str, findings: &mut Findings) -> bool {
        match self.value(name).map(|value| (value, &value.kind)) {
            None => false,
            Some((_, Kind::Bool(flag))) => *flag,
            Some((value, other)) => {
                findings.unreadable(value.span, mismatch(name, "true or false", other));
                false
            }
        }
    }
}

/// The members of an object.
fn object<'a>(value: &'a Value, what: &str, findings: &mut Findings) -> Option<&'a [Member]> {
    match &value.kind {
        Kind::Object(members) => Some(members),
        Kind::Null => Some(&[]),
        other => {
            findings.unreadable(value.span, mismatch(what, "an object", other));
            None
        }
    }
}

/// The members of an object whose names are people's own.
pub(super) fn names<'a>(value: &'a Value, what: &str, findings: &mut Findings) -> &'a [Member] {
    object(value, what, findings).unwrap_or_default()
}

/// The elements of a list.
pub(super) fn list<'a>(value: &'a Value, what: &str, findings: &mut Findings) -> &'a [Value] {
    match &value.kind {
        Kind::Array(elements) => elements,
        Kind::Null => &[],
        other => {
            findings.unreadable(value.span, mismatch(what, "a list", other));
            &[]
        }
    }
}

/// A list of texts.
pub(super) fn texts<'a>(value: &'a Value, what: &str, findings: &mut Findings) -> Vec<(&'a str, Span)> {
    list(value, what, findings).iter().filter_map(|element| text(element, what, findings)).collect()
}

/// A list of texts, each read alone; what cannot be read is left out, with a word why.
pub(super) fn each<T>(
    value: &Value,
    what: &str,
    findings: &mut Findings,
    read: impl Fn(&str) -> Result<T, Wrong>,
) -> Vec<Spot<T>> {
    let texts = texts(value, what, findings).into_iter();
    texts.filter_map(|(text, at)| findings.read(at, || read(text)).map(|what| Spot { what, at })).collect()
}

/// A text.
pub(super) fn text<'a>(value: &'a Value, what: &str, findings: &mut Findings) -> Option<(&'a str, Span)> {
    match &value.kind {
        Kind::String(text) => Some((text, value.span)),
        other => {
            findings.unreadable(value.span, mismatch(what, "a text", other));
            None
        }
    }
}

/// A value of another kind than it must be, in the words of Go's `encoding/json`.
pub(super) fn mismatch(what: &str, wanted: &str, found: &Kind) -> Wrong {
    let found = match found {
        Kind::Null => "null",
        Kind::Bool(_) => "bool",
        Kind::Number(_) => "number",
        Kind::String(_) => "string",
        Kind::Array(_) => "array",
        Kind::Object(_) => "object",
    };
    Wrong::new(format!("json: cannot unmarshal {found} into {what}")).hint(format!("{what} is {wanted} here"))
}

fn twice(name: &str) -> Wrong {
    Wrong::new(format!("duplicate object member name {}", quote(name))).hint("upper and lower case are the same here")
}
