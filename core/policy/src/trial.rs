//! Whether a policy keeps what its `tests` and `sshTests` promise, for the tailnet as it is.
//!
//! The rules are those of the hosted service as headscale found them (`policy/v2/test.go`, `sshtest.go`): every address of
//! the source must get to some address of the destination; rules with `via` or towards `autogroup:self` do not count.

use std::collections::BTreeMap;
use std::net::IpAddr;

use wattle_netmap::{NodeId, PortRange, Prefix, UserId};
use wattle_packet::protocol;

use crate::AddressSet;
use crate::hujson::Span;
use crate::language::document::{Alias, Autogroup, Scalar, SshAction, SshTest, Test};
use crate::language::{alias, destination};
use crate::posture;
use crate::roster::{Member, Roster};
use crate::rule::{Rule, Target};
use crate::selector::Selector;
use crate::ssh::SshPermit;

/// The protocols of a test that names none.
const DEFAULT_PROTOCOLS: [u8; 4] = [protocol::TCP, protocol::UDP, protocol::ICMP, protocol::ICMPV6];

/// A promise that is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The test.
    pub at: Span,
    /// What should have been, and what is.
    pub message: String,
}

impl Roster {
    /// Runs the policy's tests. Empty: all promises are kept.
    pub fn run_tests(&self) -> Vec<Failure> {
        let document = &self.policy().document;
        let mut failures = Vec::new();
        document.tests.iter().for_each(|test| self.run_test(test, &mut failures));
        document.ssh_tests.iter().for_each(|test| self.run_ssh_test(test, &mut failures));
        failures
    }

    fn run_test(&self, test: &Test, failures: &mut Vec<Failure>) {
        let source = &test.source.what;
        let mut fail = |message: String| failures.push(Failure { at: test.at, message });
        let Some(sources) = alias(source).ok().and_then(|alias| self.addresses(&alias)) else {
            return fail(format!("failed to resolve source \"{source}\""));
        };
        if sources.is_empty() {
            return fail(format!("source \"{source}\" resolved to no IP addresses"));
        }
        for (promises, wanted) in [(&test.accept, true), (&test.deny, false)] {
            for promise in promises {
                match self.is_reached(test, &sources, &promise.what) {
                    Err(problem) => fail(format!("{source}: error testing \"{}\": {problem}", promise.what)),
                    Ok(got) if got == wanted => {}
                    Ok(_) => {
                        let (wanted, got) = if wanted { ("ALLOWED", "DENIED") } else { ("DENIED", "ALLOWED") };
                        fail(format!("{source} -> {}: expected {wanted}, got {got}", promise.what));
                    }
                }
            }
        }
    }

    fn is_reached(&self, test: &Test, sources: &AddressSet, text: &str) -> Result<bool, String> {
        let (to, ports) = destination(text)?;
        let to = self.addresses(&to).ok_or_else(|| "cannot be resolved".to_owned())?;
        if to.is_empty() {
            return Err("destination resolved to no IP addresses".to_owned());
        }
        let protocols = if test.protocols.is_empty() { &DEFAULT_PROTOCOLS[..] } else { &test.protocols };
        // Rules that let packets in, with the addresses that they let in.
        let rules = self.policy().rules.iter().filter(|rule| rule.via.is_empty());
        let open: Vec<AddressSet> = rules
            .filter(|rule| rule.targets.iter().any(|target| self.lets_in(target, &to, &ports, protocols)))
            .map(|rule| self.sources_of(rule, test))
            .collect();
        // Nodes must all get through. Of a network, or of everybody, it is enough that some address does.
        let nodes = self.all().flat_map(|member| &member.addresses).filter(|address| sources.contains(**address));
        let each: Vec<Prefix> = match alias(&test.source.what).is_ok_and(|alias| self.is_who(&alias)) {
            true => nodes.map(|address| Prefix::from(*address)).collect(),
            false => sources.prefixes(),
        };
        Ok(each.iter().all(|prefix| open.iter().any(|set| set.overlaps_prefix(prefix))))
    }

