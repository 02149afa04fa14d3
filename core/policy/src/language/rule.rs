//! What the rules of all parts of a policy have alike: sources, destinations, postures.

use super::alias::alias;
use super::document::{Alias, Spot};
use super::fields::{self, Fields};
use super::finding::{Findings, Wrong};
use super::quote::quote;
use crate::hujson::Value;
use crate::limits;

/// The rules of a part, each read alone.
pub(super) fn rules<T>(
    value: &Value,
    what: &'static str,
    findings: &mut Findings,
    read: impl Fn(&Value, &mut Findings) -> Option<T>,
) -> Vec<T> {
    let rules = fields::list(value, what, findings);
    if rules.len() > limits::RULES_MAX {
        let wrong = Wrong::new(format!("{what} has {} rules", rules.len()));
        findings.unreadable(value.span, wrong.hint(format!("at most {} rules", limits::RULES_MAX)));
        return Vec::new();
    }
    rules.iter().filter_map(|rule| read(rule, findings)).collect()
}

/// A list of aliases.
pub(super) fn aliases(value: Option<&Value>, what: &'static str, findings: &mut Findings) -> Vec<Spot<Alias>> {
    let Some(value) = value else {
        return Vec::new();
    };
    each(value, what, findings, alias)
}

/// A list of texts, each read alone; not more than a rule may have.
pub(super) fn each<T>(
    value: &Value,
    what: &'static str,
    findings: &mut Findings,
    read: impl Fn(&str) -> Result<T, Wrong>,
) -> Vec<Spot<T>> {
    let length = fields::list(value, what, findings).len();
    if length <= limits::RULE_ELEMENTS_MAX {
        return fields::each(value, what, findings, read);
    }
    let wrong = Wrong::new(format!("{what} has {length} elements"));
    findings.unreadable(value.span, wrong.hint(format!("at most {}", limits::RULE_ELEMENTS_MAX)));
    Vec::new()
}

/// Names of postures.
pub(super) fn postures(fields: &Fields<'_>, name: &'static str, findings: &mut Findings) -> Vec<Spot<String>> {
    let Some(value) = fields.value(name) else {
        return Vec::new();
    };
    each(value, name, findings, |text| {
        let text = text.trim();
        if text.starts_with("posture:") {
            return Ok(text.to_owned());
        }
        let wrong = Wrong::new(format!("{name}={}: posture must start with 'posture:'", quote(text)));
        Err(wrong.hint(format!("write {}", quote(&format!("posture:{text}")))))
    })
}
