//! Whether a node is in the state that a rule asks of its sources.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::language::document::{Condition, Operator, Scalar};

/// Whether all conditions hold. What is not known about a node fulfils no condition but `NOT SET`, `!=` and `NOT IN`.
pub(crate) fn holds(conditions: &[Condition], attributes: &BTreeMap<String, Scalar>) -> bool {
    conditions.iter().all(|condition| meets(condition, attributes.get(&condition.attribute)))
}

fn meets(condition: &Condition, value: Option<&Scalar>) -> bool {
    let is = |wanted: &Scalar| value.is_some_and(|value| order(value, wanted) == Some(Ordering::Equal));
    let compared = |fits: fn(Ordering) -> bool| {
        let (value, wanted) = (value, condition.values.first());
        value.zip(wanted).and_then(|(value, wanted)| order(value, wanted)).is_some_and(fits)
    };
    match condition.operator {
        Operator::Equal | Operator::In => condition.values.iter().any(is),
        Operator::NotEqual | Operator::NotIn => !condition.values.iter().any(is),
        Operator::Less => compared(Ordering::is_lt),
        Operator::LessOrEqual => compared(Ordering::is_le),
        Operator::Greater => compared(Ordering::is_gt),
        Operator::GreaterOrEqual => compared(Ordering::is_ge),
        Operator::IsSet => value.is_some(),
        Operator::NotSet => value.is_none(),
    }
}

/// How a value compares to what is asked; `None`: they are of different kinds. Texts that begin with a digit are versions.
fn order(value: &Scalar, wanted: &Scalar) -> Option<Ordering> {
    match (value, wanted) {
        (Scalar::Text(value), Scalar::Text(wanted)) => Some(match (version(value), version(wanted)) {
            (Some(value), Some(wanted)) => versions(&value, &wanted),
            _ => value.cmp(wanted),
        }),
        (Scalar::Number(value), Scalar::Number(wanted)) => value.partial_cmp(wanted),
        (Scalar::Bool(value), Scalar::Bool(wanted)) => Some(value.cmp(wanted)),
        (Scalar::Text(_) | Scalar::Number(_) | Scalar::Bool(_), _) => None,
    }
}

/// The numbers of a version: `1.40.2-t1234` is 1, 40, 2.
fn version(text: &str) -> Option<Vec<u64>> {
    let core = text.split(['-', '+', ' ']).next().unwrap_or_default();
    core.split('.').map(|part| part.parse().ok()).collect()
}

/// Missing parts count as zero: 1.40 is 1.40.0.
fn versions(a: &[u64], b: &[u64]) -> Ordering {
    let part = |version: &[u64], at: usize| version.get(at).copied().unwrap_or_default();
    let parts = 0..a.len().max(b.len());
    parts.map(|at| part(a, at).cmp(&part(b, at))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(operator: Operator, values: &[Scalar], value: Option<Scalar>) -> bool {
        let condition = Condition { attribute: "node:x".to_owned(), operator, values: values.to_vec() };
        let attributes = value.map(|value| ("node:x".to_owned(), value)).into_iter().collect();
        holds(&[condition], &attributes)
    }

    fn text(text: &str) -> Scalar {
        Scalar::Text(text.to_owned())
    }

    #[test]
    fn versions_compare_by_their_numbers() {
        let at_least = |wanted: &str, value: &str| check(Operator::GreaterOrEqual, &[text(wanted)], Some(text(value)));
        assert!(at_least("1.40", "1.40.0-t12ab") && at_least("1.40", "1.102.5") && !at_least("1.40", "1.9.9"));
        assert!(check(Operator::Equal, &[text("13.4.0")], Some(text("13.4"))));
        assert!(check(Operator::Less, &[text("ubuntu")], Some(text("debian"))));
    }

    #[test]
    fn what_is_not_known_fulfils_only_what_asks_for_that() {
        for (operator, holds) in [
            (Operator::Equal, false),
            (Operator::NotEqual, true),
            (Operator::Less, false),
            (Operator::LessOrEqual, false),
            (Operator::Greater, false),
            (Operator::GreaterOrEqual, false),
            (Operator::In, false),
            (Operator::NotIn, true),
            (Operator::IsSet, false),
            (Operator::NotSet, true),
        ] {
            assert_eq!(check(operator, &[text("linux")], None), holds, "{operator:?}");
        }
    }

    #[test]
    fn kinds_are_not_mixed() {
        assert!(!check(Operator::Equal, &[Scalar::Bool(true)], Some(text("true"))));
        assert!(check(Operator::Equal, &[Scalar::Bool(true)], Some(Scalar::Bool(true))));
        assert!(check(Operator::Greater, &[Scalar::Number(3.0)], Some(Scalar::Number(3.5))));
        assert!(check(Operator::In, &[text("linux"), text("macos")], Some(text("macos"))));
    }
}
