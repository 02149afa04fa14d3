//! The JSON of `/policy`.

use serde::{Deserialize, Serialize};
use wattle_policy::hujson::Span;
use wattle_policy::{Failure, Problem};

/// A policy that is or was in force.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PolicyDocument {
    /// HuJSON; empty when none was ever set and everybody may reach everybody.
    pub(crate) text: String,
    /// 0: none was ever set.
    pub(crate) revision: u64,
    pub(crate) at: Option<String>,
    /// Empty: not known.
    pub(crate) author: String,
    pub(crate) note: String,
    /// Whether it is in force.
    pub(crate) current: bool,
    /// The file that rules; policies cannot be set in another way.
    pub(crate) file: Option<String>,
}

/// A policy to put in force.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PolicyRequest {
    pub(crate) text: String,
    pub(crate) author: String,
    pub(crate) note: String,
    /// Refuse unless this revision is in force.
    pub(crate) if_revision: Option<u64>,
    /// Do it even if no administrator can reach anything any more.
    pub(crate) confirm_lockout: bool,
}

/// A revision to put in force again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreRequest {
    pub(crate) revision: u64,
    #[serde(default)]
    pub(crate) author: String,
    #[serde(default)]
    pub(crate) note: String,
    #[serde(default)]
    pub(crate) if_revision: Option<u64>,
    #[serde(default)]
    pub(crate) confirm_lockout: bool,
}

/// A policy that is in force now.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PolicySetDocument {
    pub(crate) revision: u64,
    /// Whether it was not in force already.
    pub(crate) changed: bool,
    /// Whether administrators reached something before, and nothing now.
    pub(crate) locks_out: bool,
}

/// A text to look at.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyText {
    pub(crate) text: String,
}

/// A text to try on the tailnet; none: the policy in force.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestRequest {
    #[serde(default)]
    pub(crate) text: Option<String>,
}

/// What came of checking a good policy.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct CheckDocument {
    pub(crate) rules: usize,
    /// What has no effect on this server.
    pub(crate) notes: Vec<ProblemDocument>,
}

/// What came of the tests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct TestDocument {
    pub(crate) tests: usize,
    /// Empty: all promises are kept.
    pub(crate) failures: Vec<ProblemDocument>,
}

/// A policy laid out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct FormatDocument {
    pub(crate) text: String,
    pub(crate) changed: bool,
}

/// Something that is wrong with a policy. Lines and columns count from 1.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ProblemDocument {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// Bytes of the text that it is about.
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    pub(crate) excerpt: String,
}

/// What to compare: `text` or `revision`, with `against`; what is not said is the policy in force.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DifferenceRequest {
    pub(crate) text: Option<String>,
    pub(crate) revision: Option<u64>,
    pub(crate) against: Option<u64>,
}

/// What changes for whom when one policy follows another.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct DifferenceDocument {
    /// The revision that it was compared with.
    pub(crate) against: u64,
    /// Whether the texts are the same.
    pub(crate) same_text: bool,
    pub(crate) gains: Vec<GainDocument>,
    /// Sentences on what is not access: SSH rules, capabilities of nodes.
    pub(crate) also: Vec<String>,
    /// How many more gains there are than are listed.
    pub(crate) more: usize,
    /// Whether administrators reach something before, and nothing after.
    pub(crate) locks_out: bool,
}

/// Access that comes or goes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct GainDocument {
    pub(crate) gains: bool,
    pub(crate) who: PartiesDocument,
    pub(crate) whom: PartiesDocument,
    /// Only between each of them and their own other devices.
    pub(crate) own: bool,
    pub(crate) access: String,
    pub(crate) sentence: String,
}

/// Users by name, tags, routes, `the internet`: the first of them, and how many there are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PartiesDocument {
    pub(crate) names: Vec<String>,
    pub(crate) count: usize,
}

/// A question: may this reach that?
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainRequest {
    /// A node's name, number or address; a user, for a node of theirs; a tag.
    pub(crate) from: String,
    /// The same, or any address; `:PORT` may follow.
    pub(crate) to: String,
    /// Name or number; `tcp` if nothing is said.
    #[serde(default)]
    pub(crate) protocol: String,
    /// A policy to ask instead of the one in force.
    #[serde(default)]
    pub(crate) text: Option<String>,
}

/// The answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ExplainDocument {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) protocol: String,
    pub(crate) port: Option<u16>,
    pub(crate) allowed: bool,
    /// Answers get through: the other side may begin.
    pub(crate) replies_only: bool,
    pub(crate) sentence: String,
    pub(crate) rules: Vec<ReasonDocument>,
    /// Rules that come close, and what they lack.
    pub(crate) missed: Vec<ReasonDocument>,
}

/// A rule and what it has to do with the question.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ReasonDocument {
    pub(crate) rule: RuleDocument,
    pub(crate) words: String,
}

/// A rule of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RuleDocument {
    /// `acls[3]`
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
}

/// Who reaches whom.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct MatrixDocument {
    pub(crate) revision: u64,
    pub(crate) cells: Vec<CellDocument>,
    /// How many more there are than are listed.
    pub(crate) more: usize,
}

/// Some who reach some.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct CellDocument {
    pub(crate) who: PartiesDocument,
    pub(crate) whom: PartiesDocument,
    /// Only between each of them and their own other devices.
    pub(crate) own: bool,
    pub(crate) access: String,
    pub(crate) rules: Vec<RuleDocument>,
}

/// What to show of the matrix: parts of names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct MatrixQuery {
    pub(crate) who: String,
    pub(crate) whom: String,
}

/// A policy that is or was in force, without its text.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RevisionDocument {
    pub(crate) number: u64,
    pub(crate) at: String,
    pub(crate) author: String,
    pub(crate) note: String,
    pub(crate) size: u64,
    pub(crate) current: bool,
}

impl ProblemDocument {
    pub(crate) fn of(problem: &Problem) -> Self {
        Self {
            line: problem.line,
            column: problem.column,
            start: problem.at.start,
            end: problem.at.end,
            message: problem.message.clone(),
            hint: problem.hint.clone(),
            excerpt: problem.excerpt.clone(),
        }
    }

    pub(crate) fn of_failure(failure: &Failure, text: &str) -> Self {
        Self::of(&Problem::new(text.as_bytes(), failure.at, failure.message.clone(), None))
    }

    /// The problem again, to show it with a text that we have.
    pub(crate) fn within(&self, text: &str) -> Problem {
        let at = Span { start: self.start, end: self.end };
        Problem::new(text.as_bytes(), at, self.message.clone(), self.hint.clone())
    }
}