    /// Whether a word selects nodes for who they are.
    fn is_who(&self, alias: &Alias) -> bool {
        let word = self.policy().selectors.find(alias);
        word.is_some_and(|word| matches!(self.policy().selectors.selector(word), Some(Selector::Who)))
    }

    fn lets_in(&self, target: &Target, to: &AddressSet, ports: &[PortRange], protocols: &[u8]) -> bool {
        let hits = match self.policy().selectors.selector(target.selector) {
            Some(Selector::Anyone | Selector::World) => true,
            Some(Selector::Who) => self.members(target.selector).is_some_and(|set| set.overlaps(to)),
            Some(Selector::Where(set)) => set.overlaps(to),
            Some(Selector::Internet) => crate::ranges::internet().overlaps(to),
            Some(Selector::SameUser) | None => false,
        };
        let within = |wide: &PortRange, narrow: &PortRange| wide.first <= narrow.first && narrow.last <= wide.last;
        hits && target.packets.iter().any(|packets| {
            let named = if packets.protocols.is_empty() { &DEFAULT_PROTOCOLS[..] } else { &packets.protocols };
            named.iter().any(|number| protocols.contains(number))
                && (ports.is_empty() || ports.iter().any(|port| packets.ports.iter().any(|range| within(range, port))))
        })
    }

    /// The addresses that a rule is for. A test may say which posture its source has.
    fn sources_of(&self, rule: &Rule, test: &Test) -> AddressSet {
        let Some(sources) = self.policy().sources.get(rule.sources) else { return AddressSet::default() };
        if !sources.postures.is_empty() {
            if test.source_posture.is_empty() {
                return self.postured(rule.sources).map(|set| AddressSet::clone(set)).unwrap_or_default();
            }
            let attributes: BTreeMap<String, Scalar> = test.source_posture.iter().cloned().collect();
            let has =
                |name: &String| self.policy().postures.get(name).is_some_and(|all| posture::holds(all, &attributes));
            if !sources.postures.iter().any(has) {
                return AddressSet::default();
            }
        }
        let mut set = AddressSet::default();
        for word in &sources.selectors {
            self.members(*word).into_iter().for_each(|members| set.extend(members));
            self.policy().selectors.fixed(*word).iter().for_each(|fixed| set.extend(fixed));
            if matches!(self.policy().selectors.selector(*word), Some(Selector::Anyone)) {
                set.extend(self.routed());
            }
        }
        set
    }

    /// The addresses that a word stands for now; `None`: that depends on who asks, or the word is not known.
    pub(crate) fn addresses(&self, alias: &Alias) -> Option<AddressSet> {
        let word = self.policy().selectors.find(alias)?;
        match self.policy().selectors.selector(word)? {
            Selector::Who => self.members(word).map(|set| AddressSet::clone(set)),
            Selector::SameUser => None,
            // A name that `hosts` does not have is a mistake, not nothing.
            Selector::Where(set) if set.is_empty() && matches!(alias, Alias::Host(_)) => None,
            Selector::Where(_) | Selector::Anyone | Selector::World | Selector::Internet => {
                self.policy().selectors.fixed(word)
            }
        }
    }

