//! Packet rules. What cannot be read allows nothing: it is left out, and never widened.

use std::net::IpAddr;

use wattle_netmap::{CapGrant, FilterRule, PortRange, Prefix, RuleSource, RuleTarget};

use super::capabilities;
use crate::control;

/// Reads rules.
pub fn rules_from_wire(rules: Vec<control::FilterRule>) -> Vec<FilterRule> {
    rules.into_iter().filter_map(rule_from_wire).collect()
}

/// Writes rules.
pub fn rules_to_wire(rules: &[FilterRule]) -> Vec<control::FilterRule> {
    rules.iter().map(|rule| rule_to_wire(sources_to_wire(&rule.sources), rule)).collect()
}

/// Writes the sources of rules.
pub fn sources_to_wire(sources: &[RuleSource]) -> Vec<String> {
    sources.iter().map(source_to_wire).collect()
}

/// Writes a rule whose sources were written before: those that stand in it do not count.
pub fn rule_to_wire<S>(sources: S, rule: &FilterRule) -> control::FilterRule<S> {
    let target = |target: &RuleTarget| control::NetPortRange {
        ip: source_to_wire(&target.to),
        bits: None,
        ports: control::PortRange { first: target.ports.first, last: target.ports.last },
    };
    let grant = |grant: &CapGrant| control::CapGrant {
        dsts: grant.to.clone(),
        caps: Vec::new(),
        cap_map: capabilities::to_wire(&grant.capabilities),
    };
    control::FilterRule {
        src_ips: sources,
        src_bits: Vec::new(),
        dst_ports: rule.targets.iter().map(target).collect(),
        ip_proto: rule.protocols.iter().map(|number| i64::from(*number)).collect(),
        cap_grant: rule.grants.iter().map(grant).collect(),
    }
}

fn rule_from_wire(rule: control::FilterRule) -> Option<FilterRule> {
    // The older form, prefix lengths beside addresses, is sent to nobody who claims our capability version.
    if !rule.src_bits.is_empty() {
        return None;
    }
    let protocols: Vec<u8> = rule.ip_proto.iter().filter_map(|number| u8::try_from(*number).ok()).collect();
    if protocols.is_empty() && !rule.ip_proto.is_empty() {
        return None;
    }
    let target = |target: &control::NetPortRange| {
        let to = match source_from_wire(&target.ip)? {
            RuleSource::HasCapability(_) => return None,
            to @ (RuleSource::Any | RuleSource::Prefix(_) | RuleSource::Range(..)) => to,
        };
        let ports = PortRange { first: target.ports.first, last: target.ports.last };
        target.bits.is_none().then_some(RuleTarget { to, ports })
    };
    let grant = |grant: &control::CapGrant| CapGrant {
        to: grant.dsts.clone(),
        capabilities: capabilities::from_wire(&grant.cap_map, &grant.caps),
    };
    Some(FilterRule {
        sources: rule.src_ips.iter().filter_map(|text| source_from_wire(text)).collect(),
        targets: rule.dst_ports.iter().filter_map(target).collect(),
        protocols,
        grants: rule.cap_grant.iter().map(grant).collect(),
    })
}

fn source_from_wire(text: &str) -> Option<RuleSource> {
    if text == "*" {
        return Some(RuleSource::Any);
    }
    if let Some(name) = text.strip_prefix("cap:") {
        return Some(RuleSource::HasCapability(name.to_owned()));
    }
    if let Some((first, last)) = text.split_once('-') {
        let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
        let ordered = first.is_ipv4() == last.is_ipv4() && first <= last;
        return ordered.then_some(RuleSource::Range(first, last));
    }
    if text.contains('/') {
        return text.parse().ok().map(RuleSource::Prefix);
    }
    text.parse().ok().map(|address: IpAddr| RuleSource::Prefix(Prefix::from(address)))
}

fn source_to_wire(source: &RuleSource) -> String {
    match source {
        RuleSource::Any => "*".to_owned(),
        RuleSource::Prefix(prefix) if prefix.prefix_len() == prefix.max_prefix_len() => prefix.addr().to_string(),
        RuleSource::Prefix(prefix) => prefix.to_string(),
        RuleSource::Range(first, last) => format!("{first}-{last}"),
        RuleSource::HasCapability(name) => format!("cap:{name}"),
    }
}
