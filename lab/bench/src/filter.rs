//! The packet filter: what a verdict costs with few and with many rules, on a node with two addresses and on a router of
//! a thousand subnets. The rules are made up in the mix that policies have: mostly small groups and single ports, some
//! large groups, some ranges, a few rules for everybody.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serde_json::{Value, json};
use wattle_filter::{CapabilityTable, Facts, Filter, Flows, Verdict, check_inbound};
use wattle_netmap::{FilterRule, PortRange, Prefix, RuleSource, RuleTarget};
use wattle_packet::{build, protocol};
use wattle_time::Instant;

use crate::{fastest, median};

/// How many rules.
pub(crate) const RULES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const NODES: u32 = 10_000;
const SUBNETS: u32 = 1_000;
const PACKETS: usize = 16_384;
const ROUNDS: usize = 30;
/// Ports that people name.
const PORTS: [u16; 12] = [22, 53, 80, 139, 443, 445, 3306, 3389, 5432, 6379, 8080, 9090];

/// One row for each number of rules and kind of node.
pub(crate) fn measure(numbers: &[usize]) -> Vec<Value> {
    let nodes = [("two addresses", 0), ("router", SUBNETS)];
    nodes.into_iter().flat_map(|node| numbers.iter().map(move |rules| measure_one(node, *rules))).collect()
}

fn measure_one((node, subnets): (&str, u32), number: usize) -> Value {
    let mut world = World { rng: ChaCha20Rng::from_seed([7; 32]), subnets };
    let rules: Vec<FilterRule> = (0..number).map(|_| world.rule()).collect();
    let rules: Vec<&FilterRule> = rules.iter().collect();
    let (local, capabilities) = (world.local(), CapabilityTable::default());
    let facts = Facts { rules: &rules, local: &local, capabilities: &capabilities, shields_up: false };
    let filter = Filter::compile(&facts);
    let compile = median(5, || {
        black_box(Filter::compile(black_box(&facts)));
    });
    let flows = Flows::new([1; 32]);
    let (mut allowed, mut refused) = (Vec::new(), Vec::new());
    while allowed.len() < PACKETS || refused.len() < PACKETS {
        // Guesses for those that are refused, aims at a rule for those that are allowed.
        let packet = if refused.len() < PACKETS { world.stray() } else { world.wanted(&rules) };
        match check_inbound(&filter, &flows, &packet, Instant::ORIGIN) {
            Verdict::Accept if allowed.len() < PACKETS => allowed.push(packet),
            Verdict::Drop(_) if refused.len() < PACKETS => refused.push(packet),
            _ => {}
        }
    }
    let cost = |packets: &[Vec<u8>]| {
        let round = || {
            for packet in packets {
                black_box(check_inbound(&filter, &flows, black_box(packet), Instant::ORIGIN));
            }
        };
        fastest(ROUNDS, round).as_secs_f64() * 1e9 / packets.len() as f64
    };
    json!({
        "rules": number,
        "node": node,
        "allowed_ns": cost(&allowed),
        "refused_ns": cost(&refused),
        "compile_ms": compile.as_secs_f64() * 1e3,
        "bytes": filter.size().bytes,
        "walk_max": filter.size().walk_max,
    })
}

/// Draws rules and packets of one tailnet.
struct World {
    rng: ChaCha20Rng,
    subnets: u32,
}

impl World {
    fn below(&mut self, bound: u32) -> u32 {
        self.rng.next_u32() % bound
    }

    fn local(&self) -> Vec<Prefix> {
        let routed = (0..self.subnets).filter_map(|subnet| Prefix::new(subnet_host(subnet, 0), 24).ok());
        [node(0, true), node(0, false)].map(Prefix::from).into_iter().chain(routed).collect()
    }

