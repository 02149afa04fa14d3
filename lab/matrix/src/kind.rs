//! The kinds of network that nodes stand in, and which pairs of them can be direct in theory: a rule, which no measurement
//! enters.

use wattle_netns::{Families, Host, Lab, LabError, Nat, PortMapping, Router, Six};

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The words to show people.
    pub name: &'static str,
    /// Its router; `None`: no router at all.
    nat: Option<Nat>,
    six: Six,
}

/// What a node's own network lets it do, in the words of RFC 4787.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Behaviour {
    /// Its outer port is the same towards everybody, so it can be told to others.
    one_mapping: bool,
    filtering: Filtering,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Filtering {
    /// Anybody may send.
    None,
    /// Addresses that were sent to.
    Address,
    /// Exactly the endpoints that were sent to.
    Endpoint,
}

/// What stands around the nodes of one kind.
#[derive(Default)]
pub(crate) struct Surroundings {
    pub(crate) mappings: Vec<PortMapping>,
    carrier: Option<Router>,
}

const fn kind(name: &'static str, nat: Option<Nat>, six: Six) -> Kind {
    Kind { name, nat, six }
}

const FOUR: &[Kind] = &[
    kind("open", None, Six::None),
    kind("ei-ei", Some(Nat::EndpointIndependent), Six::None),
    kind("ei-ad", Some(Nat::AddressRestricted), Six::None),
    kind("ei-apd", Some(Nat::PortRestricted), Six::None),
    kind("symmetric", Some(Nat::Symmetric), Six::None),
    kind("double", Some(Nat::Double), Six::None),
    kind("cgnat", Some(Nat::Carrier), Six::None),
    kind("udp-blocked", Some(Nat::UdpBlocked), Six::None),
    kind("tcp-443", Some(Nat::Tcp443), Six::None),
];

const SIX: &[Kind] = &[
    kind("open", None, Six::Open),
    kind("routed", Some(Nat::PortRestricted), Six::Open),
    kind("firewall", Some(Nat::PortRestricted), Six::Firewall),
    kind("udp-blocked", Some(Nat::UdpBlocked), Six::Firewall),
    kind("tcp-443", Some(Nat::Tcp443), Six::Firewall),
];

const BOTH: &[Kind] = &[
    kind("open", None, Six::Open),
    kind("ei-apd+v6-firewall", Some(Nat::PortRestricted), Six::Firewall),
    kind("ei-apd+v6-none", Some(Nat::PortRestricted), Six::None),
    kind("symmetric+v6-firewall", Some(Nat::Symmetric), Six::Firewall),
    kind("symmetric+v6-open", Some(Nat::Symmetric), Six::Open),
    kind("symmetric+v6-none", Some(Nat::Symmetric), Six::None),
    kind("double+v6-firewall", Some(Nat::Double), Six::Firewall),
    kind("udp-blocked", Some(Nat::UdpBlocked), Six::Firewall),
];

/// Every kind that there is in these families.
pub const fn kinds(families: Families) -> &'static [Kind] {
    match families {
        Families::Four => FOUR,
        Families::Six => SIX,
        Families::Both => BOTH,
    }
}

impl Kind {
    /// Whether a node of this kind and one of another can be direct, by the rules of their routers.
    pub fn can_be_direct(&self, other: &Self, families: Families, port_mapping: bool) -> bool {
        if self.blocks_udp() || other.blocks_udp() {
            return false;
        }
        // Nothing is translated there, and both sides sending opens any firewall.
        let six = families != Families::Four && self.has_six(families) && other.has_six(families);
        let four = || {
            let (one, two) = (self.behaviour(port_mapping), other.behaviour(port_mapping));
            one.admits(two) || two.admits(one)
        };
        six || (families != Families::Six && four())
    }

    /// Whether its router opens ports when it is asked, in a lab where routers do. A router behind a router does not:
    /// miniupnpd refuses where its own outer address is not public. One that blocks UDP has nothing to open.
    pub const fn opens_ports(&self) -> bool {
        matches!(
            self.nat,
            Some(Nat::EndpointIndependent | Nat::AddressRestricted | Nat::PortRestricted | Nat::Symmetric)
        )
    }

    /// Whether it never has a direct path to anybody.
    pub const fn blocks_udp(&self) -> bool {
        matches!(self.nat, Some(Nat::UdpBlocked | Nat::Tcp443))
    }

