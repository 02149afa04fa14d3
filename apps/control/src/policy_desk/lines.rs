//! Places in a text as lines.

use wattle_policy::RuleName;

use crate::admin::documents::RuleDocument;

/// Where the lines of a text begin: many places are looked up in one text.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let after = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(after).collect())
    }

    /// From 1.
    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }

    pub(super) fn rule(&self, rule: &RuleName) -> RuleDocument {
        RuleDocument { name: rule.to_string(), line: rule.at.map(|at| self.line(at.start as usize)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        let lines = Lines::of("ab\nc\n\nd");
        assert_eq!([0, 2, 3, 4, 5, 6, 99].map(|offset| lines.line(offset)), [1, 1, 2, 2, 3, 4, 4]);
    }
}
