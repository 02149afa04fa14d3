//! A policy as people write it, read but not yet compiled. Every text keeps its place, so that errors can point at it.

use std::collections::BTreeMap;

/// A text and the byte where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    /// The text.
    pub(crate) text: String,
    /// Where it begins in the policy.
    pub(crate) at: usize,
}

/// All that a policy says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    /// `group:name` to its members.
    pub(crate) groups: BTreeMap<String, Vec<Spot>>,
    /// Host names to addresses or prefixes.
    pub(crate) hosts: BTreeMap<String, Spot>,
    /// `tag:name` to those who may use it.
    pub(crate) tag_owners: BTreeMap<String, Vec<Spot>>,
    /// The rules. `None`: the policy has no `acls`, which allows everything.
    pub(crate) acls: Option<Vec<Acl>>,
}

/// One rule.
#[derive(Clone, Debug)]
pub(crate) struct Acl {
    /// Who.
    pub(crate) sources: Vec<Spot>,
    /// `target:ports` each.
    pub(crate) targets: Vec<Spot>,
    /// A protocol's name or number.
    pub(crate) protocol: Option<Spot>,
}
