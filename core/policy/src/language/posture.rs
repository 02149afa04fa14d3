//! What is asked of devices: `postures`, and conditions such as `node:tsVersion >= '1.40'`.

use std::collections::BTreeMap;

use super::document::{Condition, Operator, Scalar, Spot};
use super::fields::{each, names};
use super::finding::{Findings, Wrong};
use super::near::did_you_mean;
use super::quote::quote;
use crate::hujson::{Kind, Value};

/// Operators as words, longer ones first.
const SYMBOLS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

/// `postures`
pub(super) fn postures(value: &Value, findings: &mut Findings) -> BTreeMap<String, Vec<Spot<Condition>>> {
    let mut postures = BTreeMap::new();
    for entry in names(value, "postures", findings) {
        if !entry.name.starts_with("posture:") || entry.name == "posture:" {
            let wrong = Wrong::new(format!("posture name must start with 'posture:', got: {}", quote(&entry.name)));
            findings.unreadable(
                entry.name_span,
                wrong.hint(format!("write {}", quote(&format!("posture:{}", entry.name)))),
            );
        }
        let about = format!("postures[{}]: ", quote(&entry.name));
        let read = |text: &str| condition(text).map_err(|wrong| wrong.within(&about));
        let conditions = each(&entry.value, "a posture", findings, read);
        postures.insert(entry.name.clone(), conditions);
    }
    postures
}

/// What an attribute is said to be: in the `srcPostureAttrs` of a test.
pub(super) fn scalar(value: &Value) -> Option<Scalar> {
    match &value.kind {
        Kind::String(text) => Some(Scalar::Text(text.clone())),
        Kind::Bool(flag) => Some(Scalar::Bool(*flag)),
        Kind::Number(number) => number.parse().ok().map(Scalar::Number),
        Kind::Null | Kind::Array(_) | Kind::Object(_) => None,
    }
}

/// `attribute operator value`
pub(super) fn condition(text: &str) -> Result<Condition, Wrong> {
    let mut rest = Rest { whole: text, left: text.trim() };
    let attribute = rest.attribute()?;
    let operator = rest.operator()?;
    let values = match operator {
        Operator::IsSet | Operator::NotSet => Vec::new(),
        Operator::In | Operator::NotIn => rest.list()?,
        Operator::Equal
        | Operator::NotEqual
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual => vec![rest.scalar()?],
    };
    if !rest.left.is_empty() {
        return Err(rest
            .wrong(format!("unexpected {}", quote(rest.left)))
            .hint("one condition a text: all of a posture must hold"));
    }
    Ok(Condition { attribute, operator, values })
}

/// What is left of a condition.
struct Rest<'a> {
    whole: &'a str,
    left: &'a str,
}

impl<'a> Rest<'a> {
    fn wrong(&self, why: String) -> Wrong {
        Wrong::new(format!("invalid posture condition {}: {why}", quote(self.whole)))
    }

    /// Takes what the predicate accepts, and the white space after it.
    fn take_while(&mut self, accepted: impl Fn(char) -> bool) -> &'a str {
        let end = self.left.find(|letter| !accepted(letter)).unwrap_or(self.left.len());
        let (taken, left) = self.left.split_at_checked(end).unwrap_or((self.left, ""));
        self.left = left.trim_start();
        taken
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.left.strip_prefix(wanted);
        if let Some(left) = found {
            self.left = left.trim_start();
        }
        found.is_some()
    }

    /// Letters, or nothing where something else stands.
    fn word(&mut self, wanted: &str) -> bool {
        let before = self.left;
        let found = self.take_while(|letter| letter.is_ascii_alphabetic()).eq_ignore_ascii_case(wanted);
        if !found {
            self.left = before;
        }
        found
    }

    /// `namespace:key`
    fn attribute(&mut self) -> Result<String, Wrong> {
        let name = self.take_while(|letter| letter.is_alphanumeric() || ":_-./".contains(letter));
        match name.split_once(':') {
            Some((namespace, key)) if !namespace.is_empty() && !key.is_empty() => Ok(name.into()),
            _ => Err(self
                .wrong(format!("invalid attribute {}", quote(name)))
                .hint("an attribute has a namespace and a key: node:os, custom:tier, ip:country")),
        }
    }

    fn operator(&mut self) -> Result<Operator, Wrong> {
        for (symbol, operator) in SYMBOLS {
            if self.take(symbol) {
                return Ok(operator);
            }
        }
        if self.word("IN") {
            return Ok(Operator::In);
        }
        if self.word("IS") && self.word("SET") {
            return Ok(Operator::IsSet);
        }
        if self.word("NOT") {
            if self.word("IN") {
                return Ok(Operator::NotIn);
            }
            if self.word("SET") {
                return Ok(Operator::NotSet);
            }
        }
        let found = self.left.split_whitespace().next().unwrap_or_default();
        let known = ["==", "!=", "<", "<=", ">", ">=", "IN", "NOT IN", "IS SET", "NOT SET"];
        let hint = if found == "=" { Some("did you mean \"==\"?".into()) } else { did_you_mean(found, known) };
        Err(self
            .wrong(format!("unknown operator {}", quote(found)))
            .hint(hint.unwrap_or_else(|| format!("the operators are {}", known.join(", ")))))
    }

    /// `['a', 'b']`
    fn list(&mut self) -> Result<Vec<Scalar>, Wrong> {
        let brackets = "IN takes a list: ['macos', 'linux']";
        if !self.take("[") {
            return Err(self.wrong("expected a list".into()).hint(brackets));
        }
        let mut values = Vec::new();
        while !self.take("]") {
            values.push(self.scalar()?);
            if !self.take(",") && !self.left.starts_with(']') {
                return Err(self.wrong("expected a comma or ]".into()).hint(brackets));
            }
        }
        Ok(values)
    }

    /// `'text'`, a number, `true` or `false`.
    fn scalar(&mut self) -> Result<Scalar, Wrong> {
        for quotes in ['\'', '"'] {
            let Some(after) = self.left.strip_prefix(quotes) else {
                continue;
            };
            let Some((text, left)) = after.split_once(quotes) else {
                return Err(self.wrong("text without an end".into()).hint("a quote is missing"));
            };
            self.left = left.trim_start();
            return Ok(Scalar::Text(text.into()));
        }
        let word = self.take_while(|letter| letter.is_alphanumeric() || "+-._".contains(letter));
        match word {
            "true" => Ok(Scalar::Bool(true)),
            "false" => Ok(Scalar::Bool(false)),
            word => match word.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Scalar::Number(number)),
                _ => Err(self
                    .wrong(format!("invalid value {}", quote(word)))
                    .hint("a text in single quotes, a number, true or false")),
            },
        }
    }
}
