//! Networks: a site, its gateway to the network around it, and what the gateway lets pass.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use wattle_time::Instant;

use crate::conditions::Link;
use crate::flows::Flows;
use crate::nat::{Behaviour, Dependence, Nat};
use crate::{Direction, Fate};

/// Names a network behind a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SiteId(pub(crate) usize);

/// What joins a network to the one around it.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The network around it: another site, or the open internet.
    pub parent: Option<SiteId>,
    /// How IPv4 leaves.
    pub v4: V4,
    /// Whether IPv6 is routed. Without it, IPv6 stays inside.
    pub v6: bool,
    /// What passes.
    pub firewall: Firewall,
}

/// How IPv4 leaves a network.
#[derive(Clone, Debug)]
pub enum V4 {
    /// Through a NAT.
    Translated {
        /// Addresses in the network around it; hosts inside are spread over them.
        outside: Vec<Ipv4Addr>,
        /// How it behaves.
        behaviour: Behaviour,
    },
    /// As it is: addresses inside are addresses of the network around it.
    Routed,
    /// Not at all.
    None,
}

impl Gateway {
    /// A NAT for IPv4 on the open internet, without IPv6; what IPv6 there may come to be is behind a stateful firewall.
    pub fn nat(outside: Ipv4Addr, behaviour: Behaviour) -> Self {
        let v4 = V4::Translated { outside: vec![outside], behaviour };
        Self { parent: None, v4, v6: false, firewall: Firewall::STATEFUL }
    }

    /// Public addresses of both families on the open internet, and no firewall.
    pub fn routed() -> Self {
        Self { parent: None, v4: V4::Routed, v6: true, firewall: Firewall::OPEN }
    }

    /// The same inside another site.
    #[must_use]
    pub fn inside(self, parent: SiteId) -> Self {
        Self { parent: Some(parent), ..self }
    }

    /// The same with IPv6 routed.
    #[must_use]
    pub fn with_v6(self) -> Self {
        Self { v6: true, ..self }
    }

    /// The same with another firewall.
    #[must_use]
    pub fn with_firewall(self, firewall: Firewall) -> Self {
        Self { firewall, ..self }
    }
}

/// What a gateway lets pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firewall {
    /// Who may come in where nothing is translated. (A NAT has its own filtering.)
    pub inbound: Inbound,
    /// Whether datagrams pass.
    pub udp: bool,
    /// Which connections pass outwards.
    pub tcp: Tcp,
}

/// Who may come in where nothing is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// Everybody.
    Open,
    /// Who was sent to.
    Stateful {
        /// What of him counts.
        filtering: Dependence,
        /// For how long after the last packet to him.
        lifetime: Duration,
    },
}

/// Which connections pass outwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tcp {
    /// All.
    All,
    /// Those to port 443.
    Only443,
    /// None.
    None,
}

impl Firewall {
    /// Everything passes.
    pub const OPEN: Self = Self { inbound: Inbound::Open, udp: true, tcp: Tcp::All };
    /// What was asked for comes in; as Linux does it, for two minutes.
    pub const STATEFUL: Self = Self {
        inbound: Inbound::Stateful {
            filtering: Dependence::AddressAndPortDependent,
            lifetime: Duration::from_secs(120),
        },
        ..Self::OPEN
    };
    /// No datagrams.
    pub const NO_UDP: Self = Self { udp: false, ..Self::STATEFUL };
    /// Connections to port 443 and nothing else.
    pub const ONLY_443: Self = Self { tcp: Tcp::Only443, ..Self::NO_UDP };
    /// Nothing.
    pub const NOTHING: Self = Self { tcp: Tcp::None, ..Self::NO_UDP };

    pub(crate) fn passes_connection(&self, port: u16) -> bool {
        match self.tcp {
            Tcp::All => true,
            Tcp::Only443 => port == 443,
            Tcp::None => false,
        }
    }
}

/// What a gateway answers to those who ask for a mapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortMapping {
    /// Nothing: it does not know the protocol.
    #[default]
    Off,
    /// It grants mappings.
    On,
    /// It says no.
    Refusing,
    /// It grants mappings and says that they are at this address.
    Lying(Ipv4Addr),
}

#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) parent: Option<SiteId>,
    pub(crate) nat: Option<Nat>,
    /// The network whose addresses are meant inside, for each family: itself, or one around it.
    pub(crate) realm_v4: Option<SiteId>,
    pub(crate) realm_v6: Option<SiteId>,
    pub(crate) firewall: Firewall,
    pub(crate) port_mapping: PortMapping,
    let_in: Flows<SocketAddr>,
    uplink_out: Link,
    uplink_in: Link,
    /// Grows with whatever ends connections.
    pub(crate) upheavals: u64,
}

impl Site {
    pub(crate) fn new(id: SiteId, gateway: Gateway, around: Option<&Self>, now: Instant) -> Self {
        let Gateway { parent, v4, v6, firewall } = gateway;
        let (around_v4, around_v6) = around.map_or((None, None), |site| (site.realm_v4, site.realm_v6));
        let realm_v4 = if matches!(v4, V4::Routed) { around_v4 } else { Some(id) };
        let nat = match v4 {
            V4::Translated { outside, behaviour } => Some(Nat::new(outside, behaviour, now)),
            V4::Routed | V4::None => None,
        };
        Self {
            parent,
            nat,
            realm_v4,
            realm_v6: if v6 { around_v6 } else { Some(id) },
            firewall,
            port_mapping: PortMapping::Off,
            let_in: Flows::new(),
            uplink_out: Link::PERFECT,
            uplink_in: Link::PERFECT,
            upheavals: 0,
        }
    }

    pub(crate) fn uplink(&self, direction: Direction) -> &Link {
        match direction {
            Direction::Out => &self.uplink_out,
            Direction::In => &self.uplink_in,
        }
    }

    pub(crate) fn uplink_mut(&mut self, direction: Direction) -> &mut Link {
        match direction {
            Direction::Out => &mut self.uplink_out,
            Direction::In => &mut self.uplink_in,
        }
    }

    /// A datagram leaves as it is.
    pub(crate) fn pass_out(&mut self, from: SocketAddr, to: SocketAddr, now: Instant) -> Result<(), Fate> {
        if !self.firewall.udp {
            return Err(Fate::Firewalled);
        }
        if let Inbound::Stateful { filtering, lifetime } = self.firewall.inbound {
            self.let_in.note(from, filtering.reduce(to), now, lifetime);
        }
        Ok(())
    }

    /// A datagram comes in as it is. What is let in keeps the door open, as connection tracking does.
    pub(crate) fn pass_in(&mut self, from: SocketAddr, to: SocketAddr, now: Instant) -> Result<(), Fate> {
        if !self.firewall.udp {
            return Err(Fate::Firewalled);
        }
        if let Inbound::Stateful { filtering, lifetime } = self.firewall.inbound {
            let remote = filtering.reduce(from);
            if !self.let_in.is_alive(to, remote, now, lifetime) {
                return Err(Fate::Firewalled);
            }
            self.let_in.note(to, remote, now, lifetime);
        }
        Ok(())
    }

    /// The gateway restarts.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.let_in.clear();
        self.upheavals += 1;
        if let Some(nat) = &mut self.nat {
            nat.restart(now);
        }
    }

    pub(crate) fn realm(&self, id: SiteId, address: IpAddr) -> Option<SiteId> {
        match address {
            IpAddr::V4(_) => self.realm_v4,
            IpAddr::V6(address) if address.is_unicast_link_local() => Some(id),
            IpAddr::V6(_) => self.realm_v6,
        }
    }
}
