//! Who may log in to which node, as whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use wattle_netmap::{NodeId, UserId};

use crate::AddressSet;
use crate::language::document::{Alias, Autogroup, Ssh, SshAction};
use crate::roster::{Member, Roster};
use crate::rule::Sources;
use crate::selector::Selector;
use crate::subject::Subject;

/// A rule of `ssh`, compiled.
#[derive(Clone, Debug)]
pub(crate) struct SshRule {
    pub(crate) sources: Sources,
    /// Targets but `autogroup:self`.
    targets: Vec<usize>,
    own: bool,
    pub(crate) action: SshAction,
    /// What a login name becomes; see [`SshPermit::users`].
    users: BTreeMap<String, String>,
    /// Domains of `localpart:*@domain`, lower case.
    localparts: Vec<String>,
    accept_env: Vec<String>,
    recorders: Vec<usize>,
    enforce_recorder: bool,
}

/// What an SSH server obeys: who may come in as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshPermit {
    /// Number of the rule of the policy.
    pub rule: usize,
    /// Addresses of the nodes that it lets in.
    pub principals: Vec<IpAddr>,
    /// Login names to local users: `*` is every other name, `=` is the same name, an empty text is nobody.
    pub users: BTreeMap<String, String>,
    /// Whether and when the person has to sign in once more.
    pub action: SshAction,
    /// Environment variables that are taken from the client.
    pub accept_env: Vec<String>,
    /// Addresses of nodes that record the session.
    pub recorders: Vec<IpAddr>,
    /// Whether a session without a recorder is refused.
    pub enforce_recorder: bool,
}

impl SshRule {
    pub(crate) fn new(rule: &Ssh, postures: Vec<String>, mut number: impl FnMut(&Alias) -> usize) -> Self {
        let own = |alias: &Alias| *alias == Alias::Autogroup(Autogroup::Self_);
        let mut selectors: Vec<usize> = rule.sources.iter().map(|source| number(&source.what)).collect();
        selectors.sort_unstable();
        selectors.dedup();
        let mut users = BTreeMap::from([("root".to_owned(), String::new())]);
        let mut localparts = Vec::new();
        for user in &rule.users {
            match (user.as_str(), localpart_domain(user)) {
                ("autogroup:nonroot", _) => _ = users.insert("*".to_owned(), "=".to_owned()),
                (_, Some(domain)) => localparts.push(domain.to_lowercase()),
                (name, None) => _ = users.insert(name.to_owned(), name.to_owned()),
            }
        }
        Self {
            sources: Sources { selectors, postures },
            own: rule.targets.iter().any(|target| own(&target.what)),
            targets: rule
                .targets
                .iter()
                .filter(|target| !own(&target.what))
                .map(|target| number(&target.what))
                .collect(),
            action: rule.action,
            users,
            localparts,
            accept_env: rule.accept_env.clone(),
            recorders: rule.recorders.iter().map(|recorder| number(&recorder.what)).collect(),
            enforce_recorder: rule.enforce_recorder,
        }
    }

    /// The local user that a person's own name stands for.
    fn local_user<'a>(&self, login: &'a str) -> Option<&'a str> {
        let (local, domain) = login.rsplit_once('@')?;
        self.localparts.contains(&domain.to_lowercase()).then_some(local)
    }
}

/// The domain of `localpart:*@domain`.
fn localpart_domain(user: &str) -> Option<&str> {
    user.strip_prefix("localpart:*@").filter(|domain| !domain.is_empty() && !domain.contains('@'))
}

impl Roster {
    /// Who may log in to a node, in the order in which it must look: rules that ask for a check come first, since they
    /// are the stricter ones.
    pub fn ssh_for(&self, node: NodeId) -> Vec<SshPermit> {
        let Some(member) = self.member_of(node) else { return Vec::new() };
        let mut permits = Vec::new();
        for (number, rule) in self.policy().ssh.iter().enumerate() {
            let is_target = rule.targets.iter().any(|target| self.selects(*target, member));
            let is_own = rule.own && member.owner().is_some();
            // With `localpart` a source is told its own user's part of the rule, target or not; clients show it.
            let is_source = !rule.localparts.is_empty() && !rule.targets.is_empty() && self.is_ssh_source(rule, member);
            if !is_target && !is_own && !is_source {
                continue;
            }
            let mut writer = Writer { roster: self, number, rule, permits: &mut permits };
            if is_own && let Some(user) = member.owner() {
                writer.of_user(user);
            }
            match (is_target, member.owner()) {
                (true, _) => writer.of_everybody(),
                (false, Some(user)) if is_source => writer.of_user(user),
                (false, None) if is_source => writer.push(member.addresses.clone(), None),
                (false, _) => {}
            }
        }
        permits.sort_by_key(|permit| permit.action == SshAction::Accept);
        permits
    }

