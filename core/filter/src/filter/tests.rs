//! What compiled rules allow, also against a walk over all of them.

use proptest::prelude::*;
use wattle_netmap::{CapGrant, Capability, PortRange, RuleSource, RuleTarget};

use super::*;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn rule(source: &str, to: &str, ports: (u16, u16)) -> FilterRule {
    FilterRule {
        sources: vec![RuleSource::Prefix(prefix(source))],
        targets: vec![RuleTarget {
            to: RuleSource::Prefix(prefix(to)),
            ports: PortRange { first: ports.0, last: ports.1 },
        }],
        ..FilterRule::default()
    }
}

fn compile(rules: &[FilterRule], local: &[&str]) -> Filter {
    compile_with(rules, local, &CapabilityTable::default(), false)
}

fn compile_with(rules: &[FilterRule], local: &[&str], capabilities: &CapabilityTable, shields_up: bool) -> Filter {
    let rules: Vec<&FilterRule> = rules.iter().collect();
    let local: Vec<Prefix> = local.iter().map(|text| prefix(text)).collect();
    Filter::compile(&Facts { rules: &rules, local: &local, capabilities, shields_up })
}

fn allows(filter: &Filter, protocol: u8, source: &str, to: &str) -> bool {
    filter.allows(protocol, source.parse().unwrap(), to.parse().unwrap())
}

#[test]
fn a_rule_opens_its_ports_for_its_sources_and_nothing_else() {
    let filter = compile(&[rule("100.64.0.0/24", "100.64.0.9/32", (80, 90))], &["100.64.0.9/32"]);
    assert!(allows(&filter, protocol::TCP, "100.64.0.1", "100.64.0.9:80"));
    assert!(allows(&filter, protocol::UDP, "100.64.0.255", "100.64.0.9:90"));
    assert!(!allows(&filter, protocol::TCP, "100.64.1.0", "100.64.0.9:80"));
    assert!(!allows(&filter, protocol::TCP, "100.64.0.1", "100.64.0.9:91"));
    assert!(!allows(&filter, protocol::SCTP, "100.64.0.1", "100.64.0.9:80"));
    assert!(!allows(&filter, 47, "100.64.0.1", "100.64.0.9:0"));
}

#[test]
fn a_protocol_without_ports_needs_a_rule_that_names_it_with_all_ports() {
    let named = |ports| FilterRule { protocols: vec![47], ..rule("100.64.0.1/32", "100.64.0.9/32", ports) };
    assert!(allows(&compile(&[named((0, 65535))], &["100.64.0.9/32"]), 47, "100.64.0.1", "100.64.0.9:0"));
    assert!(!allows(&compile(&[named((0, 65534))], &["100.64.0.9/32"]), 47, "100.64.0.1", "100.64.0.9:0"));
}

#[test]
fn targets_that_are_not_ours_stay_closed() {
    let any = FilterRule {
        sources: vec![RuleSource::Any],
        targets: vec![RuleTarget { to: RuleSource::Any, ports: PortRange::ANY }],
        ..FilterRule::default()
    };
    let filter = compile(&[any], &["100.64.0.9/32", "fd7a:115c:a1e0::9/128", "10.1.0.0/16"]);
    assert!(allows(&filter, protocol::TCP, "192.0.2.1", "10.1.2.3:22"));
    assert!(allows(&filter, protocol::TCP, "fd7a:115c:a1e0::1", "[fd7a:115c:a1e0::9]:22"));
    assert!(!allows(&filter, protocol::TCP, "192.0.2.1", "10.2.0.1:22"));
}

#[test]
fn ipv4_rules_do_not_cover_mapped_ipv6_addresses() {
    let filter = compile(&[rule("100.64.0.0/24", "100.64.0.9/32", (0, 65535))], &["100.64.0.9/32"]);
    assert!(!allows(&filter, protocol::TCP, "::ffff:100.64.0.1", "[::ffff:100.64.0.9]:80"));
}

#[test]
fn ranges_and_node_capabilities_are_sources() {
    let mut table = CapabilityTable::default();
    table.insert("example.com/cap/printer", &[prefix("100.64.0.7/32")]);
    let mut by_capability = rule("100.64.0.200/32", "100.64.0.9/32", (631, 631));
    by_capability.sources = vec![
        RuleSource::HasCapability("example.com/cap/printer".into()),
        RuleSource::Range("100.64.0.20".parse().unwrap(), "100.64.0.29".parse().unwrap()),
        RuleSource::Range("100.64.0.40".parse().unwrap(), "fd7a::1".parse().unwrap()),
    ];
    let filter = compile_with(&[by_capability], &["100.64.0.9/32"], &table, false);
    for (source, expected) in
        [("7", true), ("8", false), ("19", false), ("20", true), ("29", true), ("30", false), ("40", false)]
    {
        assert_eq!(
            allows(&filter, protocol::TCP, &format!("100.64.0.{source}"), "100.64.0.9:631"),
            expected,
            "{source}"
        );
    }
}

