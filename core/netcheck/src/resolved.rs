//! The addresses of relays, as far as the map or a look-up tells them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use wattle_netmap::DerpNode;
use wattle_time::Instant;

use crate::limits::{ADDRESSES_PER_NAME_MAX, NAMES_MAX};
use crate::plan::Family;
use crate::timing::{NAME_FRESH, NAME_RETRY};

/// Names with their addresses.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, Name>);

#[derive(Debug)]
struct Name {
    addresses: Vec<IpAddr>,
    asked_at: Instant,
    answered_at: Option<Instant>,
}

/// Where to send a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Here.
    At(SocketAddr),
    /// It has no address of the family.
    Nowhere,
    /// Not known yet; look this name up if it is given.
    Unknown(Option<String>),
}

impl Names {
    /// The STUN address of a node. Asks for a look-up when the name was not looked up lately.
    pub(crate) fn target(&mut self, node: &DerpNode, family: Family, now: Instant) -> Target {
        let Some(port) = node.stun_port else { return Target::Nowhere };
        let fits = |address: &IpAddr| address.is_ipv4() == (family == Family::V4);
        let told = match family {
            Family::V4 => node.ipv4,
            Family::V6 => node.ipv6,
        };
        let fixed = match told {
            Some(told) => Some(told),
            None => node.host_name.parse().ok().map(Some),
        };
        if let Some(fixed) = fixed {
            return fixed.filter(fits).map_or(Target::Nowhere, |ip| Target::At(SocketAddr::new(ip, port)));
        }
        let look_up = self.look_up(&node.host_name, now);
        match self.0.get(&node.host_name) {
            Some(name) if !name.addresses.is_empty() => {
                let address = name.addresses.iter().find(|address| fits(address));
                address.map_or(Target::Nowhere, |ip| Target::At(SocketAddr::new(*ip, port)))
            }
            _ => Target::Unknown(look_up.then(|| node.host_name.clone())),
        }
    }

    /// A look-up ended, without addresses if it failed: then what was known before still serves.
    pub(crate) fn note(&mut self, host: &str, addresses: &[IpAddr], now: Instant) {
        if let Some(name) = self.0.get_mut(host)
            && !addresses.is_empty()
        {
            name.addresses = addresses.iter().map(IpAddr::to_canonical).take(ADDRESSES_PER_NAME_MAX).collect();
            name.answered_at = Some(now);
        }
    }

    /// Another network may have another resolver: look everything up again.
    pub(crate) fn expire(&mut self) {
        self.0.clear();
    }

    fn look_up(&mut self, host: &str, now: Instant) -> bool {
        let full = self.0.len() >= NAMES_MAX;
        match self.0.get_mut(host) {
            Some(name) => {
                let stale = name.answered_at.is_none_or(|at| now.since(at) >= NAME_FRESH);
                let ask = stale && now.since(name.asked_at) >= NAME_RETRY;
                if ask {
                    name.asked_at = now;
                }
                ask
            }
            None if host.is_empty() || full => false,
            None => {
                let name = Name { addresses: Vec::new(), asked_at: now, answered_at: None };
                self.0.insert(host.to_owned(), name);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str) -> DerpNode {
        DerpNode { host_name: host.to_owned(), stun_port: Some(3478), ..DerpNode::default() }
    }

    #[test]
    fn a_name_is_looked_up_once_and_then_known() {
        let mut names = Names::default();
        let relay = node("relay.example");
        let ask = names.target(&relay, Family::V4, Instant::ORIGIN);
        assert_eq!(ask, Target::Unknown(Some("relay.example".to_owned())));
        assert_eq!(names.target(&relay, Family::V4, Instant::ORIGIN), Target::Unknown(None));
        names.note("relay.example", &["192.0.2.1".parse().unwrap()], Instant::ORIGIN);
        let known = Target::At("192.0.2.1:3478".parse().unwrap());
        assert_eq!(names.target(&relay, Family::V4, Instant::ORIGIN), known);
        assert_eq!(names.target(&relay, Family::V6, Instant::ORIGIN), Target::Nowhere);
        names.note("relay.example", &[], Instant::ORIGIN);
        assert_eq!(names.target(&relay, Family::V4, Instant::ORIGIN), known, "a failed look-up takes nothing away");
    }

    #[test]
    fn addresses_of_the_map_and_literal_names_need_no_look_up() {
        let mut names = Names::default();
        let literal = names.target(&node("127.0.0.1"), Family::V4, Instant::ORIGIN);
        assert_eq!(literal, Target::At("127.0.0.1:3478".parse().unwrap()));
        let mut relay = node("relay.example");
        relay.ipv4 = Some(Some("192.0.2.9".parse().unwrap()));
        relay.ipv6 = Some(None);
        assert_eq!(names.target(&relay, Family::V4, Instant::ORIGIN), Target::At("192.0.2.9:3478".parse().unwrap()));
        assert_eq!(names.target(&relay, Family::V6, Instant::ORIGIN), Target::Nowhere);
    }

    #[test]
    fn names_nobody_asked_for_are_not_remembered() {
        let mut names = Names::default();
        names.note("elsewhere.example", &["192.0.2.1".parse().unwrap()], Instant::ORIGIN);
        assert!(names.0.is_empty());
    }
}