    /// Whether a rule of `ssh` has a node among its sources.
    fn is_ssh_source(&self, rule: &SshRule, member: &Member) -> bool {
        rule.sources.selectors.iter().any(|word| self.selects(*word, member)) && {
            let attributes = self.posture_attributes(member.id);
            let subject = Subject::new(None, &member.tags, &member.addresses);
            let subject = attributes.map_or(subject, |attributes| Subject { attributes, ..subject });
            !self.policy().lacks_posture(&rule.sources, &subject)
        }
    }

    /// How long ago a person may have signed in to log in from one node to another: seconds, of the first rule that asks
    /// for a check. `None`: no rule does.
    pub fn ssh_check_period(&self, from: NodeId, to: NodeId) -> Option<u64> {
        let (from, to) = (self.member_of(from)?, self.member_of(to)?);
        self.policy().ssh.iter().find_map(|rule| {
            let SshAction::Check(period) = rule.action else { return None };
            let own = rule.own && from.owner().is_some() && from.owner() == to.owner();
            let hits = own || rule.targets.iter().any(|target| self.selects(*target, to));
            (hits && self.is_ssh_source(rule, from)).then_some(period)
        })
    }
}

/// Writes what one rule permits.
struct Writer<'a> {
    roster: &'a Roster,
    number: usize,
    rule: &'a SshRule,
    permits: &'a mut Vec<SshPermit>,
}

impl Writer<'_> {
    /// For the nodes of one user that are sources.
    fn of_user(&mut self, user: UserId) {
        let nodes: Vec<_> =
            self.roster.of_user(user).filter(|node| self.roster.is_ssh_source(self.rule, node)).collect();
        let local = nodes.first().and_then(|node| self.rule.local_user(&node.login)).map(str::to_owned);
        let addresses: AddressSet = nodes.iter().flat_map(|node| node.addresses.iter().copied()).collect();
        self.push(each(&addresses), local.as_deref());
    }

    /// For all sources. Where local users differ by person, each person has a permit of their own.
    fn of_everybody(&mut self) {
        let (mut users, mut tagged) = (BTreeSet::new(), Vec::new());
        for node in self.roster.all().filter(|node| self.roster.is_ssh_source(self.rule, node)) {
            match node.owner() {
                Some(user) => _ = users.insert(user),
                // As the hosted service counts them: once for each tag (headscale `groupSourcesByUser`).
                None => node.tags.iter().for_each(|_| tagged.extend(node.addresses.iter().copied())),
            }
        }
        if self.rule.localparts.is_empty() {
            let mut all = Vec::new();
            for user in users {
                let nodes = self.roster.of_user(user).filter(|node| self.roster.is_ssh_source(self.rule, node));
                all.extend(each(&nodes.flat_map(|node| node.addresses.iter().copied()).collect()));
            }
            all.extend(tagged);
            self.push(all, None);
        } else {
            users.into_iter().for_each(|user| self.of_user(user));
            self.push(tagged, None);
        }
    }

    fn push(&mut self, principals: Vec<IpAddr>, local: Option<&str>) {
        if principals.is_empty() {
            return;
        }
        let recorders = self.rule.recorders.iter().flat_map(|word| self.roster.addresses_of(*word)).collect();
        let permit = SshPermit {
            rule: self.number,
            principals,
            users: self.rule.users.clone(),
            action: self.rule.action,
            accept_env: self.rule.accept_env.clone(),
            recorders,
            enforce_recorder: self.rule.enforce_recorder,
        };
        let own = local.map(|local| BTreeMap::from([(local.to_owned(), local.to_owned())]));
        self.permits.push(permit.clone());
        self.permits.extend(own.map(|users| SshPermit { users, ..permit }));
    }
}

impl Roster {
    /// The single addresses of a word: of the nodes it selects, or the one that it names.
    fn addresses_of(&self, word: usize) -> Vec<IpAddr> {
        match self.policy().selectors.selector(word) {
            Some(Selector::Who) => self.members(word).map(|set| each(set)).unwrap_or_default(),
            Some(Selector::Where(set)) => {
                set.iter().filter(|(first, last)| first == last).map(|(first, _)| first).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Every address of a set that is made of the addresses of nodes.
fn each(set: &AddressSet) -> Vec<IpAddr> {
    let of = |(first, last): (IpAddr, IpAddr)| -> Vec<IpAddr> {
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                (u32::from(first)..=u32::from(last)).map(|number| IpAddr::V4(number.into())).collect()
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                (u128::from(first)..=u128::from(last)).map(|number| IpAddr::V6(number.into())).collect()
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Vec::new(),
        }
    };
    set.iter().flat_map(of).collect()
}