    fn has_six(&self, families: Families) -> bool {
        // Without a router a host has what the public network speaks.
        families != Families::Four && (self.nat.is_none() || self.six != Six::None)
    }

    const fn behaviour(&self, port_mapping: bool) -> Behaviour {
        if port_mapping && self.opens_ports() {
            return Behaviour { one_mapping: true, filtering: Filtering::None };
        }
        match self.nat {
            None | Some(Nat::EndpointIndependent) => Behaviour { one_mapping: true, filtering: Filtering::None },
            Some(Nat::AddressRestricted) => Behaviour { one_mapping: true, filtering: Filtering::Address },
            // The carrier lets everybody in, the home router before the node does not.
            Some(Nat::PortRestricted | Nat::Double | Nat::Carrier | Nat::UdpBlocked | Nat::Tcp443) => {
                Behaviour { one_mapping: true, filtering: Filtering::Endpoint }
            }
            Some(Nat::Symmetric) => Behaviour { one_mapping: false, filtering: Filtering::Endpoint },
        }
    }

    /// Puts a host of this kind into a lab.
    pub(crate) fn settle(
        &self,
        lab: &mut Lab,
        name: &str,
        port_mapping: bool,
        around: &mut Surroundings,
    ) -> Result<Host, LabError> {
        let Some(nat) = self.nat else { return lab.public_host(name) };
        let router = match nat {
            Nat::Carrier => {
                let carrier = match &around.carrier {
                    Some(carrier) => carrier.clone(),
                    None => around.carrier.insert(lab.router("carrier", Nat::Carrier, self.six)?).clone(),
                };
                lab.router_behind(&carrier, &format!("{name}-r"), Nat::PortRestricted, self.six)?
            }
            Nat::Double => {
                let outer = lab.router(&format!("{name}-r"), Nat::PortRestricted, self.six)?;
                lab.router_behind(&outer, &format!("{name}-rr"), Nat::PortRestricted, self.six)?
            }
            other => lab.router(&format!("{name}-r"), other, self.six)?,
        };
        if port_mapping && self.opens_ports() {
            around.mappings.push(PortMapping::start(lab, &router)?);
        }
        lab.host_at(&router, name)
    }
}

impl Behaviour {
    /// Whether packets of another one get in once both have sent to what they know of each other.
    fn admits(self, other: Self) -> bool {
        match self.filtering {
            // Where it can be reached is known if its port is; and then whoever comes, comes in.
            Filtering::None => self.one_mapping,
            // The other's address is known even if its port is not.
            Filtering::Address => self.one_mapping,
            Filtering::Endpoint => self.one_mapping && other.one_mapping,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Kind {
        *kinds(Families::Four).iter().chain(kinds(Families::Both)).find(|kind| kind.name == name).unwrap()
    }

    #[test]
    fn the_rule_says_what_books_say() {
        let direct = |a: &str, b: &str| {
            let (a, b) = (named(a), named(b));
            let there = a.can_be_direct(&b, Families::Four, false);
            assert_eq!(there, b.can_be_direct(&a, Families::Four, false), "the rule has no direction");
            there
        };
        assert!(direct("ei-apd", "ei-apd") && direct("double", "cgnat") && direct("open", "symmetric"));
        assert!(direct("ei-ad", "symmetric") && direct("ei-ei", "symmetric"));
        assert!(!direct("symmetric", "symmetric") && !direct("symmetric", "ei-apd") && !direct("double", "symmetric"));
        assert!(!direct("udp-blocked", "open") && !direct("tcp-443", "ei-ei"));
    }

    #[test]
    fn an_opened_port_or_ipv6_helps_symmetric_nats() {
        let (symmetric, strict) = (named("symmetric"), named("ei-apd"));
        assert!(symmetric.can_be_direct(&symmetric, Families::Four, true));
        assert!(symmetric.can_be_direct(&strict, Families::Four, true));
        let (with, without) = (named("symmetric+v6-firewall"), named("symmetric+v6-none"));
        assert!(
            with.can_be_direct(&with, Families::Both, false) && !with.can_be_direct(&without, Families::Both, false)
        );
        assert!(with.can_be_direct(&named("open"), Families::Both, false));
    }
}
