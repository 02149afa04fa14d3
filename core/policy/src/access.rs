//! What one node may do with another, and by which rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use wattle_netmap::{PortRange, Prefix};

use crate::hujson::Span;
use crate::policy::Policy;
use crate::roster::{Member, Roster, Route};
use crate::rule::{Packets, Rule, Target};
use crate::selector::Selector;
use crate::subject::is_exit_route;
use crate::words;

/// What somebody may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// Packets: protocols (none: TCP, UDP and ICMP) and ports.
    pub packets: BTreeSet<(Vec<u8>, PortRange)>,
    /// Names of capabilities.
    pub capabilities: BTreeSet<String>,
}

impl Access {
    /// Whether it is nothing.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.capabilities.is_empty()
    }

    /// What is here and not there.
    pub fn without(&self, other: &Self) -> Self {
        Self {
            packets: self.packets.difference(&other.packets).cloned().collect(),
            capabilities: self.capabilities.difference(&other.capabilities).cloned().collect(),
        }
    }

    fn add(&mut self, other: Self) {
        self.packets.extend(other.packets);
        self.capabilities.extend(other.capabilities);
    }

    fn add_packets(&mut self, packets: &[Packets]) {
        for Packets { protocols, ports } in packets {
            self.packets.extend(ports.iter().map(|ports| (protocols.clone(), *ports)));
        }
    }
}

/// `tcp 22 and 443; udp 53; tailscale.com/cap/drive`
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_protocol: BTreeMap<&[u8], Vec<PortRange>> = BTreeMap::new();
        for (protocols, ports) in &self.packets {
            by_protocol.entry(protocols).or_default().push(*ports);
        }
        let spell = |(protocols, ranges): (&[u8], Vec<PortRange>)| {
            let names: Vec<String> = protocols.iter().map(|number| words::protocol(*number)).collect();
            let ports: Vec<String> = ranges.iter().map(|range| words::ports(*range)).collect();
            let has_ports = protocols.iter().any(|number| matches!(number, 6 | 17 | 132));
            match (names.is_empty(), ranges.contains(&PortRange::ANY)) {
                (true, true) => "everything".to_owned(),
                (true, false) if ranges.len() == 1 => format!("port {}", words::list(&ports)),
                (true, false) => format!("ports {}", words::list(&ports)),
                (false, true) if has_ports => format!("{} on all ports", names.join(" and ")),
                (false, true) => names.join(" and "),
                (false, false) => format!("{} {}", names.join(" and "), words::list(&ports)),
            }
        };
        let mut parts: Vec<String> = by_protocol.into_iter().map(spell).collect();
        parts.extend(self.capabilities.iter().cloned());
        f.write_str(if parts.is_empty() { "nothing" } else { "" })?;
        f.write_str(&parts.join("; "))
    }
}

/// Which rule of the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleName {
    /// `acls`, `grants` or, where there is neither, `default`.
    pub section: &'static str,
    /// Its place in the section, from 0.
    pub index: usize,
    /// Where it stands.
    pub at: Option<Span>,
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.section {
            "default" => f.write_str("the default, which allows everything,"),
            section => write!(f, "{section}[{}]", self.index),
        }
    }
}

