//! The networks of a scenario in the world, and the addresses in them. Private networks of one depth all use the same
//! addresses, as real ones do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wattle_world::{
    Behaviour, Blockade, Firewall, Gateway, Hairpinning, HostId, Kinds, PortMapping, SiteId, V4, World,
};

use crate::scenario::{Edge, NatSpec, Place, Ports, Site};
use crate::transition::{Block, Direction};

pub(super) struct Grounds {
    sites: Vec<Ground>,
    /// Public addresses given so far.
    public: u16,
}

struct Ground {
    id: SiteId,
    translated: bool,
    depth: u8,
    /// Whether hosts have IPv4, and IPv6.
    families: (bool, bool),
    /// Addresses inside given so far.
    inside: u8,
    inside_v6: u16,
}

impl Grounds {
    pub(super) fn new(sites: &[Site], world: &mut World) -> Self {
        let mut grounds = Self { sites: Vec::new(), public: 0 };
        for site in sites {
            let outer = site.inside.and_then(|outer| grounds.sites.get(outer)).map(|outer| outer.id);
            let (gateway, translated) = match site.edge {
                Edge::Nat(nat) => (Gateway::nat(grounds.address_in(site.inside), behaviour(&nat)), true),
                Edge::Firewall => (Gateway::routed().with_firewall(Firewall::STATEFUL), false),
                Edge::Only443 => (Gateway::routed().with_firewall(Firewall::ONLY_443), false),
                Edge::Ipv6 => (Gateway { v4: V4::None, ..Gateway::routed().with_firewall(Firewall::STATEFUL) }, false),
            };
            let gateway = if site.v6 { gateway.with_v6() } else { gateway };
            let gateway = match outer {
                Some(outer) => gateway.inside(outer),
                None => gateway,
            };
            let id = world.add_network(gateway);
            let outer_depth = site.inside.and_then(|outer| grounds.sites.get(outer)).map_or(0, |outer| outer.depth + 1);
            let families = site.families();
            grounds.sites.push(Ground { id, translated, depth: outer_depth, families, inside: 0, inside_v6: 0 });
            if matches!(site.edge, Edge::Nat(NatSpec { portmap: true, .. })) {
                world.set_port_mapping(id, PortMapping::On);
            }
        }
        grounds
    }

    pub(super) fn id(&self, site: usize) -> SiteId {
        self.sites[site].id
    }

    /// Fresh addresses at a place.
    pub(super) fn addresses_at(&mut self, place: Place) -> (Vec<IpAddr>, Option<SiteId>) {
        let Place::In(site) = place else { return (vec![self.address_in(None).into()], None) };
        let (v4, v6) = self.sites[site].families;
        let mut addresses: Vec<IpAddr> = Vec::new();
        if v4 {
            addresses.push(self.address_in(Some(site)).into());
        }
        if v6 {
            let ground = &mut self.sites[site];
            ground.inside_v6 += 1;
            addresses.push(Ipv6Addr::new(0x2001, 0xdb8, site as u16 + 1, 0, 0, 0, 0, ground.inside_v6).into());
        }
        (addresses, Some(self.sites[site].id))
    }

    /// Moves a host to a place.
    pub(super) fn roam(&mut self, host: HostId, place: Place, world: &mut World) {
        let (addresses, site) = self.addresses_at(place);
        if let Some(first) = addresses.first() {
            world.roam(host, *first, site);
        }
        add_addresses(host, &addresses, world);
    }

    fn address_in(&mut self, site: Option<usize>) -> Ipv4Addr {
        if let Some(ground) = site.and_then(|site| self.sites.get_mut(site)).filter(|ground| ground.translated) {
            ground.inside = ground.inside % 250 + 1;
            let last = ground.inside + 1;
            return match ground.depth {
                0 => Ipv4Addr::new(192, 168, 1, last),
                depth => Ipv4Addr::new(10, depth, 0, last),
            };
        }
        self.public += 1;
        let [high, low] = self.public.to_be_bytes();
        Ipv4Addr::new(198, 18 + high / 128, high, low)
    }

    pub(super) fn restart(&self, site: usize, world: &mut World) {
        world.restart_nat(self.sites[site].id);
    }

    pub(super) fn rebind(&self, site: usize, world: &mut World) {
        world.rebind_ports(self.sites[site].id);
    }

    pub(super) fn map_ports(&self, site: usize, on: bool, world: &mut World) {
        world.set_port_mapping(self.sites[site].id, if on { PortMapping::On } else { PortMapping::Off });
    }
}

/// Gives a host that has the first of these the others too.
pub(super) fn add_addresses(host: HostId, addresses: &[IpAddr], world: &mut World) {
    let interface = world.addresses(host).map(|(interface, _)| interface).next();
    if let Some(interface) = interface.filter(|_| addresses.len() > 1) {
        world.readdress(host, interface, addresses);
    }
}

fn behaviour(nat: &NatSpec) -> Behaviour {
    Behaviour {
        hairpinning: if nat.hairpin { Hairpinning::ExternalSource } else { Hairpinning::Off },
        ports: match nat.ports {
            Ports::Keep => wattle_world::Ports::Preserving,
            Ports::Random => wattle_world::Ports::Random,
            Ports::Sequential => wattle_world::Ports::Sequential,
        },
        lifetime: nat.lifetime,
        filter_lifetime: nat.lifetime,
        ..Behaviour::new(nat.mapping, nat.filtering)
    }
}

pub(super) fn direction(direction: Direction) -> wattle_world::Direction {
    match direction {
        Direction::In => wattle_world::Direction::In,
        Direction::Out => wattle_world::Direction::Out,
    }
}

pub(super) fn blockade(what: Block) -> Blockade {
    match what {
        Block::Nothing => Blockade::None,
        Block::Udp => Blockade::AllDatagrams,
        Block::Disco => Blockade::Kinds(Kinds::DISCO),
        Block::Data => Blockade::Kinds(Kinds::DATA),
        Block::WireGuard => Blockade::Kinds(Kinds::DATA.and(Kinds::HANDSHAKES)),
    }
}
