//! What a policy makes of a node: for each rule, is it a source, is it a target.

use std::sync::Arc;

use wattle_netmap::UserId;

use crate::bits::Bits;

/// All that decides what a node may see. Nodes of one class are alike to everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    /// The owner, kept apart for rules within one user (`autogroup:self`); `None` where no rule asks.
    pub(crate) user: Option<UserId>,
    /// Rules that have it, or something behind it, as a source.
    pub(crate) sources: Bits,
    /// Those whose packet rules list its addresses.
    pub(crate) listed: Bits,
    /// Rules that have it, or something behind it, as a target.
    pub(crate) targets: Bits,
    /// Rules whose packets it passes on as an exit node, though they make it visible to nobody.
    pub(crate) passing: Bits,
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

    /// Whether what a node of this class obeys may be different after another node has changed.
    pub fn heeds(&self, shift: &Shift) -> bool {
        if self.targets.meets(&shift.lists) || self.passing.meets(&shift.lists) || self.sources.meets(&shift.companions)
        {
            return true;
        }
        self.user.is_some() && self.own_targets.meets(&self.own_lists(shift))
    }

    /// Rules that list other addresses now among those of the owner.
    fn own_lists(&self, shift: &Shift) -> Bits {
        let own = |class: &Option<Arc<Self>>| class.clone().filter(|class| class.user == self.user);
        let (before, after) = (own(&shift.before), own(&shift.after));
        let sources = |class: &Option<Arc<Self>>| class.as_ref().map(|class| class.sources.clone()).unwrap_or_default();
        let mut lists = sources(&before).difference(&sources(&after));
        // Companion capabilities are for all nodes of the owner, whether they are sources or not.
        if before.is_some() != after.is_some() || (shift.moved && after.is_some()) {
            lists.extend(&sources(&after));
            lists.extend(&shift.for_all_own);
        }
        lists
    }
}

/// What happened to a node, as far as a policy is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Its class until then; `None`: it was not there.
    pub before: Option<Arc<Class>>,
    /// Its class since; `None`: it is not there any more.
    pub after: Option<Arc<Class>>,
    /// Rules whose packet rules list other addresses now.
    pub(crate) lists: Bits,
    /// Rules that give their targets something on their sources, and list other addresses of targets now.
    pub(crate) companions: Bits,
    /// Rules that give their targets something on their sources.
    pub(crate) for_all_own: Bits,
    /// Whether it has other addresses now.
    pub(crate) moved: bool,
    /// Whether it is another's now, or other words select it, or it has another posture for SSH: its own rules may be
    /// different in a class that is the same.
    pub(crate) renamed: bool,
    /// Whether it serves other routes now, or steers others to them by other rules.
    pub routes: bool,
}

impl Shift {
    /// Nothing has happened to a node of this class.
    pub fn still(class: Option<Arc<Class>>) -> Self {
        Self { before: class.clone(), after: class, ..Self::default() }
    }

    /// Whether nobody can notice, the node itself included.
    pub fn is_empty(&self) -> bool {
        let same = self.before == self.after && self.lists.is_empty() && self.companions.is_empty();
        same && !self.moved && !self.renamed && !self.routes
    }
}
