//! Why somebody may reach something, or why not.

use std::net::IpAddr;

use wattle_netmap::{NodeId, PortRange};

use crate::access::{Goal, RuleName};
use crate::roster::{Member, Roster};
use crate::rule::{Packets, Rule};
use crate::words;

/// The answer to: may this node reach that address?
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The rules that allow it. None: it is not allowed.
    pub allowed: Vec<Reason>,
    /// Rules that come close, and what they lack.
    pub missed: Vec<Reason>,
    /// Whether only answers get through, because a rule lets the other side begin.
    pub replies_only: bool,
}

/// A rule, and what it has to do with the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Which.
    pub rule: RuleName,
    /// A sentence without its full stop.
    pub words: String,
}

/// Rules that come close are shown up to this many: more explain nothing.
const MISSED_MAX: usize = 10;

impl Roster {
    /// Explains whether a node may send packets of a protocol to an address; `port` counts for protocols that have some.
    pub fn explain(&self, from: NodeId, to: IpAddr, protocol: u8, port: Option<u16>) -> Explanation {
        let Some(from) = self.member_of(from) else { return Explanation::default() };
        let mut explanation = Explanation::default();
        for (number, rule) in self.policy().rules.iter().enumerate() {
            let reason = |words: String| Reason { rule: self.policy().rule_name(number), words };
            let packets = self.towards(from, to, rule);
            let lets_in = packets.iter().any(|packets| fits(packets, protocol, port));
            match (self.is_source_of(from, number, to), packets.is_empty()) {
                (true, _) if lets_in => {
                    explanation.allowed.push(reason(format!("allows {}", rule.words(self.policy()))));
                }
                (true, false) => {
                    let allowed = spell(&packets);
                    explanation
                        .missed
                        .push(reason(format!("is for this source and destination, but allows {allowed} only")));
                }
                (false, false) if lets_in => {
                    let lacks = self.lacks(from, number, rule);
                    explanation.missed.push(reason(format!("would allow it, but {lacks}")));
                }
                (true | false, _) => {}
            }
        }
        explanation.missed.truncate(MISSED_MAX);
        if explanation.allowed.is_empty()
            && let Some(other) = self.node_at(to)
            && let Some(back) = from.addresses.iter().find(|address| address.is_ipv4() == to.is_ipv4())
        {
            let begins = |(number, rule): (usize, &Rule)| {
                self.is_source_of(other, number, *back) && !self.towards(other, *back, rule).is_empty()
            };
            explanation.replies_only = self.policy().rules.iter().enumerate().any(begins);
        }
        explanation
    }

    /// Whether a rule is for a node at an address from which packets to that one come.
    fn is_source_of(&self, from: &Member, number: usize, to: IpAddr) -> bool {
        self.source_addresses(from, number).iter().any(|address| address.is_ipv4() == to.is_ipv4())
    }

    /// The packets that a rule lets its sources send to an address.
    fn towards<'a>(&self, from: &Member, to: IpAddr, rule: &'a Rule) -> Vec<&'a Packets> {
        let goal = Goal::Address(to);
        let targets = rule.targets.iter().filter(|target| self.is_target(goal, rule, target));
        let mut packets: Vec<&Packets> = targets.flat_map(|target| target.packets.iter()).collect();
        if self.is_own(from, goal) {
            packets.extend(rule.own.iter().flat_map(|own| own.iter()));
        }
        packets
    }

    fn lacks(&self, from: &Member, number: usize, rule: &Rule) -> String {
        let sources = self.policy().sources.get(rule.sources);
        let postures = sources.map(|sources| sources.postures.as_slice()).unwrap_or_default();
        let selected = sources.is_some_and(|sources| sources.selectors.iter().any(|word| self.selects(*word, from)));
        if self.is_source(from, number) {
            return "it is for other addresses of this source".to_owned();
        }
        if selected && !postures.is_empty() {
            return format!("the source does not have {}", words::list(postures));
        }
        if from.class.sources.contains(number) {
            return "it is for what lies behind this source, not for the source itself".to_owned();
        }
        let names: Vec<String> = sources
            .into_iter()
            .flat_map(|sources| &sources.selectors)
            .filter_map(|word| self.policy().selectors.all.get(*word))
            .map(|(alias, _)| alias.to_string())
            .collect();
        format!("it is for {}", words::list(&names))
    }
}

/// Whether packets of this protocol and port are among those.
fn fits(packets: &Packets, protocol: u8, port: Option<u16>) -> bool {
    let Packets { protocols, ports } = packets;
    let known = if protocols.is_empty() { matches!(protocol, 6 | 17) } else { protocols.contains(&protocol) };
    let has_ports = matches!(protocol, 6 | 17 | 132);
    match port.filter(|_| has_ports) {
        // ICMP gets through to whatever may be reached at all (tailscale `wgengine/filter`, `matchIPsOnly`).
        _ if matches!(protocol, 1 | 58) => !ports.is_empty(),
        Some(port) => known && ports.iter().any(|range| range.contains(port)),
        None => known && (ports.contains(&PortRange::ANY) || (has_ports && !ports.is_empty())),
    }
}

fn spell(packets: &[&Packets]) -> String {
    let each = packets.iter().map(|Packets { protocols, ports }| {
        let names: Vec<String> = protocols.iter().map(|number| words::protocol(*number)).collect();
        let ports: Vec<String> = ports.iter().map(|range| words::ports(*range)).collect();
        let names = if names.is_empty() { "tcp, udp and icmp".to_owned() } else { words::list(&names) };
        format!("{names} {}", words::list(&ports))
    });
    let mut each: Vec<String> = each.collect();
    each.dedup();
    words::list(&each)
}