/// What somebody wants to reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal<'a> {
    /// A node itself; `true`: by what is for other nodes of the same user only.
    Node(&'a Member, bool),
    /// An address, whoever has it or routes it.
    Address(IpAddr),
    /// What lies behind a route.
    Route(&'a Prefix),
    /// The internet.
    Internet,
}

impl Policy {
    /// The name of a rule.
    pub fn rule_name(&self, number: usize) -> RuleName {
        let acls = self.document.acls.iter().flatten().count();
        let at = self.rules.get(number).and_then(|rule| rule.at);
        match at {
            None => RuleName { section: "default", index: 0, at },
            Some(_) if number < acls => RuleName { section: "acls", index: number, at },
            Some(_) => RuleName { section: "grants", index: number - acls, at },
        }
    }
}

impl Roster {
    /// What one node may do with another, or a goal, and by which rules.
    pub(crate) fn access(&self, from: &Member, to: Goal<'_>) -> (Access, BTreeSet<usize>) {
        let (mut access, mut rules) = (Access::default(), BTreeSet::new());
        for number in from.class.sources.iter().filter(|number| self.is_source(from, *number)) {
            let Some(rule) = self.policy().rules.get(number) else { continue };
            let mut by_rule = Access::default();
            for target in rule.targets.iter().filter(|target| self.is_target(to, rule, target)) {
                by_rule.add_packets(&target.packets);
                by_rule.capabilities.extend(rule.app.iter().map(|capability| capability.name.clone()));
            }
            if self.is_own(from, to) {
                rule.own.iter().for_each(|packets| by_rule.add_packets(packets));
                if !rule.own.is_empty() {
                    by_rule.capabilities.extend(rule.app.iter().map(|capability| capability.name.clone()));
                }
            }
            if !by_rule.is_empty() {
                rules.insert(number);
                access.add(by_rule);
            }
        }
        (access, rules)
    }

    /// Whether a rule is for a node itself, not only for what it routes.
    pub(crate) fn is_source(&self, from: &Member, number: usize) -> bool {
        let class = &from.class;
        class.listed.contains(number)
            || (class.sources.contains(number) && self.policy().is_for_everybody(number))
            || !self.source_addresses(from, number).is_empty()
    }

    /// Whether a target of a rule is what somebody wants to reach.
    pub(crate) fn is_target(&self, to: Goal<'_>, rule: &Rule, target: &Target) -> bool {
        let selector = self.policy().selectors.selector(target.selector);
        if !rule.via.is_empty() {
            return selector.is_some_and(|selector| self.is_carried(to, rule, selector));
        }
        let internet = || crate::ranges::internet();
        match (to, selector) {
            (_, None | Some(Selector::SameUser)) | (Goal::Node(_, true), _) => false,
            (_, Some(Selector::Anyone | Selector::World)) => true,
            (Goal::Node(member, _), Some(Selector::Who)) => member.who.contains(&target.selector),
            (Goal::Node(member, _), Some(Selector::Where(set))) => member.addresses.iter().any(|a| set.contains(*a)),
            (Goal::Address(address), Some(Selector::Who)) => {
                self.members(target.selector).is_some_and(|set| set.contains(address))
            }
            (Goal::Address(address), Some(Selector::Where(set))) => set.contains(address),
            (Goal::Address(address), Some(Selector::Internet)) => internet().contains(address),
            (Goal::Route(route), Some(Selector::Where(set))) => set.overlaps_prefix(route),
            (Goal::Internet, Some(Selector::Where(set))) => set.overlaps(&internet()),
            (Goal::Internet, Some(Selector::Internet)) => true,
            (Goal::Node(..) | Goal::Route(_), Some(Selector::Internet)) => false,
            (Goal::Route(_) | Goal::Internet, Some(Selector::Who)) => false,
        }
    }

    /// Whether a router with a tag of the rule serves what somebody wants to reach, and the rule is about that.
    fn is_carried(&self, to: Goal<'_>, rule: &Rule, selector: &Selector) -> bool {
        let tagged = |member: &Member| rule.via.iter().any(|tag| member.tags.contains(tag));
        let routed = |serves: &dyn Fn(&Member) -> bool| self.all().any(|member| tagged(member) && serves(member));
        match (to, selector) {
            (Goal::Address(address), Selector::Where(set)) => {
                let behind = |route: &Route| route.prefix.contains(&address);
                // Nobody goes to a node by way of a router.
                let elsewhere = set.contains(address) && self.node_at(address).is_none();
                elsewhere && routed(&|router| router.subnet_routes().any(behind))
            }
            (Goal::Address(address), Selector::Internet) => {
                let beyond = |route: &Route| is_exit_route(&route.prefix) && route.prefix.contains(&address);
                crate::ranges::internet().contains(address) && routed(&|router| router.routes.iter().any(beyond))
            }
            (Goal::Route(route), Selector::Where(set)) => {
                let mut routers = self.routers_of(route).filter_map(|node| self.member_of(node));
                set.overlaps_prefix(route) && routers.any(|router| tagged(router))
            }
            (Goal::Internet, Selector::Internet) => routed(&|router| router.exit_node),
            _ => false,
        }
    }

    /// Whether both ends belong to one user.
    pub(crate) fn is_own(&self, from: &Member, to: Goal<'_>) -> bool {
        let has_owner = from.owner().is_some();
        match to {
            Goal::Node(_, own) => own && has_owner,
            Goal::Address(address) => {
                has_owner && self.node_at(address).is_some_and(|member| member.owner() == from.owner())
            }
            Goal::Route(_) | Goal::Internet => false,
        }
    }

    /// The node that has an address.
    pub(crate) fn node_at(&self, address: IpAddr) -> Option<&Member> {
        self.all().find(|member| member.addresses.contains(&address)).map(AsRef::as_ref)
    }
}

impl Rule {
    /// What the rule is about, as the text says it.
    pub(crate) fn words(&self, policy: &Policy) -> String {
        let name = |word: usize| policy.selectors.all.get(word).map(|(alias, _)| alias.to_string()).unwrap_or_default();
        let sources = policy.sources.get(self.sources);
        let from: Vec<String> = sources.iter().flat_map(|sources| &sources.selectors).map(|word| name(*word)).collect();
        let mut to: Vec<String> = Vec::new();
        for target in &self.targets {
            let mut access = Access::default();
            access.add_packets(&target.packets);
            access.capabilities.extend(self.app.iter().map(|capability| capability.name.clone()));
            to.push(format!("{} ({access})", name(target.selector)));
        }
        for packets in &self.own {
            let mut access = Access::default();
            access.add_packets(packets);
            to.push(format!("autogroup:self ({access})"));
        }
        let via = if self.via.is_empty() { String::new() } else { format!(" via {}", words::list(&self.via)) };
        format!("{} to {}{via}", words::list(&from), words::list(&to))
    }
}