    /// The sources are a few nodes, a tenth a large group, some a range; one rule in a thousand is about everybody.
    fn rule(&mut self) -> FilterRule {
        let kind = self.below(1000);
        let size = match kind {
            0 => 0,
            1..=9 => 200,
            10..=99 => 32,
            _ => 1 + self.below(8),
        };
        let mut sources = Vec::new();
        for _ in 0..size {
            let member = 1 + self.below(NODES / 2);
            sources.extend([true, false].map(|four| RuleSource::Prefix(Prefix::from(node(member, four)))));
        }
        if kind == 0 {
            // Half of the nodes are in no rule's sources but these: there is somebody to refuse.
            sources.push(RuleSource::Range(node(1, true), node(NODES / 2, true)));
        }
        let ports = match self.below(20) {
            0 => PortRange::ANY,
            1..=3 => {
                let first = 1024 + self.below(30_000) as u16;
                PortRange { first, last: first + 1 + self.below(1000) as u16 }
            }
            4..=8 => PortRange::one(1024 + self.below(20_000) as u16),
            _ => PortRange::one(PORTS[self.below(PORTS.len() as u32) as usize]),
        };
        let protocols = if self.below(4) == 0 { vec![protocol::TCP] } else { vec![] };
        let to = match self.subnets {
            0 => {
                vec![RuleSource::Prefix(Prefix::from(node(0, true))), RuleSource::Prefix(Prefix::from(node(0, false)))]
            }
            subnets => {
                let host = subnet_host(self.below(subnets), self.below(256));
                let length = [24, 32, 32, 16][self.below(4) as usize];
                Prefix::new(host, length).map(|prefix| RuleSource::Prefix(prefix.trunc())).into_iter().collect()
            }
        };
        let targets = to.into_iter().map(|to| RuleTarget { to, ports }).collect();
        FilterRule { sources, targets, protocols, grants: vec![] }
    }

    /// A packet to a port that people name, mostly not allowed.
    fn stray(&mut self) -> Vec<u8> {
        let four = self.subnets > 0 || self.below(2) == 0;
        let source = node(1 + self.below(NODES), four);
        let to = match self.subnets {
            0 => node(0, four),
            subnets => subnet_host(self.below(subnets), self.below(256)),
        };
        let port = match self.below(2) {
            0 => PORTS[self.below(PORTS.len() as u32) as usize],
            _ => 1024 + self.below(40_000) as u16,
        };
        udp(source, SocketAddr::new(to, port))
    }

    /// A packet that a rule allows, unless it is about TCP alone.
    fn wanted(&mut self, rules: &[&FilterRule]) -> Vec<u8> {
        let rule = rules[self.below(rules.len() as u32) as usize];
        let target = &rule.targets[self.below(rule.targets.len() as u32) as usize];
        let RuleSource::Prefix(to) = &target.to else { return Vec::new() };
        let own_kind = |source: &&RuleSource| match source {
            RuleSource::Prefix(prefix) => prefix.addr().is_ipv4() == to.addr().is_ipv4(),
            _ => false,
        };
        let sources: Vec<&RuleSource> = rule.sources.iter().filter(own_kind).collect();
        if sources.is_empty() {
            return Vec::new();
        }
        let RuleSource::Prefix(source) = sources[self.below(sources.len() as u32) as usize] else { return Vec::new() };
        let port =
            target.ports.first + (self.below(1 << 16) % (u32::from(target.ports.last - target.ports.first) + 1)) as u16;
        udp(source.addr(), SocketAddr::new(to.addr(), port))
    }
}

/// The address of a node.
fn node(number: u32, four: bool) -> IpAddr {
    if four {
        IpAddr::V4(Ipv4Addr::from_bits(0x6440_0000 + number.wrapping_mul(37)))
    } else {
        IpAddr::V6(Ipv6Addr::from_bits(0xfd7a_115c_a1e0_0000_0000_0000_0000_0000 + u128::from(number) * 37))
    }
}

fn subnet_host(subnet: u32, host: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + (subnet << 8) + host))
}

fn udp(source: IpAddr, to: SocketAddr) -> Vec<u8> {
    let mut packet = Vec::new();
    // Both addresses are of one version, so that this cannot fail; an empty packet would be skipped.
    let _built = build::udp(SocketAddr::new(source, 40_000), to, b"payload", &mut packet);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_rules_gets_its_row() {
        let rows = measure(&[10]);
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row["allowed_ns"].as_f64().unwrap() > 0.0), "{rows:?}");
    }
}
