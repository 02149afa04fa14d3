//! What a policy makes of a node: for each rule, is it a source, is it a target.

use std::net::IpAddr;

use wattle_netmap::UserId;

use crate::bits::Bits;

/// A node as a policy looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Owner and the name that they sign in with; `None` for tagged nodes.
    pub user: Option<(UserId, &'a str)>,
    /// Tags. A tagged node has no owner.
    pub tags: &'a [String],
    /// Tailnet addresses.
    pub addresses: &'a [IpAddr],
}

/// All that decides what a node may see. Nodes of one class are alike to everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    /// The owner, kept apart for rules within one user (`autogroup:self`).
    pub(crate) user: Option<UserId>,
    /// Rules that have it as a source.
    pub(crate) sources: Bits,
    /// Those among them whose packet rules must list its addresses.
    pub(crate) listed: Bits,
    /// Rules that have it as a target.
    pub(crate) targets: Bits,
    /// Rules that have it as a target for other nodes of its user.
    pub(crate) own_targets: Bits,
}

impl Class {
    /// Whether nodes of these classes may know of each other: some rule lets one reach the other.
    pub fn sees(&self, other: &Self) -> bool {
        self.reaches(other) || other.reaches(self)
    }

    /// Whether some rule lets nodes of this class reach those of the other.
    pub fn reaches(&self, other: &Self) -> bool {
        self.sources.meets(&other.targets)
            || (self.user.is_some() && self.user == other.user && self.sources.meets(&other.own_targets))
    }

    /// Whether the packet rules of a node of this class change when another node moves from `before` to `after`
    /// (`None`: it was not there, or is not any more).
    pub fn heeds(&self, before: Option<&Self>, after: Option<&Self>) -> bool {
        let none = Self::default();
        let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
        if self.targets.meets(&before.listed.difference(&after.listed)) {
            return true;
        }
        let own = |class: &Self| class.user.is_some() && class.user == self.user;
        match (own(before), own(after)) {
            (true, true) => self.own_targets.meets(&before.sources.difference(&after.sources)),
            (true, false) => self.own_targets.meets(&before.sources),
            (false, true) => self.own_targets.meets(&after.sources),
            (false, false) => false,
        }
    }
}