    fn run_ssh_test(&self, test: &SshTest, failures: &mut Vec<Failure>) {
        let source = &test.source.what;
        let mut fail = |message: String| failures.push(Failure { at: test.at, message });
        let Some((from, sources)) = alias(source).ok().and_then(|alias| self.addresses(&alias).map(|set| (alias, set)))
        else {
            return fail(format!("failed to resolve source \"{source}\""));
        };
        let sources: Vec<IpAddr> = self.single_addresses(&sources);
        if sources.is_empty() {
            return fail(format!("source \"{source}\" resolved to no IP addresses"));
        }
        if test.accept.is_empty() && test.deny.is_empty() && test.check.is_empty() {
            return fail(format!("{source}: no accept, deny, or check assertions specified"));
        }
        let mut targets: BTreeMap<NodeId, Vec<SshPermit>> = BTreeMap::new();
        for target in &test.targets {
            let nodes = self.ssh_targets(&from, &target.what);
            if nodes.is_empty() {
                fail(format!("{source}: dst alias \"{}\" resolved to no nodes", target.what));
            }
            nodes.into_iter().for_each(|node| _ = targets.entry(node).or_insert_with(|| self.ssh_for(node)));
        }
        for (node, permits) in &targets {
            for (users, claim) in
                [(&test.accept, Claim::Accept), (&test.deny, Claim::Deny), (&test.check, Claim::Check)]
            {
                for user in users {
                    let reach: Vec<Reach> = sources.iter().map(|address| reach(permits, *address, user)).collect();
                    if let Some(got) = reach.iter().find(|reach| !claim.holds(**reach)) {
                        let (claim, got) = (claim.name(), got.name());
                        fail(format!("{source}/{user:?} -> node {}: expected {claim}, got {got}", node.0));
                    }
                }
            }
        }
    }

    /// The addresses of nodes in a set.
    fn single_addresses(&self, set: &AddressSet) -> Vec<IpAddr> {
        let mut found: Vec<IpAddr> = self
            .all()
            .flat_map(|member| member.addresses.iter().copied())
            .filter(|address| set.contains(*address))
            .collect();
        // A literal address that no node has is a source, too.
        found.extend(set.iter().filter(|(first, last)| first == last).map(|(first, _)| first));
        found.sort_unstable();
        found.dedup();
        found
    }

    fn ssh_targets(&self, from: &Alias, text: &str) -> Vec<NodeId> {
        let Ok(to) = alias(text) else { return Vec::new() };
        if to == Alias::Autogroup(Autogroup::Self_) {
            let user = self.user_of(from);
            return user.into_iter().flat_map(|user| self.of_user(user)).map(|member| member.id).collect();
        }
        let Some(set) = self.addresses(&to) else { return Vec::new() };
        let hit = |member: &&std::sync::Arc<Member>| member.addresses.iter().any(|address| set.contains(*address));
        self.all().filter(hit).map(|member| member.id).collect()
    }

    /// The one user that a word names, if they have a node.
    fn user_of(&self, alias: &Alias) -> Option<UserId> {
        let (Alias::User(_), Some(word)) = (alias, self.policy().selectors.find(alias)) else { return None };
        self.all().find(|member| member.who.contains(&word)).and_then(|member| member.owner())
    }
}

#[derive(Clone, Copy)]
enum Claim {
    Accept,
    Deny,
    Check,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Denied,
    Accepted,
    Checked,
}

impl Claim {
    fn holds(self, reach: Reach) -> bool {
        match self {
            Self::Accept => reach != Reach::Denied,
            Self::Deny => reach == Reach::Denied,
            Self::Check => reach == Reach::Checked,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Accept => "ALLOWED",
            Self::Deny => "DENIED",
            Self::Check => "ALLOWED via check",
        }
    }
}

impl Reach {
    const fn name(self) -> &'static str {
        match self {
            Self::Denied => "DENIED",
            Self::Accepted => "ALLOWED via accept",
            Self::Checked => "ALLOWED via check",
        }
    }
}

/// How somebody at an address gets in as a user.
fn reach(permits: &[SshPermit], from: IpAddr, user: &str) -> Reach {
    let fits = |permit: &&SshPermit| permit.principals.contains(&from) && lets_in_as(&permit.users, user);
    let mut reach = Reach::Denied;
    for permit in permits.iter().filter(fits) {
        match permit.action {
            SshAction::Check(_) => return Reach::Checked,
            SshAction::Accept => reach = Reach::Accepted,
        }
    }
    reach
}

/// Whether a permit's users have one for this login name.
fn lets_in_as(users: &BTreeMap<String, String>, user: &str) -> bool {
    match users.get(user) {
        _ if user.is_empty() => false,
        Some(local) => !local.is_empty(),
        None => user != "root" && users.get("*").is_some_and(|local| !local.is_empty()),
    }
}