#[test]
fn shields_and_jail_close_every_rule() {
    let rules = [rule("0.0.0.0/0", "100.64.0.9/32", (0, 65535))];
    let shielded = compile_with(&rules, &["100.64.0.9/32"], &CapabilityTable::default(), true);
    let jailed = compile(&rules, &["100.64.0.9/32"]).jailed();
    for filter in [shielded, jailed] {
        assert!(!allows(&filter, protocol::TCP, "100.64.0.1", "100.64.0.9:80"));
        assert!(!allows(&filter, protocol::ICMP, "100.64.0.1", "100.64.0.9:0"));
        assert!(filter.is_local("100.64.0.9".parse().unwrap()));
    }
}

#[test]
fn peer_api_port_is_open_to_tcp_alone() {
    let filter = compile(&[], &["100.64.0.9/32"]).with_peerapi_port(40_000);
    assert!(allows(&filter, protocol::TCP, "100.64.0.1", "100.64.0.9:40000"));
    assert!(!allows(&filter, protocol::UDP, "100.64.0.1", "100.64.0.9:40000"));
}

#[test]
fn granted_capabilities_add_up() {
    let grant = |source: &str, name: &str, values: &[&str]| FilterRule {
        sources: vec![RuleSource::Prefix(prefix(source))],
        grants: vec![CapGrant {
            to: vec![prefix("100.64.0.9/32")],
            capabilities: vec![Capability {
                name: name.into(),
                values: values.iter().map(|value| (*value).to_owned()).collect(),
            }],
        }],
        ..FilterRule::default()
    };
    let rules =
        [grant("100.64.0.0/24", "a", &["1"]), grant("100.64.0.1/32", "a", &["2"]), grant("100.64.0.2/32", "b", &[])];
    let filter = compile(&rules, &["100.64.0.9/32"]);
    let (source, here) = ("100.64.0.1".parse().unwrap(), "100.64.0.9".parse().unwrap());
    assert_eq!(filter.capabilities(source, here), BTreeMap::from([("a", vec!["1", "2"])]));
    assert!(filter.capabilities(source, source).is_empty());
}

/// Addresses and prefixes that meet often.
fn small_prefix() -> impl Strategy<Value = Prefix> {
    (0u8..8, 29u8..=32)
        .prop_map(|(host, length)| Prefix::new(IpAddr::from([100, 64, 0, host]), length).unwrap().trunc())
}

proptest! {
    #[test]
    fn compiled_rules_decide_like_a_walk_over_all(
        raw in prop::collection::vec((prop::collection::vec(small_prefix(), 1..4), small_prefix(), 0u16..6, 0u16..6), 0..12),
        local in prop::collection::vec(small_prefix(), 1..3),
        source in 0u8..8, destination in 0u8..8, port in 0u16..6, udp: bool,
    ) {
        let rules: Vec<FilterRule> = raw.iter().map(|(sources, to, a, b)| FilterRule {
            sources: sources.iter().copied().map(RuleSource::Prefix).collect(),
            targets: vec![RuleTarget { to: RuleSource::Prefix(*to), ports: PortRange { first: *a.min(b), last: *a.max(b) } }],
            protocols: if a % 2 == 0 { vec![] } else { vec![protocol::TCP] },
            grants: vec![],
        }).collect();
        let kind = if udp { protocol::UDP } else { protocol::TCP };
        let (source, to) = (IpAddr::from([100, 64, 0, source]), IpAddr::from([100, 64, 0, destination]));
        let expected = local.iter().any(|prefix| prefix.contains(&to)) && raw.iter().any(|(sources, target, a, b)| {
            sources.iter().any(|prefix| prefix.contains(&source)) && target.contains(&to)
                && (*a.min(b)..=*a.max(b)).contains(&port) && (a % 2 == 0 || !udp)
        });
        let rules: Vec<&FilterRule> = rules.iter().collect();
        let capabilities = CapabilityTable::default();
        let filter = Filter::compile(&Facts { rules: &rules, local: &local, capabilities: &capabilities, shields_up: false });
        prop_assert_eq!(filter.allows(kind, source, SocketAddr::new(to, port)), expected);
    }
}
